"""Putting the whole model together and fitting it: preparation, selection, estimator, target transformation, threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import estimators, search, thresholds
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.registry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.domains.pipelines.work import Work
    from mlops_tui.domains.registry.metrics import Array

# These take rows without labels as they are (marked -1); others learn through SelfTrainingClassifier.
_SEMI = ("SelfTrainingClassifier", "LabelSpreading", "LabelPropagation")
UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that learned from training and validation rows; `validation` are scores before it saw the latter."""

    model: Any
    validation: dict[str, float]
    threshold: float | None
    chosen: str
    rows: int


def assemble(work: Work, params: dict[str, Any]) -> Any:
    """Build the unfitted whole: preparation, selection, estimator, and what is wrapped around them."""
    from sklearn.base import clone
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.pipeline import Pipeline

    estimator = estimators.build(work.recipe)
    if params:
        estimator.set_params(**params)
    if work.recipe.model.target_transform == "log1p":
        estimator = TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1)
    semi = work.recipe.model.task == "semi-supervised"
    if semi and type(estimator).__name__ not in _SEMI:
        from sklearn.semi_supervised import SelfTrainingClassifier

        estimator = SelfTrainingClassifier(estimator)
    parts = []
    if "preprocess" in work.results and work.recipe.model.preprocess != "none":
        parts.append(("prepare", clone(work.read_object("transformer"))))
    if "select" in work.results:
        parts.append(("select", clone(work.read_object("selector"))))
    model = Pipeline([*parts, ("model", estimator)]) if parts else estimator
    if not semi:
        return model
    from mlops_tui.domains.pipelines.wrappers import PartlyLabelled

    return PartlyLabelled(model)


def calibrated(work: Work, params: dict[str, Any], frame: pd.DataFrame) -> Any:
    """The whole inside CalibratedClassifierCV: probabilities fitted on folds of `frame` that were not learned from."""
    from sklearn.calibration import CalibratedClassifierCV

    settings = work.recipe.calibrate
    cuts = folds(work, frame, settings.cv, "auto")
    # Folds in time leave out the oldest rows, so that no single model can be judged on all: one model a fold then.
    by_time = work.recipe.split.by == "time"
    return CalibratedClassifierCV(assemble(work, params), method=settings.method, cv=cuts, ensemble=by_time)


def folds(work: Work, frame: pd.DataFrame, count: int, kind: str) -> list[search.Fold]:
    """Folds of the rows of `frame`; `auto` as the split cuts."""
    split = work.recipe.split
    if kind == "auto":
        kind = {"time": "time", "group": "group", "stratified": "stratified"}.get(split.by, "kfold")
        kind = "stratified" if kind == "kfold" and work.recipe.classes else kind
    groups = frame[split.group].astype(str).to_numpy() if kind == "group" else None
    labels = frame[work.recipe.data.target].astype(str).to_numpy() if kind == "stratified" else None
    return search.folds(count, kind=kind, rows=len(frame), seed=split.seed, labels=labels, groups=groups)


def learn(work: Work, make: Callable[[pd.DataFrame], Any]) -> Fitted:
    """Fit `make(frame)` on the training rows, score it and choose a threshold on the validation rows, fit it on both."""
    train, held = work.read_frame("train"), work.read_frame("validation")
    if not work.recipe.labelled:
        both = pd.concat([train, held])
        return Fitted(make(both).fit(work.divided(both)[0]), {}, None, "", len(both))
    validation: dict[str, float] = {}
    threshold, chosen = None, ""
    both = train
    if len(held):
        both = pd.concat([train, held])
        model = fit(work, make(train), train)
        rows, target = work.divided(held)
        answer, labels = answer_of(model, rows, work.recipe.model.task)
        truth = places_of(target, labels)
        threshold, chosen = _threshold(work, truth, answer)
        validation = score_all(work, truth, answer, threshold)
    elif work.recipe.evaluate.threshold is not None:
        threshold, chosen = _threshold(work, *_held_out_answers(work, make, train))
    return Fitted(fit(work, make(both), both), validation, threshold, chosen, len(both))


def fit(work: Work, model: Any, frame: pd.DataFrame) -> Any:
    """Fit on the rows of a frame, with the rows that have no label where the task learns from those too."""
    rows, target = work.divided(frame)
    if work.recipe.model.task == "semi-supervised":
        more = work.read_frame(UNLABELLED)[work.inputs]
        rows = pd.concat([rows, more], ignore_index=True)
        target = pd.concat([target.astype(object), pd.Series([None] * len(more), dtype=object)], ignore_index=True)
    return model.fit(rows, target)


def with_threshold(model: Any, threshold: float | None) -> Any:
    """The model as it will answer: with the threshold, where one was chosen."""
    if threshold is None:
        return model
    from mlops_tui.domains.pipelines.wrappers import Thresholded

    return Thresholded(model, threshold)


def threshold_of(model: Any) -> float | None:
    """The threshold a model answers with, when it is not 0.5."""
    value = getattr(model, "threshold", None)
    return float(value) if isinstance(value, (int, float)) else None


def score_all(work: Work, truth: Array, answer: Array, threshold: float | None = None) -> dict[str, float]:
    """The metrics of the recipe that can be computed, of labels as they are said from `threshold` on."""
    found = {}
    for name in metrics.computed(work.recipe.metrics):
        shown = metrics.decided(name, answer, threshold) if work.recipe.classes else answer
        value = metrics.score(name, truth, shown)
        if np.isfinite(value):
            found[name] = value
    return found


def _threshold(work: Work, truth: Array, answer: Array) -> tuple[float | None, str]:
    rule = work.recipe.evaluate.threshold
    if rule is None:
        return None, ""
    if answer.shape[1] != 2:
        raise InvalidInput(
            f"A threshold is for two labels; {work.recipe.data.target} has {answer.shape[1]}.",
            hint="Leave out [evaluate.threshold].",
        )
    return thresholds.choose(rule, truth, answer[:, 1])


def _held_out_answers(work: Work, make: Callable[[pd.DataFrame], Any], frame: pd.DataFrame) -> tuple[Array, Array]:
    """Truth and answers of rows that were not learned from, by folds: where there is no validation part."""
    truths, answers = [], []
    for learned, held in folds(work, frame, 3, "auto"):
        model = fit(work, make(frame.iloc[learned]), frame.iloc[learned])
        rows, target = work.divided(frame.iloc[held])
        answer, labels = answer_of(model, rows, work.recipe.model.task)
        truths.append(places_of(target, labels))
        answers.append(answer)
    return np.concatenate(truths), np.concatenate(answers)
