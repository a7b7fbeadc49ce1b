"""The screen between Textual and the terminal: takes what Textual writes, gives what has to be sent. No input or output."""

from __future__ import annotations

from mlops_tui.tui.output import stream
from mlops_tui.tui.output.grid import Grid
from mlops_tui.tui.output.painter import Painter
from mlops_tui.tui.output.style import PLAIN, Style, apply, intern

_SYNC_FROM = 256
"""Frames of at least so many characters are wrapped in synchronized output when the terminal offers it."""


class ThinScreen:
    """`write` what the application draws, `take` what to send. Whatever is not understood goes through as it is.

    After such a sequence nothing is assumed of the terminal, until the application has drawn a cell again.
    """

    def __init__(self, width: int, height: int, *, erases_with_background: bool = False) -> None:
        self.wanted = Grid(width, height)
        self.painter = Painter(width, height, erases_with_background=erases_with_background)
        self._rows: set[int] = set()
        self._ready: list[str] = []
        self._rest = ""
        self._x = self._y = 0
        self._style: Style = PLAIN
        self._sync = False
        self._lost: set[str] = set()

    def resize(self, width: int, height: int) -> None:
        """The terminal has another size: nothing on it is known, and the application is about to draw everything."""
        self.wanted.resize(width, height)
        self.painter.resize(width, height)
        self._rows.clear()

    def forget(self) -> None:
        """Nothing on the terminal is known, and nothing is wanted until it is drawn again."""
        self.wanted.forget()
        self.painter.forget()
        self._rows.clear()

    def repaint(self) -> None:
        """Send everything that is wanted again, whatever the terminal shows."""
        self.painter.forget()
        self._rows.update(range(self.wanted.height))

    def write(self, data: str) -> None:
        """What the application writes; a sequence cut in two waits for its end."""
        data, self._rest = self._rest + data, ""
        read = stream.read(data)
        if read is None:
            if self._lost:
                self._ready.append(data)
                self._lost = {"place", "style"}
            else:
                self._pass(data)
            return
        tokens, self._rest = read
        self._absorb(tokens)

    def _absorb(self, tokens: list[stream.Token]) -> None:
        for index, token in enumerate(tokens):
            if self._lost:
                self._find(token)
            elif not self._take_in(token):
                self._pass("".join(one[2] for one in tokens[index:]))
                return

    def _take_in(self, token: stream.Token) -> bool:
        """Note what one token does; False when its meaning is not known."""
        kind, value, raw, inside = token
        if kind == "span":
            style = apply(self._style, value)
            if style is None:
                return False
            self._draw(inside, style)
            self._style = apply(style, "0") or PLAIN
        elif kind == "text":
            self._draw(value, self._style)
        elif kind == "sgr":
            style = apply(self._style, value)
            if style is None:
                return False
            self._style = style
        elif kind == "cup":
            self._place(value)
        elif kind == "line":
            self._x, self._y = 0, self._y + 1
        elif kind == "home":
            self._x = 0
        elif kind == "link":
            self._style = intern(self._style._replace(link="" if value.endswith(";") else value))
        elif kind == "sync":
            self._sync = True
        else:
            self._ready.append(raw)
            if kind == "screen":
                self.forget()
        return True

    def _draw(self, text: str, style: Style) -> None:
        if 0 <= self._y < self.wanted.height:
            self._rows.add(self._y)
        self._x = self.wanted.put(self._x, self._y, text, style)

    def _place(self, value: str) -> None:
        row, _, column = value.partition(";")
        self._x, self._y = max(0, int(column or 1) - 1), max(0, int(row or 1) - 1)

    def _find(self, token: stream.Token) -> None:
        """After something not understood: pass everything through until cursor and style are said anew."""
        kind, value, raw, _ = token
        self._ready.append(raw)
        if kind == "cup":
            self._place(value)
            self._lost.discard("place")
        elif kind == "span":
            self._style = PLAIN
            self._lost = {"place"}
        elif kind == "sgr" and value in ("", "0"):
            self._style = PLAIN
            self._lost.discard("style")
        elif kind in ("text", "line", "home"):
            self._lost.add("place")

    def _pass(self, data: str) -> None:
        self._ready.append(self._paint())
        # Past the edge a terminal's cursor rests on the last cell; the style has to be said there too.
        x, y = min(self._x, self.wanted.width - 1), min(self._y, self.wanted.height - 1)
        self._ready.append(self.painter.stand(x, y, self._style))
        self._ready.append(data)
        self.forget()
        self._lost = {"place", "style"}

    def _paint(self) -> str:
        rows, self._rows = self._rows, set()
        return self.painter.paint(self.wanted, rows) if rows else ""

    def take(self) -> str:
        """What to send now; "" when the terminal shows what is wanted."""
        frame = self._paint()
        if frame:
            frame += self.painter.rest(min(self._x, self.wanted.width - 1), min(self._y, self.wanted.height - 1))
            if self._sync and len(frame) >= _SYNC_FROM:
                frame = f"\x1b[?2026h{frame}\x1b[?2026l"
        controls, self._ready = "".join(self._ready), []
        return controls + frame

    def controls(self) -> str:
        """What to send at the end: everything but cells, and a sequence that was never completed."""
        ready, self._ready = "".join(self._ready) + self._rest, []
        self._rest = ""
        return ready
