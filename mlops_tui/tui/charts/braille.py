"""A canvas of braille dots (2 x 4 per cell); the last series drawn in a cell gives its colour."""

from __future__ import annotations

from mlops_tui.tui.lines import Line, Span

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Canvas:
    """`columns` x `rows` cells; dots are addressed from the top left, (2 * columns) x (4 * rows)."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._bits = [[0] * columns for _ in range(rows)]
        self._roles = [["text"] * columns for _ in range(rows)]

    def dot(self, x: int, y: int, role: str) -> None:
        """Set one dot; outside the canvas nothing happens."""
        column, row = x // 2, y // 4
        if 0 <= column < self.columns and 0 <= row < self.rows:
            self._bits[row][column] |= _DOTS[y % 4][x % 2]
            self._roles[row][column] = role

    def stroke(self, x: int, top: int, bottom: int, role: str) -> None:
        """A vertical run of dots, ends included, in any order."""
        for y in range(min(top, bottom), max(top, bottom) + 1):
            self.dot(x, y, role)

    def lines(self) -> list[Line]:
        """The rows as lines; neighbouring cells of one role share a span."""
        return [self._line(row) for row in range(self.rows)]

    def _line(self, row: int) -> Line:
        spans: list[Span] = []
        for bits, role in zip(self._bits[row], self._roles[row], strict=True):
            glyph, role = (chr(0x2800 + bits), role) if bits else (" ", spans[-1][1] if spans else "text")
            if spans and spans[-1][1] == role:
                spans[-1] = (spans[-1][0] + glyph, role)
            else:
                spans.append((glyph, role))
        return tuple(spans)
