"""A table that a run kept as a file, over the whole window: read by window, however long it is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from mlops_tui.tui.lines import Span, clean, line, number
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.cell import WholeCell
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.rows import PAGE, Batch, Pages
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL")


def open_table(source: Source, run_id: str, path: str) -> Pages | Failure:
    """The rows of a file with the first page read (in a worker)."""

    def begin(bench: Workbench) -> Pages:
        file = bench.experiments.artifact_file(run_id, path)
        reader = "read_parquet(?)" if path.lower().endswith(".parquet") else "read_csv(?)"
        lake = bench.context.lake
        kinds = lake.query(f"DESCRIBE SELECT * FROM {reader}", [str(file)])
        columns = tuple(_column(str(one["column_name"]), str(one["column_type"]), at) for at, one in enumerate(kinds))
        read = partial(_page, source, reader, file)
        pages = Pages(columns, read, source.now(), key=lambda row: str(row[0]))
        total = lake.query(f"SELECT count(*) AS n FROM {reader}", [str(file)])[0]["n"]
        first = _rows(bench, reader, file, 0, PAGE)
        pages.take(0, Batch(first, int(total)))
        return pages

    return source.attempt(begin)


def _page(source: Source, reader: str, file: Path, offset: int, limit: int) -> Batch | Failure:
    return source.attempt(lambda bench: Batch(_rows(bench, reader, file, offset, limit)))


def _rows(bench: Workbench, reader: str, file: Path, offset: int, limit: int) -> list[tuple[Any, ...]]:
    found = bench.context.lake.query(f"SELECT * FROM {reader} LIMIT ? OFFSET ?", [str(file), limit, offset])
    return [(offset + at, *one.values()) for at, one in enumerate(found)]


def _column(name: str, kind: str, at: int) -> Column:
    return Column(
        clean(name),
        lambda row, now: _cell(row[at + 1]),
        width=28,
        right=kind.upper().startswith(_NUMBERS) or kind.upper().endswith("INT"),
        rank=at + 1,
        whole=lambda row: row[at + 1],
    )


def _cell(value: Any) -> Span:
    if value is None:
        return ("·", "muted")
    return (number(value, 6) if isinstance(value, float) else clean(value), "text")


class TableView(ModalScreen[None]):
    """The rows of a CSV or Parquet file; enter shows a row in full."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", show=False),
        Binding("comma", "column(-1)", show=False),
        Binding("full_stop", "column(1)", show=False),
        Binding("C", "columns", show=False),
    ]
    DEFAULT_CSS = """
    TableView { align: left top; }
    TableView Vertical { width: 100%; height: 100%; background: $background; }
    TableView #view-table { height: 1fr; }
    TableView #view-note { height: 1fr; display: none; }
    """

    class Ready(Message):
        """A worker has the rows, or why not."""

        def __init__(self, found: Pages | Failure) -> None:
            super().__init__()
            self.found = found

    def __init__(self, source: Source, run_id: str, path: str) -> None:
        super().__init__()
        self._source, self._run, self._path = source, run_id, path

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Bar(id="dialog-title")
            yield VirtualTable(id="view-table")
            yield LinesView(id="view-note")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        keys = line((" enter", "key"), " whole row  ", (", .", "key"), " columns  ", ("C", "key"), " choose columns  ",
                    ("esc", "key"), " close")  # fmt: skip
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self._title("")
        source, run, path = self._source, self._run, self._path
        self.run_worker(
            lambda: self.post_message(self.Ready(open_table(source, run, path))), thread=True, exit_on_error=False
        )

    def _title(self, words: str) -> None:
        self.query_one("#dialog-title", Bar).show([(line((f" {clean(self._path)}", "title"), (words, "muted")), "")])

    @on(Ready)
    def _ready(self, message: Ready) -> None:
        found = message.found
        if isinstance(found, Failure):
            note = self.query_one("#view-note", LinesView)
            note.display, self.query_one("#view-table").display = True, False
            note.show(lambda width, height: states.failed(found, width))
            return
        self._title(f"  {found.said} rows, {len(found.columns)} columns")
        table = self.query_one("#view-table", VirtualTable)
        table.show(found.columns, found)
        table.focus()

    def action_column(self, step: int) -> None:
        self.query_one(VirtualTable).move_column(step)

    def action_columns(self) -> None:
        self.query_one(VirtualTable).choose_columns()

    @on(VirtualTable.Opened)
    def _whole(self, message: VirtualTable.Opened) -> None:
        table = self.query_one(VirtualTable)
        row = table.rows.record(message.index)
        if row is not None:
            values = [(one.title, one.whole(row)) for one in table.columns if one.whole is not None]
            self.app.push_screen(WholeCell(values, table.column))
