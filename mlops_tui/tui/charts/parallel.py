"""Parallel coordinates: an axis per parameter, a line per run, the best in front."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from mlops_tui.tui.charts.canvas import Canvas, canvas
from mlops_tui.tui.lines import Line, Span, fit, line, number

BEST, MIDDLE, WORST = "good", "s1", "muted"
"""The best third of the lines, the middle, the worst."""


@dataclasses.dataclass(frozen=True, slots=True)
class Axis:
    """One upright axis: what stands at its top and bottom, and where each line crosses it (0 bottom to 1 top, None: nowhere)."""

    name: str
    low: str
    high: str
    places: tuple[float | None, ...]


def axis(name: str, values: Sequence[str | None]) -> Axis:
    """Numbers by their size, words in their order at equal distances; a value that is missing leaves a gap."""
    numbers = [_number(one) for one in values]
    known = [one for one in numbers if one is not None]
    if known and len(known) == sum(one is not None for one in values):
        low, high = min(known), max(known)
        span = high - low
        places = tuple(None if one is None else (one - low) / span if span > 0 else 0.5 for one in numbers)
        return Axis(name, number(low, 3), number(high, 3), places)
    words = sorted({one for one in values if one is not None})
    place = {word: at / (len(words) - 1) if len(words) > 1 else 0.5 for at, word in enumerate(words)}
    ends = (words[0], words[-1]) if words else ("", "")
    return Axis(name, *ends, tuple(None if one is None else place[one] for one in values))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def draw(axes: Sequence[Axis], width: int, height: int, *, kind: str = "braille") -> list[Line]:
    """The axes from left to right with the lines between them; lines are given from the best to the worst."""
    rows = height - 3
    if len(axes) < 2 or rows < 3 or width < 12 * len(axes):
        return [line(("There is too little room for the axes.", "muted"))]
    board = canvas(kind, width, rows)
    at = [round(place * (board.wide - 1) / (len(axes) - 1)) for place in range(len(axes))]
    count = len(axes[0].places)
    for run in reversed(range(count)):
        role = BEST if run < count / 3 else MIDDLE if run < count * 2 / 3 else WORST
        for left in range(len(axes) - 1):
            begin, end = axes[left].places[run], axes[left + 1].places[run]
            if begin is not None and end is not None:
                _bridge(board, at[left], at[left + 1], _row(board, begin), _row(board, end), role)
    for column in at:
        for row in range(board.rows):
            board.put(min(column // board.ACROSS, board.columns - 1), row, "|" if board.ASCII else "│", "text")
    words = [
        _labels([one.name for one in axes], at, board, width, "title"),
        _labels([one.high for one in axes], at, board, width, "muted"),
    ]
    return [*words, *board.lines(), _labels([one.low for one in axes], at, board, width, "muted")]


def _row(board: Canvas, place: float) -> int:
    return round((1 - place) * (board.tall - 1))


def _bridge(board: Canvas, left: int, right: int, begin: int, end: int, role: str) -> None:
    before = begin
    for x in range(left, right + 1):
        level = begin + round((end - begin) * (x - left) / max(1, right - left))
        board.stroke(x, before, level, role)
        before = level


def _labels(words: Sequence[str], at: Sequence[int], board: Canvas, width: int, role: str) -> Line:
    """Words under or over their axes: the first from the left, the last up to the right, the others in the middle."""
    room = width // len(words) - 1
    out: list[Span] = []
    used = 0
    for place, (word, column) in enumerate(zip(words, at, strict=True)):
        text = fit(word, min(len(word), room)) if word else ""
        cell = column // board.ACROSS
        start = 0 if place == 0 else width - len(text) if place == len(words) - 1 else cell - len(text) // 2
        start = max(used, start)
        out += [(" " * (start - used), "text"), (text, role)]
        used = start + len(text)
    return tuple(out)
