"""From one grid to another with few bytes: short cursor moves, style changes only where needed, blanks erased in runs."""

from __future__ import annotations

from mlops_tui.tui.output.grid import Grid, doubtful
from mlops_tui.tui.output.style import PLAIN, Style, change, on_blank

_ERASE_FROM = 10
"""Blanks in a row from which erasing them (and moving on) is shorter than writing them."""


class Painter:
    """Knows what the terminal shows (`shown`) and where its cursor is; `paint` brings it to a wanted grid.

    `erases_with_background`: the terminal fills erased cells with the current background (terminfo `bce`), so blanks of
    one background count as equal whatever else their style says.
    """

    def __init__(self, width: int, height: int, *, erases_with_background: bool = False) -> None:
        self.shown = Grid(width, height, cut=None)
        self.bce = erases_with_background
        self.forget()

    def forget(self) -> None:
        """Nothing is known of the terminal: cells, cursor and style."""
        self.shown.forget()
        self.x: int | None = None
        self.y: int | None = None
        self.style: Style | None = None

    def resize(self, width: int, height: int) -> None:
        """Another size, and nothing is known."""
        self.shown.resize(width, height)
        self.forget()

    def paint(self, wanted: Grid, rows: set[int]) -> str:
        """What to send so that the given rows show what `wanted` holds; cells it does not know stay as they are."""
        self._out: list[str] = []
        for y in sorted(rows):
            if y < wanted.height and not self._same(wanted, y):
                self._row(wanted, y)
        return "".join(self._out)

    def rest(self, x: int, y: int) -> str:
        """End a frame: plain style, so that another writer is not coloured by us, and the cursor at its place."""
        self._out = []
        if self.style is not PLAIN:
            self._wear(PLAIN)
        self._move(x, y)
        return "".join(self._out)

    def stand(self, x: int, y: int, style: Style) -> str:
        """Cursor and style exactly as the application believes them, for a sequence we do not understand."""
        self._out = []
        self.x = self.y = None
        self._move(x, y)
        self._wear(style)
        return "".join(self._out)

    def _same(self, wanted: Grid, y: int) -> bool:
        return wanted.characters[y] == self.shown.characters[y] and wanted.styles[y] == self.shown.styles[y]

    def _row(self, wanted: Grid, y: int) -> None:
        characters, styles = wanted.characters[y], wanted.styles[y]
        shown, worn = self.shown.characters[y], self.shown.styles[y]
        x, width = 0, wanted.width
        while x < width:
            one, style = characters[x], styles[x]
            if one is None or (one == shown[x] and (style is worn[x] or self._blank_alike(one, style, worn[x]))):
                x += 1
            elif one == "":
                x = self._lead(characters, x, shown)
            elif one == " " and self.bce and (run := self._run(wanted, x, y)):
                x = self._erase(x, y, run, style)
            else:
                self._go(wanted, x, y)
                x = self._write(x, y, one, style, characters)

    def _blank_alike(self, one: str, style: Style, worn: Style) -> bool:
        if not self.bce or one != " ":
            return False
        blank = on_blank(style)
        return blank is not None and blank is on_blank(worn)

    @staticmethod
    def _lead(characters: list[str | None], x: int, shown: list[str | None]) -> int:
        """The right half of a wide grapheme differs: go back to its left half and write it again."""
        at = x
        while at > 0 and characters[at] == "":
            at -= 1
        if characters[at] in ("", None):
            return x + 1  # a half without its whole: nothing to draw
        shown[at] = None
        return at

    def _write(self, x: int, y: int, one: str, style: Style, characters: list[str | None]) -> int:
        """One grapheme at the cursor; the next column."""
        cells = 1
        while x + cells < self.shown.width and characters[x + cells] == "":
            cells += 1
        if one == " " and self.bce and self.style is not None and self._blank_alike(one, style, self.style):
            style = self.style
        elif style is not self.style:
            self._wear(style)
        self.shown.set(x, y, one, cells, style)
        if doubtful(one):
            # The terminal may take it for narrower or wider than Textual does: clear its cells, write it, say anew
            # where we are, and repaint what follows in the row.
            self._out.append(f"{' ' * cells}\x1b[{x + 1}G")
            self.shown.characters[y][x + cells :] = [None] * (self.shown.width - x - cells)
        self._out.append(one)
        self.x = x + cells if len(one) == 1 and not doubtful(one) and x + cells < self.shown.width else None
        return x + cells

    def _run(self, wanted: Grid, x: int, y: int) -> int:
        """How many blanks of one background start here, when erasing them pays; else 0."""
        characters, styles = wanted.characters[y], wanted.styles[y]
        blank = on_blank(styles[x])
        if blank is None:
            return 0
        end = x
        while end < wanted.width and characters[end] == " " and on_blank(styles[end]) is blank:
            end += 1
        shown, worn = self.shown.characters[y], self.shown.styles[y]
        last = end
        while last > x and shown[last - 1] == " " and on_blank(worn[last - 1]) is blank:
            last -= 1
        if end == wanted.width and last - x > 3:
            return end - x
        return last - x if last - x >= _ERASE_FROM else 0

    def _erase(self, x: int, y: int, length: int, style: Style) -> int:
        blank = on_blank(style)
        assert blank is not None
        self._move(x, y)
        if self.style is None or on_blank(self.style) is not blank:
            self._wear(blank)
        self._out.append("\x1b[K" if x + length == self.shown.width else f"\x1b[{length}X")
        self.shown.put(x, y, " " * length, blank)
        return x + length

    def _wear(self, style: Style) -> None:
        self._out.append(change(self.style, style) if self.style is not None else f"\x1b[m{change(PLAIN, style)}")
        self.style = style

    def _go(self, wanted: Grid, x: int, y: int) -> None:
        """To a cell: over up to four cells by writing them again where that is shorter, else by a move."""
        if self.y == y and self.x is not None and self.x < x and x - self.x <= 4:
            gap = wanted.characters[y][self.x : x]
            styles = wanted.styles[y][self.x : x]
            text = "".join(one for one in gap if one)
            if len(text) == len(gap) and text.isascii() and all(map(self._worn_as, gap, styles)):
                self._out.append(text)
                self.x = x
                return
        self._move(x, y)

    def _worn_as(self, one: str | None, style: Style) -> bool:
        """Whether a cell may be written again with the style in force."""
        current = self.style
        return style is current or (current is not None and one == " " and self._blank_alike(one, style, current))

    def _move(self, x: int, y: int) -> None:
        if self.x == x and self.y == y:
            return
        if self.y == y and self.x is not None and self.x < x:
            self._out.append("\x1b[C" if x == self.x + 1 else f"\x1b[{x - self.x}C")
        elif self.y == y:
            self._out.append("\r" if x == 0 else f"\x1b[{x + 1}G")
        elif self.y is not None and y == self.y + 1 and x in (0, self.x):
            self._out.append("\r\n" if x == 0 else "\x1b[B")
        else:
            self._out.append(f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H" if y else "\x1b[H")
        self.x, self.y = x, y
