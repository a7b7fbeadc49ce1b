"""A list over the whole window that one question fills: it is read in a worker, sorted by its columns, its cells shown whole."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from mlops_tui.tui.lines import Line, clean, line, wrap
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.cell import WholeCell
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.rows import Listed
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench


@dataclasses.dataclass(frozen=True)
class Content:
    """What a sheet shows: records under columns, a line about them, and what to say when there are none.

    `picture(record, width, height)` draws the record under the cursor below the list.
    """

    columns: tuple[Column, ...]
    records: Sequence[Any]
    said: str = ""
    empty: str = "There is nothing to show."
    picture: Callable[[Any, int, int], Sequence[Line]] | None = None


class Sheet(ModalScreen[Any]):
    """A list in front of a desk; esc closes it. With `chosen`, enter gives the record back under that word."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", show=False),
        Binding("comma", "column(-1)", show=False),
        Binding("full_stop", "column(1)", show=False),
        Binding("s", "sort", show=False),
        Binding("y", "copy", show=False),
    ]
    DEFAULT_CSS = """
    Sheet { align: left top; }
    Sheet #sheet { width: 100%; height: 100%; background: $background; }
    Sheet #sheet-table { height: 1fr; }
    Sheet #sheet-note { height: 1fr; }
    Sheet #sheet-picture { height: 10; display: none; padding: 0 1; }
    Sheet #dialog-title, Sheet #dialog-keys { background: $surface; }
    """

    class Ready(Message):
        """A worker has the content, or why not."""

        def __init__(self, found: Content | Failure) -> None:
            super().__init__()
            self.found = found

    def __init__(self, source: Source, title: str, work: Callable[[Workbench], Content], *, chosen: str = "") -> None:
        super().__init__()
        self._source, self._title, self._work, self._chosen = source, title, work, chosen
        self._content: Content | None = None
        self._sort, self._reverse = -1, False
        self._begun = time.monotonic()

    def compose(self) -> ComposeResult:
        with Vertical(id="sheet"):
            yield Bar(id="dialog-title")
            yield VirtualTable(id="sheet-table")
            yield LinesView(id="sheet-note")
            yield LinesView(id="sheet-picture")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        enter = self._chosen or "whole row"
        keys = line((" enter", "key"), f" {enter}  ", (", .", "key"), " column  ", ("s", "key"), " sort  ",
                    ("y", "key"), " copy  ", ("esc", "key"), " close")  # fmt: skip
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self._head("")
        self._say(self._loading)
        self.set_interval(1.0, self._still)
        source, work = self._source, self._work
        self.run_worker(lambda: self.post_message(self.Ready(source.attempt(work))), thread=True, exit_on_error=False)

    def _still(self) -> None:
        if self._content is None:
            self._say(self._loading)

    def _loading(self, width: int, height: int) -> Sequence[Line]:
        return states.loading(width, elapsed=time.monotonic() - self._begun)

    def _head(self, words: str) -> None:
        self.query_one("#dialog-title", Bar).show(
            [(line((f" {clean(self._title)}", "title"), (f"  {words}", "muted")), "")]
        )

    def _say(self, draw: Callable[[int, int], Sequence[Line]]) -> None:
        note = self.query_one("#sheet-note", LinesView)
        note.display, self.table.display = True, False
        note.show(draw)

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#sheet-table", VirtualTable)

    @on(Ready)
    def _ready(self, message: Ready) -> None:
        found = message.found
        if isinstance(found, Failure):
            self._content = Content((), ())
            self._say(lambda width, height: states.failed(found, width)[:-2])
            return
        self._content = found
        self._head(found.said)
        if not found.records:
            self._say(lambda width, height: [(), *(line((f" {one}", "muted")) for one in wrap(found.empty, width - 2))])
            return
        self.query_one("#sheet-note").display, self.table.display = False, True
        self.query_one("#sheet-picture").display = found.picture is not None
        self._draw()
        self.table.focus()

    def _draw(self) -> None:
        content, table = self._content, self.table
        assert content is not None
        records = content.records
        if self._sort >= 0:
            records = _sorted(records, content.columns[self._sort], self._reverse)
        table.sorted_by, table.reverse = self._sort, self._reverse
        rows = Listed(records, content.columns, self._source.now(), lambda one: str(id(one)))
        table.show(content.columns, rows, cursor=table.cursor)
        self._show_picture()

    @on(VirtualTable.Moved)
    def _show_picture(self) -> None:
        content, record = self._content, self.table.rows.record(self.table.cursor)
        if content is None or content.picture is None or record is None:
            return
        picture = content.picture
        self.query_one("#sheet-picture", LinesView).show(lambda width, height: picture(record, width, height))

    def action_column(self, step: int) -> None:
        self.table.move_column(step)

    def action_sort(self) -> None:
        """By the column under the column cursor; again the other way; again as it came."""
        at = self.table.column
        if self._content is None or not self.table.display:
            return
        if self._sort != at:
            self._sort, self._reverse = at, False
        elif not self._reverse:
            self._reverse = True
        else:
            self._sort, self._reverse = -1, False
        self._draw()

    def action_copy(self) -> None:
        """All rows as text, tabs between the cells."""
        from mlops_tui.tui.app import MlopsApp

        content = self._content
        if isinstance(self.app, MlopsApp) and content is not None and content.records:
            self.app.copy(as_tsv(content, self._source.now()))

    @on(VirtualTable.Opened)
    def _opened(self, message: VirtualTable.Opened) -> None:
        record, content = self.table.rows.record(message.index), self._content
        if record is None or content is None:
            return
        if self._chosen:
            self.dismiss(record)
            return
        values = [(one.title, one.whole(record) if one.whole else _text(one, record)) for one in content.columns]
        self.app.push_screen(WholeCell(values, self.table.column))


def as_tsv(content: Content, now: int) -> str:
    """Heads and rows as drawn, tabs between the cells."""
    heads = "\t".join(one.title for one in content.columns)
    rows = ("\t".join(_text(one, record, now) for one in content.columns) for record in content.records)
    return "\n".join((heads, *rows))


def _text(column: Column, record: Any, now: int = 0) -> str:
    cell = column.cell(record, now)
    return cell if isinstance(cell, str) else cell[0]


def _sorted(records: Sequence[Any], column: Column, reverse: bool) -> list[Any]:
    def key(record: Any) -> Any:
        return column.sort(record) if column.sort else _text(column, record)

    there = [one for one in records if key(one) is not None]
    try:
        there.sort(key=key, reverse=reverse)
    except TypeError:  # values of mixed kinds: by their text, so that the order is at least stable
        there.sort(key=lambda one: str(key(one)), reverse=reverse)
    return [*there, *(one for one in records if key(one) is None)]


def value_columns(rows: Sequence[dict[str, Any]]) -> tuple[Column, ...]:
    """A column per name of rows that are dicts; numbers at the right."""
    from mlops_tui.tui.screens.grid import shown

    names = dict.fromkeys(name for row in rows for name in row)
    return tuple(_value_column(name, at, rows, shown) for at, name in enumerate(names))


def _value_column(name: str, at: int, rows: Sequence[dict[str, Any]], shown: Callable[[Any], Any]) -> Column:
    known = next((row[name] for row in rows if row.get(name) is not None), None)
    right = isinstance(known, (int, float)) and not isinstance(known, bool)
    return Column(
        name,
        lambda row, now: shown(row.get(name)),
        sort=lambda row: row.get(name),
        width=28,
        right=right,
        rank=at + 1,
        whole=lambda row: row.get(name),
    )
