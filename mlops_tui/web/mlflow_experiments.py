"""MLflow's calls about experiments."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.remote_experiments import VIEWS
from mlops_tui.domains.experiments.remote_records import RemoteExperiment
from mlops_tui.web.mlflow_ask import Ask, pairs
from mlops_tui.web.mlflow_search import EXPERIMENTS, offset_of, page
from mlops_tui.workbench import Workbench

SCHEME = "mlflow-artifacts:/"


def create(bench: Workbench, ask: Ask) -> dict[str, Any]:
    place = ask.text("artifact_location", "")
    if place and place.rstrip("/") != SCHEME.rstrip("/"):
        raise InvalidInput(
            f"Invalid value \"{place[:200]}\" for parameter 'artifact_location' supplied. "
            "This server keeps all artifacts itself: leave it out."
        )
    number = bench.experiments.remote.experiments.create(ask.text("name"), ask.pairs("tags"))
    return {"experiment_id": str(number)}


def get(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"experiment": shown(bench.experiments.remote.experiments.get(ask.number("experiment_id")))}


def get_by_name(bench: Workbench, ask: Ask) -> dict[str, Any]:
    return {"experiment": shown(bench.experiments.remote.experiments.named(ask.text("experiment_name")))}


def search(bench: Workbench, ask: Ask) -> dict[str, Any]:
    limit, offset = ask.limit("max_results", 1000, 50_000), offset_of(ask.text("page_token", ""))
    found, more = page(
        bench.experiments.remote.experiments.search(
            EXPERIMENTS.conditions(ask.text("filter", "")),
            EXPERIMENTS.orders_of(ask.texts("order_by")),
            view_of(ask, "view_type"),
            limit + 1,
            offset,
        ),
        limit,
        offset,
    )
    return {"experiments": [shown(one) for one in found], **more}


def update(bench: Workbench, ask: Ask) -> dict[str, Any]:
    name = ask.text("new_name", "")
    if name:
        bench.experiments.remote.experiments.rename(ask.number("experiment_id"), name)
    return {}


def delete(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.experiments.delete(ask.number("experiment_id"))
    return {}


def restore(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.experiments.restore(ask.number("experiment_id"))
    return {}


def set_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.experiments.tag(ask.number("experiment_id"), ask.text("key"), ask.text("value", ""))
    return {}


def delete_tag(bench: Workbench, ask: Ask) -> dict[str, Any]:
    bench.experiments.remote.experiments.tag(ask.number("experiment_id"), ask.text("key"), None)
    return {}


def search_datasets(bench: Workbench, ask: Ask) -> dict[str, Any]:
    """The data sets that runs of some experiments read, as MLflow's page of runs offers them for filtering."""
    numbers = [Ask({"experiment_id": one}).number("experiment_id") for one in ask.texts("experiment_ids")]
    if not 1 <= len(numbers) <= 20:
        raise InvalidInput("SearchDatasets request must specify 1 to 20 experiment_ids.")
    found = bench.experiments.remote.runs.data_sets(numbers, 1000)
    names = ("experiment_id", "name", "digest", "context")
    return {"dataset_summaries": [dict(zip(names, (str(one[0]), *one[1:]), strict=True)) for one in found]}


def view_of(ask: Ask, name: str) -> str:
    """ACTIVE_ONLY, DELETED_ONLY or ALL."""
    view = ask.text(name, "ACTIVE_ONLY")
    if view not in VIEWS:
        raise InvalidInput(f"Invalid value \"{view[:40]}\" for parameter '{name}' supplied.")
    return view


def shown(one: RemoteExperiment) -> dict[str, Any]:
    """An experiment as its JSON."""
    return {
        "experiment_id": str(one.id),
        "name": one.name,
        "artifact_location": f"{SCHEME}{one.id}",
        "lifecycle_stage": "deleted" if one.deleted else "active",
        "creation_time": one.created_at,
        "last_update_time": one.changed_at,
        "tags": pairs(one.tags),
    }


HANDLERS = {
    ("POST", "experiments/create"): create,
    ("GET", "experiments/get"): get,
    ("GET", "experiments/get-by-name"): get_by_name,
    ("POST", "experiments/search"): search,
    ("GET", "experiments/search"): search,
    ("POST", "experiments/search-datasets"): search_datasets,
    ("POST", "experiments/update"): update,
    ("POST", "experiments/delete"): delete,
    ("POST", "experiments/restore"): restore,
    ("POST", "experiments/set-experiment-tag"): set_tag,
    ("POST", "experiments/delete-experiment-tag"): delete_tag,
}
