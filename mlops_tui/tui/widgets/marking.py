"""What a table does beside drawing: it gets the rows on screen from its source, and it keeps marks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from textual.message import Message
from textual.timer import Timer

from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.marks import MOST, Marks
from mlops_tui.tui.widgets.rows import Batch, Rows
from mlops_tui.tui.widgets.selecting import Selecting

if TYPE_CHECKING:
    from mlops_tui.tui.widgets.table import VirtualTable

PATIENCE_S = 0.15
"""Rows that come later than this are drawn as a skeleton meanwhile."""


class Marking(Selecting):
    """Base of the table: reading by window, and marks.

    One page is read at a time. What is asked for meanwhile is not queued: when a page arrives, the next one is chosen by
    what is on screen then, so that scrolling past a thousand pages reads the first and the last.
    """

    class Moved(Message, namespace="virtual_table"):
        """The cursor is on another row."""

        def __init__(self, table: VirtualTable, index: int) -> None:
            super().__init__()
            self.table = table
            self.index = index

        @property
        def control(self) -> VirtualTable:
            return self.table

    class Opened(Moved, namespace="virtual_table"):
        """Enter or a click on the cursor row."""

    class Arrived(Moved, namespace="virtual_table"):
        """Rows that were missing are there (from row `index` on)."""

    class HeadClicked(Moved, namespace="virtual_table"):
        """A click on the head of column `index`."""

    class Of(Message, namespace="virtual_table"):
        """Something about a table."""

        def __init__(self, table: VirtualTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> VirtualTable:
            return self.table

    class Arranged(Of, namespace="virtual_table"):
        """The user chose other columns."""

    class Marked(Of, namespace="virtual_table"):
        """Other rows are marked; `said` is what to tell about it."""

        def __init__(self, table: VirtualTable, said: str = "") -> None:
            super().__init__(table)
            self.said = said

    class Failed(Of, namespace="virtual_table"):
        """Rows could not be read."""

        def __init__(self, table: VirtualTable, failure: Failure) -> None:
            super().__init__(table)
            self.failure = failure

    @dataclasses.dataclass
    class Read(Message, bubble=False):
        """A worker has a page, or why not."""

        rows: Rows
        page: int
        batch: Batch | Failure

    @dataclasses.dataclass
    class Gathered(Message, bubble=False):
        """A worker has the keys of many rows, or why not."""

        rows: Rows
        keys: list[str] | Failure
        total: int

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows = Rows()
        self.cursor = 0
        self.marks = Marks()
        self._asked: Rows | None = None
        self._slow = False
        self._timer: Timer | None = None

    @property
    def this(self) -> VirtualTable:
        """This table, typed."""
        from mlops_tui.tui.widgets.table import VirtualTable

        assert isinstance(self, VirtualTable)
        return self

    # -- reading by window --------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Have read what is missing on screen, unless a page is on its way."""
        if self._asked is self.rows or not self.is_mounted:
            return
        first = self.scroll_offset.y
        page = self.rows.missing(first, first + max(1, self.size.height))
        if page is None:
            return
        rows = self._asked = self.rows
        self.run_worker(
            lambda: self.post_message(self.Read(rows, page, rows.fetch(page))),
            thread=True,
            group="rows",
            exit_on_error=False,
        )
        if self._timer is None:
            self._timer = self.set_timer(PATIENCE_S, self._is_slow)

    def _is_slow(self) -> None:
        self._timer = None
        if self._asked is self.rows:
            self._slow = True
            self.this.refresh_rows()

    def on_marking_read(self, message: Read) -> None:
        """Keep the page, paint what it changes, and look what is missing now."""
        if message.rows is self._asked:
            self._asked = None
        if message.rows is not self.rows:
            self.ask()
            return
        self._slow = False
        if isinstance(message.batch, Failure):
            self.post_message(self.Failed(self.this, message.batch))
            return
        self.rows.take(message.page, message.batch)
        self.cursor = max(0, min(self.cursor, self.rows.count - 1))
        self.this.refresh_rows(arrived=True)
        self.post_message(self.Arrived(self.this, message.page))
        self.ask()

    def pending(self, index: int) -> str:
        """A row that is not there yet: nothing at first, then a skeleton."""
        return " " + "░" * (12 + index * 7 % 20) if self._slow else ""

    # -- marks --------------------------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on to the next row."""
        key = self.rows.key(self.cursor)
        if key is None:
            return
        self.marks.toggle(key)
        self.this.action_move(1)
        self._marked()

    def mark_range(self) -> None:
        """Begin a range at the cursor; the second time everything between is marked."""
        if not self.rows.count:
            return
        if self.marks.anchor is None:
            self.marks.anchor = self.cursor
            self._marked("Range: move, then v again")
            return
        first, last = sorted((self.marks.anchor, self.cursor))
        self._gather(first, last + 1)

    def mark_all(self) -> None:
        """Mark every row the filter leaves, or none when all are."""
        if self.rows.exact and len(self.marks) >= self.rows.count:
            self.clear_marks()
            return
        self._gather(0, self.rows.count if self.rows.exact else MOST)

    def clear_marks(self) -> bool:
        """Take all marks away; whether there were any."""
        had = self.marks.clear()
        if had:
            self._marked()
        return had

    def _gather(self, first: int, last: int) -> None:
        rows, until = self.rows, min(last, first + MOST)
        self.run_worker(
            lambda: self.post_message(self.Gathered(rows, rows.keys(first, until), last - first)),
            thread=True,
            exclusive=True,
            group="marks",
            exit_on_error=False,
        )

    def on_marking_gathered(self, message: Gathered) -> None:
        """Mark the rows that were asked for."""
        if message.rows is not self.rows:
            return
        self.marks.anchor = None
        if isinstance(message.keys, Failure):
            self._marked(message.keys.message)
            return
        self.marks.add(message.keys)
        cut = message.total > len(message.keys) >= MOST or (not self.rows.exact and len(message.keys) >= MOST)
        self._marked(f"Marked the first {MOST:,} rows; a filter makes it fewer." if cut else "")

    def _marked(self, said: str = "") -> None:
        self.this.refresh_rows()
        self.post_message(self.Marked(self.this, said))
