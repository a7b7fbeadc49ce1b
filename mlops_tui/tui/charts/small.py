"""Charts of one line: sparkline, meter and labelled bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_tui.tui.charts.ticks import number
from mlops_tui.tui.lines import Line, Span, crop, fit

_STEPS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_VALUE = 10


def sparkline(
    values: Sequence[float], width: int, *, low: float | None = None, high: float | None = None, role: str = "s1"
) -> Span:
    """The last values in `width` cells, the mean of each cell as a block of eight heights; gaps stay empty."""
    if not values or width < 1:
        return (" " * max(0, width), role)
    per = max(1, math.ceil(len(values) / width))
    groups = [values[start : start + per] for start in range(0, len(values), per)]
    means = [_mean(group) for group in groups]
    finite = [mean for mean in means if mean is not None]
    bottom = low if low is not None else min(finite, default=0.0)
    top = high if high is not None else max(finite, default=1.0)
    return ("".join(_block(mean, bottom, top) for mean in means).rjust(width)[:width], role)


def _mean(group: Sequence[float]) -> float | None:
    finite = [value for value in group if math.isfinite(value)]
    return sum(value / len(finite) for value in finite) if finite else None


def _block(value: float | None, bottom: float, top: float) -> str:
    if value is None:
        return " "
    if top <= bottom:
        return _STEPS[1]
    share = (min(top, max(bottom, value)) / 2 - bottom / 2) / (top / 2 - bottom / 2)
    return _STEPS[1 + min(7, int(share * 8))]


def meter(share: float | None, width: int, *, warn: float = 0.75, bad: float = 0.9) -> Line:
    """A bar of `share` (0-1) in `width` cells; its colour says warn and bad, its length says how much."""
    width = max(0, width)
    if share is None or not math.isfinite(share):
        return (("─" * width, "muted"),)
    share = min(1.0, max(0.0, share))
    bar = _bar(share, width)
    role = "bad" if share >= bad else "warn" if share >= warn else "good"
    return ((bar, role), ("·" * (width - len(bar)), "muted"))


def bars(pairs: Sequence[tuple[str, float]], width: int, *, role: str = "s1") -> list[Line]:
    """One labelled bar a row, the longest filling the width; what is not above zero has none."""
    if not pairs:
        return []
    label = min(max(len(name) for name, _ in pairs), max(6, width // 3))
    room = max(4, width - label - _VALUE)
    top = max((value for _, value in pairs if math.isfinite(value)), default=0.0)
    out: list[Line] = []
    for name, value in pairs:
        share = value / top if top > 0 and math.isfinite(value) else 0.0
        spans = (
            (fit(name, label) + " ", "text"),
            (_bar(max(0.0, share), room).ljust(room), role),
            (f" {number(value)}", "muted"),
        )
        out.append(crop(spans, max(0, width)))
    return out


def _bar(share: float, width: int) -> str:
    full, rest = divmod(int(min(1.0, share) * width * 8 + 0.5), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
