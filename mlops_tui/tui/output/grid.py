"""A grid of cells as a terminal keeps it: one grapheme and one style per cell, wide graphemes over two."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len

from mlops_tui.tui.output.style import PLAIN, Style

# Characters every terminal and Textual agree take one cell: Latin, Greek, Cyrillic, box drawing, blocks, shapes, braille.
_SIMPLE = re.compile("[\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u2500-\u25fc\u2800-\u28ff]*").fullmatch
_ZWJ, _VS16 = "\u200d", "\ufe0f"

Cell = str | None
"""A grapheme, "" for the right half of a wide one, None when nobody knows."""


def simple(text: str) -> bool:
    """Whether every character takes exactly one cell in every terminal."""
    return _SIMPLE(text) is not None


def graphemes(text: str) -> list[tuple[str, int]]:
    """`text` as (grapheme, cells), measured as Textual measures it; a leading mark without a base has 0 cells."""
    out: list[str] = []
    joined = False
    for character in text:
        mark = character in (_ZWJ, _VS16) or cell_len(character) == 0
        if out and (mark or joined):
            out[-1] += character
        else:
            out.append(character)
        joined = character == _ZWJ
    return [(one, cell_len(one)) for one in out]


def doubtful(grapheme: str) -> bool:
    """Whether terminals disagree about the width: joined, with a variation selector, or newer than some tables."""
    if len(grapheme) > 1:
        return not all(unicodedata.combining(mark) for mark in grapheme[1:])
    return grapheme >= "\U0001f000"


class Grid:
    """Rows of characters and of styles. Writing outside is clipped, as a terminal without line wrap does it.

    `cut` is what is left of a wide grapheme when one half is written over.
    """

    def __init__(self, width: int, height: int, *, cut: Cell = " ") -> None:
        self._cut = cut
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Another size; nothing is known any more."""
        self.width, self.height = width, height
        self.forget()

    def forget(self) -> None:
        """Nobody knows what the cells hold."""
        self.characters: list[list[Cell]] = [[None] * self.width for _ in range(self.height)]
        self.styles: list[list[Style]] = [[PLAIN] * self.width for _ in range(self.height)]

    def put(self, x: int, y: int, text: str, style: Style) -> int:
        """Write text at a cell; the column after it (past the right edge the last character stays in the last cell)."""
        if not text or not 0 <= y < self.height:
            return x + cell_len(text)
        if simple(text):
            return self._put_simple(x, y, text, style)
        for one, cells in graphemes(text):
            x = self._put_one(x, y, one, cells, style)
        return x

    def _put_simple(self, x: int, y: int, text: str, style: Style) -> int:
        length, room = len(text), self.width - x
        if length > room:
            x = min(x, self.width - 1)
            room = self.width - x
            text = text[: room - 1] + text[-1]
            length = room
        self.give_up(x, x + length, y)
        self.characters[y][x : x + length] = text
        self.styles[y][x : x + length] = [style] * length
        return x + length

    def _put_one(self, x: int, y: int, one: str, cells: int, style: Style) -> int:
        if cells == 0:
            row = self.characters[y]
            base = min(x, self.width) - 1
            while base > 0 and row[base] == "":
                base -= 1
            if base >= 0 and row[base]:
                row[base] = f"{row[base]}{one}"
            return x
        if cells > self.width:
            return x
        x = min(x, self.width - cells)
        self.set(x, y, one, cells, style)
        return x + cells

    def set(self, x: int, y: int, one: str, cells: int, style: Style) -> None:
        """One grapheme over `cells` cells."""
        self.give_up(x, x + cells, y)
        self.characters[y][x : x + cells] = [one, *[""] * (cells - 1)]
        self.styles[y][x : x + cells] = [style] * cells

    def give_up(self, start: int, end: int, y: int) -> None:
        """The halves of wide graphemes that a write over [start, end) cuts off are what `cut` says."""
        row = self.characters[y]
        if row[start] == "":
            at = start - 1
            while at > 0 and row[at] == "":
                at -= 1
            row[at:start] = [self._cut] * (start - at)
        while end < self.width and row[end] == "":
            row[end] = self._cut
            end += 1
