"""Round places on an axis and what is written there: numbers, powers of ten, clock times, ages and durations."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import time
from collections.abc import Callable

from mlops_tui.tui.charts.scale import nice_step

_MOST = 200
SECOND, MINUTE, HOUR, DAY = 1000.0, 60_000.0, 3_600_000.0, 86_400_000.0
_STEPS = (
    *(SECOND * count for count in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(HOUR * count for count in (1, 2, 3, 6, 12)),
    *(DAY * count for count in (1, 2, 7, 14)),
)
_MONTHS = (1, 3, 6, 12, 24, 60, 120)


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """Where an axis has ticks in [low, high], at most about `count`, and how a value on it is written."""

    ticks: Callable[[float, float, int], list[float]]
    label: Callable[[float], str]
    tick_label: Callable[[float, float], str] | None = None  # of a tick, given the distance between ticks

    def labelled(self, low: float, high: float, count: int) -> list[tuple[float, str]]:
        """Ticks with their texts, ascending."""
        found = self.ticks(low, high, count)
        step = found[1] - found[0] if len(found) > 1 else high - low
        written = self.tick_label
        return [(value, written(value, step) if written else self.label(value)) for value in found]


def numbers(low: float, high: float, count: int) -> list[float]:
    """At most about `count` round numbers (1, 2 or 5 times a power of ten) inside [low, high]."""
    step = nice_step((high - low) / count) if count > 0 else 0.0
    if step <= 0:
        return [low]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    found = [index * step for index in range(first, min(last, first + _MOST) + 1)]
    slack = step * 1e-6  # where doubles are coarser than the step, a round number may lie outside
    return [tick for tick in found if low - slack <= tick <= high + slack] or [low]


def powers(low: float, high: float, count: int) -> list[float]:
    """Powers of ten inside [low, high], with their doubles and fives between when there is room."""
    if low <= 0 or high <= low or count < 1:
        return [low]
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first <= 3:
        fine = [f * 10.0**p for p in range(first - 1, last + 1) for f in (1, 2, 5)]
        fine = [value for value in fine if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(fine) <= count or last <= first:
            return fine or numbers(low, high, count)
    every = max(1, math.ceil((last - first + 1) / count))
    return [10.0**power for power in range(first, last + 1, every)] or [low]


def moments(low: float, high: float, count: int) -> list[float]:
    """Round local clock times (ms since the epoch) inside [low, high]: seconds to days, then months and years."""
    raw = (high - low) / max(1, count)
    step = next((step for step in _STEPS if step >= raw), None)
    try:
        if step is None:
            return _months(low, high, raw) or [low]
        shift = _ahead(low)
        first, last = math.ceil((low + shift) / step), math.floor((high + max(shift, _ahead(high))) / step)
        found = [index * step - shift for index in range(first, last + 1)]
        found = [at + shift - _ahead(at) for at in found]  # the clock may have been put forward or back on the way
    except (ValueError, OverflowError, OSError):  # no such date: years before 1 or after 9999
        return [low]
    return [at for at in found if low <= at <= high] or [low]


def _ahead(at: float) -> float:
    """How far local time is ahead of UTC at that moment (ms)."""
    return time.localtime(at / 1000).tm_gmtoff * 1000.0


def _months(low: float, high: float, raw: float) -> list[float]:
    every = next((count for count in _MONTHS if count * 30.4 * DAY >= raw), math.ceil(raw / DAY / 365) * 12)
    begin = dt.datetime.fromtimestamp(low / 1000)
    month = (begin.year * 12 + begin.month - 1) // every * every
    out: list[float] = []
    while len(out) < _MOST:
        at = dt.datetime(month // 12, month % 12 + 1, 1).timestamp() * 1000 if month // 12 >= 1 else low
        if at > high:
            return out
        if at >= low:
            out.append(at)
        month += every
    return out


def number(value: float) -> str:
    """A short label: ``1.5k``, ``0.02``, ``3e-07``."""
    size = abs(value)
    if size >= 1e12 or (0 < size < 1e-3):
        return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= bound:
            return f"{value / (1e3 if unit == 'k' else bound):.4g}{unit}"
    return f"{value:.4g}"


def moment(value: float, step: float = 0.0) -> str:
    """A local time as exact as the ticks are apart (ms): ``10:05:30``, ``10:05``, ``21 Nov``, ``Nov 2026``."""
    form = "%Y" if step >= 300 * DAY else "%b %Y" if step >= 27 * DAY else "%d %b" if step >= DAY else "%H:%M"
    if step < MINUTE:
        form = "%H:%M:%S"
    try:
        at = time.localtime(value / 1000)
    except (ValueError, OverflowError, OSError):
        return number(value)
    if form == "%H:%M" and (at.tm_hour, at.tm_min) == (0, 0):
        form = "%d %b"  # midnight says which day begins
    return time.strftime(form, at)


def span(ms: float) -> str:
    """A length of time for people: ``45s``, ``5m``, ``1h30m``, ``3d``."""
    sign, rest = ("-", -ms) if ms < 0 else ("", ms)
    if rest < MINUTE:
        return f"{sign}{rest / SECOND:.3g}s"
    parts = []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:.0f}{unit}")
    return sign + "".join(parts[:2])


def spans(low: float, high: float, count: int) -> list[float]:
    """Round lengths of time (ms) inside [low, high]."""
    raw = (high - low) / max(1, count)
    step = next((step for step in _STEPS if step >= raw), 0.0) or nice_step(raw / DAY) * DAY
    if raw < SECOND:
        step = nice_step(raw)
    if step <= 0 or not math.isfinite(low / step):
        return [low]
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, min(last, first + _MOST) + 1)] or [low]


def age(edge: float, now: float) -> Axis:
    """An axis of times (ms) written as how long ago they are. Its ticks hang on the right edge of a live chart, which is a
    little ahead of `now` and stands still longer; what a cursor says counts from `now`.
    """

    def ticks(low: float, high: float, count: int) -> list[float]:
        return sorted(edge + back for back in spans(low - edge, high - edge, count))

    def text(value: float) -> str:
        return "now" if now - value < SECOND else f"{span(round((now - value) / SECOND) * SECOND)} ago"

    return Axis(ticks, text, lambda value, step: "now" if edge - value < step / 2 else f"-{span(edge - value)}")


NUMBER = Axis(numbers, number)
LOG = Axis(powers, number)
TIME = Axis(moments, lambda value: moment(value, SECOND), moment)
DURATION = Axis(spans, span)
