"""What every list can do: order, columns, marks, the error behind a message."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import BindingType

from mlops_tui.tui.binding import bound
from mlops_tui.tui.screens.frame import Frame
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.table import VirtualTable


class Listing(Frame):
    """A desk whose lists can be sorted, arranged and marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("list.mark", "mark"),
        bound("list.range", "range"),
        bound("list.all", "all"),
        bound("list.columns", "columns"),
        bound("list.column_before", "column(-1)"),
        bound("list.column_after", "column(1)"),
        bound("app.details", "details"),
    ]

    # -- order and columns --------------------------------------------------------------------------------------------

    def action_sort(self) -> None:
        """Sort by the column under the column cursor; again the other way; again the order of the service."""
        memory, table = self.here, self.table
        if not table.display or not table.columns:
            return
        at = table.column
        if self._refuses(table, at):
            return
        if memory.sort != at:
            memory.sort, memory.reverse = at, False
        elif not memory.reverse:
            memory.reverse = True
        else:
            memory.sort, memory.reverse, memory.sort_title = -1, False, ""
        self.show_rows()

    def _refuses(self, table: VirtualTable, at: int) -> bool:
        column = table.columns[at]
        if self.section.paged is None or column.order:
            return False
        known = ", ".join(one.title for one in table.columns if one.order)
        self.notify(f"The store cannot sort by {column.title}; it can by {known}.", timeout=4, markup=False)
        return True

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.here.reverse = not self.here.reverse
        self.show_rows()

    def action_column(self, step: int) -> None:
        """The next or previous column; columns that do not fit come into view."""
        table = self.table
        if table.display:
            table.move_column(step)
            self.here.column = table.column

    def action_columns(self) -> None:
        """Choose which columns are shown, and in what order."""
        if self.table.display:
            self.table.choose_columns()

    @on(VirtualTable.Arranged)
    def _arranged(self, message: VirtualTable.Arranged) -> None:
        self.here.arrangement = message.table.arrangement
        self.here.column = message.table.column
        self.show_rows()

    @on(VirtualTable.HeadClicked)
    def _head_clicked(self, message: VirtualTable.HeadClicked) -> None:
        self.here.column = message.index
        self.action_sort()

    # -- marks --------------------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        if self.table.display:
            self.table.mark()

    def action_range(self) -> None:
        if self.table.display:
            self.table.mark_range()

    def action_all(self) -> None:
        if self.table.display:
            self.table.mark_all()

    @on(VirtualTable.Marked)
    def _marked(self, message: VirtualTable.Marked) -> None:
        if message.said:
            self.notify(message.said, timeout=3, markup=False)
        self.chrome()

    def step_out(self) -> bool:
        """The rungs of esc that belong to a list: a reading that takes long, then the marks; whether there was one."""
        return self.stop_waiting() or (self.here.marks.clear() and self._unmarked())

    def _unmarked(self) -> bool:
        self.table.refresh_rows()
        self.chrome()
        return True

    # -- errors -------------------------------------------------------------------------------------------------------

    def action_details(self) -> None:
        """Everything known about the error on screen."""
        failure = self.here.failure
        detail = self.here.detail
        if failure is None and isinstance(detail, Failure):
            failure = detail
        if failure is None:
            self.notify("There is no error here.", timeout=2, markup=False)
            return
        from mlops_tui.tui.widgets.cell import WholeCell

        parts = [("Error", failure.message), ("What to do", failure.hint), ("Details", failure.details)]
        shown = [(name, text) for name, text in parts if text]
        self.app.push_screen(WholeCell(shown, len(shown) - 1))
