"""A heatmap: two values a cell as half blocks in colour, or one a cell as shades and ASCII where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlops_tui.tui.lines import Line, Span, crop, fit

LEVELS = 5
"""Roles ``heat1`` (least) to ``heat5``; a half block has two, as ``upper/lower``."""
_SHADES = {"shade": "░▒▓▓█", "ascii": ".:+*#"}
_LABEL = 12


def heatmap(
    values: Sequence[Sequence[float]],
    width: int,
    height: int,
    *,
    labels: Sequence[str] = (),
    low: float | None = None,
    high: float | None = None,
    kind: str = "half",
) -> list[Line]:
    """A matrix (rows of values, oldest column left) stretched or averaged into `height` lines of at most `width` cells.

    `kind` is ``half``, ``shade`` or ``ascii``. What is not finite stays empty. `low` and `high` fix the ends of the scale,
    else they are those of the values.
    """
    if width < 1 or height < 1:
        return [()] * max(0, height)
    finite = [value for row in values for value in row if math.isfinite(value)]
    if not finite:
        return [crop((("nothing to show yet", "muted"),), width), *([()] * (height - 1))]
    ends = (min(finite) if low is None else low, max(finite) if high is None else high)
    gutter = min(_LABEL, max((len(one) for one in labels), default=0), width // 3)
    columns = width - gutter - (1 if gutter else 0)
    deep = 2 if kind == "half" else 1
    pixels = [[_level(value, ends) for value in row] for row in _resampled(values, columns, height * deep)]
    out: list[Line] = []
    for row in range(height):
        name = _name(labels, row, height)
        cells = pixels[row * deep : (row + 1) * deep]
        spans = _half(cells) if deep == 2 else _shaded(cells[0], _SHADES[kind])
        out.append((((fit(name, gutter) + " "), "muted"), *spans) if gutter else spans)
    return out


def _level(value: float, ends: tuple[float, float]) -> int:
    """0 for nothing, else 1 to LEVELS."""
    if not math.isfinite(value):
        return 0
    span = ends[1] / 2 - ends[0] / 2
    share = (min(ends[1], max(ends[0], value)) / 2 - ends[0] / 2) / span if span > 0 else 0.0
    return 1 + min(LEVELS - 1, int(share * LEVELS))


def _resampled(values: Sequence[Sequence[float]], columns: int, rows: int) -> list[list[float]]:
    """The mean of what falls into each pixel; with fewer values than pixels each value takes several."""
    wide = max(len(row) for row in values)
    out: list[list[float]] = []
    for y in range(rows):
        group = _part(values, y, rows)
        out.append([_mean([v for row in group for v in _part(row, x, columns, wide)]) for x in range(columns)])
    return out


def _part(values: Sequence[float] | Sequence[Sequence[float]], at: int, count: int, length: int = 0) -> Sequence:  # type: ignore[type-arg]
    length = length or len(values)
    start = at * length // count
    return values[start : max(start + 1, (at + 1) * length // count)]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(value / len(finite) for value in finite) if finite else math.nan


def _name(labels: Sequence[str], row: int, height: int) -> str:
    """The label of the first line of its values."""
    at = row * len(labels) // height
    return labels[at] if labels and (row == 0 or at != (row - 1) * len(labels) // height) else ""


def _shaded(levels: Sequence[int], glyphs: str) -> Line:
    return _spans([(glyphs[level - 1], f"heat{level}") if level else (" ", "text") for level in levels])


def _half(cells: Sequence[Sequence[int]]) -> Line:
    out: list[Span] = []
    for upper, lower in zip(*cells, strict=True):
        if not upper and not lower:
            out.append((" ", "text"))
        elif upper == lower:
            out.append(("█", f"heat{upper}"))
        elif not lower:
            out.append(("▀", f"heat{upper}"))
        elif not upper:
            out.append(("▄", f"heat{lower}"))
        else:
            out.append(("▀", f"heat{upper}/heat{lower}"))
    return _spans(out)


def _spans(cells: Sequence[Span]) -> Line:
    out: list[Span] = []
    for glyph, role in cells:
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + glyph, role)
        else:
            out.append((glyph, role))
    return tuple(out)
