"""Columns of the newest reports as a list of the monitoring desk: every figure of one, its limit and its verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.domains.monitoring.records import figures
from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Pair, Text
from mlops_tui.tui.charts.drift import psi_history
from mlops_tui.tui.lines import Span, number
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.records import FeatureDrift, Report
    from mlops_tui.workbench import Workbench

HISTORY = 50


@dataclasses.dataclass(frozen=True)
class Compared:
    """A column in the newest report of a deployment that compared any."""

    deployment: str
    report: Report
    drift: FeatureDrift


def compared(bench: Workbench) -> list[Compared]:
    """Every column of every deployment's newest comparison, furthest first."""
    found = []
    for monitor in bench.monitoring.list():
        report = next((one for one in bench.monitoring.reports(monitor.deployment, 5) if one.features), None)
        if report is not None:
            outcomes = [one for one in (report.prediction, report.label) if one is not None]
            found += [Compared(monitor.deployment, report, one) for one in (*report.features, *outcomes)]
    return sorted(found, key=lambda one: (not one.drift.drifted, -one.drift.size))


def column_detail(bench: Workbench, one: Compared) -> Sequence[Block]:
    """A column: what it is held against and what came out, both distributions, and PSI over the reports."""
    drift, report = one.drift, one.report
    now = bench.context.now()
    promise = (
        ""
        if report.alpha is None
        else f"at most {report.alpha:.2%} of windows in which nothing changed, all columns together"
    )
    head = Fields(
        (
            ("Verdict", verdict(drift)),
            ("Of", f"{one.deployment} v{report.version}, report {report.id}"),
            ("Checked", cells.moment(report.at, now)),
            ("Rows", number(report.rows)),
            ("False alarms", promise),
        ),
        title=drift.name,
    )
    rows = tuple(
        (name, number(value, 4), ("" if limit is None else number(limit, 4), "muted"), (says, "muted"))
        for name, value, limit, says in figures(drift)
    )
    plot = psi_history(bench.monitoring.reports(one.deployment, HISTORY), [drift.name])
    return (
        head,
        *([Text(drift.note, "muted")] if drift.note else []),
        Grid(("Figure", "Value", "Limit", ""), rows, title="Figures", right=(1, 2)),
        *([Pair(drift.name, tuple(drift.reference), tuple(drift.current), tuple(drift.bins))] if drift.bins else []),
        *([Chart(plot, title="PSI over time")] if plot is not None else []),
    )


def verdict(drift: FeatureDrift) -> Span:
    """One word and a sign for a column."""
    if drift.drifted:
        return ("▲ drift", "warn")
    return ("≈ season", "muted") if drift.seasonal else ("· ok", "muted")


COLUMNS = Section(
    "columns",
    "Drift",
    compared,
    columns=(
        Column("Now", lambda one, now: verdict(one.drift), sort=lambda one: verdict(one.drift)[0], width=12, kind="text"),
        cells.text("Column", lambda one: one.drift.name, width=24, grow=True),
        cells.text("Deployment", lambda one: one.deployment, width=22),
        cells.decimal("Of the limit", lambda one: one.drift.size, 2, rank=2),
        cells.decimal("PSI", lambda one: one.drift.psi, 3),
        cells.decimal("KS", lambda one: one.drift.ks, 3, rank=2),
        cells.decimal("Shift", lambda one: one.drift.rank_shift, 3, rank=3),
        cells.share("Missing", lambda one: one.drift.nulls, rank=3),
    ),
    key=lambda one: f"{one.deployment}/{one.drift.name}",
    empty=Empty("No columns were compared yet. A check compares each with the training data.", "mlops monitors run NAME"),
    detail=column_detail,
    watches=frozenset({"catalog", "telemetry"}),
    names=lambda one: {"name": one.deployment, "column": one.drift.name},
)  # fmt: skip
