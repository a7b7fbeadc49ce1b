"""Can a classifier tell the window from what came before, and by which columns: drift of any kind, seen by a model of sklearn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.monitoring.performance import LARGEST
from mlops_tui.domains.monitoring.records import Apart
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 60
FOLDS = 5
ITERATIONS = 40
LEVELS = 50
KEPT = 10

Z99 = 2.576


def tell(before: pd.DataFrame, window: pd.DataFrame, against: str) -> Apart:
    """How well gradient boosting tells rows of `window` from rows of `before` (same columns), on rows it did not learn from.

    AUC 0.5 is not at all, 1 always; the 99 % interval is Hanley and McNeil's (1982). `columns` are the AUC lost when a
    column of the held-out rows is shuffled. `against` says in words what `before` is. Raises InvalidInput for few rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    if min(len(before), len(window)) < LEAST:
        raise InvalidInput(
            f"There are {len(before)} rows from before and {len(window)} in the window; a classifier needs {LEAST} of each.",
            hint="Wait for more predictions, or look at the columns: mlops monitors show DEPLOYMENT",
        )
    names = [name for name in window.columns if name in before.columns]
    features = _numbers(pd.concat([before[names], window[names]], ignore_index=True))
    truth = np.repeat([0, 1], [len(before), len(window)])
    random = np.random.default_rng(0)
    fold = np.concatenate([random.permutation(len(part)) % FOLDS for part in (before, window)])
    scores = np.zeros(len(truth))
    lost = np.zeros(len(names))
    for number in range(FOLDS):
        learn, held = fold != number, fold == number
        model = HistGradientBoostingClassifier(max_iter=ITERATIONS, class_weight="balanced", random_state=0)
        model.fit(features[learn], truth[learn])
        scores[held] = model.predict_proba(features[held])[:, 1]
        whole = roc_auc_score(truth[held], scores[held])
        for place in range(len(names)):
            shuffled = features[held].copy()
            shuffled[:, place] = random.permutation(shuffled[:, place])
            lost[place] += (whole - roc_auc_score(truth[held], model.predict_proba(shuffled)[:, 1])) / FOLDS
    auc = float(roc_auc_score(truth, scores))
    half = Z99 * _error(auc, len(before), len(window))
    order = np.argsort(-lost)[:KEPT]
    columns = {names[place]: round(float(lost[place]), 4) for place in order if lost[place] > 0}
    return Apart(
        auc=auc,
        low=max(0.0, auc - half),
        high=min(1.0, auc + half),
        rows=len(window),
        before=len(before),
        against=against,
        columns=columns,
    )


def _numbers(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Columns as numbers: texts by how frequent they are, the rarest levels as one; missing stays missing."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
            columns.append(np.where(np.isfinite(numbers), np.clip(numbers, -LARGEST, LARGEST), np.nan))
        elif pd.api.types.is_datetime64_any_dtype(values):
            columns.append(np.full(len(frame), np.nan))  # time always tells a window from what came before
        else:
            texts = values.map(level_text, na_action="ignore")
            places = {level: place for place, level in enumerate(texts.value_counts().index[:LEVELS])}
            coded = texts.map(lambda level, known=places: known.get(level, LEVELS), na_action="ignore")
            columns.append(coded.astype("float64").to_numpy())
    return np.column_stack(columns)


def _error(auc: float, first: int, second: int) -> float:
    """The standard error of an AUC (Hanley and McNeil 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (second - 1) * (q1 - auc**2) + (first - 1) * (q2 - auc**2)
    return math.sqrt(max(variance, 0.0) / (first * second))
