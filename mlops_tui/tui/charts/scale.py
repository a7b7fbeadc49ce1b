"""From values to positions: nice ticks, limits and one value per column."""

from __future__ import annotations

import math
from collections.abc import Sequence


def limits(values: Sequence[float], *, low: float | None = None, high: float | None = None) -> tuple[float, float]:
    """The finite range of `values`, widened when it is empty or flat; `low` and `high` fix an end."""
    finite = [value for value in values if math.isfinite(value)]
    bottom = low if low is not None else min(finite, default=0.0)
    top = high if high is not None else max(finite, default=1.0)
    if top <= bottom:
        pad = abs(bottom) * 0.1 or 1.0
        return (bottom if low is not None else bottom - pad, bottom + pad)
    return bottom, top


def ticks(low: float, high: float, count: int) -> list[float]:
    """At most about `count` round numbers (1, 2 or 5 times a power of ten) inside [low, high]."""
    if count < 1 or high <= low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 5, 10) if factor * power >= raw), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def label(value: float) -> str:
    """A short tick label: ``1.5k``, ``0.02``, ``3e-07``."""
    size = abs(value)
    if size >= 1e12 or (0 < size < 1e-3):
        return f"{value:.0e}"
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= bound:
            scaled = value / (1e3 if unit == "k" else bound)
            return f"{scaled:.3g}{unit}"
    return f"{value:.4g}"


def columns(
    xs: Sequence[float], ys: Sequence[float], count: int, low: float, high: float
) -> list[tuple[float, float] | None]:
    """The (min, max) of `ys` in each of `count` equal columns of [low, high]; None where a column holds no value.

    Keeping both ends is what lets a spike survive when thousands of points share a column.
    """
    out: list[tuple[float, float] | None] = [None] * count
    span = (high - low) or 1.0
    for x, y in zip(xs, ys, strict=True):
        if not math.isfinite(y) or x < low or x > high:
            continue
        index = min(count - 1, int((x - low) / span * count))
        seen = out[index]
        out[index] = (y, y) if seen is None else (min(seen[0], y), max(seen[1], y))
    return out
