"""Answered rows unlike the training data, and clients that ask as attackers do, as lists of the monitoring desk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Text
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import Span, clean, number
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.odd_records import OddRow, OddWindow, Pattern
    from mlops_tui.domains.serving.records import Prediction
    from mlops_tui.workbench import Workbench

ROWS = 500
WINDOWS = 60
LISTED = 12
TELEMETRY = frozenset({"catalog", "telemetry"})
TOGETHER = "together"
USUAL = (5, 95)
"""Percent of the training rows between which a value is called usual."""


def odd_rows(bench: Workbench) -> list[OddRow]:
    """The newest odd rows of every deployment, newest first."""
    found = [row for one in bench.monitoring.list() for row in bench.monitoring.odd.rows(one.deployment, ROWS)]
    return sorted(found, key=lambda one: (-one.at, one.p))[:ROWS]


def odd_detail(bench: Workbench, one: OddRow) -> Sequence[Block]:
    """An odd row: how odd, its inputs beside what is usual, and the share of odd rows window by window."""
    now = bench.context.now()
    head = Fields(
        (
            ("p", f"{p_value(one.p)}; {number(100 * one.p, 2)} % of the training rows are as odd"),
            ("Oddest", "values that do not go together" if one.why == TOGETHER else one.why),
            (
                "Neighbours",
                "" if one.neighbours is None else f"p {p_value(one.neighbours)} by the nearest training rows",
            ),
            ("Deployment", f"{one.deployment} v{one.version}"),
            ("Answered", cells.moment(one.at, now)),
            ("Prediction", one.id),
        ),
        title="Outlier",
    )
    return (head, *_inputs(bench, one), *_windows(bench, one.deployment, now))


def _inputs(bench: Workbench, one: OddRow) -> list[Block]:
    """What was asked, each value beside the range of most training rows."""
    try:
        asked = bench.serving.prediction(one.id)
        described = bench.registry.profile(f"{asked.model}/{asked.version}") or {}
    except WorkbenchError as error:  # the log of that day may be gone; what was seen of it is not
        return [Text(error.message, "muted")]
    return [
        Grid(("Input", "Value", "Usual"), tuple(_compared(asked, described.get("columns") or {}, one)), title="Inputs")
    ]


def _compared(asked: Prediction, known: dict[str, Any], one: OddRow) -> list[tuple[Span | str, ...]]:
    rows: list[tuple[Span | str, ...]] = []
    for name, value in asked.inputs.items():
        words, beyond = beside(known.get(name) or {}, value)
        role = "warn" if beyond or name == one.why else "text"
        rows.append((clean(name), (cells.compact(value), role), (words, "muted")))
    return rows


def beside(column: dict[str, Any], value: Any) -> tuple[str, bool]:
    """What is usual where a value stands, in words, and whether it is beyond that."""
    levels = column.get("levels") or []
    if levels:
        at = levels.index(str(value)) if str(value) in levels else None
        if at is None:
            return ("not seen at training", True) if not column.get("other") else ("rare", False)
        return f"{column['counts'][at] / max(1, column['count']):.1%} of training rows", False
    low, high = usual(column)
    if low is None or high is None:
        return "", False
    return f"{number(low)} to {number(high)}", isinstance(value, int | float) and not low <= value <= high


def usual(column: dict[str, Any]) -> tuple[float | None, float | None]:
    """Between which values nine in ten of the training rows lie; (None, None) for a column without quantiles."""
    edges = column.get("edges") or []
    counts = column.get("counts") or []
    if column.get("kind") != "numeric" or len(edges) < 2 or not sum(counts):
        return None, None
    found, seen, total = [], 0, sum(counts)
    wanted = [percent * total / 100 for percent in USUAL]
    for edge, count in zip(edges, counts, strict=False):
        seen += count
        while wanted and seen >= wanted[0]:
            found.append(float(edge))
            wanted.pop(0)
    return (found[0], found[1]) if len(found) == len(USUAL) else (None, None)


def _windows(bench: Workbench, deployment: str, now: int) -> list[Block]:
    """The share of odd rows over the windows that were looked at."""
    found = bench.monitoring.odd.windows(deployment, limit=WINDOWS)
    rows = tuple(
        (clock.ago(each.at, now), f"v{each.version}", number(each.rows), number(each.odd), _share(each))
        for each in found[:LISTED]
    )
    plot = shares(found)
    return [
        *([Chart(plot, title="Odd rows, % of a window")] if plot is not None else []),
        Grid(("Looked", "Version", "Rows", "Odd", "Share"), rows, title=f"Windows of {deployment}", right=(2, 3)),
    ]


def shares(windows: Sequence[OddWindow]) -> Plot | None:
    """The share of odd rows, and what normal rows give, over time; None with fewer than two windows."""
    known = sorted(windows, key=lambda one: one.at)
    if len(known) < 2:
        return None
    at = tuple(float(one.at) for one in known)
    return Plot((Series("odd", at, tuple(100 * one.share for one in known)),
                 Series("usual", at, tuple(100 * one.alpha for one in known))), low=0, x=ticks.TIME)  # fmt: skip


def _share(one: OddWindow) -> Span:
    text = f"{one.share:.1%} ({one.alpha:.1%} is usual)"
    return (text, "warn" if one.share > 2 * one.alpha else "muted")


def p_value(p: float) -> str:
    """Four places, as small as they go."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def clients(bench: Workbench) -> list[Pattern]:
    """How each client asked each deployment at the last look; those that look like something first, then by their part."""
    found = [each for one in bench.monitoring.list() for each in bench.monitoring.odd.clients(one.deployment)]
    return sorted(found, key=lambda one: (not one.verdict, -one.at // 60_000, -one.share))


def looks_like(one: Pattern) -> Span:
    """The verdict with a sign."""
    return (f"▲ {clean(one.verdict)}", "warn") if one.verdict else ("· nothing", "muted")


def client_detail(bench: Workbench, one: Pattern) -> Sequence[Block]:
    """A client: every figure with what it means, and what the pattern looks like."""
    now = bench.context.now()
    head = Fields(
        (
            ("Looks like", looks_like(one)),
            ("Because", one.words),
            ("Deployment", one.deployment),
            ("Looked", cells.moment(one.at, now)),
            ("Rows", f"{one.rows:,}, {one.share:.0%} of all in the window"),
            ("Distinct", f"{one.distinct:,} of its newest"),
        ),
        title=f"Client {one.caller}",
    )
    figures = (
        ("Close", f"{one.close:.1%}", "closer together than training rows ever are"),
        ("One column", f"{one.one_column:.1%}", "differ from the row before in a single column"),
        ("Flips", f"{one.flips:.1%}", "turn the answer of their nearest neighbour"),
        ("Outside", f"{one.outside:.1%}", "unlike the training data"),
    )
    words = "A warning, never a proof: batch jobs and tests can look alike. It is told as an alert of the rule probing."
    return (head, Grid(("Share of rows", "", "that"), figures, title="How it asks"), Text(words, "muted"))


OUTLIERS = Section(
    "outliers",
    "Outliers",
    odd_rows,
    limit=ROWS,
    columns=(
        cells.when("Answered", lambda one: one.at),
        cells.text("Deployment", lambda one: one.deployment, width=22, grow=True),
        cells.text("Version", lambda one: f"v{one.version}", width=8, rank=2),
        Column("p", lambda one, now: p_value(one.p), sort=lambda one: one.p, right=True, width=8),
        cells.text("Oddest", lambda one: one.why, width=18),
        Column("p near", lambda one, now: "-" if one.neighbours is None else p_value(one.neighbours),
               sort=lambda one: one.neighbours, right=True, width=8, rank=3),
        cells.text("Prediction", lambda one: one.id, width=24, rank=3, role="muted"),
    ),
    key=lambda one: str(one.id),
    empty=Empty("No odd row was seen yet. Each check scores the answered rows against the training data.",
                "mlops monitors run NAME"),
    detail=odd_detail,
    watches=TELEMETRY,
    names=lambda one: {"name": one.deployment, "id": one.id},
)  # fmt: skip

CLIENTS = Section(
    "clients",
    "Clients",
    clients,
    columns=(
        cells.text("Client", lambda one: one.caller, width=20, grow=True),
        cells.text("Deployment", lambda one: one.deployment, width=20),
        Column("Looks like", lambda one, now: looks_like(one), sort=lambda one: one.verdict, width=13, kind="text"),
        cells.count("Rows", lambda one: one.rows),
        cells.share("Share", lambda one: one.share),
        cells.count("Distinct", lambda one: one.distinct, rank=3),
        cells.share("Close", lambda one: one.close, rank=2),
        cells.share("One column", lambda one: one.one_column, rank=3),
        cells.share("Flips", lambda one: one.flips, rank=3),
        cells.share("Outside", lambda one: one.outside, rank=2),
        cells.when("Looked", lambda one: one.at, rank=3),
    ),
    key=lambda one: f"{one.deployment}/{one.caller}",
    empty=Empty("No client was looked at yet. Each check looks at how every token asks.", "mlops monitors run NAME"),
    detail=client_detail,
    watches=TELEMETRY,
    names=lambda one: {"name": one.deployment, "client": one.caller},
)  # fmt: skip

SECTIONS = (OUTLIERS, CLIENTS)
