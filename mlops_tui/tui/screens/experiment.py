"""The page of an experiment: which parameters mattered for a metric, how it spreads over each, what was best."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.tui.blocks import Block, Chart, Grid, Text
from mlops_tui.tui.charts import parallel
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import Line, Span, clean, line, number, percent
from mlops_tui.tui.screens import cells, run_curves, runs
from mlops_tui.tui.screens.base import bindings
from mlops_tui.tui.screens.page import Page
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

BAR = 12
BEST = 200
GROUPS = 40
AXES, LINES = 6, 40


@dataclasses.dataclass(frozen=True, slots=True)
class Param:
    """A parameter of an experiment with its share in what became of a metric; None where that cannot be told."""

    experiment: str
    name: str
    metric: str
    share: float | None

    @property
    def bar(self) -> Span:
        """The share as a bar and a number."""
        if self.share is None:
            return ("-", "muted")
        full = round(self.share * BAR)
        return (f"{'█' * full}{'░' * (BAR - full)} {percent(self.share):>4}", "s1")


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """The experiment, the metric it is looked at by, and what is to be said of the shares."""

    name: str
    runs: int
    metric: str
    metrics: tuple[str, ...]
    words: str = ""


def metrics_of(bench: Workbench, name: str) -> tuple[str, ...]:
    """The metrics of an experiment; those of validation first, since they are what one wants to know."""
    found = [one for one in bench.experiments.metric_keys(name) if not run_curves.is_system(one)]
    return tuple(sorted(found, key=lambda one: (not one.lower().startswith(("val", "test", "eval")), one)))


def read(of: str, bench: Workbench, metric: str = "") -> tuple[Subject, list[Param]]:
    """Every parameter with its importance (a random forest over the runs; slow for thousands of them). In a worker."""
    metrics = metrics_of(bench, of)
    metric = metric if metric in metrics else next(iter(metrics), "")
    subject = Subject(of, bench.experiments.experiment(of).runs, metric, metrics)
    names = bench.experiments.param_keys(of)
    if not metric:
        return subject, []
    try:
        found = bench.experiments.importance(of, metric)
    except WorkbenchError as error:  # too few runs, or no scikit-learn: the rest of the page is there all the same
        return dataclasses.replace(subject, words=error.message), [Param(of, name, metric, None) for name in names]
    shares = dict(found.params)
    said = found.warning or f"told from {found.runs:,} runs, R² {found.score:.2f} on runs not seen"
    ranked = sorted(names, key=lambda name: -shares.get(name, -1.0))
    return dataclasses.replace(subject, words=said), [Param(of, name, metric, shares.get(name)) for name in ranked]


def detail(bench: Workbench, row: Param) -> Sequence[Block]:
    """The metric by one parameter: a dot per run where it is a number, and mean and spread of each value."""
    pairs = bench.experiments.scatter(row.experiment, row.name, row.metric)
    return (*_dots(row, pairs), *_groups(bench, row))


def _dots(row: Param, pairs: Sequence[tuple[str, float]]) -> Sequence[Block]:
    numbers: list[tuple[float, float]] = []
    for text, value in pairs:
        try:
            x = float(text)
        except ValueError:
            return ()
        if math.isfinite(x):
            numbers.append((x, value))
    if len({x for x, _ in numbers}) < 2:
        return ()
    xs, ys = zip(*sorted(numbers), strict=True)
    return (
        Chart(
            Plot((Series(row.metric, xs, ys),), style="scatter", x_name=row.name), title=f"{row.metric} by {row.name}"
        ),
    )


def _groups(bench: Workbench, row: Param) -> Sequence[Block]:
    found = bench.experiments.groups(row.experiment, [row.name], row.metric)
    if not found:
        return (Text("No run has both.", "muted"),)
    rows = tuple(
        (clean(one.values[0] if one.values[0] is not None else "-"), str(one.runs), number(one.mean),
         ("-" if one.std is None else f"± {number(one.std, 2)}", "muted"), (number(one.min), "muted"), (number(one.max), "muted"))
        for one in found[:GROUPS]
    )  # fmt: skip
    return (
        Grid((row.name, "Runs", "Mean", "Spread", "Least", "Most"), rows, title=f"{row.metric} over equal {row.name}"),
    )


def best(of: str, bench: Workbench, metric: str = "") -> list[runs.Row]:
    """The best runs by the metric, with the parameters."""
    from mlops_tui.domains.experiments import metric_names

    metrics = metrics_of(bench, of)
    metric = metric if metric in metrics else next(iter(metrics), "")
    order = f"{'' if metric_names.lower_is_better(metric) else '-'}metric:{metric}" if metric else "-started_at"
    found = bench.experiments.runs(of, order=order, limit=BEST)
    values = bench.experiments.latest(metric, [run.id for run in found]) if metric else {}
    return [
        runs.Row(run, {metric: values[run.id]} if run.id in values else {}, bench.experiments.params(run.id))
        for run in found
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class Parallel:
    """The best runs as lines across their parameters to the metric; `words` is said where there is nothing to draw."""

    axes: tuple[parallel.Axis, ...]
    words: str = ""


def across(of: str, bench: Workbench, metric: str = "") -> Parallel:
    """An axis per parameter that differs, those that matter first, and at last the metric."""
    subject, params = read(of, bench, metric)
    found = [one for one in best(of, bench, subject.metric)[:LINES] if one.metrics]
    names = [one.name for one in params if len({row.params.get(one.name) for row in found}) > 1][:AXES]
    if len(found) < 2 or not names:
        return Parallel((), "Two runs with different parameters and a value of the metric are needed.")
    values = [repr(next(iter(one.metrics.values()))) for one in found]
    axes = [parallel.axis(name, [one.params.get(name) for one in found]) for name in names]
    return Parallel((*axes, parallel.axis(subject.metric, values)))


def draw_across(one: Parallel, width: int, height: int, kind: str = "braille") -> list[Line]:
    """The axes over the whole pane, and what the colours mean."""
    if not one.axes:
        return [(), line((f" {one.words}", "muted"))]
    count = len(one.axes[0].places)
    said = line((f" {count} best runs: ", "muted"), ("best third", parallel.BEST), ", ", ("middle", parallel.MIDDLE), ", ",
                ("last", parallel.WORST))  # fmt: skip
    return [
        (),
        *(((" ", "text"), *each) for each in parallel.draw(one.axes, width - 2, height - 3, kind=kind)),
        (),
        said,
    ]


class ExperimentDesk(Page):
    """One experiment, looked at by one metric; `M` chooses another."""

    ID = "experiment"
    HOME = "experiments"
    CSS_PATH = "run.tcss"
    BINDINGS = bindings("experiment")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "mattered",
            "What mattered",
            columns=(
                cells.text("Parameter", lambda one: one.name, width=32, grow=True),
                Column("Share", lambda one, now: one.bar, lambda one: one.share or 0.0, 20, kind="number"),
            ),
            key=lambda one: str(one.name),
            empty=Empty(
                "The runs of this experiment were given no parameters, or logged no metrics.", "mlops runs list"
            ),
            detail=detail,
            watches=frozenset(),
            names=lambda one: {"name": one.name},
        ),
        Section("parallel", "Parallel", watches=frozenset(), draw=draw_across),
        Section(
            "best",
            "Best runs",
            columns=(
                cells.text("Run", lambda one: one.name or one.id[:8], width=30),
                Column("Value", lambda one, now: number(next(iter(one.metrics.values()), None)), right=True, width=14),
                cells.status("State", lambda one: one.state, rank=3),
                Column("Parameters", lambda one, now: _given(one), width=90, grow=True, rank=2),
                cells.when("Started", lambda one: one.started_at, rank=4),
            ),
            key=lambda one: str(one.id),
            limit=BEST,
            empty=Empty("No runs yet.", "mlops runs list"),
            names=lambda one: {"name": one.run.name},
        ),
    )

    LOADS: ClassVar[dict[str, Any]] = {"mattered": read, "parallel": across, "best": best}

    def __init__(self, of: str) -> None:
        self.metric = ""
        super().__init__(of)

    def _bound(self, section: Section) -> Section:
        """What is read depends on the metric chosen by then."""
        load = self.LOADS[section.id]
        return dataclasses.replace(section, load=lambda bench: load(self.of, bench, self.metric))

    def _note(self) -> Any:
        """The picture of lines in the glyphs of this terminal."""
        found = self.here.records
        if self.section.id == "parallel" and isinstance(found, Parallel):
            kind = "ascii" if self.workbench_app.modes.ascii else "braille"
            return lambda width, height: draw_across(found, width, height, kind)
        return super()._note()

    def arrived(self, section: str, records: Any) -> Any:
        if section != "mattered":
            return records
        self.subject, rows = records
        self.metric = self.subject.metric
        return rows

    @property
    def acted_on(self) -> Any:
        return self.subject

    @staticmethod
    def read_subject(bench: Workbench, of: str) -> Any:
        """Nothing: it comes with the first part."""
        bench.experiments.experiment(of)
        return None

    def head(self, width: int) -> Line:
        found = self.subject
        if found is None:
            return line((f" {clean(self.of)}", "title"))
        words = f"  {found.words}" if found.words else ""
        return line((f" {clean(found.name)}", "title"), (f"  {found.runs:,} runs  by ", "muted"), (found.metric or "-", "accent"),
                    (words, "muted"))  # fmt: skip

    def names(self) -> dict[str, object]:
        return {"id": self.of, "name": self.of, "metric": self.metric or "METRIC"}

    def show_section(self) -> None:
        self.set_class(self.section.id == "mattered", "-curves")
        super().show_section()

    async def act_metric(self) -> None:
        """Ask for another metric to look by."""
        found = self.subject

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                self.metric = answers["metric"]
                self.here.detail_of = ""
                self.load(self.section)

        if found is None or not found.metrics:
            self.notify("There is no metric to choose.", timeout=2, markup=False)
            return
        fields = (Field("metric", "Metric", found.metric, choices=found.metrics),)
        command = "mlops experiments importance {} --metric {}"
        self.app.push_screen(
            Form("Look by", fields, "Look", lambda answers: command.format(self.of, answers["metric"])), chosen
        )

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """A run opens its page; of a parameter there is nothing more than the detail."""
        if self.section.id == "best" and self.record is not None:
            message.prevent_default()
            await self.workbench_app.open_at("experiments", "run", self.record.id)


def _given(one: runs.Row) -> Span:
    return ("  ".join(f"{clean(name)}={clean(value)}" for name, value in one.params.items()), "muted")
