"""Fit the model: search settings if asked, score on the validation part, then learn from training and validation rows."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import estimators, metrics, search
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER
from mlops_tui.domains.pipelines.work import Work

if TYPE_CHECKING:
    import pandas as pd


def run(work: Work) -> dict[str, Any]:
    """Write `model`, fitted on the training and validation rows."""
    rows, target = work.part("train")
    started = time.monotonic()
    best, trials = _search(work, rows, target)
    model = assemble(work, best)
    model.fit(rows, target)
    held_rows, held_target = work.part("validation")
    validation = _scores(work, model, held_rows, held_target) if len(held_rows) else {}
    for name, value in validation.items():
        work.say(f"validation {name} {value:.6g}")
    _log_curve(work, model)
    if len(held_rows):
        import pandas as pd

        rows, target = pd.concat([rows, held_rows]), pd.concat([target, held_target])
        model = assemble(work, best)
        model.fit(rows, target)
    work.write_object("model", model)
    seconds = time.monotonic() - started
    primary = validation.get(work.recipe.primary)
    shown = f", validation {work.recipe.primary} {primary:.4g}" if primary is not None else ""
    searched = f"{len(trials)} trials, " if trials else ""
    return {
        "params": {**work.recipe.model.params, **best},
        "validation": validation,
        "trials": trials,
        "fit_seconds": seconds,
        "rows": len(rows),
        "detail": f"{searched}{len(rows):,} rows in {seconds:.1f} s{shown}",
    }


def assemble(work: Work, params: dict[str, Any]) -> Any:
    """Build the unfitted whole: preparation, estimator, and the target's transformation around them."""
    from sklearn.base import clone
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import Pipeline

    estimator = estimators.build(work.recipe)
    if params:
        estimator.set_params(**params)
    if work.recipe.model.target_transform == "log1p":
        estimator = TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1)
    if "preprocess" not in work.results or work.recipe.model.preprocess == "none":
        return estimator
    transformer = clone(work.read_object("transformer"))
    return Pipeline([("prepare", transformer), ("model", estimator)])


def _search(work: Work, rows: pd.DataFrame, target: pd.Series[Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    tune, seed, primary = work.recipe.tune, work.recipe.split.seed, work.recipe.primary
    if tune.method == "none":
        return {}, []
    folds = search.folds(tune.cv, by_time=work.recipe.split.by == "time", rows=len(rows), seed=seed)
    trials: list[dict[str, Any]] = []
    for number, params in enumerate(search.candidates(tune, seed)):
        try:
            value = _try(work, params, rows, target, folds)
        except (ValueError, TypeError, FloatingPointError) as error:
            work.say(f"trial {number} {params}: {' '.join(str(error).split())[:200]}")
            continue
        work.say(f"trial {number} {params}: {primary} {value:.6g}")
        if math.isfinite(value):
            trials.append({"trial": number, "params": params, "value": value})
            work.log_metrics({f"tune/{primary}": value}, step=number)
    if not trials:
        raise InvalidInput("Not one trial of the search could be fitted.", hint="See the train step's log.")
    sign = 1 if HIGHER_IS_BETTER[primary] else -1
    best = max(trials, key=lambda trial: sign * float(trial["value"]))
    return dict(best["params"]), trials


def _try(
    work: Work, params: dict[str, Any], rows: pd.DataFrame, target: pd.Series[Any], folds: list[search.Fold]
) -> float:
    def make() -> Any:
        return assemble(work, params)

    def judge(model: Any, held: pd.DataFrame, truth: pd.Series[Any]) -> float:
        return _primary(work, model, held, truth)

    return search.cross_validate(make, rows, target, folds, judge)


def _primary(work: Work, model: Any, rows: pd.DataFrame, target: pd.Series[Any]) -> float:
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    return metrics.score(work.recipe.primary, places_of(target, labels), answer)


def _scores(work: Work, model: Any, rows: pd.DataFrame, target: pd.Series[Any]) -> dict[str, float]:
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    found = metrics.scores(work.recipe.metrics, places_of(target, labels), answer)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _log_curve(work: Work, model: Any) -> None:
    """Log the learning curve of estimators that keep one."""
    estimator = model[-1] if hasattr(model, "__getitem__") and hasattr(model, "steps") else model
    estimator = getattr(estimator, "regressor_", estimator)
    for name in ("train_score_", "validation_score_", "loss_curve_"):
        curve = getattr(estimator, name, None)
        if curve is not None and 0 < len(curve) <= 10_000:
            work.log_curve(name.strip("_"), [float(value) for value in curve])
