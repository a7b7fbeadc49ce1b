"""The runs table: every run of the workspace, read by window, with a column per metric."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_tui.tui.lines import number
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Ask, Paged
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run

METRICS = 12
"""So many metrics are columns; a query or an order can name any."""
NEWEST = "-started_at"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A run with the last values of the metrics that are columns."""

    run: Run
    metrics: Mapping[str, float]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.run, name)


def read(bench: Workbench, ask: Ask, offset: int, limit: int) -> list[Row]:
    """A window of runs: one query for them and one per metric, not one per run."""
    found = bench.experiments.runs(query=ask.filter, order=ask.order or NEWEST, limit=limit, offset=offset)
    ids = [run.id for run in found]
    values = {key: bench.experiments.latest(key, ids) for key in _metrics(bench)} if ids else {}
    return [Row(run, {key: of[run.id] for key, of in values.items() if run.id in of}) for run in found]


def total(bench: Workbench, ask: Ask) -> int | None:
    """How many runs there are; with a query that is not known before they are read."""
    return None if ask.filter.strip() else sum(one.runs for one in bench.experiments.list())


def columns(bench: Workbench, ask: Ask) -> tuple[Column, ...]:
    """What is known of every run, with its metrics between state and times."""
    return (*FIRST, *(_metric(key, at) for at, key in enumerate(_metrics(bench))), *LAST)


def _metrics(bench: Workbench) -> list[str]:
    return bench.experiments.metric_keys()[:METRICS]


def _metric(key: str, at: int) -> Column:
    return Column(
        key,
        lambda one, now: number(one.metrics.get(key)),
        right=True,
        width=16,
        rank=2 if at == 0 else 5 + at,
        order=f"metric:{key}",
        whole=lambda one: one.metrics.get(key),
    )


def _ordered(column: Column, order: str) -> Column:
    return dataclasses.replace(column, order=order)


FIRST = (
    _ordered(cells.text("Run", lambda one: one.name or one.id[:8], width=30, grow=True), "name"),
    cells.text("Experiment", lambda one: one.experiment, width=24),
    _ordered(cells.status("State", lambda one: one.state), "state"),
)
LAST = (
    cells.text("By", lambda one: one.user, width=12, rank=4, role="muted"),
    cells.lasted("Took", lambda one: one.started_at, lambda one: one.ended_at, rank=3),
    _ordered(cells.when("Started", lambda one: one.started_at), "started_at"),
    _ordered(cells.when("Ended", lambda one: one.ended_at, rank=20), "ended_at"),
    cells.text(
        "Tags",
        lambda one: ", ".join(f"{key}={value}" for key, value in one.tags.items()),
        width=24,
        rank=21,
        role="muted",
    ),
)
PAGED = Paged(read, total, columns)
