"""The page of a run: what it was given, how it went, what it left behind and what it belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import on

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block
from mlops_tui.tui.lines import Line, clean, line, number, size, state
from mlops_tui.tui.screens import cells, run_acts, run_curves, run_facts, run_files, run_origin
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

NUMBERS = frozenset({"catalog", "metrics"})
DRAWS: dict[str, Callable[..., Sequence[Line]]] = {
    "summary": run_facts.draw_summary,
    "console": run_facts.draw_console,
    "system": run_curves.draw_system,
    "notes": run_facts.draw_notes,
}


class RunDesk(Page):
    """One run. `[` and `]` go through its parts; actions are about the run whatever is selected."""

    ID = "run"
    HOME = "experiments"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("run")
    SHORT: ClassVar[dict[str, str]] = {"summary": "Sum", "environment": "Env", "parameters": "Params", "system": "Sys"}
    LOADS: ClassVar[dict[str, Any]] = {
        "summary": run_facts.summary,
        "curves": run_curves.rows,
        "parameters": run_facts.parameters,
        "environment": run_origin.environment,
        "artifacts": run_files.entries,
        "console": run_facts.console,
        "system": run_curves.system,
        "notes": run_facts.notes,
        "lineage": run_origin.lineage,
    }
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section("summary", "Summary", watches=NUMBERS, draw=run_facts.draw_summary),
        Section(
            "curves",
            "Curves",
            columns=(
                cells.text("Metric", lambda one: one.name, width=40, grow=True),
                Column("Last", lambda one, now: number(one.latest.value), lambda one: one.latest.value, 12, True),
                Column("Least", lambda one, now: number(one.latest.min), lambda one: one.latest.min, 12, True, 3),
                Column("Most", lambda one, now: number(one.latest.max), lambda one: one.latest.max, 12, True, 3),
                cells.count("Points", lambda one: one.latest.count, rank=4),
                cells.count("Step", lambda one: one.latest.step, rank=5),
            ),
            key=lambda one: str(one.name),
            empty=Empty("No metrics yet. A script logs them with `mlops.log_metric(name, value)`.", "mlops runs list"),
            detail=run_curves.detail,
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
        Section(
            "parameters",
            "Parameters",
            columns=(
                cells.text("Parameter", lambda one: one.name, width=48),
                Column("Value", lambda one, now: clean(one.value), width=80, grow=True, whole=lambda one: one.value),
            ),
            key=lambda one: str(one.name),
            empty=Empty("No parameters. A script logs them with `mlops.log_param(name, value)`.", "mlops runs list"),
            detail=run_facts.parameter,
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
        Section(
            "environment",
            "Environment",
            columns=(
                cells.text("What", lambda one: one.name, width=30),
                cells.text("Kind", lambda one: one.group, width=9, role="muted", rank=3),
                Column("Value", lambda one, now: clean(one.value), width=80, grow=True, whole=lambda one: one.value),
            ),
            key=lambda one: f"{one.group} {one.name}",
            empty=Empty("Nothing is known of where this run ran.", "mlops runs list"),
            detail=run_origin.fact,
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
        Section(
            "artifacts",
            "Files",
            columns=(
                Column("File", lambda one, now: one.shown, lambda one: one.path, 80, grow=True, whole=lambda one: one.path),
                Column("Size", lambda one, now: (size(one.size), "muted"), lambda one: one.size, 10, True, kind="size"),
                cells.when("Kept", lambda one: one.at, rank=4),
            ),
            key=lambda one: str(one.path),
            empty=Empty("No files. A script keeps one with `mlops.log_artifact(path)`.", "mlops runs list"),
            detail=run_files.preview,
            watches=NUMBERS,
            names=lambda one: {"name": one.path},
        ),
        Section(
            "console",
            "Log",
            watches=NUMBERS,
            draw=run_facts.draw_console,
        ),
        Section("system", "System", watches=NUMBERS, draw=run_curves.draw_system),
        Section("notes", "Notes", watches=NUMBERS, draw=run_facts.draw_notes),
        Section(
            "lineage",
            "Lineage",
            columns=(
                cells.text("Kind", lambda one: one.kind, width=16),
                cells.text("Name", lambda one: one.name, width=44, grow=True),
                Column("", lambda one, now: one.words, width=44, rank=2),
                cells.when("When", lambda one: one.at, rank=3),
            ),
            key=lambda one: f"{one.kind} {one.key}",
            empty=Empty("This run has no parent, no children, no snapshots and no model versions.", "mlops runs list"),
            watches=NUMBERS,
            names=lambda one: {"name": one.name},
        ),
    )  # fmt: skip

    def __init__(self, of: str) -> None:
        super().__init__(of)
        self.by_epoch = False
        self.closed: set[str] = set()

    def _bound(self, section: Section) -> Section:
        bound = super()._bound(section)
        return dataclasses.replace(bound, detail=self._curves) if section.id == "curves" else bound

    def _curves(self, bench: Workbench, row: run_curves.Row) -> Sequence[Block]:
        """The selected metric with its like, or the marked ones (in a worker)."""
        return run_curves.detail(bench, row, self.memory["curves"].marks.keys, by_epoch=self.by_epoch)

    @on(VirtualTable.Marked)
    def _overlay(self) -> None:
        if self.section.id == "curves":
            self.here.detail_of = ""
            self._load_detail()

    # -- what is on screen --------------------------------------------------------------------------------------------

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> run_facts.Subject:
        return run_facts.subject(bench, of)

    def head(self, width: int) -> Line:
        found = self.subject
        if found is None:
            return line((f" Run {self.of[:8]}", "title"))
        run = found.run
        took = clock.duration((run.ended_at or self.now) - run.started_at)
        flags = tuple((f"  ▲ {word}", "warn") for word in run.marks)
        more = ((f"  {clean(run.experiment)}", "muted"),) if width >= 72 else ()
        return line((f" {clean(found.title)}", "title"), (f"  {run.id[:8]}", "muted"), *more, "  ", state(run.state),
                    (f" {took}", "muted"), *flags)  # fmt: skip

    @property
    def acted_on(self) -> Any:
        return self.subject.run if self.subject is not None else None

    def names(self) -> dict[str, object]:
        name = self.subject.run.name if self.subject is not None else ""
        return {"id": self.of[:8], "name": name}

    def show_section(self) -> None:
        self.set_class(self.section.id == "curves", "-curves")
        self.set_class(self.section.id == "artifacts", "-files")
        super().show_section()

    def _note(self) -> Any:
        """Pictures with charts can be looked into."""
        memory, draw = self.here, DRAWS.get(self.section.id)
        if draw is not None and memory.loaded and memory.records is not None:
            return run_facts.picture(draw, memory.records)
        return super()._note()

    def arrived(self, section: str, records: Any) -> Any:
        if section == "artifacts":
            return run_files.visible(records, self.closed)
        return records

    async def _on_opened(self, record: Any) -> bool:
        """Enter on a row that is not only looked at: a folder opens and closes, a file fills the window, an object opens."""
        if self.section.id == "lineage":
            await self.workbench_app.open_at(*record.place)
        elif self.section.id == "artifacts" and record.folder:
            self.closed ^= {record.path}
            self.load(self.section)
        elif self.section.id == "artifacts" and record.table:
            from mlops_tui.tui.screens.run_table import TableView

            self.app.push_screen(TableView(self.workbench_app.source, self.of, record.path))
        else:
            return False
        return True

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        message.prevent_default()  # of the desk's own handler, which is called for what is only looked at
        record = self.record
        if record is not None and await self._on_opened(record):
            return
        self._opened()

    def action_copy(self) -> None:
        """Of a row what can be copied of it; where there are no rows, of the run."""
        if self.record is not None:
            super().action_copy()
        elif self.subject is not None:
            from mlops_tui.tui.widgets.copying import CopyMenu, Offer, as_json

            run = self.subject.run
            found = [Offer("i", "id", run.id), Offer("n", "name", run.name), Offer("p", "place", f"run/{run.id}"),
                     Offer("c", "command line", f"mlops runs show {run.id[:8]}"), Offer("o", "run as JSON", as_json(run))]  # fmt: skip
            self.app.push_screen(
                CopyMenu(found), lambda one: self.workbench_app.copy(one.text) if one and one.text else None
            )

    # -- actions ------------------------------------------------------------------------------------------------------

    async def act_rename(self) -> None:
        """Ask for another name."""
        run_acts.rename(self, self.subject.run)

    async def act_tag(self) -> None:
        """Ask for a tag and its value."""
        run_acts.tag(self, [self.subject.run])

    async def act_note(self) -> None:
        """Write the note in the editor of the user."""
        run_acts.note(self, self.subject.run)

    async def act_delete(self) -> None:
        """Ask, hide the run, go back to the list."""
        run_acts.delete(self, [self.subject.run], then=self._left)

    def _left(self) -> None:
        if self.app.screen is self:
            self.app.pop_screen()

    async def act_stop(self) -> None:
        """Ask, then end its process."""
        run_acts.stop(self, self.subject.run)

    async def act_register(self) -> None:
        """Ask under which name, then make a version of the run's model."""
        run_acts.register(self, self.subject.run)

    async def act_save(self) -> None:
        """Copy the selected file, or all of the folder, out of the store."""
        row = self.record
        if self.section.id != "artifacts" or row is None:
            self.notify("Select a file in the part Files first.", title="Save", severity="warning", markup=False)
            return
        run_acts.save(self, self.subject.run, row)

    async def act_epochs(self) -> None:
        """Epochs along x, where the run logs them; again steps."""
        self.by_epoch = not self.by_epoch
        if self.by_epoch and not any(one.name == "epoch" for one in self.memory["curves"].records or ()):
            self.by_epoch = False
            self.notify("This run logs no metric 'epoch' to put along x.", timeout=3, markup=False)
        self.here.detail_of = ""
        self._load_detail()
