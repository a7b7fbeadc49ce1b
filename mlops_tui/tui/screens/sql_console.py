"""The SQL console: a query over all tables as views, its rows below it; escape stops one that runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import TextArea

from mlops_tui.tui import sql_words
from mlops_tui.tui.lines import Line, clean, line, wrap
from mlops_tui.tui.screens import grid
from mlops_tui.tui.screens.sql_parts import AnswerRows, Editor, mistake
from mlops_tui.tui.sql_history import FILE, History
from mlops_tui.tui.sql_words import Words
from mlops_tui.tui.state import Failure, Source
from mlops_tui.tui.widgets.bar import Bar
from mlops_tui.tui.widgets.cell import WholeCell
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.features.browsing import Answer

COPIED = 10_000
"""Rows that go to the clipboard at most."""


class SqlConsole(ModalScreen[None]):
    """One query at a time over all feature tables; nothing can be written and nothing else can be read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False, priority=True),
        Binding("ctrl+s", "save", show=False, priority=True),
        Binding("ctrl+t", "copy", show=False, priority=True),
        Binding("comma", "column(-1)", show=False),
        Binding("full_stop", "column(1)", show=False),
        Binding("tab,shift+tab", "edit", show=False),
    ]
    DEFAULT_CSS = """
    SqlConsole { align: left top; }
    SqlConsole #console { width: 100%; height: 100%; background: $background; }
    SqlConsole Editor { height: auto; min-height: 3; max-height: 40%; border: none; border-bottom: solid $panel; padding: 0 1;
      background: $background; color: $foreground; }
    SqlConsole Editor:focus { border: none; border-bottom: solid $primary; }
    SqlConsole #sql-table, SqlConsole #sql-note { height: 1fr; }
    SqlConsole #dialog-title, SqlConsole #dialog-keys, SqlConsole #sql-said { background: $surface; }
    """

    class Learned(Message):
        """A worker knows the tables and what was run before."""

        def __init__(self, words: Words, history: History) -> None:
            super().__init__()
            self.words, self.history = words, history

    class Ran(Message):
        """A worker has the answer, or why not."""

        def __init__(self, found: Answer | Failure, turn: int) -> None:
            super().__init__()
            self.found, self.turn = found, turn

    class Saved(Message):
        """A worker has written the answer to a file, or why not."""

        def __init__(self, said: str | Failure) -> None:
            super().__init__()
            self.said = said

    def __init__(self, source: Source, begin: str = "") -> None:
        super().__init__()
        self._source, self._begin = source, begin
        self._words = Words()
        self._history = History()
        self._answer: Answer | None = None
        self._query = ""  # what the answer is to
        self._stop: Callable[[], None] | None = None
        self._begun = 0.0
        self._turn = 0
        self._offers: tuple[list[str], int, int, int] | None = None  # offers, which, where they begin and end

    def compose(self) -> ComposeResult:
        with Vertical(id="console"):
            yield Bar(id="dialog-title")
            yield Editor(self._begin, id="sql", soft_wrap=True, show_line_numbers=False, tab_behavior="focus")
            yield Bar(id="sql-said")
            yield VirtualTable(id="sql-table")
            yield LinesView(id="sql-note")
            yield Bar(id="dialog-keys")

    def on_mount(self) -> None:
        title = line(
            (" SQL", "title"),
            ("  over all tables; an older version in double quotes: ", "muted"),
            ('"orders@3"', "accent"),
        )
        self.query_one("#dialog-title", Bar).show([(title, "")])
        known = (("enter", "run"), ("tab", "complete"), ("esc", "stop, close"), ("↑↓", "before"), ("ctrl+s", "save"),
                 ("shift+tab", "rows"), ("ctrl+n", "new line"), ("ctrl+t", "copy rows"))  # fmt: skip
        keys = line(*(part for key, what in known for part in ((f" {key}", "key"), f" {what} ")))
        self.query_one("#dialog-keys", Bar).show([(keys, "")])
        self.table.display = False
        self.query_one("#sql-note", LinesView).show(self._tables)
        self.editor.focus()
        self.editor.select_all()  # what is typed takes its place
        source = self._source
        self.run_worker(lambda: self.post_message(_learned(source)), thread=True, exit_on_error=False)
        self.set_interval(0.5, self._still)

    @property
    def editor(self) -> Editor:
        return self.query_one("#sql", Editor)

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#sql-table", VirtualTable)

    def _tables(self, width: int, height: int) -> list[Line]:
        """Before anything was run: what there is to ask."""
        if not self._words.tables:
            return [(), line((" No feature tables yet.", "muted"))]
        out: list[Line] = [()]
        for name, columns in self._words.tables.items():
            pieces = wrap(", ".join(map(sql_words.quoted, columns)), max(20, width - 28))
            out.append(line(("  " + clean(sql_words.quoted(name)).ljust(24), "accent"), (pieces[0], "muted")))
            out += [line((" " * 26 + piece, "muted")) for piece in pieces[1:3]]
        return out

    @on(Learned)
    def _know(self, message: Learned) -> None:
        self._words, self._history = message.words, message.history
        if self._answer is None:
            self.query_one("#sql-note", LinesView).show(self._tables)

    # -- typing ---------------------------------------------------------------------------------------------------------

    @on(Editor.Asked)
    def _asked(self, message: Editor.Asked) -> None:
        what = message.what
        if what == "run":
            self.action_run()
        elif what == "complete":
            self._complete()
        elif what in ("older", "newer"):
            self._recall(-1 if what == "older" else 1)
        elif what == "results" and self.table.display:
            self.table.focus()
        elif what in ("page up", "page down") and self.table.display:
            self.table.action_page(1 if what == "page down" else -1)

    @on(TextArea.Changed)
    def _typed(self) -> None:
        if self._offers is not None:
            offers, at, start, end = self._offers
            if self.editor.text[start:end] != offers[at]:
                self._offers = None
                self._say(())

    def _complete(self) -> None:
        """Put the next offer in place of the word at the cursor."""
        text, cursor = self.editor.text, self.editor.place
        if self._offers is None:
            found = sql_words.offers(text, cursor, self._words)
            if not found:
                self._say(line((" Nothing begins like that.", "muted")))
                return
            offers, at, start, end = found, 0, sql_words.word(text, cursor), cursor
        else:
            offers, at, start, end = self._offers
            at = (at + 1) % len(offers)
        self._offers = (offers, at, start, start + len(offers[at]))
        self.editor.put(text[:start] + offers[at] + text[end:], start + len(offers[at]))
        shown = [(f" {clean(one)} ", "title" if at == place else "muted") for place, one in enumerate(offers)]
        self._say(line(*shown[max(0, at - 2) :]))

    def _recall(self, step: int) -> None:
        """What was run before or after this."""
        text = self._history.go(step, self.editor.text)
        if text is not None:
            self.editor.put(text, len(text))

    # -- running --------------------------------------------------------------------------------------------------------

    def action_run(self) -> None:
        """Run what is written; one query at a time."""
        query = self.editor.text.strip()
        if not query:
            return
        if self._begun:
            self._say(line((" A query runs already; ", "warn"), ("esc", "key"), (" stops it.", "warn")))
            return
        self._turn += 1
        turn, source = self._turn, self._source
        self._begun, self._query, self._stop, self._offers = time.monotonic(), query, None, None
        self._history.add(query)
        self._say(line((" ◐ running", "busy")))
        self.run_worker(
            lambda: self.post_message(
                self.Ran(source.attempt(lambda bench: bench.features.answer(query, running=self._runs)), turn)
            ),
            thread=True,
            exit_on_error=False,
        )

    def _runs(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def _still(self) -> None:
        if self._begun and (waited := time.monotonic() - self._begun) > 1:
            self._say(line((f" ◐ running for {waited:.0f} s, ", "busy"), ("esc", "key"), (" stops it", "muted")))

    @on(Ran)
    def _ran(self, message: Ran) -> None:
        if message.turn != self._turn:
            return
        took, found = time.monotonic() - self._begun, message.found
        self._begun, self._stop = 0.0, None
        note = self.query_one("#sql-note", LinesView)
        if isinstance(found, Failure):
            self._say(line((" ✗ ", "bad"), (clean(found.message.split("\n")[0]), "text")))
            self.table.display, note.display = False, True
            note.show(lambda width, height: mistake(found, width), home=True)
            return
        self._answer = found
        more = f" the first {found.rows:,} rows, there are more" if found.more else f" {found.rows:,} rows"
        self._say(line((more, "warn" if found.more else "good"), (f" in {took:.2f} s", "muted")))
        self.table.display, note.display = bool(found.rows), not found.rows
        note.show(lambda width, height: [(), line((" The query gives no rows.", "muted"))])
        rows = AnswerRows(found)
        self.table.show(rows.columns, rows)

    def _say(self, words: Line) -> None:
        self.query_one("#sql-said", Bar).show([(words, "")])

    # -- what becomes of the rows -----------------------------------------------------------------------------------------

    def action_save(self) -> None:
        """Ask for a file, then write all rows of the query to it."""
        if self._answer is None:
            self._say(line((" Run a query first: its rows are what is saved.", "warn")))
            return
        query, source = self._query, self._source
        fields = (Field("file", "File", placeholder="/path/to/result.csv or .parquet"),)

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                path = Path(answers["file"]).expanduser()
                self._say(line((f" ◐ writing {path.name}", "busy")))
                work = lambda bench: f"{bench.features.save_answer(query, path):,} rows are in {path}"  # noqa: E731
                self.run_worker(
                    lambda: self.post_message(self.Saved(source.attempt(work))), thread=True, exit_on_error=False
                )

        self.app.push_screen(
            Form("Save all rows of the query", fields, "Save", lambda _: f'mlops features sql "{query}"'), chosen
        )

    @on(Saved)
    def _saved(self, message: Saved) -> None:
        said = message.said
        if isinstance(said, Failure):
            self._say(line((f" ✗ {clean(said.message)} ", "bad"), (clean(said.hint), "muted")))
        else:
            self._say(line((f" ✓ {clean(said)}", "good")))

    def action_copy(self) -> None:
        """The rows to the clipboard, tabs between cells."""
        from mlops_tui.tui.app import MlopsApp

        answer = self._answer
        if answer is None or not isinstance(self.app, MlopsApp):
            return
        heads = "\t".join(name for name, _ in answer.columns)
        rows = ("\t".join("" if one is None else clean(one) for one in row) for row in answer.window(0, COPIED))
        self.app.copy("\n".join((heads, *rows)))

    # -- moving ---------------------------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Stop what runs, else from the rows back to the text, else close."""
        if self._begun:
            if self._stop is not None:
                self._stop()
            self._say(line((" ◐ stopping", "busy")))
        elif self.focused is not self.editor:
            self.editor.focus()
        else:
            self.dismiss()

    def action_edit(self) -> None:
        self.editor.focus()

    def action_column(self, step: int) -> None:
        self.table.move_column(step)

    @on(VirtualTable.Opened)
    def _whole(self, message: VirtualTable.Opened) -> None:
        table = self.table
        record = table.rows.record(message.index)
        if record is not None:
            self.app.push_screen(WholeCell(grid.whole(table.columns, record), table.column))


def _learned(source: Source) -> SqlConsole.Learned:
    """The tables, their columns, and what was run before (in a worker)."""

    def look(bench: Workbench) -> SqlConsole.Learned:
        tables = [one for one in bench.features.list() if one.latest_version]
        words = Words(
            {one.name: tuple(one.columns) for one in tables}, {one.name: one.latest_version for one in tables}
        )
        return SqlConsole.Learned(words, History(bench.workspace.run / FILE))

    found = source.attempt(look)
    return SqlConsole.Learned(Words(), History()) if isinstance(found, Failure) else found
