"""What something came from and what came of it, as two trees: snapshot, run, version, deployment, predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.serving.records import Deployment, Prediction
    from mlops_tui.workbench import Workbench

T = TypeVar("T")

MOST = 20
"""So many things of one kind hang on another; the rest are counted."""
NEWEST = 3
"""Predictions named under a deployment."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Node:
    """One thing of the graph: `kind` and `name` as a command calls it, `words` what there is to say, `at` when it was made.

    `found` False: it is named by its neighbour and is no longer there. `more` counts what is left out below it.
    """

    kind: str
    name: str
    words: str = ""
    at: int | None = None
    found: bool = True
    below: tuple[Node, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Lineage:
    """`up` is the thing with what it came from below it, `down` with what came of it."""

    up: Node
    down: Node


def trace(workbench: Workbench, reference: str) -> Lineage:
    """The graph around a prediction id, MODEL/VERSION, MODEL@ALIAS, run id, TABLE@VERSION or deployment. Raises NotFound."""
    for look in (_of_prediction, _of_version, _of_snapshot, _of_run, _of_deployment):
        try:
            return look(workbench, reference)
        except (NotFound, InvalidInput):  # not of that form, or not there
            continue
    raise NotFound(
        f"Nothing here is called '{reference}'.",
        hint="Give a prediction id, MODEL/VERSION, MODEL@ALIAS, a run id, TABLE@VERSION or a deployment.",
    )


def flat(node: Node) -> Iterator[tuple[str, Node]]:
    """Every node of a tree in the order it is read, each with the branches that lead to it: ``├─ ``."""
    yield "", node
    yield from _branches(node, "")


def _branches(node: Node, before: str) -> Iterator[tuple[str, Node]]:
    below = [*node.below, *([Node("", f"and {node.more:,} more")] if node.more else ())]
    for at, one in enumerate(below):
        last = at == len(below) - 1
        yield before + ("└─ " if last else "├─ "), one
        yield from _branches(one, before + ("   " if last else "│  "))


# -- what is asked about -----------------------------------------------------------------------------------------------


def _of_prediction(workbench: Workbench, reference: str) -> Lineage:
    if "/" in reference or "@" in reference or not reference.startswith("p") or ids.prediction_time(reference) is None:
        raise NotFound(reference)
    found = workbench.serving.prediction(reference)
    version = workbench.registry.version(f"{found.model}/{found.version}")
    node = _prediction(found)
    return Lineage(_with(node, (_version_up(workbench, version),)), node)


def _of_version(workbench: Workbench, reference: str) -> Lineage:
    version = workbench.registry.version(reference) if set("/@") & set(reference) else None
    if version is None:
        raise NotFound(reference)
    return Lineage(_version_up(workbench, version), _version_down(workbench, version))


def _of_snapshot(workbench: Workbench, reference: str) -> Lineage:
    if "@" not in reference:
        raise NotFound(reference)
    found = workbench.features.snapshot(reference).reference
    node = _snapshot(workbench, found)
    plain = _with(node, ())
    made = [one for one in _all_versions(workbench) if found in one.snapshots]
    return Lineage(node, _cut(plain, made, lambda one: _run_of(workbench, one)))


def _of_run(workbench: Workbench, reference: str) -> Lineage:
    run = workbench.experiments.run(reference)
    return Lineage(_run_up(workbench, run), _run_down(workbench, run))


def _of_deployment(workbench: Workbench, reference: str) -> Lineage:
    found = workbench.serving.get(reference)
    versions = [workbench.registry.version(f"{found.model}/{route.version}") for route in found.versions]
    node = _deployment(workbench, found)
    up = _with(Node(node.kind, node.name, node.words, node.at), tuple(_version_up(workbench, one) for one in versions))
    return Lineage(up, node)


# -- up ----------------------------------------------------------------------------------------------------------------


def _version_up(workbench: Workbench, version: Version) -> Node:
    below: list[Node] = []
    if version.run_id:
        below.append(_known(workbench, version.run_id, "run", _run_by_id))
    if version.pipeline_run:
        below.append(_known(workbench, version.pipeline_run, "pipeline run", _pipeline_run))
    if version.git_commit:
        below.append(Node("commit", version.git_commit[:12]))
    named = {one.name for node in below for one in node.below}
    below += [_known(workbench, one, "snapshot", _snapshot) for one in version.snapshots if one not in named]
    return _with(_version(version), tuple(below))


def _run_up(workbench: Workbench, run: Run) -> Node:
    below = [_known(workbench, run.parent, "run", _run_by_id)] if run.parent else []
    below += [
        _known(workbench, one.name, "snapshot", _snapshot)
        if "@" in one.name
        else Node("data", one.name, one.digest[:16])
        for one in workbench.experiments.inputs(run.id)
    ]
    return _with(_run(run), tuple(below))


def _run_by_id(workbench: Workbench, run_id: str) -> Node:
    return _run_up(workbench, workbench.experiments.run(run_id))


def _pipeline_run(workbench: Workbench, run_id: str) -> Node:
    run = workbench.pipelines.get_run(run_id)
    gate = f", gate {run.verdict.outcome}".replace("_", " ") if run.verdict is not None else ""
    cause = str(run.cause.get("kind", "")) if run.cause else ""
    words = f"{run.pipeline}, {run.state}{gate}" + (f", by {cause.replace('_', ' ')}" if cause else "")
    return Node("pipeline run", run.id, words, run.started_at or run.created_at)


# -- down --------------------------------------------------------------------------------------------------------------


def _version_down(workbench: Workbench, version: Version) -> Node:
    serving = [
        one
        for one in workbench.serving.list()
        if one.model == version.model and _share(one, version.version) is not None
    ]
    return _cut(_version(version), serving, lambda one: _deployment(workbench, one, version.version))


def _run_of(workbench: Workbench, version: Version) -> Node:
    """The run that trained a version from a snapshot, with the version below it; the version where no run is known."""
    try:
        run = workbench.experiments.run(version.run_id) if version.run_id else None
    except NotFound:
        run = None
    down = _version_down(workbench, version)
    return down if run is None else _with(_run(run), (down,))


def _run_down(workbench: Workbench, run: Run) -> Node:
    versions = [_version_down(workbench, one) for one in workbench.registry.by_run(run.id)]
    children = workbench.experiments.runs(parent=run.id, limit=MOST + 1)
    node = _cut(_run(run), children, _run)
    return _with(node, (*versions, *node.below), node.more)


def _deployment(workbench: Workbench, found: Deployment, version: int | None = None) -> Node:
    share = _share(found, version) if version is not None else None
    words = f"{found.state}" + (f", {share:g}% of its traffic" if share is not None else "")
    stats = workbench.serving.stats(found.name, workbench.context.now() - DAY_MS)
    words += f", {stats.requests:,} requests in a day" if stats.requests else ", no requests in a day"
    newest = [
        one
        for one in workbench.serving.predictions(found.name, limit=NEWEST * 10)
        if version is None or one.version == version
    ]
    below = tuple(_prediction(one) for one in newest[:NEWEST])
    return Node("deployment", found.name, words, found.updated_at, below=below)


def _share(found: Deployment, version: int) -> float | None:
    return next((route.weight for route in found.versions if route.version == version), None)


# -- the things themselves ---------------------------------------------------------------------------------------------


def _version(version: Version) -> Node:
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in list(version.metrics.items())[:3])
    said = [*(f"@{alias}" for alias in version.aliases), *([str(version.stage)] if version.stage != "None" else [])]
    return Node("version", version.ref, "  ".join(one for one in (", ".join(said), metrics) if one), version.created_at)


def _run(run: Run) -> Node:
    return Node("run", run.id, f"{run.experiment} {run.name}".strip() + f", {run.state}", run.started_at)


def _snapshot(workbench: Workbench, reference: str) -> Node:
    found = workbench.features.snapshot(reference)
    gone = ", its rows were collected" if found.expired_at else ""
    made = next((one for one in workbench.features.made(found.table) if one.version == found.version), None)
    below = tuple(_known(workbench, one, "snapshot", _snapshot) for one in made.inputs) if made is not None else ()
    words = f"{found.rows:,} rows by {found.author}{gone}"
    return Node("snapshot", found.reference, words, found.created_at, below=below)


def _prediction(found: Prediction) -> Node:
    answer = f"{found.prediction:.4g}" if isinstance(found.prediction, float) else str(found.prediction)
    truth = f", true value {found.label}" if found.label is not None else ""
    return Node("prediction", found.id, f"{answer}{truth}, by version {found.version} on {found.deployment}", found.at)


def _known(workbench: Workbench, name: str, kind: str, read: Callable[[Workbench, str], Node]) -> Node:
    """A thing that a neighbour names, which may have been removed since."""
    try:
        return read(workbench, name)
    except (NotFound, InvalidInput):
        return Node(kind, name, "removed since", found=False)


def _all_versions(workbench: Workbench) -> list[Version]:
    return [one for model in workbench.registry.models() for one in workbench.registry.versions(model.name)]


def _with(node: Node, below: tuple[Node, ...], more: int = 0) -> Node:
    return Node(node.kind, node.name, node.words, node.at, node.found, below, more)


def _cut(node: Node, found: Sequence[T], make: Callable[[T], Node]) -> Node:
    return _with(node, tuple(make(one) for one in found[:MOST]), max(0, len(found) - MOST))
