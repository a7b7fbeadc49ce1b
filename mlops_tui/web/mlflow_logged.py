"""MLflow's calls about logged models (3.x): what a run saved as a model, before anyone registers it."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG
from mlops_tui.domains.experiments.remote_records import LoggedModel
from mlops_tui.web.mlflow_artifacts import folder_page
from mlops_tui.web.mlflow_ask import Ask, pairs, real
from mlops_tui.web.mlflow_experiments import SCHEME
from mlops_tui.web.mlflow_search import LOGGED, offset_of, page
from mlops_tui.workbench import Workbench

_PREFIX = "LOGGED_MODEL_"


def create(bench: Workbench, ask: Ask) -> dict[str, Any]:
    experiment = bench.experiments.remote.experiments.active(ask.number("experiment_id"))
    model = bench.experiments.remote.models.create(
        experiment.id,
        ask.text("name", ""),
        ask.text("source_run_id", ""),
        ask.text("model_type", ""),
        ask.pairs("params", MAX_PARAM),
        ask.pairs("tags", MAX_TAG),
    )
    return {"model": shown(model)}


def get(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"model": shown(bench.experiments.remote.models.get(ask.text("model_id")))}


def finish(bench: Workbench, ask: Ask) -> dict[str, Any]:
    status = ask.text("status")
    if not status.startswith(_PREFIX):
        raise InvalidInput(f"Invalid value \"{status[:40]}\" for parameter 'status' supplied.")
    return {"model": shown(bench.experiments.remote.models.finish(ask.text("model_id"), status.removeprefix(_PREFIX)))}


def delete(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.models.delete(ask.text("model_id"))
    return {}


def log_params(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.models.log_params(ask.text("model_id"), ask.pairs("params", MAX_PARAM))
    return {}


def set_tags(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"model": shown(bench.experiments.remote.models.set_tags(ask.text("model_id"), ask.pairs("tags", MAX_TAG)))}


def delete_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.models.remove_tag(ask.text("model_id"), ask.text("tag_key"))
    return {}


def directories(bench: Workbench, ask: Ask) -> dict[str, Any]:
    model = bench.experiments.remote.models.get(ask.text("model_id"))
    folder = ask.text("artifact_directory_path", "")
    return {"root_uri": place(model), **folder_page(bench, model.id, folder)}


def search(bench: Workbench, ask: Ask) -> dict[str, Any]:
    limit, offset = ask.limit("max_results", 100, 1000), offset_of(ask.text("page_token", ""))
    data_sets = [(one.text("dataset_name"), one.text("dataset_digest", "")) for one in ask.items("datasets")]
    numbers = [Ask({"experiment_id": one}).number("experiment_id") for one in ask.texts("experiment_ids")]
    orders = [
        LOGGED.order(one.text("field_name"), one.fields.get("ascending") is not False) for one in ask.items("order_by")
    ]
    conditions = LOGGED.conditions(ask.text("filter", ""))
    found, more = page(
        bench.experiments.remote.models.search(numbers, conditions, orders, limit + 1, offset, data_sets), limit, offset
    )
    return {"models": [shown(one) for one in found], **more}


def place(model: LoggedModel) -> str:
    """Where the files of a logged model are for clients."""
    return f"{SCHEME}{model.experiment_id}/models/{model.id}/artifacts"


def shown(model: LoggedModel) -> dict[str, Any]:
    """A logged model as its JSON."""
    metrics = [
        {
            "key": p.name,
            "value": real(p.value),
            "timestamp": p.ts,
            "step": p.step,
            "model_id": model.id,
            "run_id": p.run_id,
            "dataset_name": p.dataset,
            "dataset_digest": p.digest,
        }
        for p in model.metrics
    ]
    return {
        "info": {
            "model_id": model.id,
            "experiment_id": str(model.experiment_id),
            "name": model.name,
            "artifact_uri": place(model),
            "status": _PREFIX + model.status,
            "source_run_id": model.run_id,
            "model_type": model.kind,
            "creation_timestamp_ms": model.created_at,
            "last_updated_timestamp_ms": model.updated_at,
            "tags": pairs(model.tags),
        },
        "data": {"params": pairs(model.params), "metrics": metrics},
    }


HANDLERS = {
    ("POST", "logged-models"): create,
    ("POST", "logged-models/search"): search,
    ("GET", "logged-models/{model_id}"): get,
    ("PATCH", "logged-models/{model_id}"): finish,
    ("DELETE", "logged-models/{model_id}"): delete,
    ("POST", "logged-models/{model_id}/params"): log_params,
    ("PATCH", "logged-models/{model_id}/tags"): set_tags,
    ("DELETE", "logged-models/{model_id}/tags/{tag_key}"): delete_tag,
    ("GET", "logged-models/{model_id}/artifacts/directories"): directories,
}
