"""How right a model is, from labels that arrive late: metrics with an interval, and an alarm on the stream of errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled rows as numbers: `errors` |y - p| or 0/1 of the `usable` rows in order, and every metric that can be had."""

    metric: str
    usable: NDArray[np.bool_]
    errors: NDArray[np.float64]
    metrics: dict[str, float]


LARGEST = 1e100
"""Larger numbers are left out as infinite ones are: their squares would be no numbers."""


def usable(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of them can be reckoned with."""
    return np.asarray(np.abs(values) <= LARGEST)  # false for NaN


def judge(rows: pd.DataFrame, *, classification: bool, labels: Sequence[Any] = ()) -> Judged:
    """Score rows with columns prediction, label and score; `labels` are the classes in the model's order, positive last."""
    if classification:
        return _classes(rows, [level_text(label) for label in labels])
    truth = pd.to_numeric(rows["label"], errors="coerce").to_numpy(dtype=float)
    predicted = pd.to_numeric(rows["prediction"], errors="coerce").to_numpy(dtype=float)
    known = usable(truth) & usable(predicted)
    truth, predicted = truth[known], predicted[known]
    return Judged("mae", known, np.abs(truth - predicted), _regression(truth, predicted))


def _regression(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, float]:
    if not truth.size:
        return {}
    error = truth - predicted
    metrics = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    if truth.min() >= 0:
        logs = np.log1p(truth) - np.log1p(np.clip(predicted, 0, None))
        metrics["rmsle"] = float(np.sqrt((logs**2).mean()))
    spread = float(((truth - truth.mean()) ** 2).sum())
    if spread > 0:
        metrics["r2"] = 1 - float((error**2).sum()) / spread
    return metrics


def _classes(rows: pd.DataFrame, labels: list[str]) -> Judged:
    known = rows["label"].notna() & rows["prediction"].notna()
    truth = rows.loc[known, "label"].map(level_text).to_numpy(dtype=object)
    predicted = rows.loc[known, "prediction"].map(level_text).to_numpy(dtype=object)
    errors = (truth != predicted).astype(np.float64)
    metrics: dict[str, float] = {}
    if truth.size:
        metrics["accuracy"] = float(1 - errors.mean())
        metrics["f1"] = _f1(truth, predicted, labels)
        scores = pd.to_numeric(rows.loc[known, "score"], errors="coerce").to_numpy(dtype=float)
        if len(labels) == 2 and np.isfinite(scores).all():
            positive = truth == labels[1]
            metrics["log_loss"] = _log_loss(positive, scores)
            if 0 < positive.sum() < positive.size:
                metrics["roc_auc"] = _auc(positive, scores)
    return Judged("accuracy", known.to_numpy(), errors, metrics)


def _f1(truth: Any, predicted: Any, labels: list[str]) -> float:
    """F1 of the positive (last of two) class, or the mean over classes."""
    classes = labels[1:] if len(labels) == 2 else sorted(set(truth) | set(predicted))
    values = []
    for each in classes:
        hit = float(((truth == each) & (predicted == each)).sum())
        total = float((truth == each).sum() + (predicted == each).sum())
        values.append(2 * hit / total if total else 0.0)
    return float(np.mean(values))


def _log_loss(positive: Any, scores: NDArray[np.float64]) -> float:
    clipped = np.clip(scores, 1e-15, 1 - 1e-15)
    return float(-np.log(np.where(positive, clipped, 1 - clipped)).mean())


def _auc(positive: Any, scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half."""
    ranks = pd.Series(scores).rank().to_numpy()
    first, second = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - first * (first + 1) / 2) / (first * second))


def interval(errors: NDArray[np.float64], *, classification: bool, confidence: float = 0.99) -> tuple[float, float]:
    """Bounds of the mean error: Wilson's for shares (1927), normal with the sample's spread for sizes."""
    n = errors.size
    if n < 2:
        return 0.0, math.inf
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    mean = float(errors.mean())
    if not classification:
        half = z * float(errors.std(ddof=1)) / math.sqrt(n)
        return max(0.0, mean - half), mean + half
    middle, scale = mean + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def limit_of(baseline: float, margin: float, *, classification: bool) -> float:
    """The mean error that is too much: `margin` more than the baseline, and one point more at least for shares."""
    return max(baseline * (1 + margin), baseline + 0.01) if classification else baseline * (1 + margin)
