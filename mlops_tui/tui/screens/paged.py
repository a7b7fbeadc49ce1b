"""Parts of pages as blocks of a pane."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from mlops_tui.pages.page import MUTED, Chart, Distribution, Facts, Part, Table, Words
from mlops_tui.tui import blocks
from mlops_tui.tui.blocks import Block, Fields, Grid, Pair, Text, draw_all
from mlops_tui.tui.charts.line import Plot, View
from mlops_tui.tui.charts.pages import plot_of
from mlops_tui.tui.lines import Line, Span

TALL = 9


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a part of a page of one object shows."""

    parts: tuple[Part, ...]

    @property
    def plots(self) -> tuple[Plot, ...]:
        """The charts that keys can look into."""
        return tuple(plot_of(one) for one in self.parts if isinstance(one, Chart))


def of(parts: Iterable[Part]) -> list[Block]:
    """One block a part."""
    return [_block(part) for part in parts]


def draw(found: Parts, width: int, height: int, view: View | None = None) -> list[Line]:
    """The lines of a part of a page."""
    out: list[Line] = []
    for part in found.parts:
        block = _block(part)
        drawn = block.draw(width - 2, view) if isinstance(block, blocks.Chart | Pair) else block.draw(width - 2)
        out += [*([()] if out and drawn else []), *drawn]
    return [((" ", "text"), *each) for each in out]


def _block(part: Part) -> Block:
    match part:
        case Words():
            return Text(part.text, part.role or "text")
        case Facts():
            return Fields(part.said)
        case Table():
            return Grid(part.heads, tuple(_rows(part)), part.title, right=tuple(part.numbers))
        case Chart():
            return blocks.Chart(plot_of(part), part.title, TALL)
        case Distribution():
            return _Shown(part)


def _rows(table: Table) -> Iterable[tuple[Span | str, ...]]:
    for place, row in enumerate(table.rows):
        role = table.roles[place] if place < len(table.roles) else ""
        yield tuple((cell, role or (MUTED if at in table.code else "text")) for at, cell in enumerate(row))


@dataclasses.dataclass(frozen=True)
class _Shown:
    """A distribution under its words."""

    part: Distribution

    def draw(self, width: int) -> list[Line]:
        one = self.part
        name: Span = (one.name, "warn" if one.drifted else "title")
        drawn: Sequence[Block] = [Pair(name, one.reference, one.current, one.bins)]
        return draw_all([*([Text(one.words)] if one.words else []), *drawn], width)
