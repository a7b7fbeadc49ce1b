"""Metrics in numpy, fast enough to be computed a thousand times in a bootstrap. Equal to scikit-learn's of the same name.

`truth` are numbers (regression) or places of labels 0..k-1 (classification); `answer` are numbers, or one row of k
probabilities per row. Two labels: the second one is the positive one. More: averaged over the labels without weights.
A metric that cannot be computed (one class only, a negative number under a logarithm) is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = np.ndarray[Any, Any]


def score(name: str, truth: Array, answer: Array) -> float:
    """Compute one metric."""
    return float(_METRICS[name](truth, answer)) if len(truth) else float("nan")


def scores(names: Sequence[str], truth: Array, answer: Array) -> dict[str, float]:
    """Compute several metrics of the same rows."""
    return {name: score(name, truth, answer) for name in names}


def _rmse(truth: Array, answer: Array) -> float:
    return float(np.sqrt(np.mean((truth - answer) ** 2)))


def _mae(truth: Array, answer: Array) -> float:
    return float(np.mean(np.abs(truth - answer)))


def _rmsle(truth: Array, answer: Array) -> float:
    # A prediction below zero counts as zero: every public contest with this metric does so.
    if truth.min() < 0:
        return float("nan")
    return _rmse(np.log1p(truth), np.log1p(np.clip(answer, 0, None)))


def _r2(truth: Array, answer: Array) -> float:
    spread = np.sum((truth - truth.mean()) ** 2)
    return float("nan") if spread == 0 else float(1 - np.sum((truth - answer) ** 2) / spread)


def _accuracy(truth: Array, answer: Array) -> float:
    return float(np.mean(_chosen(answer) == truth))


def _precision(truth: Array, answer: Array) -> float:
    return _over_labels(truth, answer, lambda hit, said, true: hit / said if said else 0.0)


def _recall(truth: Array, answer: Array) -> float:
    return _over_labels(truth, answer, lambda hit, said, true: hit / true if true else 0.0)


def _f1(truth: Array, answer: Array) -> float:
    return _over_labels(truth, answer, lambda hit, said, true: 2 * hit / (said + true) if said + true else 0.0)


def _log_loss(truth: Array, answer: Array) -> float:
    said = np.clip(answer[np.arange(len(truth)), truth.astype(int)], np.finfo(float).eps, 1)
    return float(-np.mean(np.log(said)))


def _brier(truth: Array, answer: Array) -> float:
    if answer.shape[1] == 2:
        return float(np.mean((answer[:, 1] - truth) ** 2))
    return float(np.mean(np.sum((answer - np.eye(answer.shape[1])[truth.astype(int)]) ** 2, axis=1)))


def _roc_auc(truth: Array, answer: Array) -> float:
    if answer.shape[1] == 2:
        return _auc(truth == 1, answer[:, 1])
    return float(np.mean([_auc(truth == label, answer[:, label]) for label in range(answer.shape[1])]))


def _auc(positive: Array, said: Array) -> float:
    """Area under the ROC curve by the rank sum (Mann and Whitney 1947), ties counted half."""
    count = int(positive.sum())
    if count in (0, len(positive)):
        return float("nan")
    order = np.argsort(said, kind="stable")
    ordered = said[order]
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    ranks = np.empty(len(said))
    ranks[order] = (first + last + 1) / 2
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def _chosen(answer: Array) -> Array:
    chosen: Array = np.argmax(answer, axis=1)
    return chosen


def _over_labels(truth: Array, answer: Array, ratio: Callable[[int, int, int], float]) -> float:
    chosen = _chosen(answer)
    labels = [1] if answer.shape[1] == 2 else range(answer.shape[1])
    parts = []
    for label in labels:
        said, true = chosen == label, truth == label
        parts.append(ratio(int(np.sum(said & true)), int(said.sum()), int(true.sum())))
    return float(np.mean(parts))


_METRICS: dict[str, Callable[[Array, Array], float]] = {
    "rmse": _rmse,
    "mae": _mae,
    "rmsle": _rmsle,
    "r2": _r2,
    "accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "log_loss": _log_loss,
    "brier": _brier,
    "roc_auc": _roc_auc,
}
