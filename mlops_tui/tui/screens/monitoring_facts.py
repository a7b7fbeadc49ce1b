"""What there is to say of an alert, a monitor and a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.incident import tell
from mlops_tui.pages import drift
from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Pair, Text
from mlops_tui.tui.charts.drift import psi_history
from mlops_tui.tui.lines import Span, number, percent, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.telling import watched

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.monitoring.monitors import Monitor
    from mlops_tui.domains.monitoring.records import FeatureDrift, Report
    from mlops_tui.workbench import Workbench

REPORTS = 50
PAIRS = 6  # columns drawn with both distributions
MOVED = 4


def alert_detail(bench: Workbench, one: Alert) -> Sequence[Block]:
    """An alert: what, since when, the numbers behind it, who did what."""
    now = bench.context.now()
    head = Fields(
        (
            ("State", state(one.state)),
            ("Severity", state(one.severity)),
            ("About", f"{one.rule} of {one.subject}"),
            ("First", cells.moment(one.first_at, now)),
            (
                "Last",
                f"{cells.moment(one.last_at, now)}, {one.count} times"
                if one.count > 1
                else cells.moment(one.last_at, now),
            ),
            (
                "Acknowledged",
                f"{one.acknowledged_by} {clock.ago(one.acknowledged_at, now)}" if one.acknowledged_by else "",
            ),
            ("Silenced", f"until {clock.local(one.silenced_until)}" if one.silenced_until else ""),
            ("Resolved", f"{one.resolved_by} {clock.ago(one.resolved_at, now)}" if one.resolved_at else ""),
            ("Why", one.why),
        ),
        title=one.title,
    )
    facts = tuple(
        (name, number(value) if isinstance(value, float) else cells.compact(value)) for name, value in one.facts.items()
    )
    story = tuple(
        (clock.ago(event.at, now), f"{event.kind} {event.name}", event.words) for event in tell(bench, one.id)
    )
    numbers = Grid(("Fact", "Value"), facts, title="Numbers")
    return (
        head,
        Text(one.detail),
        *_of_rule(bench, one),
        numbers,
        Grid(("When", "What", "Said"), story, title="What happened"),
    )


def _of_rule(bench: Workbench, one: Alert) -> list[Block]:
    """The series behind an alert of a rule of one's own."""
    kind, _, name = one.rule.partition(":")
    try:
        plot = watched(bench, bench.alerts.rules.get(name)) if kind == "rule" else None
    except NotFound:  # the rule was removed since
        return []
    return [Chart(plot, title=name)] if plot is not None else []


def monitor_detail(bench: Workbench, one: Monitor) -> Sequence[Block]:
    """A monitor: its newest report."""
    report = bench.monitoring.latest(one.deployment)
    now = bench.context.now()
    head = Fields(
        (
            ("State", state(one.state)),
            ("Window", f"{one.min_rows:,} to {one.max_rows:,} predictions"),
            ("False alarms", f"{one.alpha:.2%} per window"),
            ("Alert after", f"{one.need} drifted windows of {one.of}"),
            ("Limits", f"errors {one.max_error_rate:.0%}, p95 {one.max_latency_ms:g} ms, {one.margin:.0%} worse"),
            ("Checked", cells.moment(one.checked_at, now)),
            *_odd(bench, one.deployment),
        ),
        title=one.deployment,
    )
    if report is None:
        return (head, Text("No report yet: r checks now.", "muted"))
    return (head, *report_detail(bench, report), *_over_time(bench.monitoring.reports(one.deployment, REPORTS), report))


def _odd(bench: Workbench, deployment: str) -> Sequence[tuple[str, Span | str]]:
    """The share of rows unlike the training data in the newest window, and clients whose pattern stands out."""
    windows = bench.monitoring.odd.windows(deployment, limit=1)
    seen = [one for one in bench.monitoring.odd.clients(deployment) if one.verdict]
    return (
        *(("Odd rows", f"{one.share:.1%} of {one.rows:,}, {one.alpha:.1%} is usual") for one in windows),
        *((f"Client {one.caller}", (f"{one.verdict}: {one.words}", "warn")) for one in seen),
    )


def _over_time(reports: Sequence[Report], newest: Report) -> list[Block]:
    """PSI of the columns that have moved furthest, over the reports there are."""
    furthest = sorted(newest.features, key=lambda each: -each.size)[:MOVED]
    plot = psi_history(reports, [each.name for each in furthest])
    return [Chart(plot, title="PSI over time")] if plot is not None else []


def report_detail(bench: Workbench, one: Report) -> Sequence[Block]:
    """A report: verdict, drift per feature with its distributions, performance."""
    now = bench.context.now()
    head = Fields(
        (
            ("Verdict", state(one.verdict)),
            ("Version", f"v{one.version}"),
            ("Checked", cells.moment(one.at, now)),
            ("Window", f"{clock.local(one.since)} to {clock.local(one.until)}" if one.since else ""),
            ("Rows", number(one.rows)),
            ("False alarms", "" if one.alpha is None else f"{one.alpha:.2%} of windows in which nothing changed"),
            ("Error rate", percent(one.error_rate, 1)),
            ("Latency", f"p95 {number(one.latency_p95_ms, 3)} ms" if one.latency_p95_ms is not None else ""),
        ),
        title=f"{one.deployment} report {one.id}",
    )
    columns = [*(each for each in (one.prediction, one.label) if each), *one.features]
    columns.sort(key=lambda each: (not each.drifted, -each.size))
    return (
        head,
        *([Text("\n".join(one.notes), "muted")] if one.notes else []),
        *_performance(one),
        *_explained(bench, one),
        *_malformed(one),
        Grid(
            ("", "Column", "PSI", "Limit", "KS", "Limit"),
            tuple(map(_drift_row, columns)),
            title="Drift",
            right=(2, 3, 4, 5),
        ),
        *_together(one),
        *[_pair(each) for each in columns[:PAIRS] if each.reference and each.current],
    )


def _explained(bench: Workbench, one: Report) -> list[Block]:
    """What its drift is about, where that was found out."""
    found = bench.monitoring.insight.explanation(one.deployment, one.id) if one.drifted else None
    if found is None or not found.moved:
        return []
    rows = tuple((each.name, drift.story(each)) for each in found.moved[:PAIRS])
    return [Grid(("Column", "What moved, since when, where, and what it did"), rows, title="What it is about")]


def _malformed(one: Report) -> list[Block]:
    """What requests had wrong with them."""
    rows = tuple((("▲", "warn"), each.text) for each in one.malformed)
    return [Grid(("", "Check"), rows, title="Data quality")] if rows else []


def _together(one: Report) -> list[Block]:
    """Pairs of columns that no longer go together as they did, or that all do."""
    if one.joint is None:
        return []
    rows = tuple(
        (
            ("▲ drift", "warn"),
            each.name,
            number(each.reference, 3),
            number(each.current, 3),
            (number(each.threshold, 3), "muted"),
        )
        for each in one.joint.drifted
    )
    if not rows:
        return [Text(f"{one.joint.pairs} pairs of columns go together as they did.", "muted")]
    return [Grid(("", "Columns", "Correlation", "Now", "Limit"), rows, title="Together", right=(2, 3, 4))]


def _performance(one: Report) -> list[Block]:
    found = one.performance
    if found is None:
        return []
    now = ("▲ changed", "warn") if found.concept_drift else ("✓ holds", "good")
    worse = ("▲ worse than at training", "warn") if found.worse else ("✓ as at training", "good")
    return [
        Fields(
            (
                (found.metric, f"{number(found.value)} ({number(found.low, 3)} to {number(found.high, 3)})"),
                ("At training", number(found.baseline)),
                ("Labels", number(found.labels)),
                ("Quality", worse),
                ("Concept", now),
            ),
            title="Performance",
        )
    ]


def _drift_row(each: FeatureDrift) -> tuple[Span | str, ...]:
    return (
        ("▲ drift", "warn") if each.drifted else ("· ok", "muted"),
        each.name,
        number(each.psi, 3),
        (number(each.psi_threshold, 3), "muted"),
        number(each.ks, 3),
        (number(each.ks_threshold, 3), "muted"),
    )


def _pair(each: FeatureDrift) -> Pair:
    role = "warn" if each.drifted else "text"
    return Pair((each.name, role), tuple(each.reference), tuple(each.current), tuple(each.bins))
