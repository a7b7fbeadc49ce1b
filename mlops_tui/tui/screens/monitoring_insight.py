"""How right deployments are, and for whom, as lists of the monitoring desk."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.monitoring.measured import HIGHER_IS_BETTER
from mlops_tui.pages import performance as pages
from mlops_tui.pages.numbers import measured, name_of, number
from mlops_tui.tui.blocks import Block
from mlops_tui.tui.lines import Span
from mlops_tui.tui.screens import cells, paged
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.measured import Gap, Measure, Standing
    from mlops_tui.workbench import Workbench

TELEMETRY = frozenset({"catalog", "telemetry"})


@dataclasses.dataclass(frozen=True)
class Judged:
    """A deployment and how right it is."""

    deployment: str
    standing: Standing
    group_rows: int

    @property
    def found(self) -> Measure | None:
        """The measure that stands for all, from labels."""
        return self.standing.whole.metric(self.standing.metric)

    @property
    def guess(self) -> Measure | None:
        """The same, estimated."""
        return self.standing.whole.estimate(self.standing.metric)


@dataclasses.dataclass(frozen=True)
class Apart:
    """A gap between the groups of a deployment."""

    judged: Judged
    gap: Gap

    @property
    def deployment(self) -> str:
        """Of which deployment."""
        return self.judged.deployment


def judged(bench: Workbench) -> list[Judged]:
    """Every deployment that was measured."""
    out = []
    for monitor in bench.monitoring.list():
        standing = bench.monitoring.insight.standing(monitor.deployment)
        if standing is not None:
            out.append(Judged(monitor.deployment, standing, monitor.group_rows))
    return out


def apart(bench: Workbench) -> list[Apart]:
    """Every gap, the widest of what is surely there first."""
    found = [Apart(one, gap) for one in judged(bench) for gap in one.standing.whole.gaps]
    return sorted(found, key=lambda one: -one.gap.low)


def performance_detail(bench: Workbench, one: Judged) -> Sequence[Block]:
    """Over time first, then everything as a whole, then slices."""
    over_time = pages.over_time(one.standing)
    charts, tables = over_time[:-1], over_time[-1:]
    return paged.of([*charts, *pages.whole(one.standing), *pages.slices(one.standing), *tables])


def fairness_detail(bench: Workbench, one: Apart) -> Sequence[Block]:
    """The gaps over time, then the groups."""
    whole, rows = one.judged.standing.whole, one.judged.group_rows
    mine = dataclasses.replace(
        whole,
        groups=[group for group in whole.groups if group.column == one.gap.column],
        gaps=[gap for gap in whole.gaps if gap.column == one.gap.column],
    )
    try:
        stretches = bench.monitoring.insight.stretches(one.deployment, whole.version)
    except WorkbenchError:
        stretches = []
    narrowed = [
        dataclasses.replace(each, gaps=[gap for gap in each.gaps if gap.column == one.gap.column]) for each in stretches
    ]
    return paged.of([*pages.gaps_over_time(narrowed), *pages.groups(mine, rows)])


def _against(one: Judged) -> Span:
    """Against what it was at training, by the interval: worse, better, or it cannot be told."""
    found, was = one.found, one.standing.baseline
    if found is None:
        return ("≈ estimate", "muted") if one.guess else ("no labels", "muted")
    if was is None or found.low is None or found.high is None:
        return ("-", "muted")
    if found.low <= was <= found.high:
        return ("✓ as trained", "good")
    higher = found.low > was
    return ("✓ better", "good") if higher == (one.standing.metric in HIGHER_IS_BETTER) else ("▲ worse", "warn")


def _weakest(one: Judged) -> str:
    return next((each.words for each in one.standing.slices if not each.declared), "")


PERFORMANCE = Section(
    "performance",
    "Performance",
    judged,
    columns=(
        cells.text("Deployment", lambda one: one.deployment, width=24, grow=True),
        cells.text("Version", lambda one: f"v{one.standing.whole.version}", width=8, rank=3),
        cells.text("Measure", lambda one: name_of(one.standing.metric), width=10, rank=2),
        Column("Labels say", lambda one, now: measured(one.found) or "-", sort=lambda one: one.found and one.found.value, width=26),
        cells.text("Estimate", lambda one: f"≈ {measured(one.guess)}" if one.guess else "-", width=26, rank=2, role="muted"),
        Column("Training", lambda one, now: number(one.standing.baseline) or "-", sort=lambda one: one.standing.baseline,
               right=True, width=9, rank=2, kind="number"),
        Column("Now", lambda one, now: _against(one), sort=lambda one: _against(one)[0], width=14, kind="text"),
        cells.share("Labelled", lambda one: one.standing.whole.labels.coverage, rank=2),
        cells.text("Weakest slice", _weakest, width=30, rank=3, role="muted"),
    ),
    key=lambda one: str(one.deployment),
    empty=Empty("Nothing was measured yet. A check measures what was answered, from labels and without.",
                "mlops monitors performance NAME"),
    detail=performance_detail,
    watches=TELEMETRY,
    names=lambda one: {"name": one.deployment},
)  # fmt: skip

FAIRNESS = Section(
    "fairness",
    "Fairness",
    apart,
    columns=(
        cells.text("Deployment", lambda one: one.deployment, width=22, grow=True),
        cells.text("Groups of", lambda one: one.gap.column, width=14),
        cells.text("Gap in", lambda one: pages.called(one.judged.standing.whole, one.gap.measure), width=20),
        Column("Gap", lambda one, now: number(one.gap.value), sort=lambda one: one.gap.value, right=True, width=8, kind="number"),
        cells.text("95 %", lambda one: f"{number(one.gap.low)} to {number(one.gap.high)}", width=20, rank=2),
        cells.text("Lowest", lambda one: one.gap.lowest, width=14, rank=3),
        cells.text("Highest", lambda one: one.gap.highest, width=14, rank=3),
    ),
    key=lambda one: f"{one.deployment}/{one.gap.column}/{one.gap.measure}",
    empty=Empty("No groups are compared. Name a sensitive input of a deployment, or declare [fairness] in its pipeline.",
                "mlops monitors add NAME --sensitive COLUMN"),
    detail=fairness_detail,
    watches=TELEMETRY,
    names=lambda one: {"name": one.deployment},
)  # fmt: skip

SECTIONS = (PERFORMANCE, FAIRNESS)
