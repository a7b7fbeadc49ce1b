"""How far the life of a model is automated, from facts in the workspace: Google's levels 0 to 2 and Azure's 0 to 4.

Google Cloud, "MLOps: Continuous delivery and automation pipelines in machine learning" (2020); Microsoft, "Machine learning
operations maturity model" (2020). Both describe a team in words; here each level is the set of facts in `GOOGLE` and
`AZURE`, and every fact that is missing names the command that would supply it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.workbench import Workbench

TITLES = {
    "tracked": "made by a recorded run",
    "data_versioned": "data snapshots recorded",
    "code_versioned": "commit recorded",
    "pipeline": "trained by a pipeline",
    "data_checked": "data checked before training",
    "tested": "tests before release",
    "gated": "compared with the champion by a gate",
    "retrained": "retrained by schedule or trigger",
    "triggered": "retrained when monitoring says so",
    "released": "deployed by the pipeline",
    "staged": "staged rollout",
    "served": "served",
    "monitored": "monitored",
    "labelled": "judged on true labels",
}
# Each level holds what the level below it holds, and these.
GOOGLE: tuple[tuple[str, ...], ...] = (
    (),
    ("tracked", "data_versioned", "pipeline", "data_checked", "gated", "retrained", "served", "monitored"),
    ("code_versioned", "tested", "triggered", "released", "staged", "labelled"),
)
AZURE: tuple[tuple[str, ...], ...] = (
    (),
    ("code_versioned", "tested"),
    ("tracked", "data_versioned", "pipeline"),
    ("gated", "released", "served"),
    ("data_checked", "retrained", "triggered", "staged", "monitored", "labelled"),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing looked at: whether it is so, what was seen, and the command that would make it so."""

    id: str
    title: str
    ok: bool
    seen: str
    how: str


@dataclass(frozen=True, slots=True)
class Maturity:
    """Where one model stands; `missing_google` and `missing_azure` lead to the next level."""

    model: str
    version: int
    google: int
    azure: int
    facts: tuple[Fact, ...]
    missing_google: tuple[str, ...]
    missing_azure: tuple[str, ...]


def assess(workbench: Workbench, model: str) -> Maturity:
    """Judge a model by its champion, or its newest version when there is none. Raises NotFound."""
    name = workbench.registry.model(model).name
    number = workbench.registry.alias(name, "champion")
    version = workbench.registry.version(f"{name}/{number}" if number else name)
    facts = tuple(_facts(workbench, version))
    known = {fact.id: fact.ok for fact in facts}
    google, missing_google = level(known, GOOGLE)
    azure, missing_azure = level(known, AZURE)
    return Maturity(name, version.version, google, azure, facts, missing_google, missing_azure)


def level(known: Mapping[str, bool], ladder: tuple[tuple[str, ...], ...]) -> tuple[int, tuple[str, ...]]:
    """Return the highest level all of whose facts, and those below, are so; and what is missing for the next."""
    for number, wanted in enumerate(ladder):
        missing = tuple(fact for fact in wanted if not known.get(fact))
        if missing:
            return number - 1, missing
    return len(ladder) - 1, ()


def _facts(workbench: Workbench, version: Version) -> Iterable[Fact]:
    model, ref = version.model, version.ref
    recipe = _recipe(workbench, version.pipeline)
    pipeline = version.pipeline or model
    file = f"pipelines/{pipeline}.toml"

    def fact(name: str, ok: bool, seen: str, how: str) -> Fact:
        return Fact(name, TITLES[name], ok, seen if ok else "", "" if ok else how)

    yield fact("tracked", bool(version.run_id), f"run {version.run_id[:8]}", f"mlops models register {model} --run RUN")
    snapshots = ", ".join(version.snapshots)
    train = f"mlops pipelines run {pipeline}" if recipe else f"mlops pipelines new {model}"
    yield fact("data_versioned", bool(version.snapshots), snapshots, train)
    yield fact(
        "code_versioned", bool(version.git_commit), version.git_commit[:12], f"git init and commit, then {train}"
    )
    yield fact("pipeline", bool(version.pipeline), version.pipeline, train)
    checks = recipe.data.checks if recipe else "off"
    spine = recipe.data.spine.partition("@")[0] if recipe else "TABLE"
    yield fact("data_checked", checks != "off", f"checks = {checks}", f"mlops features check {spine} --suggest")
    tests = len(recipe.gate.tests) + len(getattr(recipe, "tests", ())) if recipe else 0
    yield fact("tested", tests > 0, f"{tests} in {file}", f"add [[tests]] to {file}: see docs/pipelines.md")
    against = recipe.gate.against if recipe else "none"
    yield fact(
        "gated",
        against != "none",
        f"{recipe.gate.rule if recipe else ''} than the champion",
        f'against = "champion" in {file}',
    )
    yield from _retraining(workbench, version.pipeline, pipeline, fact)
    to = recipe.deploy.to if recipe else "none"
    yield fact("released", to != "none", f"to {to}", f'[deploy] to = "production" in {file}')
    strategy = recipe.deploy.strategy if recipe else "replace"
    yield fact("staged", strategy != "replace", strategy, f'[deploy] strategy = "canary" in {file}')
    yield from _serving(workbench, model, ref, fact)


def _retraining(workbench: Workbench, made_by: str, pipeline: str, fact: Any) -> Iterable[Fact]:
    rules = [rule for rule in workbench.schedules.list() if made_by and rule.pipeline == made_by and not rule.paused]
    names = ", ".join(rule.name for rule in rules)
    yield fact("retrained", bool(rules), names, f'mlops schedules add {pipeline} {pipeline} --cron "0 3 * * *"')
    by_monitor = [rule.name for rule in rules if rule.kind in {"drift", "performance"}]
    how = f'a [[triggers]] of kind "performance" in pipelines/{pipeline}.toml'
    yield fact("triggered", bool(by_monitor), ", ".join(by_monitor), how)


def _serving(workbench: Workbench, model: str, ref: str, fact: Any) -> Iterable[Fact]:
    served = [one.name for one in workbench.serving.list() if one.model == model and one.wanted == "running"]
    yield fact("served", bool(served), ", ".join(served), f"mlops deployments create {model} {ref}")
    name = served[0] if served else model
    watched = [one for one in workbench.monitoring.list() if one.deployment in served and one.state == "active"]
    yield fact("monitored", bool(watched), ", ".join(one.deployment for one in watched), f"mlops monitors add {name}")
    labels = sum(_labels(workbench, one.deployment) for one in watched)
    yield fact("labelled", labels > 0, f"{labels:,} labels in the last check", "mlops feedback --file labels.csv")


def _labels(workbench: Workbench, deployment: str) -> int:
    report = workbench.monitoring.latest(deployment)
    return report.performance.labels if report is not None and report.performance is not None else 0


def _recipe(workbench: Workbench, pipeline: str) -> Any:
    """The definition as it is now, or None where there is none that can be read."""
    if not pipeline:
        return None
    try:
        return workbench.pipelines.recipe(pipeline)
    except WorkbenchError:
        return None
