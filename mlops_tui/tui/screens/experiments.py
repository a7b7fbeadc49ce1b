"""Experiments and their runs: parameters, metrics with charts, artifacts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Text
from mlops_tui.tui.charts.line import Series
from mlops_tui.tui.lines import Span, number, size, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Experiment, LatestMetric, Run

RUN_LIMIT = 1000
SHOWN_METRICS = 3
CHARTS = 3
POINTS = 2000


@dataclasses.dataclass(frozen=True)
class Row:
    """A run with the last values of the most used metrics."""

    run: Run
    metrics: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


def runs(bench: Workbench) -> list[Row]:
    """The newest runs with a few metrics each: one query per metric, not per run."""
    found = bench.experiments.runs(limit=RUN_LIMIT)
    ids = [run.id for run in found]
    values = {key: bench.experiments.latest(key, ids) for key in bench.experiments.metric_keys()[:SHOWN_METRICS]}
    return [
        Row(run, "  ".join(f"{key} {number(of[run.id], 3)}" for key, of in values.items() if run.id in of))
        for run in found
    ]


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
    runs = bench.experiments.runs(one.name, limit=8)
    found = {run.id: bench.experiments.metrics(run.id) for run in runs}
    names = list(dict.fromkeys(name for metrics in found.values() for name in metrics))[:4]
    rows = tuple((run.name or run.id[:8], state(run.state), *_values(found[run.id], names)) for run in runs)
    return (head, Grid(("Run", "State", *names), rows, title="Newest runs (o lists all)"))


def _values(metrics: Mapping[str, LatestMetric], names: Sequence[str]) -> list[Span | str]:
    return [number(metrics[name].value) if name in metrics else "-" for name in names]


def run_detail(bench: Workbench, row: Row) -> Sequence[Block]:
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
    every = max(1, len(points) // POINTS)
    kept = points[::every]
    return Chart((Series(key, tuple(float(one.step) for one in kept), tuple(one.value for one in kept)),))


class ExperimentsDesk(Desk):
    """Experiments and runs."""

    ID = "experiments"
    CSS_PATH = "experiments.tcss"
    BINDINGS = bindings("experiments")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "runs",
            "Runs",
            runs,
            columns=(
                cells.text("Run", lambda one: one.name or one.id[:8], width=30, grow=True),
                cells.text("Experiment", lambda one: one.experiment, width=24),
                cells.status("State", lambda one: one.state),
                cells.text("Metrics", lambda one: one.metrics, width=36, rank=2),
                cells.text("By", lambda one: one.user, width=12, rank=4, role="muted"),
                cells.lasted("Took", lambda one: one.started_at, lambda one: one.ended_at, rank=2),
                cells.when("Started", lambda one: one.started_at),
            ),
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
            inside=Inside("runs", lambda one: f"experiment:{one.name}", "runs"),
            watches=frozenset({"catalog", "metrics"}),
            names=lambda one: {"name": one.name},
        ),
    )
