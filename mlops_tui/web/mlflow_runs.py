"""MLflow's calls about runs and what they log."""

from __future__ import annotations

import json
from typing import Any

from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.files import check_path
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG
from mlops_tui.domains.experiments.remote_records import DataInput, ModelPoint, Points, RemoteRun
from mlops_tui.domains.experiments.remote_search import STATES
from mlops_tui.web.mlflow_artifacts import folder_page
from mlops_tui.web.mlflow_ask import Ask, Pair, Point, pairs, real
from mlops_tui.web.mlflow_experiments import SCHEME, view_of
from mlops_tui.web.mlflow_search import RUNS, offset_of, page
from mlops_tui.workbench import Workbench

MAX_METRICS, MAX_PARAMS, MAX_TAGS = 1000, 100, 100
STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "crashed": "KILLED"}
CONTEXT_TAG = "mlflow.data.context"
_HISTORY_TAG = "mlflow.log-model.history"


def create(bench: Workbench, ask: Ask) -> dict[str, Any]:
    run = bench.experiments.remote.runs.create(
        ask.number("experiment_id", 0),
        user=ask.text("user_id", ""),
        name=ask.text("run_name", ""),
        started_at=ask.number("start_time", 0),
        tags=ask.pairs("tags", MAX_TAG),
    )
    return {"run": shown(run)}


def get(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"run": shown(bench.experiments.remote.runs.get(run_of(ask)))}


def update(bench: Workbench, ask: Ask) -> dict[str, Any]:
    status = ask.text("status", "")
    if status and status not in STATES:
        raise InvalidInput(f"Invalid value \"{status[:40]}\" for parameter 'status' supplied.")
    run = bench.experiments.remote.runs.update(
        run_of(ask), state=STATES.get(status, ""), ended_at=ask.number("end_time", 0), name=ask.text("run_name", "")
    )
    return {"run_info": _info(run)}


def delete(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.runs.delete(run_of(ask))
    return {}


def restore(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.runs.restore(run_of(ask))
    return {}


def search(bench: Workbench, ask: Ask) -> dict[str, Any]:
    limit, offset = ask.limit("max_results", 1000, 50_000), offset_of(ask.text("page_token", ""))
    found, more = page(
        bench.experiments.remote.runs.search(
            [Ask({"experiment_id": one}).number("experiment_id") for one in ask.texts("experiment_ids")],
            RUNS.conditions(ask.text("filter", "")),
            RUNS.orders_of(ask.texts("order_by")),
            view_of(ask, "run_view_type"),
            limit + 1,
            offset,
        ),
        limit,
        offset,
    )
    return {"runs": [shown(run) for run in found], **more}


def artifacts(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """The files right under a folder of a run, by their whole path: what clients ask that do not use the artifact proxy."""
    run, folder = bench.experiments.remote.runs.get(run_of(ask)), ask.text("path", "").strip("/")
    lead = f"{check_path(folder)}/" if folder else ""
    files = folder_page(bench, run.id, folder).get("files", [])
    return {"root_uri": _place(run), "files": [{**one, "path": lead + one["path"]} for one in files]}


# -- logging --------------------------------------------------------------------------------------------------------------


def log_metric(bench: Workbench, ask: Ask) -> dict[str, Any]:
    _log(bench, run_of(ask), [ask], {}, {})
    return {}


def log_param(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.runs.log(run_of(ask), [], {ask.text("key"): ask.text("value", "")[:MAX_PARAM]}, {})
    return {}


def set_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.runs.log(run_of(ask), [], {}, {ask.text("key"): ask.text("value", "")[:MAX_TAG]})
    return {}


def delete_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.runs.remove_tag(run_of(ask), ask.text("key"))
    return {}


def log_batch(bench: Workbench, ask: Ask) -> dict[str, Any]:
    metrics, params, tags = list(ask.items("metrics")), ask.pairs("params", MAX_PARAM), ask.pairs("tags", MAX_TAG)
    for name, items, most in (
        ("metrics", metrics, MAX_METRICS),
        ("params", params, MAX_PARAMS),
        ("tags", tags, MAX_TAGS),
    ):
        if len(items) > most:
            raise InvalidInput(f"A batch logging request can contain at most {most} {name}. Got {len(items)} {name}.")
    if len({item.text("key") for item in ask.items("params")}) < len(list(ask.items("params"))):
        _check_twice(ask)
    _log(bench, run_of(ask), metrics, params, tags)
    return {}


def _check_twice(ask: Ask) -> None:
    seen: dict[str, str] = {}
    for item in ask.items("params"):
        key, value = item.text("key"), item.text("value", "")
        if seen.setdefault(key, value) != value:
            raise InvalidInput(f"Duplicate parameter keys have been submitted: {key[:100]}.")


def _log(bench: Workbench, run_id: str, metrics: list[Ask], params: dict[str, str], tags: dict[str, str]) -> None:
    points: Points = []
    of_models: list[tuple[str, ModelPoint]] = []
    for one in metrics:
        point = (one.text("key"), one.real("value"), one.number("timestamp", now_ms()), one.number("step", 0))
        points.append(point)
        if model := one.text("model_id", ""):
            about = ModelPoint(*point, run_id, one.text("dataset_name", ""), one.text("dataset_digest", ""))
            of_models.append((bench.experiments.remote.models.get(model).id, about))
    bench.experiments.remote.runs.log(run_id, points, params, tags)
    bench.experiments.remote.models.log_metrics(of_models)


def log_inputs(bench: Workbench, ask: Ask) -> dict[str, Any]:
    inputs = [_data(one) for one in ask.items("datasets")]
    models = [(one.text("model_id"), False, 0) for one in ask.items("models")]
    bench.experiments.remote.runs.log_inputs(run_of(ask), inputs, models)
    return {}


def log_outputs(bench: Workbench, ask: Ask) -> dict[str, Any]:
    models = [(one.text("model_id"), True, one.number("step", 0)) for one in ask.items("models")]
    bench.experiments.remote.runs.log_inputs(run_of(ask), [], models)
    return {}


def log_model(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """What clients before 3.0 say of a model they saved among a run's files: kept in a tag, as their server does."""
    try:
        said = json.loads(ask.text("model_json"))
    except (ValueError, RecursionError):
        raise InvalidInput("Invalid value for parameter 'model_json' supplied: it is no JSON.") from None
    runs = bench.experiments.remote.runs
    before = json.loads(runs.get(run_of(ask)).tags.get(_HISTORY_TAG, "[]"))
    runs.log(run_of(ask), [], {}, {_HISTORY_TAG: json.dumps([*before, said])[:MAX_TAG]})
    return {}


def _data(one: Ask) -> DataInput:
    data = one.one("dataset")
    fields = {name: data.text(name, "") for name in ("source_type", "source", "schema", "profile")}
    return DataInput(data.text("name"), data.text("digest", ""), **fields, tags=one.pairs("tags"))


# -- history --------------------------------------------------------------------------------------------------------------


def history(bench: Workbench, ask: Ask) -> dict[str, Any]:
    key = ask.text("metric_key")
    limit, offset = ask.limit("max_results", 25_000, 25_000), offset_of(ask.text("page_token", ""))
    points, more = page(bench.experiments.remote.runs.history(run_of(ask), key, limit + 1, offset), limit, offset)
    return {"metrics": [Point(key, real(value), ts, step) for step, ts, value in points], **more}


def history_bulk(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """One metric of several runs, at most `max_results` points in all."""
    key, left, found = ask.text("metric_key"), ask.limit("max_results", 25_000, 25_000), []
    for run_id in _runs_of(ask, "run_id"):
        points = bench.experiments.remote.runs.history(run_id, key, left, 0)
        found += [_of_run(run_id, key, *point) for point in points]
        left -= len(points)
        if not left:
            break
    return {"metrics": found}


def history_interval(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """One metric of several runs between two steps, at most `max_results` points each, evenly spaced with both ends."""
    key, most, found = ask.text("metric_key"), ask.limit("max_results", 320, 2500), []
    first, last = ask.number("start_step", -(2**63)), ask.number("end_step", 2**63 - 1)
    for run_id in _runs_of(ask, "run_ids"):
        points = [p for p in bench.experiments.remote.runs.history(run_id, key, -1, 0) if first <= p[0] <= last]
        if len(points) > most:
            points = [points[place * (len(points) - 1) // max(1, most - 1)] for place in range(most)]
        found += [_of_run(run_id, key, *point) for point in points]
    return {"metrics": found}


def _of_run(run_id: str, key: str, step: int, ts: int, value: float) -> dict[str, Any]:
    return {"run_id": run_id, "key": key, "value": real(value), "timestamp": ts, "step": step}


def _runs_of(ask: Ask, name: str) -> list[str]:
    runs = ask.texts(name)
    if not 1 <= len(runs) <= 100:
        raise InvalidInput(f"Invalid value for parameter '{name}' supplied: 1 to 100 runs are expected.")
    return runs


# -- as JSON --------------------------------------------------------------------------------------------------------------


def run_of(ask: Ask) -> str:
    """The run's id, under its present or its older name."""
    return ask.text("run_id", "") or ask.text("run_uuid", "") or ask.text("run_id")


def shown(run: RemoteRun) -> dict[str, Any]:
    """A run as its JSON."""
    return {
        "info": _info(run),
        "data": {
            "metrics": [Point(key, real(value), ts, step) for key, value, ts, step in run.metrics],
            "params": [Pair(key, value) for key, value in run.params],
            "tags": pairs(run.tags),
        },
        "inputs": {
            "dataset_inputs": [_data_shown(one) for one in run.inputs],
            "model_inputs": [{"model_id": model} for model, made, _ in run.models if not made],
        },
        "outputs": {"model_outputs": [{"model_id": model, "step": step} for model, made, step in run.models if made]},
    }


def _place(run: RemoteRun) -> str:
    """Where the files of a run are for clients."""
    return f"{SCHEME}{run.experiment_id}/{run.id}/artifacts"


def _info(run: RemoteRun) -> dict[str, Any]:
    info = {
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": run.name,
        "experiment_id": str(run.experiment_id),
        "user_id": run.user,
        "status": STATUS[run.state],
        "start_time": run.started_at,
        "artifact_uri": _place(run),
        "lifecycle_stage": "deleted" if run.deleted else "active",
    }
    return info if run.ended_at is None else {**info, "end_time": run.ended_at}


def _data_shown(one: DataInput) -> dict[str, Any]:
    data = {name: getattr(one, name) for name in ("name", "digest", "source_type", "source", "schema", "profile")}
    return {"dataset": data, "tags": pairs(one.tags)}


HANDLERS = {
    ("POST", "runs/create"): create,
    ("GET", "runs/get"): get,
    ("POST", "runs/update"): update,
    ("POST", "runs/delete"): delete,
    ("POST", "runs/restore"): restore,
    ("POST", "runs/search"): search,
    ("POST", "runs/log-metric"): log_metric,
    ("POST", "runs/log-parameter"): log_param,
    ("POST", "runs/log-batch"): log_batch,
    ("POST", "runs/set-tag"): set_tag,
    ("POST", "runs/delete-tag"): delete_tag,
    ("POST", "runs/log-inputs"): log_inputs,
    ("POST", "runs/outputs"): log_outputs,
    ("POST", "runs/log-model"): log_model,
    ("GET", "artifacts/list"): artifacts,
    ("GET", "metrics/get-history"): history,
    ("GET", "metrics/get-history-bulk"): history_bulk,
    ("GET", "metrics/get-history-bulk-interval"): history_interval,
}
