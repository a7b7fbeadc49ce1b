"""Thousands of points in a hundred columns: each column keeps its first, last, smallest and largest value."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple


class Bucket(NamedTuple):
    """The values of one column; `torn` when a gap lies between the value before it and its first one."""

    first: float
    low: float
    high: float
    last: float
    torn: bool = False


def buckets(xs: Sequence[float], ys: Sequence[float], count: int, left: float, right: float) -> list[Bucket | None]:
    """The points of [left, right] in `count` equal columns, None where a column holds no value; `xs` ascending.

    Both ends of every column survive, which is what draws the same picture as all points would (M4: Jugel et al.,
    VLDB 2014). Columns are cut out by bisection, so the cost per point is that of `min` and `max`.
    """
    out: list[Bucket | None] = [None] * count
    width = (right - left) / count
    if width <= 0 or not xs:  # also where the limits are so near that a column is nothing
        return _single(ys[bisect_left(xs, left) : bisect_right(xs, right)], out)
    start, end = bisect_left(xs, left), bisect_right(xs, right)
    torn = False
    at = start
    while at < end:
        column = min(count - 1, max(0, int((xs[at] - left) / width)))
        stop = end if column == count - 1 else bisect_left(xs, left + (column + 1) * width, at + 1, end)
        values = ys[at:stop]
        if not math.isfinite(sum(values)):
            torn = torn or not math.isfinite(values[0])
            kept = [y for y in values if math.isfinite(y)]
            if kept:
                out[column] = _bucket(kept, torn, out[column])
                torn = False
            torn = torn or not math.isfinite(values[-1]) or not kept
        else:
            out[column] = _bucket(values, torn, out[column])
            torn = False
        at = stop
    return out


def _bucket(values: Sequence[float], torn: bool, seen: Bucket | None) -> Bucket:
    if seen is None:
        return Bucket(values[0], min(values), max(values), values[-1], torn)
    # Rounding may end a column one point early; its rest joins it.
    return Bucket(seen.first, min(seen.low, *values), max(seen.high, *values), values[-1], seen.torn)


def _single(ys: Sequence[float], out: list[Bucket | None]) -> list[Bucket | None]:
    """All points at one x: they stand in the middle."""
    kept = [y for y in ys if math.isfinite(y)]
    if kept and out:
        out[len(out) // 2] = _bucket(kept, False, None)
    return out
