"""The parts of the SQL console: the text that is written, the rows of the answer, and what is wrong with a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from mlops_tui.tui.lines import Line, clean, line, wrap
from mlops_tui.tui.screens import grid
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.rows import PAGE, Rows

if TYPE_CHECKING:
    from mlops_tui.domains.features.browsing import Answer

_NUMBERS = ("int", "uint", "double", "float", "decimal", "halffloat")


class Editor(TextArea):
    """Several lines of SQL; enter runs them, ctrl+n begins a new line, tab completes, up and down past the ends go through
    what was run before.
    """

    class Asked(Message):
        """A key that is not typing: run, complete, older, newer, results, up and down a page."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    _KEYS: ClassVar[dict[str, str]] = {"enter": "run", "f5": "run", "tab": "complete", "shift+tab": "results", "pageup": "page up",
                                       "pagedown": "page down"}  # fmt: skip

    async def _on_key(self, event: events.Key) -> None:
        what = self._KEYS.get(event.key, "")
        if event.key == "up" and self.cursor_location[0] == 0:
            what = "older"
        elif event.key == "down" and self.cursor_location[0] == self.document.line_count - 1:
            what = "newer"
        elif event.key in ("ctrl+n", "alt+enter"):
            event.prevent_default()
            event.stop()
            self.insert("\n")
            return
        if what:
            event.prevent_default()
            event.stop()
            self.post_message(self.Asked(what))
            return
        await super()._on_key(event)

    @property
    def place(self) -> int:
        """Where the cursor is, counted from the beginning of the text."""
        row, column = self.cursor_location
        return sum(len(one) + 1 for one in self.text.split("\n")[:row]) + column

    def put(self, text: str, cursor: int) -> None:
        """Another text with the cursor at a place of it."""
        self.text = text
        before = text[:cursor]
        self.move_cursor((before.count("\n"), cursor - before.rfind("\n") - 1))


class AnswerRows(Rows):
    """The rows of an answer, made text a page at a time."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.count = answer.rows
        self.exact = not answer.more
        self.columns = tuple(_column(at, name, kind) for at, (name, kind) in enumerate(answer.columns))
        self._page = -1
        self._records: Sequence[tuple[Any, ...]] = ()

    def record(self, index: int) -> Any:
        if not 0 <= index < self.count:
            return None
        if index // PAGE != self._page:
            self._page = index // PAGE
            self._records = self._answer.window(self._page * PAGE, PAGE)
        return self._records[index % PAGE]

    def cells(self, index: int) -> Line | None:
        record = self.record(index)
        return None if record is None else tuple(grid.shown(value) for value in record)


def _column(at: int, name: str, kind: str) -> Column:
    right = kind.startswith(_NUMBERS)
    return Column(
        name, lambda row, now: grid.shown(row[at]), width=40, right=right, rank=at + 1, whole=lambda row: row[at]
    )


def mistake(failure: Failure, width: int) -> list[Line]:
    """What is wrong with the query, its line and the caret below the place."""
    said, *place = failure.message.split("\n")
    out: list[Line] = [
        (),
        *(line((" ✗ " if at == 0 else "   ", "bad"), piece) for at, piece in enumerate(wrap(said, width - 4))),
    ]
    if len(place) == 2:
        out += [
            line(("   " + text, role)) for text, role in zip(window(place, width - 6), ("accent", "bad"), strict=True)
        ]
    return [*out, *(line((f"   {piece}", "muted")) for piece in wrap(failure.hint, width - 4) if failure.hint)]


def window(place: Sequence[str], room: int) -> tuple[str, str]:
    """A line and the carets below it, cut so that the first caret can be seen."""
    code, marks = clean(place[0]), place[1]
    at = len(marks) - len(marks.lstrip())
    start = max(0, at - room // 2) if at + 8 > room else 0
    cut = "…" if start else ""
    return f"{cut}{code[start + len(cut) :]}"[:room], marks[start:][:room]
