"""Two distributions over each other: the reference as an outline, what is now as a fill, on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_tui.tui.charts import series as curves
from mlops_tui.tui.charts.canvas import Canvas, canvas
from mlops_tui.tui.lines import Line, clean, crop, fit, percent

_GUTTER = 4
_FILL, _OUTLINE = "s1", "s2"
_BARE = 16


def histogram(
    current: Sequence[float],
    width: int,
    height: int,
    *,
    reference: Sequence[float] = (),
    bins: Sequence[str] = (),
    names: tuple[str, str] = ("now", "reference"),
    kind: str = "braille",
) -> list[Line]:
    """Counts or shares per bin in exactly `height` lines of at most `width` cells, each distribution as shares of its sum.

    The fill is a pattern and the outline a closed line, so that they differ without colour. `bins` are written below where
    there is room. Values that are not above zero count as nothing.
    """
    if width < 1 or height < 1:
        return [()] * max(0, height)
    now, before = shares(current), shares(reference)
    kept = _trimmed(now, before)
    now, before, bins = now[:kept], before[:kept], bins[:kept]
    top = max([*now, *before], default=0.0)
    if top <= 0:
        return [crop((("nothing to compare yet", "muted"),), width), *([()] * (height - 1))]
    bare = width < _BARE
    foot = 0 if height < 3 or bare else 1
    words = 1 if height >= 4 else 0
    rows = height - foot - words
    gutter = 0 if bare else _GUTTER
    board = canvas(kind, width - gutter - (0 if bare else 1), rows)
    _fill(board, now, top)
    _outline(board, before, top)
    body: list[Line] = []
    for row, spans in enumerate(board.lines()):
        label = percent(top) if row == 0 else "0%" if row == rows - 1 and rows > 1 else ""
        edge = ((fit(label, gutter, right=True), "muted"), ("┤" if label else "│", "muted"))
        body.append(spans if bare else (*edge, *spans))
    if foot:
        body.append(((" " * gutter + "└", "muted"), (_names(bins, board.columns), "muted")))
    if words:
        body.append(_legend(names, bool(reference), ascii_only=board.ASCII))
    return [crop(one, width) for one in body]


def shares(counts: Sequence[float]) -> list[float]:
    """Each count as its share of the sum; all zero when there is nothing."""
    kept = [count if math.isfinite(count) and count > 0 else 0.0 for count in counts]
    largest = max(kept, default=0.0)
    if largest <= 0:
        return [0.0] * len(kept)
    kept = [count / largest for count in kept]  # first, so that huge counts do not add up to infinity
    total = sum(kept)
    return [count / total for count in kept]


def _levels(board: Canvas, values: Sequence[float], top: float) -> list[int]:
    """Dots from the bottom for each column of dots; anything above zero has at least one."""
    out = []
    for x in range(board.wide):
        value = values[min(len(values) - 1, x * len(values) // board.wide)]
        # More bins than columns: the highest of those that share one.
        end = min(len(values), max(x * len(values) // board.wide + 1, (x + 1) * len(values) // board.wide))
        value = max([value, *values[x * len(values) // board.wide : end]])
        out.append(max(1, round(value / top * board.tall)) if value > 0 else 0)
    return out


def _fill(board: Canvas, values: Sequence[float], top: float) -> None:
    for x, level in enumerate(_levels(board, values, top) if values else []):
        for y in range(board.tall - level, board.tall):
            if board.ASCII or (x + y) % 2 == 0 or y == board.tall - level:
                board.dot(x, y, _FILL)


def _outline(board: Canvas, values: Sequence[float], top: float) -> None:
    before = 0
    for x, level in enumerate(_levels(board, values, top) if values else []):
        if level or before:
            board.stroke(x, board.tall - max(1, level), board.tall - max(1, before or level), _OUTLINE)
        before = level


def _trimmed(now: list[float], before: list[float]) -> int:
    """Bins up to the last one that holds anything: those for missing and other values are mostly empty."""
    return max((at + 1 for values in (now, before) for at, value in enumerate(values) if value > 0), default=0)


def _names(bins: Sequence[str], columns: int) -> str:
    """The names of bins in the middle below them, as many as fit; the first and the last when hardly any would."""
    names = [clean(name) for name in bins]
    if not names:
        return " " * columns
    per = columns / len(names)
    every = next((step for step in range(1, len(names) + 1) if _fits(names[::step], per * step)), len(names))
    if every > 1 and len(names) <= 2 * every:
        first = fit(names[0], min(len(names[0]), columns // 2))
        last = fit(names[-1], min(len(names[-1]), max(0, columns - len(first) - 1)))
        return first + last.rjust(columns - len(first))
    text = ""
    for at in range(0, len(names), every):
        start = min(columns - len(names[at]), int(at * per + (per - len(names[at])) / 2))
        text = text.ljust(max(0, start)) + names[at]
    return text.ljust(columns)


def _fits(names: Sequence[str], room: float) -> bool:
    return all(len(name) + 2 < room for name in names)


def _legend(names: tuple[str, str], two: bool, *, ascii_only: bool) -> Line:
    marks = [curves.mark(at, ascii_only=True) if ascii_only else glyph for at, glyph in enumerate("▒□")]
    fill = (f"{marks[0]} {clean(names[0])}", _FILL)
    return (fill, (f"   {marks[1]} {clean(names[1])}", _OUTLINE)) if two else (fill,)
