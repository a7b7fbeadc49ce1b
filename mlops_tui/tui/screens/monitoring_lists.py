"""Alerts, monitors and their reports, as lists of the monitoring desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.domains.alerts.searching import ALERTS as ASKS
from mlops_tui.tui.lines import Span, clean, state
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.monitoring_facts import REPORTS as OF_A_MONITOR
from mlops_tui.tui.screens.monitoring_facts import alert_detail, monitor_detail, report_detail
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.monitoring.records import Report
    from mlops_tui.workbench import Workbench

MOST = 500
STATES = {"open": 0, "acknowledged": 1, "silenced": 2, "resolved": 3}
SEVERITIES = {"info": 0, "warning": 1, "critical": 2}
TELEMETRY = frozenset({"catalog", "telemetry", "metrics"})


def alerts(bench: Workbench) -> list[Alert]:
    """All alerts: those that wait for somebody first, of these the worst; what is over by time."""
    return sorted(bench.alerts.list(limit=MOST), key=_urgency)


def _urgency(one: Alert) -> tuple[int, int, int]:
    worst = SEVERITIES.get(str(one.severity), 0) if one.active else 0
    return STATES.get(str(one.state), len(STATES)), -worst, -one.last_at


def _severity(one: Alert, now: int) -> Span:
    text, role = state(one.severity)
    return text, role if one.active else "muted"


def _title(one: Alert, now: int) -> Span:
    return clean(one.title), "text" if one.active else "muted"


def reports(bench: Workbench) -> list[Report]:
    """The newest reports of every monitor, newest first."""
    found = [
        one for monitor in bench.monitoring.list() for one in bench.monitoring.reports(monitor.deployment, OF_A_MONITOR)
    ]
    return sorted(found, key=lambda one: -one.at)


ALERTS = Section(
    "alerts",
    "Alerts",
    alerts,
    limit=MOST,
    columns=(
        cells.status("State", lambda one: one.state),
        Column("Severity", _severity, sort=lambda one: SEVERITIES.get(str(one.severity), 0), width=16),
        Column("Alert", _title, sort=lambda one: one.title, width=60, grow=True, kind="text"),
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
)  # fmt: skip

MONITORS = Section(
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
    watches=TELEMETRY,
    names=lambda one: {"name": one.deployment},
)  # fmt: skip

REPORTS = Section(
    "reports",
    "Reports",
    reports,
    limit=OF_A_MONITOR,
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
    watches=TELEMETRY,
    names=lambda one: {"name": one.deployment, "id": one.id},
)  # fmt: skip

SECTIONS = (ALERTS, MONITORS, REPORTS)
