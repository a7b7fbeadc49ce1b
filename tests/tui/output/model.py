"""A small terminal: enough of one to hold what Textual and our driver send, written apart from the code it checks."""

from __future__ import annotations

import re
import unicodedata

_SEQUENCE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\x1b\]8;([^;]*;[^\x1b]*)\x1b\\|\r|\n|\x07|(?s:.)")


class Model:
    """Cells as (character, sgr state); no line wrap; erased cells take the background (`bce`) or nothing."""

    def __init__(self, width: int, height: int, *, bce: bool = False) -> None:
        self.bce = bce
        self.link = ""
        self.x = self.y = 0
        self.attributes: dict[str, str] = {}
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Another size; what a real terminal keeps then is not to be relied on."""
        self.width, self.height = width, height
        self.cells: list[list[tuple[str, object]]] = [[("?", "old")] * width for _ in range(height)]
        self.x, self.y = min(self.x, width - 1), min(self.y, height - 1)

    def feed(self, data: str) -> None:
        for found in _SEQUENCE.finditer(data):
            parameters, final, link = found.groups()
            if final:
                self._control(parameters, final)
            elif link is not None:
                self.link = "" if link == ";" else link
            elif found[0] == "\r":
                self.x = 0
            elif found[0] == "\n":  # as through a terminal line with ONLCR
                assert self.y < self.height - 1, "scrolled"
                self.x, self.y = 0, self.y + 1
            elif found[0] != "\x07":
                self._character(found[0])

    def _style(self) -> object:
        return (*sorted(self.attributes.items()), self.link)

    def _blank(self) -> object:
        background = self.attributes.get("bg")
        return ((("bg", background),) if background and self.bce else ()) + ("",)

    def _character(self, character: str) -> None:
        if unicodedata.combining(character):
            at = min(self.x, self.width) - 1
            if at >= 0 and self.cells[self.y][at][0] == "":
                at -= 1
            if at >= 0:
                text, style = self.cells[self.y][at]
                self.cells[self.y][at] = (text + character, style)
            return
        wide = unicodedata.east_asian_width(character) in "WF"
        cells = 2 if wide else 1
        x = min(self.x, self.width - cells)
        row = self.cells[self.y]
        for at in range(x, x + cells):
            if row[at][0] == "" and at == x and at > 0:
                row[at - 1] = (" ", "halved")
        if x + cells < self.width and row[x + cells][0] == "":
            row[x + cells] = (" ", "halved")
        row[x : x + cells] = [(character, self._style()), *[("", self._style())] * (cells - 1)]
        self.x = x + cells

    def _control(self, parameters: str, final: str) -> None:
        numbers = [int(one) if one else 0 for one in parameters.lstrip("?").split(";")]
        first = max(1, numbers[0])
        if final == "m":
            self._sgr(numbers)
        elif final == "H":
            self.y = min(first, self.height) - 1
            self.x = min(max(1, numbers[1]) if len(numbers) > 1 else 1, self.width) - 1
        elif final == "G":
            self.x = min(first, self.width) - 1
        elif final == "C":
            self.x = min(self.x + first, self.width - 1)
        elif final == "B":
            self.y = min(self.y + first, self.height - 1)
        elif final in "XK":
            end = self.width if final == "K" else min(self.width, self.x + first)
            start = min(self.x, self.width - 1)
            if end < self.width and self.cells[self.y][end][0] == "":
                self.cells[self.y][end] = (" ", "halved")
            self.cells[self.y][start:end] = [(" ", self._blank())] * (end - start)
        elif final == "J":
            self.cells = [[(" ", self._blank())] * self.width for _ in range(self.height)]
        else:
            assert final in "hl", (parameters, final)

    def _sgr(self, numbers: list[int]) -> None:
        names = {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "reverse", 9: "strike"}
        off = {22: ("bold", "dim"), 23: ("italic",), 24: ("under",), 27: ("reverse",), 29: ("strike",),
               39: ("fg",), 49: ("bg",)}  # fmt: skip
        while numbers:
            code = numbers.pop(0)
            if code == 0:
                self.attributes.clear()
            elif code in names:
                self.attributes[names[code]] = "on"
            elif code in off:
                for name in off[code]:
                    self.attributes.pop(name, None)
            elif code in (38, 48):
                length = {5: 2, 2: 4}[numbers[0]]
                self.attributes["fg" if code == 38 else "bg"] = ";".join(map(str, numbers[:length]))
                del numbers[:length]
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.attributes["fg"] = str(code)
            else:
                assert 40 <= code <= 47 or 100 <= code <= 107, code
                self.attributes["bg"] = str(code)

    def seen(self) -> list[list[tuple[str, object]]]:
        """The cells as an eye tells them apart: a blank has a background, and what shows on blanks."""
        return [[self._seen(text, style) for text, style in row] for row in self.cells]

    @staticmethod
    def _seen(text: str, style: object) -> tuple[str, object]:
        if text != " " or not isinstance(style, tuple):
            return text, style
        unseen = ("fg", "bold", "dim", "italic")
        loud = style[-1] or any(part[0] in ("under", "reverse", "strike") for part in style[:-1])
        return (text, style) if loud else (text, tuple(part for part in style if part == "" or part[0] not in unseen))
