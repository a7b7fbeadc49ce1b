"""What is going on: running work, deployments, alerts, next fires, the machine, the newest changes."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.css.query import NoMatches

from mlops_tui.core import clock
from mlops_tui.core.errors import Unavailable
from mlops_tui.tui.charts.small import sparkline
from mlops_tui.tui.lines import Line, clean, fit, line
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.hardware import live_chart, meters
from mlops_tui.tui.screens.panels import CHANGES, Item, deployed, next_fires, open_alerts, recent, running, storage
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar, Part
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column, VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.hardware.records import Reading


STORAGE_S = 60
"""How often the sizes on disk are added up while the overview is open."""
WIDEST = 140


def _columns(*, state: bool = True, words: int = 3, when: bool = True, traffic: bool = False) -> tuple[Column, ...]:
    out = [cells.status("", lambda one: one.state)] if state else []
    out.append(cells.text("", lambda one: one.title, width=60, grow=True))
    out.append(cells.text("", lambda one: one.words, width=24, rank=words, role="muted"))
    if traffic:
        out.append(Column("", lambda one, now: sparkline(one.rates, 10, low=0), width=10, rank=4))
    if when:
        out.append(cells.when("", lambda one: one.at, rank=2))
    return tuple(out)


_FIRES = (
    cells.text("", lambda one: one.title, width=60, grow=True),
    Column("", lambda one, now: (clock.ago(one.at, now) if one.at else one.words, "muted"), width=16),
    cells.text("", lambda one: one.words if one.at else "", width=16, rank=3, role="muted"),
    cells.status("", lambda one: one.state, rank=2),
)
_CHANGES = (
    Column("", lambda one, now: (one.state, "accent"), width=5),
    cells.text("", lambda one: one.title, width=60, grow=True),
    cells.text("", lambda one: one.words, width=24, rank=3, role="muted"),
    cells.when("", lambda one: one.at, rank=2),
)


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
        Section("alerts", "Drift and alerts", open_alerts, _columns(), key=lambda one: f"{one.section} {one.key}",
                empty=Empty("No open alerts, no monitors.", "mlops monitors add DEPLOYMENT"),
                watches=frozenset({"catalog", "telemetry"})),
        Section("fires", "Next fires", next_fires, _FIRES, key=lambda one: str(one.key),
                empty=Empty("No schedules.", "mlops schedules add NAME PIPELINE --cron '0 3 * * *'")),
        Section("storage", "Storage", storage, _columns(state=False, words=1, when=False), key=lambda one: str(one.title),
                watches=frozenset()),
        Section("recent", "Newest changes", recent, _CHANGES, key=lambda one: f"{one.title} {one.at}",
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
            machine.border_title = "Machine"
            yield machine
            yield by["deployed"]
            yield by["alerts"]
            yield by["fires"]
            yield by["storage"]
            yield by["recent"]
        yield Bar(id="keys")
        yield LinesView(id="small")

    def begin(self) -> None:
        for section in self.SECTIONS:
            self.load(section)
        self.sampled(self.workbench_app.readings)
        self.set_interval(STORAGE_S, lambda: self.load(self.by_id("storage")))

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < 72, "-single")
        self.set_class(event.size.width >= WIDEST, "-triple")

    def panel(self, section: Section) -> Panel:
        """The panel of a section."""
        return self.query_one(f"#panel-{section.id}", Panel)

    def parts(self) -> list[Part]:
        name = line((" workspace ", "muted"), (clean(self.workbench_app.project), "title"), "   ")
        counts = {section.id: len(self.memory[section.id].records or ()) for section in self.SECTIONS}
        counts["alerts"] = sum(1 for one in self.memory["alerts"].records or () if one.section == "alerts")
        words = (
            (f"◐ {counts['running']} running   ", "busy" if counts["running"] else "muted"),
            (f"● {counts['deployed']} deployed   ", "good" if counts["deployed"] else "muted"),
            (
                f"▲ {counts['alerts']} alert{'' if counts['alerts'] == 1 else 's'} ",
                "warn" if counts["alerts"] else "muted",
            ),
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
        cursor = rows.find(memory.selected)
        panel.show(section.columns, rows, cursor=panel.cursor if cursor is None else cursor)
        panel.border_title = self._title(section)

    def _title(self, section: Section) -> str:
        found = self.memory[section.id].records or ()
        if section.id == "recent" and (seen := self.workbench_app.last_visit) is not None:
            new = sum(1 for one in found if one.state)
            many = f"{new}+" if new >= CHANGES else str(new)
            return f"Since you last looked, {clock.ago(seen, self.now)}: {many if new else 'nothing'} new"
        if section.id == "storage" or not found:
            return section.title
        return f"{section.title} {len(found)}"

    def arrived(self, section: str, records: Any) -> Any:
        seen = self.workbench_app.last_visit
        if section != "recent" or seen is None:
            return records
        return [dataclasses.replace(one, state="● new") if (one.at or 0) > seen else one for one in records]

    def action_section(self, step: int) -> None:
        at = self.SECTIONS.index(self.section) + step
        self.section = self.SECTIONS[at % len(self.SECTIONS)]
        self.show_section()

    @property
    def maximised(self) -> bool:
        return self.has_class("-max")

    def action_maximise(self) -> None:
        """Give the window to the panel in focus; again: all panels."""
        focused = self.focused
        self.toggle_class("-max")
        for panel in self.query(".panel"):
            panel.set_class(panel is focused, "-max")

    def action_pane(self) -> None:
        self.action_section(1)

    def action_filter(self) -> None:
        """The panels are short: the desks behind them filter."""
        self.notify("Open the desk of the list and filter there.", timeout=3, markup=False)

    async def action_back(self) -> None:
        """A maximised panel becomes one of many again; else back to where the user came from."""
        if self.maximised:
            self.action_maximise()
        else:
            await self.workbench_app.action_go_back(quiet=True)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if isinstance(event.widget, Panel):
            self.section = self.by_id((event.widget.id or "").removeprefix("panel-"))
            self.chrome()

    @on(VirtualTable.Moved)
    def _moved_in(self, message: VirtualTable.Moved) -> None:
        self.chrome()
        if self.record is not None:
            self.here.selected = self.section.key(self.record)

    @on(VirtualTable.Opened)
    async def _open_item(self, message: VirtualTable.Opened) -> None:
        await self._go_to(self.record)

    async def _go_to(self, item: Item | None) -> None:
        if item is not None:
            await self.workbench_app.open_at(item.desk, item.section, item.key)

    @on(events.Key)
    async def _open_machine(self, event: events.Key) -> None:
        if event.key == "enter" and getattr(self.focused, "id", "") == "machine":
            await self.workbench_app.open_at("system", "hardware")

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
    return [out[0], line(f" {fit('', 8)}", spark), *out[1:]]


def _start_daemon(bench: Workbench) -> str:
    command = [sys.executable, "-m", "mlops_tui", "--workspace", str(bench.workspace.root), "daemon", "start"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Unavailable(done.stderr.strip() or "The daemon did not start.", hint="See: mlops daemon logs")
    return "The daemon runs."
