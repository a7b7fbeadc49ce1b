"""What is going on: running work, deployments, alerts, next fires, the machine, the newest changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.css.query import NoMatches

from mlops_tui.core.errors import Unavailable
from mlops_tui.tui.charts.small import sparkline
from mlops_tui.tui.lines import Line, clean, fit, line
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.hardware import live_chart, meters
from mlops_tui.tui.screens.panels import Item, deployed, next_fires, open_alerts, recent, running
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar, Part
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column, VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading


def _columns(*, state: bool = True, words: int = 3, when: bool = True, traffic: bool = False) -> tuple[Column, ...]:
    out = [cells.status("", lambda one: one.state)] if state else []
    out.append(cells.text("", lambda one: one.title, width=60, grow=True))
    out.append(cells.text("", lambda one: one.words, width=24, rank=words, role="muted"))
    if traffic:
        out.append(Column("", lambda one, now: sparkline(one.rates, 10, low=0), width=10, rank=4))
    if when:
        out.append(cells.when("", lambda one: one.at, rank=2))
    return tuple(out)


class Panel(VirtualTable):
    """A list without header under a title; its note is shown instead of rows when there are none."""

    def __init__(self, section: Section) -> None:
        super().__init__(header=False, id=f"panel-{section.id}", classes="panel")
        self.border_title = section.title
        self.note: Callable[[int], Sequence[Line]] | None = None

    def render_line(self, y: int) -> object:  # type: ignore[override]
        if self.note is None:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        lines = self.note(width)
        return self.paint(lines[y] if y < len(lines) else (), width)


class OverviewDesk(Desk):
    """Five lists and the machine; tab goes from panel to panel, enter opens what the row is about."""

    ID = "overview"
    CSS_PATH = "overview.tcss"
    AUTO_FOCUS = "#panel-running"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("overview"), Binding("shift+tab", "section(-1)", show=False)]
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section("running", "Running now", running, _columns(), key=lambda one: f"{one.desk} {one.key}",
                empty=Empty("Nothing runs.", "mlops pipelines run NAME"), watches=frozenset({"catalog", "telemetry"})),
        Section("deployed", "Deployments", deployed, _columns(words=2, when=False, traffic=True), key=lambda one: str(one.key),
                empty=Empty("Nothing is deployed.", "mlops deployments create NAME MODEL@champion"),
                watches=frozenset({"catalog", "telemetry"})),
        Section("alerts", "Open alerts", open_alerts, _columns(), key=lambda one: str(one.key),
                empty=Empty("No open alerts.", "mlops monitors add DEPLOYMENT")),
        Section("fires", "Next fires", next_fires, _columns(), key=lambda one: str(one.key),
                empty=Empty("No schedules.", "mlops schedules add NAME PIPELINE --cron '0 3 * * *'")),
        Section("recent", "Newest changes", recent, _columns(state=False), key=lambda one: str(one.key),
                empty=Empty("A new workspace. See the whole loop on sample data:", "mlops demo")),
    )  # fmt: skip

    def compose(self) -> ComposeResult:
        by = {section.id: Panel(section) for section in self.SECTIONS}
        yield Bar(id="top")
        yield Bar(id="banner")
        yield Bar(id="parts")
        with VerticalScroll(id="panels", can_focus=False):
            yield by["running"]
            machine = LinesView(id="machine", classes="panel")
            machine.can_focus = False
            machine.border_title = "Machine"
            yield machine
            yield by["deployed"]
            yield by["fires"]
            yield by["alerts"]
            yield by["recent"]
        yield Bar(id="keys")
        yield LinesView(id="small")

    def begin(self) -> None:
        for section in self.SECTIONS:
            self.load(section)
        self.sampled(self.workbench_app.readings)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < 72, "-single")

    def panel(self, section: Section) -> Panel:
        """The panel of a section."""
        return self.query_one(f"#panel-{section.id}", Panel)

    def parts(self) -> list[Part]:
        name = line((" workspace ", "muted"), (clean(self.workbench_app.project), "title"), "   ")
        counts = {section.id: len(self.memory[section.id].records or ()) for section in self.SECTIONS}
        words = (
            (f"◐ {counts['running']} running   ", "busy" if counts["running"] else "muted"),
            (f"● {counts['deployed']} deployed   ", "good" if counts["deployed"] else "muted"),
            (f"▲ {counts['alerts']} alerts ", "warn" if counts["alerts"] else "muted"),
        )
        return [((*name, *words), "")]

    @property
    def table(self) -> VirtualTable:
        return self.panel(self.section)

    @property
    def wants_readings(self) -> bool:
        return True

    def sampled(self, readings: tuple[Reading, ...]) -> None:
        try:
            self.query_one("#machine", LinesView).show(lambda width, height: _machine(readings, width, height))
        except NoMatches:  # a reading came while the desk was being built
            return

    def reload_changed(self) -> None:
        """Every panel is on screen, so every panel that depends on a change is read again."""
        changed, self._changed = self._changed, set()
        for section in self.SECTIONS:
            if changed & section.watches:
                self.load(section)

    def on_screen(self, section: str) -> bool:
        return True

    def show_section(self) -> None:
        self.panel(self.section).focus()
        self.chrome()

    def show_rows(self) -> None:
        for section in self.SECTIONS:
            self._show_panel(section)
        self.chrome()

    def _show_panel(self, section: Section) -> None:
        memory, panel = self.memory[section.id], self.panel(section)
        failure, empty = memory.failure, section.empty
        if failure is not None:
            panel.note = lambda width: states.failed(failure, width)[1:]
        elif not memory.loaded:
            panel.note = lambda width: [line((" …", "muted"))]
        elif not memory.records and empty is not None:
            panel.note = lambda width: _brief(empty, width)
        else:
            panel.note = None
        rows = memory.visible(section, self.now)
        keys = [section.key(record) for record in rows.records]
        cursor = keys.index(memory.selected) if memory.selected in keys else panel.cursor
        panel.show(section.columns, rows, cursor=cursor)
        count = len(memory.records or ())
        panel.border_title = f"{section.title} {count}" if count else section.title

    def action_section(self, step: int) -> None:
        order = [self.by_id(name) for name in ("running", "deployed", "fires", "alerts", "recent")]
        self.section = order[(order.index(self.section) + step) % len(order)]
        self.show_section()

    def action_pane(self) -> None:
        self.action_section(1)

    def action_filter(self) -> None:
        """The panels are short: the desks behind them filter."""
        self.notify("Open the desk of the list and filter there.", timeout=3, markup=False)

    def action_back(self) -> None:
        """There is nothing above the overview."""

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, Panel):
            self.section = self.by_id((event.widget.id or "").removeprefix("panel-"))
            self.chrome()

    @on(VirtualTable.Moved)
    def _moved_in(self, message: VirtualTable.Moved) -> None:
        if self.record is not None:
            self.here.selected = self.section.key(self.record)

    @on(VirtualTable.Opened)
    async def _open_item(self, message: VirtualTable.Opened) -> None:
        await self._go_to(self.record)

    async def _go_to(self, item: Item | None) -> None:
        if item is not None:
            await self.workbench_app.open_at(item.desk, item.section, item.key)

    async def act_daemon(self) -> None:
        """Start the daemon as its own process; it outlives us."""
        self.perform("start the daemon", _start_daemon)


def _brief(empty: Empty, width: int) -> list[Line]:
    return [line((f" {empty.sentence}", "muted")), line((f" {fit(empty.command, width - 2)}", "accent"))]


def _machine(readings: tuple[Reading, ...], width: int, height: int) -> list[Line]:
    if not readings:
        return [line((" reading …", "muted"))]
    now = readings[-1]
    gpus = f"{len(now.gpus)}" if now.gpus else str(now.driver)
    out = [*meters(now, width), line(f" {fit('GPU', 8)}", (gpus, "muted"))]
    if height - len(out) >= 5:
        return [*out, *(line(" ", *one) for one in live_chart(readings, width - 2, height - len(out)))]
    spark = sparkline([one.cpu for one in readings], max(4, min(60, width - 12)), low=0, high=100)
    return [*out[:-1], line(f" {fit('CPU', 8)}", spark), out[-1]]


def _start_daemon(bench: Workbench) -> str:
    command = [sys.executable, "-m", "mlops_tui", "--workspace", str(bench.workspace.root), "daemon", "start"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Unavailable(done.stderr.strip() or "The daemon did not start.", hint="See: mlops daemon logs")
    return "The daemon runs."
