"""Alerts, monitors and their reports: acknowledge, silence, check now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from mlops_tui.core import clock
from mlops_tui.domains.alerts.searching import ALERTS as ASKS
from mlops_tui.tui.blocks import Block, Chart, Fields, Grid, Pair, Text
from mlops_tui.tui.charts.drift import psi_history
from mlops_tui.tui.lines import Span, number, percent, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.monitoring.records import FeatureDrift, Monitor, Report

ALERTS = 500
REPORTS = 50
PAIRS = 6
MOVED = 4


def alerts(bench: Workbench) -> list[Alert]:
    """All alerts, those that still matter first."""
    order = {"open": 0, "acknowledged": 1, "silenced": 2, "resolved": 3}
    return sorted(bench.alerts.list(limit=ALERTS), key=lambda one: (order.get(str(one.state), 4), -one.last_at))


TOLD = 5  # messages shown of an alert


def reports(bench: Workbench) -> list[Report]:
    """The newest reports of every monitor, newest first."""
    found = [
        one for monitor in bench.monitoring.list() for one in bench.monitoring.reports(monitor.deployment, REPORTS)
    ]
    return sorted(found, key=lambda one: -one.at)


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
    facts = tuple((name, cells.compact(value)) for name, value in one.facts.items())
    told = tuple(
        (cells.moment(said.created_at, now), said.channel, said.kind, said.error or said.state)
        for said in bench.alerts.telling.deliveries(alert=one.id, limit=TOLD)
    )
    blocks: tuple[Block, ...] = (head, Text(one.detail), Grid(("Fact", "Value"), facts, title="Numbers"))
    return (*blocks, Grid(("When", "Channel", "Why", "State"), told, title="Who was told")) if told else blocks


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
        ),
        title=one.deployment,
    )
    if report is None:
        return (head, Text("No report yet: r checks now.", "muted"))
    return (head, *report_detail(bench, report), *_over_time(bench.monitoring.reports(one.deployment, REPORTS), report))


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
            ("Error rate", percent(one.error_rate, 1)),
            ("Latency", f"p95 {number(one.latency_p95_ms, 3)} ms" if one.latency_p95_ms is not None else ""),
        ),
        title=f"{one.deployment} report {one.id}",
    )
    columns = [*([one.prediction] if one.prediction else []), *one.features]
    columns.sort(key=lambda each: (not each.drifted, -each.size))
    return (
        head,
        *([Text("\n".join(one.notes), "muted")] if one.notes else []),
        *_performance(one),
        Grid(("", "Column", "PSI", "limit", "KS", "limit"), tuple(map(_drift_row, columns)), title="Drift"),
        *[_pair(each) for each in columns[:PAIRS] if each.reference and each.current],
    )


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
        ("▲ drift", "warn") if each.drifted else ("· same", "muted"),
        each.name,
        number(each.psi, 3),
        (number(each.psi_threshold, 3), "muted"),
        number(each.ks, 3),
        (number(each.ks_threshold, 3), "muted"),
    )


def _pair(each: FeatureDrift) -> Pair:
    role = "warn" if each.drifted else "text"
    return Pair((each.name, role), tuple(each.reference), tuple(each.current), tuple(each.bins))


class MonitoringDesk(Desk):
    """Alerts, monitors, reports."""

    ID = "monitoring"
    CSS_PATH = "monitoring.tcss"
    BINDINGS = bindings("monitoring")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        Section(
            "alerts",
            "Alerts",
            alerts,
            limit=ALERTS,
            columns=(
                cells.status("State", lambda one: one.state),
                cells.status("Severity", lambda one: one.severity, rank=3),
                cells.text("Alert", lambda one: one.title, width=60, grow=True),
                cells.text("Subject", lambda one: one.subject, width=20, rank=2),
                cells.text("Rule", lambda one: one.rule, width=14, rank=3, role="muted"),
                cells.count("Times", lambda one: one.count, rank=2),
                cells.when("Last", lambda one: one.last_at),
            ),
            key=lambda one: str(one.id),
            empty=Empty(
                "No alerts. Monitors raise them when data drifts, errors grow or a model gets worse.", "mlops monitors add NAME"
            ),
            detail=alert_detail,
            names=lambda one: {"id": one.id},
            asks=ASKS,
        ),
        Section(
            "monitors",
            "Monitors",
            lambda bench: bench.monitoring.list(),
            columns=(
                cells.text("Deployment", lambda one: one.deployment, width=32, grow=True),
                cells.status("State", lambda one: one.state),
                cells.status("Verdict", lambda one: one.verdict or "-"),
                cells.text("Version", lambda one: f"v{one.version}" if one.version else "-", width=8, rank=2),
                cells.when("Checked", lambda one: one.checked_at),
            ),
            key=lambda one: str(one.deployment),
            empty=Empty("No monitors yet. One compares a deployment's traffic with what its model was trained on.",
                        "mlops monitors add DEPLOYMENT"),
            detail=monitor_detail,
            inside=Inside("reports", lambda one: f"deployment:{one.deployment}", "reports"),
            watches=frozenset({"catalog", "telemetry", "metrics"}),
            names=lambda one: {"name": one.deployment},
        ),
        Section(
            "reports",
            "Reports",
            reports,
            limit=REPORTS,
            columns=(
                cells.when("Checked", lambda one: one.at),
                cells.text("Deployment", lambda one: one.deployment, width=28, grow=True),
                cells.text("Version", lambda one: f"v{one.version}", width=8, rank=2),
                cells.status("Verdict", lambda one: one.verdict),
                cells.count("Rows", lambda one: one.rows),
                cells.count("Drifted", lambda one: len(one.drifted) or None),
            ),
            key=lambda one: str(one.id),
            empty=Empty("No reports yet. Each check of a monitor makes one.", "mlops monitors run NAME"),
            detail=report_detail,
            watches=frozenset({"catalog", "telemetry", "metrics"}),
            names=lambda one: {"name": one.deployment, "id": one.id},
        ),
    )  # fmt: skip

    async def act_acknowledge(self) -> None:
        """Take the alert."""
        number_ = int(self.record.id)
        back = self.undo("monitoring.acknowledge", lambda bench: f"Alert {bench.alerts.reopen(number_).id} is open.")
        self.perform(
            "acknowledge", lambda bench: f"Alert {bench.alerts.acknowledge(number_).id} is acknowledged.", undo=back
        )

    async def act_silence(self) -> None:
        """Ask for how long, then silence."""
        one = self.record
        fields = (
            Field("hours", "Hours", "4", choices=("1", "4", "8", "24", "72")),
            Field("why", "Why", optional=True),
        )

        def command(answers: Answers) -> str:
            why = f" --why '{answers['why']}'" if answers["why"] else ""
            return f"mlops alerts silence {one.id} --for {answers['hours']}h{why}"

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                back = self.undo("monitoring.silence", lambda bench: f"Alert {bench.alerts.reopen(int(one.id)).id} is open.",
                                 id=one.id)  # fmt: skip
                self.perform(
                    "silence", lambda bench: _silence(bench, int(one.id), answers), command=command(answers), undo=back
                )

        self.app.push_screen(Form(f"Silence: {one.title}", fields, "Silence", command), chosen)

    async def act_check(self) -> None:
        """Check in a worker; the report opens when it is there."""
        name = str(self.record.deployment)

        def work(bench: Workbench) -> str:
            report = bench.monitoring.check(name)
            return f"{name}: {report.verdict} over {report.rows:,} rows."

        self.perform(f"check {name}", work)


def _silence(bench: Workbench, alert: int, answers: Answers) -> str:
    until = bench.context.now() + int(answers["hours"]) * clock.HOUR
    bench.alerts.silence(alert, until, answers["why"])
    return f"Alert {alert} is silent until {clock.local(until)}."
