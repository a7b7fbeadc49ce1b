"""From values to positions: limits that stand still, linear and logarithmic scales, and time cut into whole columns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable

_SHRINK = 0.4
"""Kept limits are given up when the values use less than this share of them."""
PARTS = 12
"""A live chart shifts by this part of its width."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` as shares from 0 to 1; with `log` both ends are above zero."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, cut off at both ends; 0 where the ends are so odd that no number comes out."""
        found = self._share(min(self.high, max(self.low, value)))
        return min(1.0, max(0.0, found)) if math.isfinite(found) else 0.0

    def _share(self, value: float) -> float:
        if self.log:
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        span = self.high - self.low
        # Halves first: the span of two huge ends of different sign is not a number any more.
        return (
            (value - self.low) / span
            if math.isfinite(span)
            else (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        )

    def level(self, value: float, tall: int) -> int:
        """The dot row of a value, 0 on top, in a canvas of `tall` dots."""
        return min(tall - 1, max(0, int((1 - self.share(value)) * (tall - 1) + 0.5)))


def limits(values: Iterable[float], *, low: float | None = None, high: float | None = None) -> tuple[float, float]:
    """The finite range of `values`, widened when it is empty or flat; `low` and `high` fix an end."""
    finite = [value for value in values if math.isfinite(value)]
    bottom = low if low is not None else min(finite, default=0.0)
    top = high if high is not None else max(finite, default=1.0)
    if top <= bottom:
        pad = abs(bottom) * 0.1 or 1.0
        return (bottom if low is not None else bottom - pad, bottom + pad)
    return bottom, top


def fitted(values: Iterable[float], *, log: bool = False, low: float | None = None, high: float | None = None) -> Scale:
    """The scale of these values. A logarithmic one leaves out what is not above zero; without any such value it is linear."""
    found = [value for value in values if math.isfinite(value)]
    positive = [value for value in found if value > 0] if log else []
    if not positive:
        return Scale(*limits(found, low=low, high=high))
    bottom = low if low is not None and low > 0 else min(positive)
    top = high if high is not None and high > 0 else max(positive)
    if math.log10(top) - math.log10(bottom) < 1e-9:
        bottom, top = bottom / 2 or bottom, min(top * 2, 1.7e308)
    return Scale(bottom, top, True) if top > bottom else Scale(*limits(found))


class Steady:
    """Limits that move seldom: each new scale of a live chart would send all of it again.

    They grow to round numbers when a value leaves them and shrink only when most of them is empty.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Scale] = {}

    def settle(self, key: Hashable, wanted: Scale) -> Scale:
        """The scale to draw with, given the one that would fit exactly."""
        kept = self._kept.get(key)
        if kept is not None and kept.log == wanted.log and self._holds(kept, wanted):
            return kept
        self._kept[key] = rounded(wanted)
        return self._kept[key]

    def forget(self) -> None:
        """Fit anew next time."""
        self._kept.clear()

    @staticmethod
    def _holds(kept: Scale, wanted: Scale) -> bool:
        inside = kept.low <= wanted.low and wanted.high <= kept.high
        return inside and kept.share(wanted.high) - kept.share(wanted.low) >= _SHRINK


def rounded(wanted: Scale, parts: int = 4) -> Scale:
    """The scale with its ends moved outwards to round numbers (whole powers of ten when logarithmic)."""
    if wanted.log:
        low, high = 10.0 ** math.floor(math.log10(wanted.low)), 10.0 ** min(308, math.ceil(math.log10(wanted.high)))
        return Scale(low, high, True) if 0 < low < high else wanted
    step = nice_step((wanted.high - wanted.low) / parts)
    if not math.isfinite(step) or step <= 0:
        return wanted
    low, high = math.floor(wanted.low / step + 1e-9) * step, math.ceil(wanted.high / step - 1e-9) * step
    return Scale(low, high) if math.isfinite(low) and math.isfinite(high) and low < high else wanted


def nice_step(raw: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `raw`; 0 when there is none."""
    if not math.isfinite(raw) or raw <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next((factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9)), 10 * power)


def snapped(left: float, right: float, columns: int) -> tuple[float, float]:
    """[left, right] moved right to a multiple of several of its columns, a twelfth of the width, ahead of `right`.

    A live chart then shifts a few times per window instead of with every point: each shift sends all of it again. What is
    new meanwhile fills the free columns on the right, one at a time.
    """
    width = (right - left) / columns if columns > 0 else 0.0
    step = width * max(1, columns // PARTS)
    if step <= 0 or not math.isfinite(right / step):
        return left, right
    edge = math.ceil(right / step - 1e-9) * step
    return edge - columns * width, edge
