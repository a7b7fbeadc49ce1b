"""Alerts, monitors and their reports, as lists of the monitoring desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.domains.alerts.searching import ALERTS as ASKS
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.monitoring_facts import REPORTS as OF_A_MONITOR
from mlops_tui.tui.screens.monitoring_facts import alert_detail, monitor_detail, report_detail
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.states import Empty

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.monitoring.records import Report
    from mlops_tui.workbench import Workbench

MOST = 500
TELEMETRY = frozenset({"catalog", "telemetry", "metrics"})


def alerts(bench: Workbench) -> list[Alert]:
    """All alerts, those that still matter first."""
    order = {"open": 0, "acknowledged": 1, "silenced": 2, "resolved": 3}
    return sorted(bench.alerts.list(limit=MOST), key=lambda one: (order.get(str(one.state), 4), -one.last_at))


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
        cells.status("Severity", lambda one: one.severity),
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
