"""Intervals of measures, in closed form where there is one: numbers in, (low, high) out. All at 95 % unless told."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
DRAWS = 1000
SEED = 20

Interval = tuple[float, float]


def z_of(confidence: float = CONFIDENCE) -> float:
    """How many standard errors the interval reaches to both sides."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(hits: float, rows: int, confidence: float = CONFIDENCE) -> Interval:
    """Of a share (Wilson, 1927)."""
    if rows < 1:
        return 0.0, 1.0
    z, share = z_of(confidence), hits / rows
    middle, scale = share + z * z / (2 * rows), 1 + z * z / rows
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    low, high = max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
    return (low if hits else 0.0), (high if hits < rows else 1.0)


def around(value: float, error: float, confidence: float = CONFIDENCE) -> Interval:
    """Of an estimate that is about normal with this standard error."""
    half = z_of(confidence) * error
    return value - half, value + half


def error_of_mean(values: NDArray[np.float64]) -> float:
    """Standard error of the mean; NaN with fewer than two values."""
    return float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan


def percentiles(draws: NDArray[np.float64], confidence: float = CONFIDENCE) -> Interval:
    """Of a bootstrap: the middle part of its draws."""
    known = draws[np.isfinite(draws)]
    if not known.size:
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def tables(counts: NDArray[Any], draws: int = DRAWS) -> NDArray[np.float64]:
    """Tables of counts as another sample of the same size would give them, first axis `draws`.

    Resampling rows and counting them is the same as drawing the counts, whatever the number of rows (Efron, 1979).
    """
    flat = np.asarray(counts, dtype=np.float64).ravel()
    total = int(flat.sum())
    random = np.random.default_rng(SEED)
    drawn = random.multinomial(total, flat / max(total, 1), size=draws)
    return np.asarray(drawn.reshape(draws, *np.shape(counts)), dtype=np.float64)


def delong(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve and its standard error, from the scores of both classes (DeLong et al., 1988; Sun and Xu, 2014)."""
    first, second = positive.size, negative.size
    ordered_negative, ordered_positive = np.sort(negative), np.sort(positive)
    above = _below(ordered_negative, positive) / second
    below = 1 - _below(ordered_positive, negative) / first
    area = float(above.mean())
    if first < 2 or second < 2:
        return area, math.nan
    return area, math.sqrt(float(above.var(ddof=1)) / first + float(below.var(ddof=1)) / second)


def _below(ordered: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many of `ordered` lie below each value, ties half."""
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return np.asarray((left + right) / 2)
