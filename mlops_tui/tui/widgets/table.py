"""A table that only ever formats the rows on screen, so that 100,000 rows cost what 30 cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from mlops_tui.tui.lines import Line, Span, fit
from mlops_tui.tui.widgets.painted import Painted

_SAMPLE = 100
_GAP = 2


@dataclasses.dataclass(frozen=True)
class Column:
    """One column: `cell(record, now_ms)` gives text or a span; `sort` a sort key (default: the text).

    `width` is the most it takes (0: 40), `rank` who leaves first when the table is narrow (higher leaves first).
    """

    title: str
    cell: Callable[[Any, int], Span | str]
    sort: Callable[[Any], Any] | None = None
    width: int = 0
    right: bool = False
    rank: int = 1
    grow: bool = False


class Rows(Protocol):
    """Where a table gets its rows from: only visible ones are asked for."""

    @property
    def count(self) -> int: ...

    def cells(self, index: int) -> tuple[Span, ...]: ...


class NoRows:
    """Nothing to show."""

    count = 0

    def cells(self, index: int) -> tuple[Span, ...]:
        raise IndexError(index)


def fit_columns(columns: tuple[Column, ...], wanted: list[int], room: int) -> dict[int, int]:
    """Which columns are shown and how wide, as {index: cells}, within `room` cells.

    Columns leave by rank, the highest first; what is left over goes to the growing column, what is missing is taken
    from the widest column.
    """
    shown = list(range(len(columns)))

    def total() -> int:
        return sum(wanted[at] for at in shown) + _GAP * (len(shown) - 1)

    while len(shown) > 1 and total() > room and max(columns[at].rank for at in shown) > 1:
        leaving = max(shown, key=lambda at: (columns[at].rank, at))
        shown.remove(leaving)
    widths = {at: wanted[at] for at in shown}
    over = total() - room
    while over > 0:
        widest = max(shown, key=lambda at: widths[at])
        if widths[widest] <= 4:
            break
        widths[widest] -= 1
        over -= 1
    if over < 0:
        growing = next((at for at in shown if columns[at].grow), None)
        if growing is not None:
            widths[growing] -= over
    return widths


class VirtualTable(Painted, can_focus=True):
    """Rows under a header with one cursor row; the keys of a pager, of vim and of arrows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("home,g", "end(False)", show=False),
        Binding("end,G", "end(True)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: VirtualTable, index: int) -> None:
            super().__init__()
            self.table = table
            self.index = index

        @property
        def control(self) -> VirtualTable:
            return self.table

    class Opened(Moved):
        """Enter or a click on the cursor row."""

    def __init__(self, *, header: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.columns: tuple[Column, ...] = ()
        self.rows: Rows = NoRows()
        self.cursor = 0
        self.sorted_by = -1
        self.reverse = False
        self._header = header
        self._widths: dict[int, int] = {}

    def show(self, columns: tuple[Column, ...], rows: Rows, *, cursor: int = 0) -> None:
        """Replace what is shown and put the cursor on row `cursor` (clamped)."""
        self.columns, self.rows = columns, rows
        self.cursor = max(0, min(cursor, rows.count - 1))
        self._measure()
        self._reveal()
        self.refresh()

    def on_resize(self) -> None:
        self._measure()
        self._reveal()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    @property
    def body_height(self) -> int:
        """Rows that fit below the header."""
        return max(1, self.scrollable_content_region.height - int(self._header))

    def _measure(self) -> None:
        wanted = [len(column.title) + 2 for column in self.columns]
        first = max(0, min(self.cursor - _SAMPLE // 2, self.rows.count - _SAMPLE))
        for index in range(first, min(first + _SAMPLE, self.rows.count)):
            for at, (text, _) in enumerate(self.rows.cells(index)):
                wanted[at] = max(wanted[at], min(cell_len(text), self.columns[at].width or 40))
        room = max(1, self.scrollable_content_region.width - 2)
        self._widths = fit_columns(self.columns, wanted, room) if self.columns else {}
        self.virtual_size = Size(self.scrollable_content_region.width, self.rows.count + int(self._header))

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.body_height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def move_to(self, index: int) -> None:
        """Put the cursor on a row and say so."""
        index = max(0, min(index, self.rows.count - 1))
        if index == self.cursor or not self.rows.count:
            return
        before, self.cursor = self.cursor, index
        self._reveal()
        head = int(self._header)
        self.refresh_line(before + head)
        self.refresh_line(index + head)
        self.post_message(self.Moved(self, index))

    def action_move(self, step: int) -> None:
        self.move_to(self.cursor + step)

    def action_page(self, pages: int) -> None:
        self.move_to(self.cursor + pages * self.body_height)

    def action_end(self, last: bool) -> None:
        self.move_to(self.rows.count - 1 if last else 0)

    def action_open(self) -> None:
        if self.rows.count:
            self.post_message(self.Opened(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = offset.y + self.scroll_offset.y - int(self._header)
        if offset.y < int(self._header) or not 0 <= index < self.rows.count:
            return
        if index == self.cursor:
            self.action_open()
        self.move_to(index)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if self._header and y == 0:
            return self.paint(self._head(), width, self.rich_style + self.role_style("head"))
        index = y + self.scroll_offset.y - int(self._header)
        if not 0 <= index < self.rows.count:
            return self.paint((), width)
        return self.paint(self._row(index), width, self._base(index))

    def _base(self, index: int) -> Style:
        if index != self.cursor:
            return self.rich_style
        if not self.has_focus and not self._header:
            return self.rich_style
        return self.rich_style + self.role_style("cursor" if self.has_focus else "blur")

    def _head(self) -> Line:
        parts: list[Span] = [(" ", "head")]
        for at, cells in self._widths.items():
            column = self.columns[at]
            arrow = ("↓" if self.reverse else "↑") if at == self.sorted_by else ""
            parts.append((fit(column.title + arrow, cells, right=column.right) + " " * _GAP, "head"))
        return tuple(parts)

    def _row(self, index: int) -> Line:
        cells = self.rows.cells(index)
        mark = "▌" if index == self.cursor and (self.has_focus or self._header) else " "
        parts: list[Span] = [(mark, "accent")]
        for at, room in self._widths.items():
            text, role = cells[at]
            parts.append((fit(text, room, right=self.columns[at].right) + " " * _GAP, role))
        return tuple(parts)
