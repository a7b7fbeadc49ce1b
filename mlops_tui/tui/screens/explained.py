"""A table that says why: its last column stands beside the row where there is room, else below it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from mlops_tui.tui.blocks import Grid, heading
from mlops_tui.tui.lines import Line, Span, fit, line, wrap


@dataclasses.dataclass(frozen=True)
class Explained:
    """Rows with an explanation as last cell, beside the row when at least `beside` cells are left for it."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Span | str, ...], ...]
    title: str = ""
    beside: int = 36

    def draw(self, width: int) -> list[Line]:
        """The lines in `width` cells; nothing without rows."""
        rows = [line(*row) for row in self.rows]
        if not rows:
            return []
        widths = [max(len(head), *(len(row[at][0]) for row in rows)) for at, head in enumerate(self.heads)]
        before = sum(widths[:-1]) + 2 * (len(widths) - 2)
        if width - before - 2 >= self.beside or not any(row[-1][0] for row in rows):
            return Grid(self.heads, self.rows, self.title).draw(width)
        fits = before <= width
        out = heading(self.title)
        if fits:
            out.append(_cells([(head, "muted") for head in self.heads[:-1]], widths))
        indent = " " * (widths[0] + 2 if widths[0] < width // 3 else 2)
        for *cells, (why, role) in rows:
            out += [_cells(cells, widths)] if fits else _flowing(cells, widths[0], width)
            out += [line((indent + piece, role)) for piece in (wrap(why, max(16, width - len(indent))) if why else ())]
        return out


def _cells(row: Sequence[Span], widths: Sequence[int]) -> Line:
    padded = [(fit(text, cells) + "  ", role) for (text, role), cells in zip(row[:-1], widths, strict=False)]
    return (*padded, row[-1])


def _flowing(row: Sequence[Span], first: int, width: int) -> list[Line]:
    """The cells after the first one as wrapped words, for a row that is wider than the pane."""
    text = "  ".join(cell for cell, _ in row[1:] if cell)
    head = (fit(row[0][0], first) + "  ", row[0][1])
    pieces = wrap(text, max(16, width - first - 2))
    return [line(head if not at else " " * (first + 2), piece) for at, piece in enumerate(pieces)]
