"""From one grid to another with few bytes: short cursor moves, style changes only where needed, blanks erased in runs."""

from __future__ import annotations

from typing import NamedTuple

from mlops_tui.tui.output.grid import Grid, doubtful
from mlops_tui.tui.output.style import PLAIN, Style, change, on_blank

_ERASE_FROM = 10
"""Blanks in a row from which erasing them (and moving on) is shorter than writing them."""
_REWRITE = 4
"""So many unchanged cells are written again rather than jumped over: a jump takes four bytes or more."""


class Run(NamedTuple):
    """Cells of one row and style to write at once; without text they are blanks to erase.

    `sure` is whether every terminal has its cursor `cells` further after it.
    """

    y: int
    x: int
    text: str
    style: Style
    cells: int
    sure: bool = True


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
        runs: list[Run] = []
        careful: list[int] = []
        for y in sorted(rows):
            if y < wanted.height and not self._same(wanted, y):
                found = self._runs(wanted, y)
                if found is None:
                    careful.append(y)
                else:
                    runs += found
        out = self._shortest(runs)
        for run in runs:
            self._note(wanted, run)
        self._out = [out]
        for y in careful:
            self._row(wanted, y)
        return "".join(self._out)

    def _shortest(self, runs: list[Run]) -> str:
        """The runs in reading order, or style by style where that is shorter: a colour costs more than a move."""
        start = self.x, self.y, self.style
        plain = self._draw(runs)
        styles: dict[Style, list[Run]] = {}
        for run in runs:
            styles.setdefault(run.style, []).append(run)
        if len(runs) < 2 * len(styles):
            return plain
        end = self.x, self.y, self.style
        self.x, self.y, self.style = start
        grouped = self._draw([run for group in styles.values() for run in group])
        if len(grouped) < len(plain):
            return grouped
        self.x, self.y, self.style = end
        return plain

    def _draw(self, runs: list[Run]) -> str:
        self._out = []
        for run in runs:
            self._move(run.x, run.y)
            if run.style is not self.style and (
                run.text or self.style is None or on_blank(self.style) is not run.style
            ):
                self._wear(run.style)
            end = run.x + run.cells
            if run.text:
                self._out.append(run.text)
                self.x = end if run.sure and end < self.shown.width else None
            else:
                self._out.append("\x1b[K" if end == self.shown.width else f"\x1b[{run.cells}X")
        return "".join(self._out)

    def _note(self, wanted: Grid, run: Run) -> None:
        """The terminal shows this run now."""
        end = run.x + run.cells
        self.shown.give_up(run.x, end, run.y)
        self.shown.characters[run.y][run.x : end] = wanted.characters[run.y][run.x : end]
        self.shown.styles[run.y][run.x : end] = [run.style] * run.cells

    def _runs(self, wanted: Grid, y: int) -> list[Run] | None:
        """What to write in a row, left to right; None when it holds a grapheme whose width terminals dispute."""
        characters, styles = wanted.characters[y], wanted.styles[y]
        shown, worn = self.shown.characters[y], self.shown.styles[y]
        out: list[Run] = []
        x = 0
        while x < wanted.width:
            one, style = characters[x], styles[x]
            if one is None or (one == shown[x] and (style is worn[x] or self._blank_alike(one, style, worn[x]))):
                x += 1
                continue
            if one == "":
                while x > 0 and characters[x] == "":
                    x -= 1
                one, style = characters[x], styles[x]
                if not one:
                    return None
            if one == " " and self.bce and (length := self._run(wanted, x, y)):
                blank = on_blank(style)
                assert blank is not None
                out.append(Run(y, x, "", blank, length))
                x += length
                continue
            if not one.isascii() and doubtful(one):
                return None
            cells = 1
            while x + cells < wanted.width and characters[x + cells] == "":
                cells += 1
            self._join(out, wanted, Run(y, x, one, style, cells, len(one) == 1))
            x += cells
        return out

    def _join(self, out: list[Run], wanted: Grid, new: Run) -> None:
        """Add a run, to the one before it where both can be written at once."""
        last = out[-1] if out else None
        if last is None or not last.text or not last.sure or new.x - last.x - last.cells > _REWRITE:
            out.append(new)
            return
        style = self._common(last, new)
        gap = self._between(wanted, last.x + last.cells, new.x, new.y, style) if style is not None else None
        if style is None or gap is None:
            out.append(new)
        else:
            cells = new.x + new.cells - last.x
            out[-1] = Run(last.y, last.x, f"{last.text}{gap}{new.text}", style, cells, new.sure)

    def _common(self, last: Run, new: Run) -> Style | None:
        """The style in which both can be written; blanks take that of their neighbour where only a background shows."""
        if last.style is new.style:
            return new.style
        if self._blank_alike(new.text, new.style, last.style):
            return last.style
        if self.bce and last.text.isspace() and self._blank_alike(" ", last.style, new.style):
            return new.style
        return None

    def _between(self, wanted: Grid, start: int, end: int, y: int, style: Style) -> str | None:
        """The text of unchanged cells, if it can be written again in that style."""
        if start == end:
            return ""
        cells, styles = wanted.characters[y][start:end], wanted.styles[y][start:end]
        text = "".join(one for one in cells if one)
        alike = all(
            worn is style or (one == " " and self._blank_alike(one, worn, style))
            for one, worn in zip(cells, styles, strict=True)
        )
        return text if alike and len(text) == len(cells) and text.isascii() else None

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
            else:
                self._move(x, y)
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
        """One grapheme of a disputed row at the cursor; the next column."""
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

    def _wear(self, style: Style) -> None:
        self._out.append(change(self.style, style) if self.style is not None else f"\x1b[m{change(PLAIN, style)}")
        self.style = style

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
