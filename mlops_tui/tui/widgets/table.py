"""A table that only ever reads and formats the rows on screen, so that millions of rows cost what thirty cost."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from mlops_tui.tui.lines import Line, Span, fit, plain
from mlops_tui.tui.widgets import marking
from mlops_tui.tui.widgets.columns import GAP, Arrangement, Column, Spread, fit_columns, spread
from mlops_tui.tui.widgets.rows import Cells, Rows, as_rows

__all__ = ["Arrangement", "Column", "Rows", "VirtualTable", "fit_columns"]

_SAMPLE = 100
_WIDEST = 40
_GAP = " " * GAP


class VirtualTable(marking.Marking, can_focus=True):
    """Rows under a header with one cursor row and one cursor column; the keys of a pager, of vim and of arrows.

    The first column stays when the others scroll with the column cursor. Marks belong to rows' keys, so they stay with
    their rows when the order changes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("home,g", "end(False)", show=False),
        Binding("end,G", "end(True)", show=False),
        Binding("enter", "open", show=False),
    ]

    def __init__(self, *, header: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.columns: tuple[Column, ...] = ()
        self.column = 0
        self.arrangement = Arrangement()
        self.sorted_by = -1
        self.reverse = False
        self._header = header
        self._wanted: list[int] = []
        self._spread = Spread({})
        self._painted: dict[int, tuple[Line, bool]] = {}
        self._spread_for = -1

    def show(
        self,
        columns: tuple[Column, ...],
        rows: Rows | Cells,
        *,
        cursor: int = 0,
        arrangement: Arrangement | None = None,
    ) -> None:
        """Replace what is shown and put the cursor on row `cursor` (clamped). Only lines that differ are painted again."""
        rows = as_rows(rows)
        if columns is not self.columns:
            self.column = min(self.column, max(0, len(columns) - 1))
        self.columns, self.rows = columns, rows
        self.arrangement = self.arrangement if arrangement is None else arrangement
        self.cursor = max(0, min(cursor, rows.count - 1))
        self._lay_out()
        self._reveal()
        self._repaint()
        self.ask()

    def on_resize(self) -> None:
        self._lay_out()
        self._reveal()
        self.ask()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    @property
    def body_height(self) -> int:
        """Rows that fit below the header."""
        return max(1, self.scrollable_content_region.height - int(self._header))

    @property
    def shown(self) -> list[int]:
        """The columns the user has not hidden, in the user's order."""
        return self.arrangement.apply(self.columns)

    # -- layout -------------------------------------------------------------------------------------------------------

    def _lay_out(self, *, grow: bool = False) -> None:
        """Widths from a sample of the rows around the cursor; with `grow` no column becomes narrower than it is."""
        wanted = self._wanted if grow else [len(column.title) + 2 for column in self.columns]
        most = [column.width or _WIDEST for column in self.columns]
        first = max(0, min(self.cursor - _SAMPLE // 2, self.rows.count - _SAMPLE))
        for index in range(first, min(first + _SAMPLE, self.rows.count)):
            for at, (text, _) in enumerate(self.rows.cells(index) or ()):
                if len(text) > wanted[at] or not text.isascii():
                    wanted[at] = max(wanted[at], min(cell_len(text), most[at]))
        self._wanted = wanted
        self._spread_out()
        size = Size(self.scrollable_content_region.width, self.rows.count + int(self._header))
        if size != self.virtual_size:
            self.virtual_size = size

    def _spread_out(self) -> None:
        self._spread_for = self.scrollable_content_region.width
        room = max(1, self._spread_for - 2)
        shown = self.shown
        if self.columns and self.column not in shown:
            self.column = shown[0]
        before = self._spread
        self._spread = spread(self.columns, shown, self._wanted, room, self.column) if self.columns else Spread({})
        if before != self._spread:
            self._painted.clear()

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.body_height
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def _repaint(self) -> None:
        """Refresh the lines on screen whose content is not what was painted last."""
        if not self._painted:
            self.refresh()
            return
        for y in range(self.scrollable_content_region.height):
            if self._painted.get(y) != self._line(y):
                self.refresh_line(y + self.scroll_offset.y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.ask()

    # -- moving -------------------------------------------------------------------------------------------------------

    def move_to(self, index: int) -> None:
        """Put the cursor on a row and say so."""
        index = max(0, min(index, self.rows.count - 1))
        if index == self.cursor or not self.rows.count:
            return
        self.cursor = index
        top = self.scroll_offset.y
        self._reveal()
        if self.scroll_offset.y == top:  # else everything is painted anyway
            self._repaint()
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

    def move_column(self, step: int) -> None:
        """Put the column cursor on the next or previous column; columns that do not fit scroll into view."""
        shown = self.shown
        if not shown:
            return
        at = shown.index(self.column) if self.column in shown else 0
        self.column = shown[max(0, min(at + step, len(shown) - 1))]
        self._spread_out()
        self._repaint()

    def rearrange(self, arrangement: Arrangement) -> None:
        """Show other columns, or in another order, and say so."""
        self.arrangement = arrangement
        self._spread_out()
        self.refresh()
        self.post_message(self.Arranged(self))

    def choose_columns(self) -> None:
        """Ask which columns to show, and in what order."""
        from mlops_tui.tui.widgets.chooser import Chooser

        def chosen(arrangement: Arrangement | None) -> None:
            if arrangement is not None:
                self.rearrange(arrangement)

        if len(self.columns) > 1:
            self.app.push_screen(Chooser(self.columns, self.arrangement), chosen)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self.dragged:
            return
        if self._header and offset.y == 0:
            self._click_head(offset.x)
            return
        index = offset.y + self.scroll_offset.y - int(self._header)
        if not 0 <= index < self.rows.count:
            return
        if index == self.cursor:
            self.action_open()
        self.move_to(index)

    def _click_head(self, x: int) -> None:
        left = 1
        for at, cells in self._spread.widths.items():
            if left <= x < left + cells + GAP:
                self.column = at
                self._spread_out()
                self.post_message(self.HeadClicked(self, at))
            left += cells + GAP

    # -- drawing ------------------------------------------------------------------------------------------------------

    def refresh_rows(self, *, arrived: bool = False) -> None:
        """Paint the lines on screen again that are not what they were; rows that `arrived` may need more room."""
        if arrived:
            self._lay_out(grow=True)
        self._repaint()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        if width != self._spread_for:  # the first picture comes before the event that tells the size
            self._spread_out()
        line, current = painted = self._line(y)
        self._painted[y] = painted
        head = self._header and y == 0
        base = self.ground + self.role_style("head") if head else self._base() if current else self.ground
        return self.lit(y, self.paint(line, width, base))

    def row_at(self, y: int) -> int:
        return -1 if self._header and y == 0 else y + self.scroll_offset.y - int(self._header)

    def words(self, row: int) -> str:
        """The cells of a row as they are drawn; the head is row -1."""
        spans = self._head() if row < 0 else self._row(row) if row < self.rows.count else ()
        return " " + plain(spans[1:])  # without the glyph of cursor and marks

    def _line(self, y: int) -> tuple[Line, bool]:
        """What line `y` of the widget says, and whether it is the cursor's."""
        if self._header and y == 0:
            return self._head(), False
        index = y + self.scroll_offset.y - int(self._header)
        if not 0 <= index < self.rows.count:
            return (), False
        return self._row(index), index == self.cursor

    def _base(self) -> Style:
        if not self.has_focus and not self._header:
            return self.ground
        return self.ground + self.role_style("cursor" if self.has_focus else "blur")

    def _head(self) -> Line:
        out: list[Span] = [("◂" if self._spread.before else " ", "head")]
        for at, cells in self._spread.widths.items():
            column = self.columns[at]
            arrow = ("↓" if self.reverse else "↑") if at == self.sorted_by else ""
            role = "title" if at == self.column and self._column_matters else "head"
            out.append((fit(column.title + arrow, cells, right=column.right), role))
            out.append((" " * GAP, "head"))
        if self._spread.after and out:
            out[-1] = (" ▸", "head")
        return tuple(out)

    @property
    def _column_matters(self) -> bool:
        return self.column > 0 or self.sorted_by >= 0

    def _row(self, index: int) -> Line:
        cells = self.rows.cells(index)
        marked = self.marks and self.marks.holds(self.rows.key(index), index, self.cursor)
        here = index == self.cursor and (self.has_focus or self._header)
        out: list[Span] = [("◆" if marked else "▌" if here else " ", "accent")]
        if cells is None:
            out.append((self.pending(index), "muted"))
            return tuple(out)
        texts: list[str] = []
        before = ""
        for at, room in self._spread.widths.items():
            text, role = cells[at]
            if role != before:
                if texts:  # neighbours of one role are one span: fewer to paint, fewer colour codes to send
                    out.append(("".join(texts), before))
                texts, before = [], role
            texts.append(_fitted(text, room, self.columns[at].right))
        out.append(("".join(texts), before))
        return tuple(out)


def _fitted(text: str, room: int, right: bool) -> str:
    """`text` in `room` cells and the gap after it; plain text, which most is, without looking at each character's width."""
    if len(text) <= room and text.isascii() and text.isprintable():
        return (text.rjust(room) if right else text.ljust(room)) + _GAP
    return fit(text, room, right=right) + _GAP
