"""Names of places: `run/3f2`, `model/churn@champion`, `alerts`; what they open, and how each object is shown by a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import nearest
from mlops_tui.tui.actions import DESKS
from mlops_tui.tui.history import Place
from mlops_tui.workbench import Workbench


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of object: where it is listed, and the key of its row for what a user calls it (raises NotFound)."""

    desk: str
    section: str
    key: Callable[[Workbench, str], str]


def _model(bench: Workbench, name: str) -> str:
    return bench.registry.model(name).name


def _version(bench: Workbench, ref: str) -> str:
    return bench.registry.version(ref).ref


def _number(kind: str, name: str) -> int:
    if not name.isdigit():
        raise NotFound(f"'{name}' is not the number of {kind}.", hint=f"As in {kind.split()[-1]}/3.")
    return int(name)


KINDS: dict[str, Kind] = {
    "table": Kind("features", "tables", lambda bench, name: bench.features.get(name).name),
    "snapshot": Kind("features", "snapshots", lambda bench, ref: bench.features.snapshot(ref).reference),
    "queue": Kind("features", "labels", lambda bench, name: bench.labels.get(name).name),
    "run": Kind("experiments", "run", lambda bench, prefix: bench.experiments.run(prefix).id),
    "model": Kind("registry", "models", _model),
    "version": Kind("registry", "version", _version),
    "pipeline": Kind("pipelines", "pipeline", lambda bench, name: bench.pipelines.get(name).name),
    "schedule": Kind("pipelines", "schedules", lambda bench, name: bench.schedules.get(name).name),
    "deployment": Kind("serving", "deployments", lambda bench, name: bench.serving.get(name).name),
    "prediction": Kind("serving", "predictions", lambda bench, id_: bench.serving.prediction(id_).id),
    "alert": Kind("monitoring", "incident", lambda bench, id_: str(bench.alerts.get(_number("an alert", id_)).id)),
    "monitor": Kind("monitoring", "monitors", lambda bench, name: bench.monitoring.get(name).deployment),
    "job": Kind("system", "jobs", lambda bench, id_: str(bench.jobs.get(_number("a job", id_)).id)),
}

PLACES: dict[str, Place] = {
    **{name: Place(name) for name, _, _ in DESKS},
    "tables": Place("features", "tables"),
    "snapshots": Place("features", "snapshots"),
    "labels": Place("features", "labels"),
    "runs": Place("experiments", "runs"),
    "models": Place("registry", "models"),
    "versions": Place("registry", "versions"),
    "requests": Place("registry", "requests"),
    "maturity": Place("registry", "maturity"),
    "schedules": Place("pipelines", "schedules"),
    "timeline": Place("pipelines", "timeline"),
    "packages": Place("pipelines", "packages"),
    "deployments": Place("serving", "deployments"),
    "predictions": Place("serving", "predictions"),
    "alerts": Place("monitoring", "alerts"),
    "monitors": Place("monitoring", "monitors"),
    "drift": Place("monitoring", "columns"),
    "performance": Place("monitoring", "performance"),
    "fairness": Place("monitoring", "fairness"),
    "reports": Place("monitoring", "reports"),
    "outliers": Place("monitoring", "outliers"),
    "clients": Place("monitoring", "clients"),
    "rules": Place("monitoring", "rules"),
    "channels": Place("monitoring", "channels"),
    "deliveries": Place("monitoring", "deliveries"),
    "maintenance": Place("monitoring", "maintenance"),
    "hardware": Place("system", "hardware"),
    "processes": Place("system", "processes"),
    "gpus": Place("system", "gpus"),
    "loads": Place("system", "loads"),
    "jobs": Place("system", "jobs"),
    "audit": Place("system", "audit"),
}

SHOW: dict[tuple[str, str], str] = {
    ("features", "tables"): "mlops features show {name}",
    ("features", "snapshots"): "mlops features history {name}",
    ("features", "labels"): "mlops labels show {name}",
    ("experiments", "runs"): "mlops runs show {id}",
    ("experiments", "experiments"): "mlops experiments show {name}",
    ("registry", "models"): "mlops models show {name}",
    ("registry", "versions"): "mlops models show {ref}",
    ("registry", "requests"): "mlops models requests {name} --all",
    ("registry", "maturity"): "mlops maturity {name}",
    ("version", "lineage"): "mlops lineage {ref}",
    ("pipelines", "pipelines"): "mlops pipelines show {name}",
    ("pipelines", "runs"): "mlops pipelines runs {name}",
    ("pipelines", "schedules"): "mlops schedules show {name}",
    ("pipelines", "packages"): "mlops pipelines packages show {ref}",
    ("pipeline", "packages"): "mlops pipelines packages show {ref}",
    ("serving", "deployments"): "mlops deployments show {name}",
    ("serving", "predictions"): "mlops why {id}",
    ("monitoring", "alerts"): "mlops alerts show {id}",
    ("monitoring", "monitors"): "mlops monitors show {name}",
    ("monitoring", "reports"): "mlops monitors show {name}",
    ("monitoring", "columns"): "mlops monitors column {name} {column}",
    ("monitoring", "performance"): "mlops monitors performance {name}",
    ("monitoring", "fairness"): "mlops monitors fairness {name}",
    ("monitoring", "outliers"): "mlops why {id}",
    ("monitoring", "clients"): "mlops monitors clients {name}",
    ("monitoring", "rules"): "mlops alerts rules list",
    ("monitoring", "channels"): "mlops alerts channels list",
    ("monitoring", "deliveries"): "mlops alerts deliveries --channel {name}",
    ("monitoring", "maintenance"): "mlops alerts maintenance list",
    ("incident", "story"): "mlops alerts story {id}",
    ("system", "processes"): "mlops hardware processes --tree",
    ("system", "gpus"): "mlops hardware gpus {index}",
    ("system", "loads"): "mlops hardware history --of '{subject}'",
    ("system", "jobs"): "mlops jobs show {id}",
    ("system", "audit"): "mlops audit show {id}",
}
"""The command that prints what a row is about, by (desk, section)."""


def resolve(bench: Workbench, where: str) -> Place:
    """The place that `where` names: a desk, a part of one, or KIND/NAME.

    Raises NotFound with the nearest name for an unknown word, kind or object.
    """
    kind, slash, name = where.strip().partition("/")
    if not slash:
        if kind in PLACES:
            return PLACES[kind]
        near = nearest(kind, PLACES)
        hint = f"Did you mean '{near}'?" if near else f"One of: {', '.join(PLACES)}; or KIND/NAME such as run/3f2."
        raise NotFound(f"There is no place '{kind}'.", hint=hint)
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        hint = f"Did you mean '{near}/{name}'?" if near else f"One of: {', '.join(KINDS)}."
        raise NotFound(f"There is no kind of object '{kind}'.", hint=hint)
    if kind == "model" and ("@" in name or "/" in name):
        kind = "version"
    found = KINDS[kind]
    return Place(found.desk, found.section, found.key(bench, name))
