"""What a detail pane shows, as values: fields, text, tables and charts that draw themselves for a width."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from rich.cells import cell_len

from mlops_tui.tui.charts import line as line_chart
from mlops_tui.tui.charts.histogram import histogram
from mlops_tui.tui.charts.line import Plot, View
from mlops_tui.tui.lines import Line, Span, crop, fit, line, plain, wrap

_WRAP_FROM = 11
"""Fewer cells than this are not worth wrapping into."""
_FEW = 3
"""A table of so few columns keeps them all, however narrow it is."""


class Block(Protocol):
    """Anything that draws itself as lines of at most `width` cells."""

    def draw(self, width: int) -> list[Line]: ...


@dataclasses.dataclass(frozen=True)
class Fields:
    """Name and value pairs under an optional title; empty values are left out."""

    pairs: tuple[tuple[str, Span | str], ...]
    title: str = ""

    def draw(self, width: int) -> list[Line]:
        shown = [(name, value) for name, value in self.pairs if (value if isinstance(value, str) else value[0]) != ""]
        label = max((len(name) for name, _ in shown), default=0)
        out = heading(self.title, width)
        for name, value in shown:
            text, role = (value, "text") if isinstance(value, str) else value
            for index, piece in enumerate(wrap(text, max(8, width - label - 2))):
                out.append(((fit(name if index == 0 else "", label) + "  ", "muted"), (piece, role)))
        return out


@dataclasses.dataclass(frozen=True)
class Text:
    """Wrapped words."""

    text: str
    role: str = "text"
    title: str = ""

    def draw(self, width: int) -> list[Line]:
        return [*heading(self.title, width), *(line((piece, self.role)) for piece in wrap(self.text, width))]


@dataclasses.dataclass(frozen=True)
class Grid:
    """A small table: columns as wide as their widest cell; the last one wraps where there is room to, else it is cut.

    Columns in `right` stand at the right edge of theirs, as numbers do.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Span | str, ...], ...]
    title: str = ""
    empty: str = ""
    right: tuple[int, ...] = ()

    def draw(self, width: int) -> list[Line]:
        if not self.rows:
            return [*heading(self.title, width), line((self.empty, "muted"))] if self.empty else []
        heads, rows = self.heads, [line(*row) for row in self.rows]
        widths = [max(len(head), *(len(row[at][0]) for row in rows)) for at, head in enumerate(heads)]
        heads, rows = self._aligned(heads, widths), [self._spans(row, widths) for row in rows]
        out = heading(self.title, width)
        if (kept := _fitting(widths, width)) < len(heads):
            heads = (*heads[:kept], f"+{len(heads) - kept}")
            widths, rows = [*widths[:kept], 0], [(*row[:kept], ("", "muted")) for row in rows]
        out.append(crop(_cells([(head, "muted") for head in heads], widths), width))
        for row in rows:
            out.extend(_wrapped(row, widths, width))
        return out

    def _aligned(self, texts: Sequence[str], widths: Sequence[int]) -> tuple[str, ...]:
        return tuple(fit(text, widths[at], right=True) if at in self.right else text for at, text in enumerate(texts))

    def _spans(self, row: Line, widths: Sequence[int]) -> Line:
        texts = self._aligned([text for text, _ in row], widths) if self.right else [text for text, _ in row]
        return tuple((text, role) for text, (_, role) in zip(texts, row, strict=True))


@dataclasses.dataclass(frozen=True)
class Chart:
    """A line chart `height` lines tall; a `view` says how it is looked at (zoom, cursor, smoothing ...)."""

    plot: Plot
    title: str = ""
    height: int = 8

    def draw(self, width: int, view: View | None = None) -> list[Line]:
        return [*heading(self.title, width), *line_chart.draw(self.plot, width, self.height, view)]


@dataclasses.dataclass(frozen=True)
class Pair:
    """Reference and current distribution of one feature over each other; `bins` are the names below."""

    name: Span | str
    reference: tuple[float, ...]
    current: tuple[float, ...]
    bins: tuple[str, ...] = ()
    height: int = 7

    def draw(self, width: int, view: View | None = None) -> list[Line]:
        kind = view.canvas if view else "braille"
        body = histogram(self.current, width, self.height, reference=self.reference, bins=self.bins, kind=kind)
        return [line(self.name), *body]


@dataclasses.dataclass(frozen=True)
class Raw:
    """Lines that are already drawn."""

    lines: tuple[Line, ...]
    title: str = ""

    def draw(self, width: int) -> list[Line]:
        return [*heading(self.title, width), *(crop(one, width) for one in self.lines)]


def heading(title: str, width: int = 0) -> list[Line]:
    """What stands above a block, on as many lines as `width` makes it need (0: one); nothing when it has no title."""
    pieces = wrap(title, width) if width else [title]
    return [line((piece, "title")) for piece in pieces] if title else []


def draw_all(blocks: Sequence[Block], width: int) -> list[Line]:
    """Blocks below each other with an empty line between; empty blocks take no room."""
    out: list[Line] = []
    for block in blocks:
        drawn = block.draw(width)
        if drawn and out:
            out.append(())
        out.extend(drawn)
    return out


def side_by_side(left: Sequence[Line], right: Sequence[Line], at: int) -> list[Line]:
    """Two columns of lines, the second from cell `at` on; the first is cut before it."""
    out: list[Line] = []
    for row in range(max(len(left), len(right))):
        before = crop(left[row], at - 2) if row < len(left) else ()
        gap = at - 1 - sum(cell_len(text) for text, _ in before)
        out.append(((" ", "text"), *before, (" " * max(1, gap), "text"), *(right[row] if row < len(right) else ())))
    return out


def _cells(row: Sequence[Span], widths: Sequence[int]) -> Line:
    padded = [(fit(text, cells) + "  ", role) for (text, role), cells in zip(row[:-1], widths, strict=False)]
    return (*padded, row[-1])  # the last cell is as long as it is: cut spaces would look like cut text


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many columns of a table are shown: all where the last one can be cut or wrapped, else those that fit whole."""
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    if len(widths) <= _FEW or before + min(widths[-1], _WRAP_FROM) <= width:
        return len(widths)
    ends = list(accumulate(cells + 2 for cells in widths))
    return max(1, sum(end + len("+9") <= width for end in ends))


def _wrapped(row: Sequence[Span], widths: Sequence[int], width: int) -> list[Line]:
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    text, role = row[-1]
    room = width - before
    if room < _WRAP_FROM or len(text) <= room:
        return [crop(_cells(row, widths), width)]
    first, *rest = wrap(text, room)
    return [_cells([*row[:-1], (first, role)], widths), *(((" " * before, "text"), (piece, role)) for piece in rest)]


def text_of(blocks: Sequence[Block], width: int = 80) -> str:
    """The blocks as plain text (for copying and tests)."""
    return "\n".join(plain(one).rstrip() for one in draw_all(blocks, width))
