"""Pictures that hold charts, how blocks become one, and which cells of a line differ from what it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from rich.cells import cell_len

from mlops_tui.tui.blocks import Block, Chart, Pair, draw_all
from mlops_tui.tui.charts.line import Plot, View
from mlops_tui.tui.lines import Line

_TALLER = 14
"""Cells a chart may grow by where there is room."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """Something to draw that holds charts: `draw(width, height, view)` and the plots it draws."""

    draw: Callable[[int, int, View], Sequence[Line]]
    plots: tuple[Plot, ...]

    def __call__(self, width: int, height: int) -> Sequence[Line]:
        return self.draw(width, height, View())


def of_blocks(blocks: Sequence[Block], *, margin: int = 1) -> Picture:
    """Blocks below each other with an empty column to the left; charts grow into room that is left."""

    def draw(width: int, height: int, view: View) -> list[Line]:
        def drawn(taller: int) -> list[Line]:
            return draw_all([_Looked(one, view, taller) for one in blocks], width - 2 * margin)

        out = drawn(0)
        charts = sum(isinstance(one, Chart) for one in blocks)
        if charts and (spare := (height - len(out)) // charts) > 0:
            out = drawn(min(_TALLER, spare))
        return [((" " * margin, "text"), *one) for one in out]

    return Picture(draw, tuple(one.plot for one in blocks if isinstance(one, Chart)))


@dataclasses.dataclass(frozen=True)
class _Looked:
    """A block as it is looked at; only charts care."""

    block: Block
    view: View
    taller: int

    def draw(self, width: int) -> list[Line]:
        block = self.block
        if isinstance(block, Chart):
            return dataclasses.replace(block, height=block.height + self.taller).draw(width, self.view)
        return block.draw(width, self.view) if isinstance(block, Pair) else block.draw(width)


def changed(old: Line, new: Line) -> tuple[int, int]:
    """The first cell in which two lines differ and how many there are up to the last one."""
    before = [(glyph, role) for text, role in old for glyph in text]
    after = [(glyph, role) for text, role in new for glyph in text]
    same = next(
        (at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    longest = max(sum(cell_len(text) for text, _ in one) for one in (old, new))
    end = 0
    if sum(cell_len(text) for text, _ in old) == sum(cell_len(text) for text, _ in new):
        tail = zip(reversed(before[same:]), reversed(after[same:]), strict=False)
        for a, b in tail:
            if a != b:
                break
            end += cell_len(a[0])
    start = cell_len("".join(glyph for glyph, _ in after[:same]))
    return start, max(1, longest - end - start)
