"""Measures of labelled predictions, each with its interval: shares by Wilson, means by the normal, the others by the delta method,
DeLong or a bootstrap of counts. Equal to scikit-learn's of the same name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.monitoring import intervals
from mlops_tui.domains.monitoring.measured import Measure
from mlops_tui.domains.monitoring.performance import usable
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

ECE_BINS = 10
MOST_CLASSES = 50
TINY = 1e-15
INPUT = "input."
"""Before the name of an input in a frame of predictions: inputs may be called label or score themselves."""


@dataclass(frozen=True, slots=True)
class Task:
    """What kind of answers there are. `labels` as texts in the model's order; of two the second is the positive one."""

    classification: bool
    labels: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether there is a positive class."""
        return self.classification and len(self.labels) == 2

    @property
    def metric(self) -> str:
        """The measure that stands for all."""
        return "accuracy" if self.classification else "mae"


def measures(rows: pd.DataFrame, task: Task) -> list[Measure]:
    """All that can be measured of rows with columns prediction, label and score; those that lack one of the first two are left out."""
    if task.classification:
        return [*_classes(rows, task)]
    truth, predicted = numbers(rows)
    return [*_numbers(truth, predicted)]


def numbers(rows: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Truth and prediction of the rows where both are numbers that can be reckoned with."""
    truth = pd.to_numeric(rows["label"], errors="coerce").to_numpy(dtype=float)
    predicted = pd.to_numeric(rows["prediction"], errors="coerce").to_numpy(dtype=float)
    known = usable(truth) & usable(predicted)
    return truth[known], predicted[known]


def errors(rows: pd.DataFrame, task: Task) -> pd.Series[Any]:
    """The error of each row under its own index, 0 or 1 of classes, |truth - prediction| of numbers; unusable rows are left out."""
    if not task.classification:
        truth, predicted = (
            pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=float) for name in ("label", "prediction")
        )
        there = usable(truth) & usable(predicted)
        return pd.Series(np.abs(truth[there] - predicted[there]), index=rows.index[there])
    known = rows[rows["label"].notna() & rows["prediction"].notna()]
    return (texts(known["label"]) != texts(known["prediction"])).astype(float)


def texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Levels as the profile counts them: 1, 1.0 and True are not three classes."""
    levels = {value: level_text(value) for value in column.dropna().unique()}
    return column.map(levels).astype(object)


def _numbers(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Iterator[Measure]:
    rows = truth.size
    if not rows:
        return
    error = truth - predicted
    yield _mean("mae", np.abs(error))
    yield _root("rmse", error**2)
    if truth.min() >= 0:
        yield _root("rmsle", (np.log1p(truth) - np.log1p(np.clip(predicted, 0, None))) ** 2)
    off = (truth - truth.mean()) ** 2
    if off.mean() > 0:
        lost, spread = error**2, float(off.mean())
        share = float(lost.mean()) / spread
        moves = lost / spread - share * off / spread  # how each row moves the ratio (its influence), up to a constant
        yield _measure("r2", 1 - share, intervals.error_of_mean(moves), rows, "delta", high=1.0)
    yield _mean("bias", -error)


def _classes(rows: pd.DataFrame, task: Task) -> Iterator[Measure]:
    known = rows[rows["label"].notna() & rows["prediction"].notna()]
    if not len(known):
        return
    truth, said = texts(known["label"]).to_numpy(), texts(known["prediction"]).to_numpy()
    hits, count = int((truth == said).sum()), len(known)
    yield Measure("accuracy", hits / count, *intervals.wilson(hits, count), "wilson", count)
    scores = pd.to_numeric(known["score"], errors="coerce").to_numpy(dtype=float)
    scored = np.isfinite(scores).all() and (not scores.size or (scores.min() >= 0 and scores.max() <= 1))
    if task.binary:
        yield from _two(truth == task.labels[1], said == task.labels[1])
        if scored:
            yield from _probabilities(truth == task.labels[1], scores)
    else:
        yield from _many(truth, said)
        if scored:
            yield _ece(truth == said, scores)


def _two(positive: Any, chosen: Any) -> Iterator[Measure]:
    hit, extra, missed = (int(part.sum()) for part in (positive & chosen, ~positive & chosen, positive & ~chosen))
    if hit + extra:
        yield Measure("precision", hit / (hit + extra), *intervals.wilson(hit, hit + extra), "wilson", hit + extra)
    if hit + missed:
        yield Measure("recall", hit / (hit + missed), *intervals.wilson(hit, hit + missed), "wilson", hit + missed)
    cells = np.array([hit, extra, missed, positive.size - hit - extra - missed])
    drawn = intervals.tables(cells + 0.5)  # none in a cell is not certainty
    low, high = intervals.percentiles(_ratio(2 * drawn[:, 0], 2 * drawn[:, 0] + drawn[:, 1] + drawn[:, 2]))
    value = 2 * hit / (2 * hit + extra + missed) if hit + extra + missed else 0.0
    yield Measure("f1", value, low, high, "bootstrap", positive.size)


def _many(truth: Any, said: Any) -> Iterator[Measure]:
    """Means over the classes without weights."""
    classes = sorted({*truth, *said})
    if len(classes) > MOST_CLASSES:
        return
    places = {each: place for place, each in enumerate(classes)}
    table = np.zeros((len(classes), len(classes)))
    np.add.at(table, ([places[each] for each in truth], [places[each] for each in said]), 1)
    values, drawn = _macro(table[None]), _macro(intervals.tables(table, draws=300))
    for name, one in values.items():
        low, high = intervals.percentiles(drawn[name])
        yield Measure(name, float(one[0]), low, high, "bootstrap", len(truth))


def _macro(table: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """precision, recall and f1 of tables [draws, truth, said]."""
    hit = np.diagonal(table, axis1=1, axis2=2)
    said, true = table.sum(axis=1), table.sum(axis=2)
    return {
        "precision": _ratio(hit, said).mean(axis=1),
        "recall": _ratio(hit, true).mean(axis=1),
        "f1": _ratio(2 * hit, said + true).mean(axis=1),
    }


def _probabilities(positive: Any, scores: NDArray[np.float64]) -> Iterator[Measure]:
    if 0 < positive.sum() < positive.size:
        area, error = intervals.delong(scores[positive], scores[~positive])
        yield _measure("roc_auc", area, error, positive.size, "delong", low=0.0, high=1.0)
    clipped = np.clip(scores, TINY, 1 - TINY)
    yield _mean("log_loss", -np.log(np.where(positive, clipped, 1 - clipped)))
    yield _mean("brier", (scores - positive) ** 2)
    yield _ece(positive, scores)


def _ece(true: Any, scores: NDArray[np.float64]) -> Measure:
    """Expected calibration error over ten bins of equal width (Naeini et al., 2015).

    With few rows a calibrated model has an error too, by chance. The measured error and the true one differ by at most how far the
    shares of the bins are from theirs in all; the interval is the 95 % quantile of that, resampled, to both sides.
    """
    bins = np.minimum((scores * ECE_BINS).astype(int), ECE_BINS - 1)
    counts, said = np.zeros((ECE_BINS, 2)), np.zeros((ECE_BINS, 2))
    np.add.at(counts, (bins, true.astype(int)), 1)
    np.add.at(said, (bins, true.astype(int)), scores)
    mean = said / np.maximum(counts, 1)
    value = float(_ece_of(counts[None], mean)[0])
    rows = counts.sum(axis=1)
    shares = (counts[:, 1] + 0.5) / (rows + 1)
    random = np.random.default_rng(intervals.SEED)
    drawn = random.binomial(rows.astype(int), shares, (intervals.DRAWS, ECE_BINS))
    off = np.quantile(np.abs(drawn - rows * shares).sum(axis=1), intervals.CONFIDENCE) / max(rows.sum(), 1)
    return Measure("ece", value, max(0.0, value - float(off)), min(1.0, value + float(off)), "bootstrap", scores.size)


def _ece_of(counts: NDArray[np.float64], said: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps = np.abs(counts[..., 1] - (counts * said).sum(axis=-1))
    return np.asarray(gaps.sum(axis=-1) / np.maximum(counts.sum(axis=(-1, -2)), 1))


def _mean(name: str, values: NDArray[np.float64]) -> Measure:
    floor = None if name == "bias" else 0.0
    return _measure(name, float(values.mean()), intervals.error_of_mean(values), values.size, "normal", low=floor)


def _root(name: str, squares: NDArray[np.float64]) -> Measure:
    value = math.sqrt(float(squares.mean()))
    error = intervals.error_of_mean(squares) / (2 * value) if value > 0 else 0.0
    return _measure(name, value, error, squares.size, "delta", low=0.0)


def _measure(
    name: str,
    value: float,
    error: float,
    rows: int,
    method: str,
    *,
    low: float | None = None,
    high: float | None = None,
) -> Measure:
    if not math.isfinite(error):
        return Measure(name, value, rows=rows)
    first, last = intervals.around(value, error)
    return Measure(
        name,
        value,
        first if low is None else max(low, first),
        last if high is None else min(high, last),
        method,
        rows,
    )


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0))


def label_texts(labels: Sequence[Any]) -> tuple[str, ...]:
    """The labels of a signature as the texts they are compared as."""
    return tuple(level_text(label) for label in labels)
