"""The frame of a desk: its parts and how they are put on screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input

from mlops_tui.tui.actions import Situation
from mlops_tui.tui.blocks import Block
from mlops_tui.tui.lines import Line
from mlops_tui.tui.screens import chrome
from mlops_tui.tui.screens.loading import Loading
from mlops_tui.tui.screens.section import Memory, Section
from mlops_tui.tui.state import Failure, spare_collector
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar, Part
from mlops_tui.tui.widgets.chart import ChartView, of_blocks
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.table import VirtualTable, fit_columns

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading

DETAIL_DELAY_S = 0.05
WIDE = chrome.WIDE
SETTLED_S = 1.0
"""By then a desk that was opened has its widgets and its first rows."""


class Frame(Loading):
    """A desk without keys: shows list and detail of its sections, and keeps what each section remembers."""

    ID: ClassVar[str] = ""
    HOME: ClassVar[str] = ""
    """The desk that a page of one object belongs to; "" for a desk."""
    SECTIONS: ClassVar[tuple[Section, ...]] = ()
    AUTO_FOCUS = "#table"

    class Detailed(Message):
        """A worker has the detail of a record, or why not."""

        def __init__(self, section: str, key: str, blocks: Sequence[Block] | Failure) -> None:
            super().__init__()
            self.section, self.key, self.blocks = section, key, blocks

    def __init__(self) -> None:
        super().__init__()
        self._detail_timer: Timer | None = None
        self.progress: dict[str, str] = {}
        self.doing = ""

    @property
    def here(self) -> Memory:
        """What is remembered of the section on screen."""
        return self.memory[self.section.id]

    @property
    def table(self) -> VirtualTable:
        """The list the user works in."""
        return self.query_one("#table", VirtualTable)

    def parts(self) -> list[Part]:
        """The second line: the parts of this desk."""
        return chrome.parts(self)

    @property
    def visible_count(self) -> int:
        """Rows after the filter."""
        return self.table.rows.count if self.table.display else 0

    @property
    def wants_readings(self) -> bool:
        """Whether the machine's figures are on screen."""
        return False

    def sampled(self, readings: tuple[Reading, ...]) -> None:
        """New readings of the machine (oldest first)."""

    # -- building -----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield Bar(id="top")
        yield Bar(id="banner")
        yield Bar(id="parts")
        with Horizontal(id="body"):
            with Vertical(id="list"):
                yield Bar(id="fault")
                yield VirtualTable(id="table")
                yield ChartView(id="note")
            yield ChartView(id="detail")
        yield Input(id="filter", placeholder="words, -word, field:word, a | b, started>2d; tab completes", compact=True)
        yield Bar(id="wrong")
        yield Bar(id="keys")
        yield LinesView(id="small")

    def on_mount(self) -> None:
        self.begin()
        self.set_interval(10, self._tick)
        if self.workbench_app.spares_collector:
            self.set_timer(SETTLED_S, spare_collector)

    def begin(self) -> None:
        """Once, when the widgets are there: read what is shown first."""
        for name in ("#filter", "#wrong", "#note", "#fault"):
            self.query_one(name).display = False
        for section in self.SECTIONS:
            self.memory[section.id].restore(self.workbench_app.source.views.get(f"{self.ID}.{section.id}"), section)
        self.show_section()
        self.load(self.section)

    def on_screen_resume(self) -> None:
        self.chrome()
        self.reload_changed()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.width < 40 or event.size.height < 10, "-tiny")
        self.query_one("#small", LinesView).show(chrome.too_small)
        self.call_after_refresh(self.chrome)

    def _tick(self) -> None:
        """Ages on screen grow even when nothing changes."""
        if self.is_current:
            self.show_rows()

    # -- data ---------------------------------------------------------------------------------------------------------

    def note_changed(self, changed: frozenset[str]) -> None:
        """Something was written while another screen is in front: it is read when this one is on screen again."""
        self._changed |= changed

    def workspace_changed(self, changed: frozenset[str]) -> None:
        """Something was written: read again what is on screen and depends on it."""
        self.note_changed(changed)
        self.chrome()
        self.reload_changed()

    def reload_changed(self) -> None:
        """Read again what is on screen, if what it depends on was written."""
        if self._changed & self.section.watches:
            self.load(self.section)

    def first_row(self, section: Section) -> int:
        """The first row on screen of a section."""
        return self.table.scroll_offset.y if section is self.section else 0

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_section(self) -> None:
        """Put the current section on screen from what is remembered."""
        self.set_class(self.section.draw is not None, "-picture")
        self.set_class(self.section.detail is None, "-plain")
        self.remove_class("-open")
        self.show_rows()
        self.query_one("#note" if self.query_one("#note").display else "#table").focus()

    def show_rows(self) -> None:
        """Draw the list (or its empty, loading or error state) and everything around it."""
        memory, section = self.here, self.section
        if section.paged is not None and memory.loaded and memory.ask(section) != memory.asked:
            self.load(section)
        table, note = self.query_one("#table", VirtualTable), self.query_one("#note", LinesView)
        text = self._note()
        table.display, note.display = text is None, text is not None
        if text is not None:
            note.show(text)
            self._show_detail(())
        else:
            self._show_table(table)
        fault = self.query_one("#fault", Bar)
        old = memory.failure is not None and memory.records is not None
        fault.display = old
        table.set_class(old, "-stale")
        if old and memory.failure is not None:
            fault.show([(states.stale(memory.failure, memory.read_at, self.now), "")])
        if not self.query_one("#filter").display and not memory.came_from:
            self.workbench_app.source.views.put(f"{self.ID}.{section.id}", memory.view(section))
        if self.focused is None or not self.focused.display:
            (note if text is not None else table).focus()
        self.chrome()

    def _show_table(self, table: VirtualTable) -> None:
        """The rows with the cursor on the object it was on, wherever that is now."""
        memory, section = self.here, self.section
        rows = memory.visible(section, self.now)
        cursor = rows.find(memory.wanted) if memory.wanted else None
        if cursor is not None:
            memory.selected, memory.wanted = memory.wanted, ""
        else:
            cursor = rows.find(memory.selected)
        if cursor is None:
            if memory.selected and section.paged is None and self.has_class("-open"):
                self._gone()
            cursor = 0 if memory.home else table.cursor
        memory.home = False
        if table.marks is not memory.marks:
            table.marks, table.column = memory.marks, memory.column
        table.sorted_by, table.reverse = memory.sort, memory.reverse
        table.show(rows.columns, rows, cursor=cursor, arrangement=memory.arrangement)
        self._moved()

    def _gone(self) -> None:
        """What was open over the whole window is no longer there: back to the list, so that no act is about another one."""
        self.remove_class("-open")
        self.table.focus()
        self.notify("What was open is gone; this is the list it was in.", severity="warning", markup=False)

    def _note(self) -> Callable[[int, int], Sequence[Line]] | None:
        """What to draw instead of rows, None when there are rows."""
        memory, section = self.here, self.section
        failure, draw, empty = memory.failure, section.draw, section.empty
        if failure is not None and memory.records is None:
            return lambda width, height: states.failed(failure, width)
        if not memory.loaded:
            return self._skeleton
        if draw is not None:
            return lambda width, height: draw(memory.records, width, height)
        if not memory.records and empty is not None and not (section.paged and memory.filter):
            return lambda width, height: empty.draw(width)
        if memory.filter and not memory.visible(section, self.now).count:
            return lambda width, height: states.nothing_matches(memory.typed.good, width)
        return None

    def _skeleton(self, width: int, height: int) -> Sequence[Line]:
        columns = self.section.columns
        wanted = [column.width or len(column.title) + 6 for column in columns]
        widths = tuple(fit_columns(columns, wanted, width - 4).values()) if columns else ()
        return states.loading(width, columns=widths, elapsed=self.waited(self.section.id))

    def chrome(self) -> None:
        """Top bar, banner, parts and keys."""
        if not self.is_mounted:
            return
        chrome.draw(self)

    @property
    def record(self) -> Any:
        """The selected record, None without one."""
        table = self.table
        return table.rows.record(table.cursor) if table.display else None

    @property
    def situation(self) -> Situation:
        """What the rules of actions look at."""
        return chrome.situation(self)

    @property
    def chart(self) -> ChartView | None:
        """The pane on screen that holds charts: the one in focus, else the first."""
        found = [one for one in self.query(ChartView) if one.plots and one.display]
        return next((one for one in found if one is self.focused), found[0] if found else None)

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        self.chrome()  # which keys are valid depends on the pane

    @on(VirtualTable.Moved, "#table")
    def _moved_by_user(self) -> None:
        self.here.wanted = ""
        self._moved()

    @on(VirtualTable.Arrived, "#table")
    def _rows_arrived(self) -> None:
        record = self.record
        if record is not None and self.section.key(record) != self.here.selected:
            self._moved()
        self.chrome()

    @on(VirtualTable.Failed, "#table")
    def _rows_failed(self, message: VirtualTable.Failed) -> None:
        self.here.failure = message.failure
        self.show_rows()

    def _moved(self) -> None:
        record = self.record
        if record is None:
            return
        self.here.selected = self.section.key(record)
        self.chrome()
        if self.here.detail_of == self.here.selected:
            self._show_detail(self.here.detail)
            return
        if self._detail_timer is not None:
            self._detail_timer.stop()
        self._detail_timer = self.set_timer(DETAIL_DELAY_S, self._load_detail)

    def _load_detail(self) -> None:
        section, record = self.section, self.record
        detail = section.detail
        if record is None or detail is None:
            return
        source, key = self.workbench_app.source, section.key(record)
        self.run_worker(
            lambda: self.post_message(
                self.Detailed(section.id, key, source.attempt(lambda bench: detail(bench, record)))
            ),
            thread=True,
            exclusive=True,
            group="detail",
            exit_on_error=False,
        )

    @on(Detailed)
    def _detailed(self, message: Detailed) -> None:
        memory = self.memory[message.section]
        if message.section != self.section.id or message.key != memory.selected:
            return
        memory.detail_of, memory.detail = message.key, message.blocks
        self._show_detail(message.blocks)

    def _show_detail(self, blocks: Sequence[Block] | Failure) -> None:
        view = self.query_one("#detail", ChartView)
        if isinstance(blocks, Failure):
            view.show(lambda width, height: states.failed(blocks, width))
        else:
            view.show(of_blocks(blocks), of=self.here.selected)
