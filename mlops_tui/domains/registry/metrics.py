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
ECE_BINS = 10
DEFAULT_THRESHOLD = 0.5
# These look at the label that is said and no further.
OF_LABELS = ("accuracy", "balanced_accuracy", "f1", "precision", "recall")


def score(name: str, truth: Array, answer: Array) -> float:
    """Compute one metric."""
    return float(_METRICS[name](truth, answer)) if len(truth) else float("nan")


def scores(names: Sequence[str], truth: Array, answer: Array) -> dict[str, float]:
    """Compute several metrics of the same rows."""
    return {name: score(name, truth, answer) for name in names}


def computed(names: Sequence[str]) -> list[str]:
    """Those that are computed from truth and answers; silhouette, stability and the like need the model."""
    return [name for name in names if name in _METRICS]


def decided(name: str, answer: Array, threshold: float | None) -> Array:
    """Probabilities as a metric of labels shall see them when the second of two labels is said from `threshold` on."""
    if threshold is None or threshold == DEFAULT_THRESHOLD or name not in OF_LABELS or answer.shape[1] != 2:
        return answer
    said = (answer[:, 1] >= threshold).astype(int)
    return np.asarray(np.eye(2)[said])


def bins_of(answer: Array, truth: Array, count: int) -> list[dict[str, float]]:
    """The reliability table: `count` bins of equal width over what was said, with how often it was true.

    Two labels: the probability of the second. More: of the label that was said, against whether it was right.
    """
    said, true = _said_and_true(truth, answer)
    places = np.minimum((said * count).astype(int), count - 1)
    rows = []
    for place in np.unique(places):
        chosen = places == place
        rows.append(
            {
                "low": place / count,
                "high": (place + 1) / count,
                "rows": int(chosen.sum()),
                "said": float(said[chosen].mean()),
                "true": float(true[chosen].mean()),
            }
        )
    return rows


def _said_and_true(truth: Array, answer: Array) -> tuple[Array, Array]:
    if answer.shape[1] == 2:
        return answer[:, 1], (truth == 1).astype(float)
    return answer.max(axis=1), (_chosen(answer) == truth).astype(float)


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


def _mape(truth: Array, answer: Array) -> float:
    """Mean absolute share of the truth, over the rows where the truth is not zero (scikit-learn divides by a tiny number)."""
    chosen = truth != 0
    return (
        float(np.mean(np.abs(truth[chosen] - answer[chosen]) / np.abs(truth[chosen]))) if chosen.any() else float("nan")
    )


def _median_ae(truth: Array, answer: Array) -> float:
    return float(np.median(np.abs(truth - answer)))


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


def _average_precision(truth: Array, answer: Array) -> float:
    """Sum of precision times the step of recall over the distinct scores; more labels: averaged without weights."""
    if answer.shape[1] == 2:
        return _ap(truth == 1, answer[:, 1])
    return float(np.mean([_ap(truth == label, answer[:, label]) for label in range(answer.shape[1])]))


def _ap(positive: Array, said: Array) -> float:
    count = int(positive.sum())
    if not count:
        return float("nan")
    order = np.argsort(-said, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(said[order])), len(said) - 1)
    hits = np.cumsum(positive[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) / count * hits / (ends + 1)))


def _balanced_accuracy(truth: Array, answer: Array) -> float:
    chosen = _chosen(answer)
    return float(np.mean([np.mean(chosen[truth == label] == label) for label in np.unique(truth)]))


def _ece(truth: Array, answer: Array) -> float:
    """Expected calibration error over ten bins of equal width (Naeini, Cooper and Hauskrecht 2015)."""
    said, true = _said_and_true(truth, answer)
    places = np.minimum((said * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(places, weights=said - true, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(truth))


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
    "mape": _mape,
    "median_ae": _median_ae,
    "accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "log_loss": _log_loss,
    "brier": _brier,
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "balanced_accuracy": _balanced_accuracy,
    "ece": _ece,
}
