"""Three canvases behind one interface: braille (2 x 4 dots a cell), quarter blocks (2 x 2) and ASCII (one glyph a cell)."""

from __future__ import annotations

from typing import ClassVar

from mlops_tui.tui.charts.series import ASCII_MARKS
from mlops_tui.tui.lines import Line

_LEFT, _RIGHT = (0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80)
_QUARTERS = " ▘▖▌▝▀▞▛▗▚▄▙▐▜▟█"


def _braille() -> tuple[str, ...]:
    """The glyph for every pair of dot columns: four bits on the left, four on the right, the top one lowest."""

    def bits(column: int, dots: tuple[int, ...]) -> int:
        return sum(dot for place, dot in enumerate(dots) if column >> place & 1)

    return tuple(chr(0x2800 + bits(right, _RIGHT) + bits(left, _LEFT)) for right in range(16) for left in range(16))


class Canvas:
    """`columns` x `rows` cells of dots, counted from the top left; the last curve drawn in a cell gives its colour.

    A column of dots is one integer, so that a stroke is one operation however long it is.
    """

    ACROSS: ClassVar[int] = 2
    DOWN: ClassVar[int] = 4
    ASCII: ClassVar[bool] = False
    GLYPHS: ClassVar[tuple[str, ...]] = _braille()

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = max(0, columns), max(0, rows)
        self.wide, self.tall = self.columns * self.ACROSS, self.rows * self.DOWN
        self._dots = [0] * self.wide
        self._roles = [["text"] * self.columns for _ in range(self.rows)]
        self._over: dict[tuple[int, int], tuple[str, str]] = {}

    def dot(self, x: int, y: int, role: str) -> None:
        """Set one dot; outside the canvas nothing happens."""
        self.stroke(x, y, y, role)

    def stroke(self, x: int, start: int, end: int, role: str) -> None:
        """A vertical run of dots, ends included, in any order."""
        if start > end:
            start, end = end, start
        start, end = max(0, start), min(self.tall - 1, end)
        if start > end or not 0 <= x < self.wide:
            return
        self._dots[x] |= ((1 << (end - start + 1)) - 1) << start
        column = x // self.ACROSS
        for row in range(start // self.DOWN, end // self.DOWN + 1):
            self._roles[row][column] = role

    def put(self, column: int, row: int, glyph: str, role: str) -> None:
        """A character of its own in a cell, above the dots."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            self._over[(column, row)] = (glyph, role)

    def empty(self, column: int, row: int) -> bool:
        """Whether no dot is set in a cell."""
        return self._glyph(column, row) == " "

    def lines(self) -> list[Line]:
        """The rows as lines; neighbouring cells of one colour share a span, empty cells join their neighbour."""
        return [self._line(row) for row in range(self.rows)]

    def _line(self, row: int) -> Line:
        texts: list[str] = []
        roles: list[str] = []
        for column, role in enumerate(self._roles[row]):
            glyph = self._glyph(column, row)
            if self._over and (column, row) in self._over:
                glyph, role = self._over[(column, row)]
            if glyph == " ":
                role = roles[-1] if roles else "text"
            if roles and roles[-1] == role:
                texts[-1] += glyph
            else:
                texts.append(glyph)
                roles.append(role)
        return tuple(zip(texts, roles, strict=True))

    def _glyph(self, column: int, row: int) -> str:
        mask, shift = (1 << self.DOWN) - 1, row * self.DOWN
        left, right = self._dots[2 * column] >> shift & mask, self._dots[2 * column + 1] >> shift & mask
        return self.GLYPHS[right << self.DOWN | left] if left or right else " "


class Braille(Canvas):
    """The finest: for fonts with braille, which is nearly all of them."""


class Blocks(Canvas):
    """Quarter blocks, for fonts and consoles without braille."""

    DOWN, GLYPHS = 2, tuple(_QUARTERS)


class Ascii(Canvas):
    """One dot a cell, drawn as the glyph of its curve: without braille and without colour curves still differ."""

    ACROSS, DOWN, ASCII = 1, 1, True

    def _glyph(self, column: int, row: int) -> str:
        if not self._dots[column] >> row & 1:
            return " "
        role = self._roles[row][column]
        return ASCII_MARKS[int(role[1:]) - 1] if role[:1] == "s" and role[1:].isdigit() else "."


KINDS: dict[str, type[Canvas]] = {"braille": Braille, "block": Blocks, "ascii": Ascii}


def canvas(kind: str, columns: int, rows: int) -> Canvas:
    """An empty canvas of a kind: ``braille``, ``block`` or ``ascii``."""
    return KINDS[kind](columns, rows)
