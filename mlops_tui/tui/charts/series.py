"""Curves as values: points with gaps, what a legend says of them, smoothing, and the value under a cursor."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

MARKS = "●▲■◆○△□◇"
ASCII_MARKS = "ox+*#@%&"
_COLOURS = 4
_PAUSE = 3
_FAR = 1e300
"""An x beyond this is no place: the distance between two of them would not be a number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Points of one curve: `xs` ascending, a `ys` that is not finite is a gap.

    `times` are other x values of the same points (seconds since the start, say), for charts that can change their axis.
    """

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    times: tuple[float, ...] = ()

    @property
    def values(self) -> list[float]:
        """The finite values."""
        if math.isfinite(sum(self.ys)):  # one pass in C: the usual series has no gap
            return list(self.ys)
        return [y for y in self.ys if math.isfinite(y)]


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """What a legend says of a curve; None without any value."""

    last: float | None
    low: float | None
    high: float | None


def role(index: int) -> str:
    """The colour of the curve in that place."""
    return f"s{index % _COLOURS + 1}"


def mark(index: int, *, ascii_only: bool = False) -> str:
    """The glyph of the curve in that place: eight, so that curves of one colour still differ."""
    marks = ASCII_MARKS if ascii_only else MARKS
    return marks[index % len(marks)]


def ordered(one: Series) -> Series:
    """The same points by x without those that have no x; the series itself when it is in order already."""
    count = min(len(one.xs), len(one.ys))
    xs, ys = one.xs[:count], one.ys[:count]
    if list(xs) == sorted(xs) and (not xs or (abs(xs[0]) <= _FAR and abs(xs[-1]) <= _FAR)) and math.isfinite(sum(xs)):
        return one if count == len(one.xs) == len(one.ys) else dataclasses.replace(one, xs=xs, ys=ys)
    points = sorted(((x, y) for x, y in zip(xs, ys, strict=True) if abs(x) <= _FAR), key=lambda point: point[0])
    return dataclasses.replace(one, xs=tuple(x for x, _ in points), ys=tuple(y for _, y in points))


def recorded(name: str, points: Iterable[tuple[int, float, float | None, float]]) -> Series:
    """The means of (time, least, mean, most) as a curve, interrupted where nothing was recorded for thrice its usual step."""
    found = list(points)
    most = _PAUSE * _step([at for at, *_ in found])
    xs: list[float] = []
    ys: list[float] = []
    for at, _, mean, _ in found:
        if xs and at - xs[-1] > most:
            xs.append((xs[-1] + at) / 2)
            ys.append(math.nan)
        xs.append(float(at))
        ys.append(math.nan if mean is None else float(mean))
    return Series(name, tuple(xs), tuple(ys))


def continued(one: Series, xs: Sequence[float], ys: Sequence[float]) -> Series:
    """A recorded curve and the later points after it, interrupted where more than thrice its usual step lies between them."""
    apart = bool(len(one.xs) > 1 and xs) and xs[0] - one.xs[-1] > _PAUSE * _step(one.xs)
    between = ((one.xs[-1] + xs[0]) / 2,) if apart else ()
    return Series(one.name, (*one.xs, *between, *xs), (*one.ys, *(math.nan for _ in between), *ys))


def _step(xs: Sequence[float]) -> float:
    """The usual distance of neighbours, 0 of fewer than two."""
    steps = sorted(after - before for before, after in pairwise(xs))
    return steps[len(steps) // 2] if steps else 0


def summary(one: Series) -> Summary:
    """Last, smallest and largest value."""
    values = one.values
    return Summary(values[-1], min(values), max(values)) if values else Summary(None, None, None)


def smoothed(ys: Iterable[float], weight: float) -> list[float]:
    """An exponential moving average that starts at the first value instead of at zero; gaps stay gaps.

    s[n] = weight * s[n-1] + (1 - weight) * y[n], divided by (1 - weight^n) as Adam does it (Kingma, Ba 2015).
    """
    mean, trust = 0.0, 1.0
    out: list[float] = []
    for y in ys:
        if not math.isfinite(y):
            out.append(y)
            continue
        mean = weight * mean + (1 - weight) * y
        trust *= weight
        out.append(mean / (1 - trust))
    return out


def value_at(one: Series, x: float, reach: float) -> float | None:
    """The value of the point nearest to `x`, None when it is a gap or further away than `reach`."""
    place = bisect_left(one.xs, x)
    near = [at for at in (place - 1, place) if 0 <= at < len(one.xs)]
    if not near:
        return None
    at = min(near, key=lambda each: abs(one.xs[each] - x))
    return one.ys[at] if abs(one.xs[at] - x) <= reach and math.isfinite(one.ys[at]) else None


def reach(one: Series, least: float) -> float:
    """How far from a point its value still counts: half the widest step of the curve, at least `least`."""
    widest = max((right - left for left, right in pairwise(one.xs)), default=0.0)
    return max(least, widest / 2)


def neighbour(series: Sequence[Series], x: float, step: float) -> float | None:
    """The next x of any curve at least `step` away from `x` (to the left when it is negative); None at the end."""
    found: list[float] = []
    for one in series:
        place = bisect_left(one.xs, x + step)
        if step > 0 and place < len(one.xs):
            found.append(one.xs[place])
        elif step < 0 and (before := place if place < len(one.xs) and one.xs[place] == x + step else place - 1) >= 0:
            found.append(one.xs[before])
    return (min(found) if step > 0 else max(found)) if found else None
