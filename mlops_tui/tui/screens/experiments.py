"""Experiments and their runs: parameters, metrics with charts, artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Text
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import Span, number, size, state
from mlops_tui.tui.screens import cells, runs
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Experiment, LatestMetric

CHARTS = 3


def experiment_detail(bench: Workbench, one: Experiment) -> Sequence[Block]:
    """An experiment and its newest runs with their metrics."""
    now = bench.context.now()
    head = Fields(
        (
            ("Runs", f"{one.runs:,}, {one.running} running"),
            ("Last run", cells.moment(one.last_started_at, now)),
            ("Made", cells.moment(one.created_at, now)),
            ("About", one.description),
        ),
        title=one.name,
    )
    newest = bench.experiments.runs(one.name, limit=8)
    found = {run.id: bench.experiments.metrics(run.id) for run in newest}
    names = list(dict.fromkeys(name for metrics in found.values() for name in metrics))[:4]
    rows = tuple((run.name or run.id[:8], state(run.state), *_values(found[run.id], names)) for run in newest)
    return (head, Grid(("Run", "State", *names), rows, title="Newest runs (o lists all)"))


def _values(metrics: Mapping[str, LatestMetric], names: Sequence[str]) -> list[Span | str]:
    return [number(metrics[name].value) if name in metrics else "-" for name in names]


def run_detail(bench: Workbench, row: runs.Row) -> Sequence[Block]:
    """A run: state, origin, parameters, metrics with charts of those that have a history, artifacts."""
    run = bench.experiments.run(row.id)
    now = bench.context.now()
    metrics = bench.experiments.metrics(run.id)
    head = Fields(
        (
            ("Id", run.id),
            ("State", state(run.state)),
            ("Experiment", run.experiment),
            ("Started", cells.moment(run.started_at, now)),
            ("Ended", cells.moment(run.ended_at, now)),
            ("By", run.user),
            ("Source", run.source),
            ("Commit", run.git_commit[:12]),
            ("Tags", ", ".join(f"{key}={value}" for key, value in run.tags.items())),
            ("Error", (run.error, "bad")),
        ),
        title=run.name or run.id[:8],
    )
    values = tuple(
        (name, number(one.value), (number(one.min), "muted"), (number(one.max), "muted"), (number(one.step), "muted"))
        for name, one in metrics.items()
    )
    params = tuple(bench.experiments.params(run.id).items())
    files = tuple((one.path, (size(one.size), "muted")) for one in bench.experiments.artifacts(run.id))
    charts = [_chart(bench, run.id, name) for name, one in metrics.items() if one.count > 1][:CHARTS]
    return (
        head,
        Grid(("Metric", "Last", "Min", "Max", "Step"), values, title="Metrics", empty="none logged yet"),
        *charts,
        Grid(("Parameter", "Value"), params, title="Parameters") if params else Text("", "muted"),
        Grid(("Artifact", "Size"), files, title="Artifacts"),
    )


def _chart(bench: Workbench, run_id: str, key: str) -> Block:
    points = bench.experiments.history(run_id, key)
    begin = points[0].ts if points else 0
    series = Series(
        key,
        tuple(float(one.step) for one in points),
        tuple(one.value for one in points),
        tuple(float(one.ts - begin) for one in points),
    )
    return Chart(Plot((series,), x_name="step"))


class ExperimentsDesk(Desk):
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
            detail=run_detail,
            watches=frozenset({"catalog", "metrics"}),
            names=lambda one: {"id": one.id[:8]},
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
            names=lambda one: {"name": one.name},
        ),
    )

    async def act_compare(self) -> None:
        """The marked runs side by side; with one mark, that and the selected one."""
        from mlops_tui.tui.screens.compare import MOST, Compare

        chosen = list(dict.fromkeys([*self.here.marks.keys, *([self.record.id] if len(self.here.marks) < 2 else [])]))
        if not 2 <= len(chosen) <= MOST:
            self.notify(f"Mark two to {MOST} runs with space, then press c.", title="Compare", markup=False)
            return
        self.app.push_screen(Compare(self.workbench_app.source, chosen))
