"""Distances between a reference profile and a window.

Numbers in, numbers out; numpy only. Everything works on counts over the bins of the reference, so a window of any size
costs one scan and the reference is a few kilobytes.

Bins of a numeric column are right-closed over sorted edges ``e0 < e1 < ...``: ``x <= e0``, then ``(e0, e1]`` and so on,
last ``x > e_last``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.float64]

SMOOTHING = 0.5


def shares(counts: ArrayLike) -> Counts:
    """Counts over the last axis as shares that sum to one, with half a row added to each bin so that none is zero."""
    smoothed = np.asarray(counts, dtype=np.float64) + SMOOTHING
    return np.asarray(smoothed / smoothed.sum(axis=-1, keepdims=True))


def psi(reference: ArrayLike, window: ArrayLike) -> Counts:
    """Population stability index, sum of (p - q) ln(p / q) over bins; 0 when equal. Works on the last axis."""
    p, q = shares(reference), shares(window)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def js_distance(reference: ArrayLike, window: ArrayLike) -> float:
    """Jensen-Shannon distance: square root of the divergence in bits, from 0 (equal) to 1 (disjoint). Lin 1991."""
    p, q = _plain_shares(reference), _plain_shares(window)
    middle = (p + q) / 2
    return math.sqrt(max(0.0, (_bits(p, middle) + _bits(q, middle)) / 2))


def _plain_shares(counts: ArrayLike) -> Counts:
    values = np.asarray(counts, dtype=np.float64)
    return np.asarray(values / max(values.sum(), 1.0))


def _bits(p: Counts, q: Counts) -> float:
    used = p > 0
    return float((p[used] * np.log2(p[used] / q[used])).sum())


def ks(reference: ArrayLike, window: ArrayLike) -> Counts:
    """Largest distance between the two cumulative shares at the edges: Kolmogorov-Smirnov on the last axis.

    With a hundred quantile edges it lies within 0.0005 of the exact statistic on 1e5 values (tested).
    """
    return np.asarray(np.abs(_cumulative(reference) - _cumulative(window)).max(axis=-1))


def rank_shift(reference: ArrayLike, window: ArrayLike) -> Counts:
    """How far a window lies above the reference: P(window > reference) + half of P(equal) - 1/2, from -0.5 to 0.5.

    Mann and Whitney's statistic (1947), values of one bin counted as equal: what moves as a whole it sees long before the
    others do. Works on the last axis.
    """
    p = np.asarray(reference, dtype=np.float64)
    q = np.asarray(window, dtype=np.float64)
    below = _cumulative(p) - p / np.maximum(p.sum(axis=-1, keepdims=True), 1.0) / 2
    total = q.sum(axis=-1)
    return np.asarray(np.where(total > 0, (q * below).sum(axis=-1) / np.maximum(total, 1.0) - 0.5, 0.0))


def _cumulative(counts: ArrayLike) -> Counts:
    sums = np.cumsum(np.asarray(counts, dtype=np.float64), axis=-1)
    return np.asarray(sums / np.maximum(sums[..., -1:], 1.0))


def wasserstein(
    edges: ArrayLike,
    reference: ArrayLike,
    window: ArrayLike,
    *,
    below: float = 0.0,
    above: float = 0.0,
    mean_shift: float | None = None,
) -> float:
    """Area between the two distribution functions, in the unit of the column (first Wasserstein distance).

    ``below`` and ``above`` are the window's mean excess past the outer edges, E[(e0 - x)+] and E[(x - e_last)+]: past
    the reference its function is 0 or 1, so these two are that part of the area exactly. Inside, both functions are
    taken as straight lines between edges. ``mean_shift`` (window minus reference) is the signed area exactly, whatever
    happens inside a bin; what is left to the lines is the smaller of the two one-sided areas, counted twice.
    """
    points = np.asarray(edges, dtype=np.float64)
    if points.size == 0:
        return 0.0
    gap = (_cumulative(reference) - _cumulative(window))[:-1]
    left, right, width = gap[:-1], gap[1:], np.diff(points)
    upward = float((_positive_area(left, right) * width).sum()) + above
    downward = float((_positive_area(-left, -right) * width).sum()) + below
    net = abs(upward - downward if mean_shift is None else mean_shift)
    return net + 2 * min(upward, downward)


def _positive_area(left: Counts, right: Counts) -> Counts:
    """Mean over each bin of the positive part of a line from left to right; a crossing line leaves a triangle."""
    high, low = np.maximum(left, right), np.minimum(left, right)
    triangle = high**2 / (2 * np.where(high > low, high - low, 1.0))
    return np.where(low >= 0, (high + low) / 2, np.where(high <= 0, 0.0, triangle))


def chi_squared(reference: ArrayLike, window: ArrayLike) -> tuple[float, float]:
    """Two-sample chi-squared of homogeneity: (statistic, p-value); both samples have noise, unlike in a goodness of fit.

    The p-value uses Wilson and Hilferty's normal approximation (1931), good to about 0.001.
    """
    table = np.vstack([np.asarray(reference, dtype=np.float64), np.asarray(window, dtype=np.float64)])
    table = table[:, table.sum(axis=0) > 0]
    totals = table.sum(axis=1, keepdims=True)
    degrees = table.shape[1] - 1
    if degrees < 1 or totals.min() == 0:
        return 0.0, 1.0
    expected = totals * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    spread = 2 / (9 * degrees)
    z = ((statistic / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return statistic, 0.5 * math.erfc(z / math.sqrt(2))
