"""Charts of one line: sparkline, meter, bars; and a pair of histograms over the same edges."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_tui.tui.lines import Line, Span, fit

_STEPS = " ▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"


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
    return sum(finite) / len(finite) if finite else None


def _block(value: float | None, bottom: float, top: float) -> str:
    if value is None:
        return " "
    if top <= bottom:
        return _STEPS[1]
    share = (min(top, max(bottom, value)) - bottom) / (top - bottom)
    return _STEPS[1 + min(7, int(share * 8))]


def meter(share: float | None, width: int, *, warn: float = 0.75, bad: float = 0.9) -> Line:
    """A bar of `share` (0-1) in `width` cells; its colour says warn and bad, its length says how much."""
    if share is None:
        return (("─" * width, "muted"),)
    share = min(1.0, max(0.0, share))
    eighths = int(share * width * 8 + 0.5)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (_EIGHTHS[rest] if rest else "")
    role = "bad" if share >= bad else "warn" if share >= warn else "good"
    return ((bar, role), ("·" * (width - len(bar)), "muted"))


def bars(pairs: Sequence[tuple[str, float]], width: int, *, role: str = "s1") -> list[Line]:
    """One labelled bar a row, the longest filling the width."""
    if not pairs:
        return []
    label = min(max(len(name) for name, _ in pairs), max(6, width // 3))
    room = max(4, width - label - 10)
    top = max((value for _, value in pairs), default=0.0) or 1.0
    return [
        (
            (fit(name, label) + " ", "text"),
            (_bar(value / top, room), role),
            (f" {value:.3g}", "muted"),
        )
        for name, value in pairs
    ]


def _bar(share: float, width: int) -> str:
    full, rest = divmod(int(min(1.0, max(0.0, share)) * width * 8 + 0.5), 8)
    return ("█" * full + (_EIGHTHS[rest].strip() if rest else "")).ljust(width)


def histogram_pair(reference: Sequence[float], current: Sequence[float], width: int) -> list[Line]:
    """Two distributions over the same bins, as shares: reference above, current below, on one scale.

    Bins beyond `width` are merged, so that the shape survives in a narrow pane.
    """
    first, second = _shares(reference), _shares(current)
    room = max(4, width - 10)
    first, second = _merge(first, room), _merge(second, room)
    top = max([*first, *second, 1e-12])
    return [
        (("reference ", "muted"), (_stretch(first, room, top), "s2")),
        (("current   ", "muted"), (_stretch(second, room, top), "s1")),
    ]


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else [0.0 for _ in counts]


def _merge(shares: Sequence[float], room: int) -> list[float]:
    per = max(1, math.ceil(len(shares) / room))
    return [sum(shares[start : start + per]) for start in range(0, len(shares), per)]


def _stretch(shares: Sequence[float], room: int, top: float) -> str:
    per = max(1, room // max(1, len(shares)))
    return "".join((_STEPS[min(8, math.ceil(share / top * 8))] if share > 0 else " ") * per for share in shares)
