"""Experiments and their runs: the table of all runs, what an experiment holds, and the pages of runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.message import Message

from mlops_tui.tui.actions import Situation
from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.lines import Span, number, size, state
from mlops_tui.tui.screens import cells, experiment_acts, run_acts, run_facts, runs
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import TakesIn
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.columns import Arrangement
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Experiment, LatestMetric, Run

RUN, COMPARE, EXPERIMENT = "run", "compare", "experiment"
"""Places of pages; they are no parts of the desk but in front of it."""
MOST_MARKED = 2000


def experiment_detail(bench: Workbench, one: Experiment) -> Sequence[Block]:
    """An experiment and its newest runs with their metrics."""
    now = bench.context.now()
    head = Fields(
        (
            ("Runs", f"{one.runs:,}, {one.running} running"),
            ("Last run", cells.moment(one.last_started_at, now)),
            ("Made", cells.moment(one.created_at, now)),
            ("Keeps", _kept(bench, one.name)),
            ("About", one.description),
        ),
        title=one.name,
    )
    newest = bench.experiments.runs(one.name, limit=8)
    found = {run.id: bench.experiments.metrics(run.id) for run in newest}
    names = list(dict.fromkeys(name for metrics in found.values() for name in metrics))[:4]
    rows = tuple((run.name or run.id[:8], state(run.state), *_values(found[run.id], names)) for run in newest)
    return (head, Grid(("Run", "State", *names), rows, title="Newest runs (o lists all)"))


def _kept(bench: Workbench, name: str) -> str:
    """What its runs keep, and how much of its quota that is."""
    found = bench.experiments.size(name)
    used = bench.experiments.quota_used(found)
    return f"{found.points:,} points, {size(found.bytes)} of files" + (
        "" if used is None else f", {used:.0%} of its quota"
    )


def _values(metrics: Mapping[str, LatestMetric], names: Sequence[str]) -> list[Span | str]:
    return [number(metrics[name].value) if name in metrics else "-" for name in names]


class ExperimentsDesk(TakesIn):
    """Experiments and runs."""

    ID = "experiments"
    CSS_PATH = "experiments.tcss"
    BINDINGS = bindings("experiments")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "runs",
            "Runs",
            columns=(*runs.FIRST, *runs.LAST),
            paged=runs.PAGED,
            fields=lambda bench: bench.experiments.fields,
            key=lambda one: str(one.id),
            empty=Empty(
                "No runs yet. A training script logs one with `with mlops.start_run(experiment=...)`; a pipeline does it itself.",
                "mlops pipelines run NAME",
            ),
            detail=lambda bench, row: run_facts.beside(bench, row.id),
            watches=frozenset({"catalog", "metrics"}),
            names=lambda one: {"id": one.id[:8], "experiment": one.experiment},
        ),
        Section(
            "experiments",
            "Experiments",
            lambda bench: bench.experiments.list(),
            columns=(
                cells.text("Experiment", lambda one: one.name, width=40, grow=True),
                cells.count("Runs", lambda one: one.runs),
                cells.count("Running", lambda one: one.running or None),
                cells.when("Last run", lambda one: one.last_started_at),
            ),
            key=lambda one: str(one.name),
            empty=Empty("No experiments yet. The first run of a name makes one.", "mlops demo"),
            detail=experiment_detail,
            inside=Inside("runs", lambda one: f"experiment={one.name}", "runs"),
            watches=frozenset({"catalog", "metrics"}),
            names=lambda one: {"name": one.name, "experiment": one.name},
        ),
    )

    class Keyed(Message):
        """A worker knows what could be a column."""

        def __init__(self, keys: runs.Keys | Failure) -> None:
            super().__init__()
            self.keys = keys

    class Gathered(Message):
        """A worker has the marked runs, for an act on all of them."""

        def __init__(self, verb: str, found: list[Run] | Failure) -> None:
            super().__init__()
            self.verb, self.found = verb, found

    # -- going places -------------------------------------------------------------------------------------------------

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """A part of this desk; the place `run` is the page of a run in front of the list."""
        if section == EXPERIMENT and key:
            self.open_experiment(key)
            return
        if section == COMPARE and key:
            self.open_comparison(key.split(","))
            return
        if section != RUN:
            super().go(section, key, filter)
            return
        if self.here.selected != key and self.section.id == "runs":
            self.here.selected = key
        self.open_run(key)

    def open_run(self, run_id: str) -> None:
        """Put the page of a run in front."""
        from mlops_tui.tui.screens.run import RunDesk

        self.app.push_screen(RunDesk(run_id))

    def open_experiment(self, name: str) -> None:
        """Put the page of an experiment in front."""
        from mlops_tui.tui.screens.experiment import ExperimentDesk

        self.app.push_screen(ExperimentDesk(name))

    def open_comparison(self, ids: Sequence[str]) -> None:
        """Put runs side by side."""
        from mlops_tui.tui.screens.compare import CompareDesk

        self.app.push_screen(CompareDesk(ids))

    @on(VirtualTable.Opened, "#table")
    def _row_opened(self, message: VirtualTable.Opened) -> None:
        if self.section.id == "runs" and self.record is not None:
            message.prevent_default()  # of the desk's own handler, which shows the detail
            self.workbench_app.leave()
            self.open_run(self.record.id)

    # -- columns ------------------------------------------------------------------------------------------------------

    def action_columns(self) -> None:
        """Choose among everything the runs logged; other parts have their columns only."""
        if self.section.id != "runs" or not self.table.display:
            super().action_columns()
            return
        source, query = self.workbench_app.source, self.here.ask(self.section).filter
        self.run_worker(
            lambda: self.post_message(self.Keyed(source.attempt(lambda bench: runs.known(bench, query)))),
            thread=True,
            exclusive=True,
            group="keys",
            exit_on_error=False,
        )

    @on(Keyed)
    def _keyed(self, message: Keyed) -> None:
        from mlops_tui.tui.widgets.chooser import Chooser

        if isinstance(message.keys, Failure):
            self.notify(message.keys.message, severity="warning", markup=False)
            return
        every, now = runs.candidates(message.keys, self.table.columns, self.table.arrangement)

        def done(found: Arrangement | None) -> None:
            if found is not None:
                self.table.rearrange(runs.chosen(every, found))

        self.app.push_screen(Chooser(every, now), done)

    # -- acts ---------------------------------------------------------------------------------------------------------

    @property
    def situation(self) -> Situation:
        """Acts are on the run of the row."""
        found = super().situation
        return dataclasses.replace(found, record=found.record.run) if isinstance(found.record, runs.Row) else found

    async def act_compare(self) -> None:
        """The marked runs side by side; with one mark, that and the selected one."""
        from mlops_tui.tui.screens.compare import MOST

        chosen = list(dict.fromkeys([*self.here.marks.keys, *([self.record.id] if len(self.here.marks) < 2 else [])]))
        if not 2 <= len(chosen) <= MOST:
            self.notify(f"Mark two to {MOST} runs with space, then press c.", title="Compare", markup=False)
            return
        self.workbench_app.leave()
        self.open_comparison(chosen)

    async def act_insight(self) -> None:
        """The page of the experiment of the row."""
        self.workbench_app.leave()
        self.open_experiment(self.record.experiment if self.section.id == "runs" else self.record.name)

    async def act_rename(self) -> None:
        """Ask for another name."""
        run_acts.rename(self, self.record.run)

    async def act_note(self) -> None:
        """Write the note in the editor of the user."""
        run_acts.note(self, self.record.run)

    async def act_stop(self) -> None:
        """Ask, then end its process."""
        run_acts.stop(self, self.record.run)

    async def act_register(self) -> None:
        """Ask under which name, then make a version of the run's model."""
        run_acts.register(self, self.record.run)

    async def act_tag(self) -> None:
        """Ask for a tag for all marked runs, else the selected one."""
        self._gather("tag")

    async def act_hide(self) -> None:
        """Ask, then hide the experiment with all its runs."""
        experiment_acts.delete(self, self.record)

    async def act_retitle(self) -> None:
        """Ask for another name of the experiment."""
        experiment_acts.rename(self, self.record)

    async def act_describe(self) -> None:
        """Write the note of the experiment in the editor of the user."""
        experiment_acts.note(self, self.record)

    async def act_delete(self) -> None:
        """Ask, then hide all marked runs, else the selected one."""
        self._gather("delete")

    def _gather(self, verb: str) -> None:
        """Read the marked runs, which need not be on screen, then act."""
        ids = self.here.marks.keys
        if not ids:
            self._act_on(verb, [self.record.run])
            return
        if len(ids) > MOST_MARKED:
            self.notify(
                f"{len(ids):,} runs are marked; {MOST_MARKED:,} at once is the most.", severity="warning", markup=False
            )
            return
        source = self.workbench_app.source
        self.run_worker(
            lambda: self.post_message(
                self.Gathered(verb, source.attempt(lambda bench: [bench.experiments.run(one) for one in ids]))
            ),
            thread=True,
            exclusive=True,
            group="gather",
            exit_on_error=False,
        )

    @on(Gathered)
    def _gathered(self, message: Gathered) -> None:
        if isinstance(message.found, Failure):
            self.notify(message.found.message, severity="warning", markup=False)
        else:
            self._act_on(message.verb, message.found)

    def _act_on(self, verb: str, found: list[Run]) -> None:
        def unmark() -> Any:
            self.here.marks.clear()
            return self.table.refresh_rows()

        if verb == "tag":
            run_acts.tag(self, found)
        else:
            run_acts.delete(self, found, then=unmark)
