"""What is wrong with a pipeline file although each value alone is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.pipelines import step_rules
from mlops_tui.domains.pipelines.operating import When
from mlops_tui.domains.pipelines.recipe import margin_of
from mlops_tui.domains.pipelines.records import CLASSES, PROBE_METRICS, UNSUPERVISED, metrics_of
from mlops_tui.domains.serving.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.criteria import Behaviour
    from mlops_tui.domains.pipelines.making import Range
    from mlops_tui.domains.pipelines.operating import Contract, Trigger
    from mlops_tui.domains.pipelines.recipe import Recipe

COLUMN_KINDS = ("number", "level", "many-levels", "time", "text", "drop")
# Steps after which there are rows to look at.
CONTRACTED = ("load", "split")
# (the keys that lead to it, a sentence)
Mistake = tuple[tuple[str | int, ...], str]


def mistakes(recipe: Recipe) -> Iterator[Mistake]:
    """Yield each mistake with where it stands."""
    yield from _names(recipe)
    yield from _spans(recipe)
    yield from _metric_names(recipe)
    yield from _splitting(recipe)
    yield from _modelling(recipe)
    yield from _searching(recipe)
    yield from _gating(recipe)
    for place, test in enumerate(recipe.tests):
        yield from _behaviour(recipe, test, ("tests", place))
    for place, contract in enumerate(recipe.contracts):
        yield from _contract(contract, [step.name for step in recipe.steps], ("contracts", place))
    yield from step_rules.mistakes(recipe)
    for place, trigger in enumerate(recipe.triggers):
        yield from _trigger(trigger, ("triggers", place))
    if recipe.deploy.to != "none" and recipe.deploy.strategy not in STRATEGIES:
        yield ("deploy", "strategy"), f"serving cannot {recipe.deploy.strategy} yet; use {', '.join(STRATEGIES)}"
    if any(later <= earlier for earlier, later in zip(recipe.deploy.steps, recipe.deploy.steps[1:], strict=False)):
        yield ("deploy", "steps"), "the shares of a canary must grow"


def _trigger(trigger: Trigger, where: tuple[str | int, ...]) -> Iterator[Mistake]:
    if trigger.kind == "schedule" and not trigger.cron:
        yield where, 'a schedule needs cron = "0 3 * * *"'
    if trigger.all and trigger.any:
        yield (*where, "any"), "write all or any, not both"
    if trigger.kind == "condition" and not (trigger.all or trigger.any):
        yield where, 'a condition needs all = [{ kind = "new_data", rows = 500 }, ...] or any = [...]'
    for key, conditions in (("all", trigger.all), ("any", trigger.any)):
        for at, condition in enumerate(conditions):
            try:
                when = msgspec.convert(condition, When)
            except msgspec.ValidationError as error:
                yield (*where, key), f"condition {at + 1}: {str(error).replace('`', '').lower()}"
                continue
            yield from _span((*where, key), when.within)
            if when.kind == "fresh" and not when.within:
                yield (*where, key), f'condition {at + 1}: fresh needs within = "24h"'


def _splitting(recipe: Recipe) -> Iterator[Mistake]:
    split = recipe.split
    if split.validation + split.test >= 1:
        yield ("split", "validation"), "validation and test leave nothing to train on; together they must stay below 1"
    if split.by == "group" and not split.group:
        yield ("split", "by"), "a split by group needs group = COLUMN"
    if split.by == "stratified" and not recipe.classes:
        yield ("split", "by"), "only classes can be stratified; use time, random or group"


def _modelling(recipe: Recipe) -> Iterator[Mistake]:
    task = recipe.model.task
    if recipe.labelled and not recipe.data.target:
        yield ("data",), f"{task} needs target = COLUMN"
    if recipe.model.target_transform != "none" and task != "regression":
        yield ("model", "target_transform"), "only a regression target can be transformed"
    if recipe.calibrate.method != "none" and task != "classification":
        yield ("calibrate", "method"), "only a classification has probabilities to calibrate"
    if recipe.evaluate.threshold is not None and task != "classification":
        yield ("evaluate", "threshold"), "only a classification of two labels has a threshold"
    if recipe.select.method in ("k_best", "model") and not recipe.labelled:
        yield ("select", "method"), f"{recipe.select.method} needs a target; use variance"
    if recipe.explain is not None and not recipe.labelled:
        yield ("explain",), f"importance is measured by the target, which {task} has not"


def _searching(recipe: Recipe) -> Iterator[Mistake]:
    tune = recipe.tune
    if tune.method != "none" and not tune.space:
        yield ("tune", "method"), "a search needs a [tune.space]"
    if tune.method != "none" and recipe.model.task in UNSUPERVISED:
        yield ("tune", "method"), f"a search needs a target to judge by, which {recipe.model.task} has not"
    if tune.folds == "group" and not recipe.split.group:
        yield ("tune", "folds"), "folds by group need [split] group = COLUMN"
    if tune.folds == "stratified" and recipe.model.task not in CLASSES:
        yield ("tune", "folds"), "only classes can be stratified; use kfold, time or group"
    for key, span in tune.space.items():
        yield from _space(key, span, tune.method)


def _gating(recipe: Recipe) -> Iterator[Mistake]:
    for key, margin in (("margin", recipe.gate.margin), ("slice_margin", recipe.gate.slice_margin)):
        if margin_of(margin, 1.0) is None:
            yield ("gate", key), f'{margin!r} is no margin; write a number or a share such as "2%"'
    fairness = recipe.fairness
    if fairness is None:
        return
    if recipe.model.task == "regression":
        asked = [name for name in ("demographic_parity", "equal_opportunity") if getattr(fairness, name) is not None]
        for name in asked:
            yield ("fairness", name), f"{name} compares labels; a regression has error_gap"
    elif not recipe.classes:
        yield ("fairness",), f"fairness is measured by the target, which {recipe.model.task} has not"
    elif fairness.error_gap is not None:
        yield ("fairness", "error_gap"), "error_gap is for a regression; use demographic_parity or equal_opportunity"
    if not fairness.sensitive:
        yield ("fairness", "sensitive"), "name at least one column"


def _behaviour(recipe: Recipe, test: Behaviour, where: tuple[str | int, ...]) -> Iterator[Mistake]:
    if test.kind != "minimum" and not test.column:
        yield where, f"a test of {test.kind} needs column = NAME"
    if test.kind == "invariance" and not test.values:
        yield where, "a test of invariance needs values = [...] to put into the column"
    if test.kind == "direction" and not test.change:
        yield where, "a test of direction needs change = NUMBER, by how much the column is raised"
    if test.kind == "minimum" and test.at_least is None and test.at_most is None:
        yield where, "a test of a minimum needs at_least or at_most"
    if not recipe.labelled:
        yield where, f"{recipe.model.task} has no answers to test so"
    metric = test.metric or recipe.primary
    known = metrics_of(recipe.model.task)
    if test.kind == "minimum" and metric not in known:
        yield (*where, "metric"), _no_metric(metric, recipe.model.task, known)


def _contract(contract: Contract, own: list[str], where: tuple[str | int, ...]) -> Iterator[Mistake]:
    known = [*CONTRACTED, *own]
    if contract.after not in known:
        near = ids.did_you_mean(contract.after, known, f"Steps that hand on rows: {', '.join(known)}.")
        yield (*where, "after"), f"{contract.after!r} hands on no rows. {near}"
    for name, column in contract.columns.items():
        if column.min is not None and column.max is not None and column.max < column.min:
            yield (*where, "columns", name), "max must not be below min"


def _names(recipe: Recipe) -> Iterator[Mistake]:
    named = [
        (("pipeline", "name"), "pipeline", recipe.pipeline.name),
        (("register", "model"), "model", recipe.model_name),
        (("deploy", "deployment"), "deployment", recipe.deployment_name),
        (("data", "spine"), "feature table", recipe.data.spine.partition("@")[0]),
    ]
    for where, kind, name in named:
        try:
            ids.check_name(kind, name)
        except WorkbenchError as error:
            yield where, error.message.rstrip(".")
    if "." not in recipe.model.estimator:
        hint = "write the full name, such as sklearn.ensemble.RandomForestClassifier"
        yield ("model", "estimator"), f"{recipe.model.estimator!r} names no module; {hint}"
    how = recipe.model.preprocess
    if how not in ("auto", "none") and ":" not in how and "." not in how:
        hint = "auto, none, file.py:function, or a transformer such as sklearn.preprocessing.StandardScaler"
        yield ("model", "preprocess"), f"write {hint}"
    for column, choice in recipe.preprocess.columns.items():
        if choice not in COLUMN_KINDS and "." not in choice:
            near = ids.did_you_mean(
                choice, COLUMN_KINDS, f"Write {', '.join(COLUMN_KINDS)}, or a transformer's full name."
            )
            yield ("preprocess", "columns", column), f"{choice!r} is no way to prepare a column. {near}"


def _spans(recipe: Recipe) -> Iterator[Mistake]:
    spans: list[tuple[tuple[str | int, ...], str]] = [
        (("data", "window"), recipe.data.window),
        (("data", "ttl"), recipe.data.ttl),
        (("resources", "timeout"), recipe.resources.timeout),
        (("deploy", "bake"), recipe.deploy.bake),
    ]
    for name, limits in recipe.resources.steps.items():
        spans += [(("resources", "steps", name, key), getattr(limits, key)) for key in ("timeout", "backoff")]
    for place, trigger in enumerate(recipe.triggers):
        given = {name: getattr(trigger, name) for name in ("cooldown", "jitter", "grace", "within")}
        spans += [(("triggers", place, name), text) for name, text in given.items()]
    for where, text in spans:
        yield from _span(where, text)


def _span(where: tuple[str | int, ...], text: str) -> Iterator[Mistake]:
    try:
        if text:
            clock.parse_span(text)
    except WorkbenchError as error:
        yield where, f"{error.message.rstrip('.')}. {error.hint}"


def _metric_names(recipe: Recipe) -> Iterator[Mistake]:
    known = metrics_of(recipe.model.task)
    named: list[tuple[tuple[str | int, ...], str]] = [(("evaluate", "primary"), recipe.primary)]
    named += [(("evaluate", "metrics"), name) for name in recipe.evaluate.metrics]
    named += [(("gate", "metric"), recipe.gate_metric)]
    if recipe.model.task == "anomaly" and not recipe.data.target:
        known = {name: known[name] for name in ("stability", "flagged")}
    for where, name in named:
        if name not in known:
            yield where, _no_metric(name, recipe.model.task, known)
    for key, limits in (("minimum", recipe.gate.minimum), ("maximum", recipe.gate.maximum)):
        for name in limits:
            if name not in {**known, **PROBE_METRICS}:
                yield ("gate", key), _no_metric(name, recipe.model.task, {**known, **PROBE_METRICS})


def _no_metric(name: str, task: str, known: dict[str, bool]) -> str:
    return f"{name!r} is no {task} metric. " + ids.did_you_mean(name, known, f"Metrics: {', '.join(known)}.")


def _space(key: str, span: Range | list[Any], method: str) -> Iterator[Mistake]:
    where = ("tune", "space", key)
    if isinstance(span, list):
        if not span:
            yield where, "an empty list leaves nothing to try"
        return
    if method == "grid":
        yield where, "a grid needs a list of values"
    if span.high <= span.low:
        yield where, "high must be above low"
    elif span.log and span.low <= 0:
        yield where, "a logarithmic range must start above 0"
