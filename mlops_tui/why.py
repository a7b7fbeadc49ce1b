"""Why something is as it is: the chain from a prediction down to the commit and the rows it was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain: what it is, its name, and the facts a person asks next."""

    kind: str
    name: str
    facts: dict[str, Any] = field(default_factory=dict)


def explain(workbench: Workbench, reference: str) -> list[Step]:
    """The chain behind a prediction id, `model/version` or `model@alias`, run id, or `table@version`; most recent link first.

    Raises NotFound when nothing has that name.
    """
    for look in (_prediction, _version, _snapshot, _run):
        try:
            return look(workbench, reference)
        except (NotFound, InvalidInput):  # not of that form, or not there
            continue
    raise NotFound(
        f"Nothing here is called '{reference}'.",
        hint="Give a prediction id, MODEL/VERSION, MODEL@ALIAS, a run id or TABLE@VERSION.",
    )


def _prediction(workbench: Workbench, reference: str) -> list[Step]:
    if (
        "/" in reference
        or "@" in reference
        or (ids.prediction_time(reference) is None and not reference.startswith("p"))
    ):
        raise NotFound(reference)
    found = workbench.serving.prediction(reference)
    facts: dict[str, Any] = {
        "answered": clock.iso(found.at),
        "deployment": found.deployment,
        "prediction": found.prediction,
        "score": found.score,
        "latency": f"{found.latency_ms:.2f} ms",
        "inputs": found.inputs,
        "true value": found.label,
        "odd": found.marks or None,
    }
    odd = workbench.monitoring.odd.of(found.id)
    if odd is not None:
        facts["odd"] = ", ".join(filter(None, (found.marks, f"p {odd.p:.2g} by {odd.why} against the training rows")))
    first = Step("prediction", found.id, {name: value for name, value in facts.items() if value is not None})
    return [first, *_version(workbench, f"{found.model}/{found.version}")]


def _version(workbench: Workbench, reference: str) -> list[Step]:
    version = workbench.registry.version(reference)
    facts: dict[str, Any] = {
        "stage": str(version.stage),
        "aliases": ", ".join(version.aliases) or "none",
        "registered": f"{clock.iso(version.created_at)} by {version.created_by}",
        "package": f"sha256 {version.sha[:16]}",
        "metrics": ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items()),
    }
    chain = [Step("model version", version.ref, facts)]
    if version.run_id:
        chain += _run(workbench, version.run_id, optional=True)
    if version.pipeline:
        chain.append(_pipeline(workbench, version.pipeline, version.pipeline_run))
    if version.git_commit:
        chain.append(Step("commit", version.git_commit))
    for snapshot in version.snapshots:
        chain += _snapshot(workbench, snapshot, optional=True)
    return chain


def _pipeline(workbench: Workbench, name: str, run_id: str) -> Step:
    try:
        run = workbench.pipelines.get_run(run_id)
    except NotFound:
        return Step("pipeline", name, {"run": f"{run_id} (removed)"})
    facts: dict[str, Any] = {"run": run.id, "state": str(run.state), "job": run.job_id}
    if run.cause:
        facts["cause"] = ", ".join(f"{key} {value}" for key, value in run.cause.items() if value not in ("", None))
    if run.verdict is not None:
        facts["gate"] = str(run.verdict.outcome)
    return Step("pipeline", name, facts)


def _run(workbench: Workbench, reference: str, *, optional: bool = False) -> list[Step]:
    try:
        run = workbench.experiments.run(reference)
    except NotFound:
        if not optional:
            raise
        return [Step("run", reference, {"note": "removed"})]
    params = workbench.experiments.params(run.id)
    facts = {
        "experiment": run.experiment,
        "state": str(run.state),
        "started": f"{clock.iso(run.started_at)} by {run.user}",
        "parameters": ", ".join(f"{key}={value}" for key, value in list(params.items())[:12]),
        "commit": (run.git_commit[:12] + (" with local changes" if run.git_dirty else ""))
        if run.git_commit
        else "not in git",
    }
    return [Step("run", run.id, facts)]


def _snapshot(workbench: Workbench, reference: str, *, optional: bool = False) -> list[Step]:
    if "@" not in reference:
        raise NotFound(reference)
    try:
        snapshot = workbench.features.snapshot(reference)
    except NotFound:
        if not optional:
            raise
        return [Step("snapshot", reference, {"note": "removed"})]
    facts = {
        "rows": f"{snapshot.rows:,}",
        "times": f"{clock.iso(snapshot.min_time)} to {clock.iso(snapshot.max_time)}" if snapshot.min_time else "none",
        "ingested": f"{clock.iso(snapshot.created_at)} by {snapshot.author}",
        "message": snapshot.message or "-",
    }
    return [Step("snapshot", f"{snapshot.table}@{snapshot.version}", facts)]
