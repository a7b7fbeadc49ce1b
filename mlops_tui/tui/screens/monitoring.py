"""Alerts, monitors and their reports: acknowledge, silence, check now."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on

from mlops_tui.core.errors import Unavailable
from mlops_tui.domains.alerts.searching import ALERTS as ASKS
from mlops_tui.tui.screens import cells, chrome, monitoring_acts, monitoring_columns, monitoring_insight, telling
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.monitoring_facts import REPORTS, alert_detail, monitor_detail, report_detail
from mlops_tui.tui.screens.page import NARROW
from mlops_tui.tui.screens.section import Inside, Section
from mlops_tui.tui.widgets.bar import Part
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import VirtualTable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.monitoring.records import Report

ALERTS = 500
SHORT = {"performance": "Perf", "fairness": "Fair"}


def alerts(bench: Workbench) -> list[Alert]:
    """All alerts, those that still matter first."""
    order = {"open": 0, "acknowledged": 1, "silenced": 2, "resolved": 3}
    return sorted(bench.alerts.list(limit=ALERTS), key=lambda one: (order.get(str(one.state), 4), -one.last_at))


def reports(bench: Workbench) -> list[Report]:
    """The newest reports of every monitor, newest first."""
    found = [
        one for monitor in bench.monitoring.list() for one in bench.monitoring.reports(monitor.deployment, REPORTS)
    ]
    return sorted(found, key=lambda one: -one.at)


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
        monitoring_columns.COLUMNS,
        *monitoring_insight.SECTIONS,
        *telling.SECTIONS,
    )  # fmt: skip

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """A part of this desk; the place `incident` is a page in front of it."""
        if section != "incident" or not key:
            super().go(section, key, filter)
            return
        from mlops_tui.tui.screens.incident import IncidentDesk

        self.app.push_screen(IncidentDesk(key))

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """An alert opens the page of its incident."""
        if self.section.id == "alerts" and self.record is not None:
            message.prevent_default()  # of the desk's own handler, which shows the detail
            await self.workbench_app.open_at("monitoring", "incident", str(self.record.id))

    def parts(self) -> list[Part]:
        """The parts, without counts and with short titles where there is little room."""
        return super().parts() if self.size.width >= NARROW else chrome.short_parts(self, SHORT)

    async def act_acknowledge(self) -> None:
        """Take the alert."""
        monitoring_acts.acknowledge(self, self.record)

    async def act_silence(self) -> None:
        """Ask for how long, then silence."""
        monitoring_acts.silence(self, self.record)

    async def act_explain(self) -> None:
        """Explain the report's drift in a worker."""
        monitoring_acts.explain(self, str(self.record.deployment), int(self.record.id))

    async def act_export(self) -> None:
        """Ask where to, then write the monitoring of the deployment."""
        monitoring_acts.export(self, str(self.record.deployment))

    async def act_write(self) -> None:
        """The same from the list of performance."""
        await self.act_export()

    async def act_check(self) -> None:
        """Check in a worker; the report opens when it is there."""
        name = str(self.record.deployment)

        def work(bench: Workbench) -> str:
            report = bench.monitoring.check(name)
            return f"{name}: {report.verdict} over {report.rows:,} rows."

        self.perform(f"check {name}", work)

    async def act_rest(self) -> None:
        """Pause the rule."""
        name = str(self.record.name)
        back = self.undo("monitoring.rest", lambda bench: f"{bench.alerts.rules.pause(name, False).name} looks again.")
        self.perform(f"pause {name}", lambda bench: f"{bench.alerts.rules.pause(name).name} is paused.", undo=back)

    async def act_watch(self) -> None:
        """Resume the rule."""
        name = str(self.record.name)
        back = self.undo("monitoring.watch", lambda bench: f"{bench.alerts.rules.pause(name).name} is paused.")
        self.perform(
            f"resume {name}", lambda bench: f"{bench.alerts.rules.pause(name, False).name} looks again.", undo=back
        )

    async def act_mute(self) -> None:
        """Pause the channel."""
        name = str(self.record.name)
        back = self.undo(
            "monitoring.mute", lambda bench: f"{bench.alerts.telling.pause(name, False).name} tells again."
        )
        self.perform(f"pause {name}", lambda bench: f"{bench.alerts.telling.pause(name).name} is paused.", undo=back)

    async def act_unmute(self) -> None:
        """Resume the channel."""
        name = str(self.record.name)
        back = self.undo("monitoring.unmute", lambda bench: f"{bench.alerts.telling.pause(name).name} is paused.")
        self.perform(
            f"resume {name}", lambda bench: f"{bench.alerts.telling.pause(name, False).name} tells again.", undo=back
        )

    async def act_test(self) -> None:
        """Send a test message in a worker."""
        name = str(self.record.name)

        def work(bench: Workbench) -> str:
            outcome = bench.alerts.telling.test(name)
            if outcome.state != "sent":
                raise Unavailable(f"{name} did not take it: {outcome.error}")
            return f"{name} took the test message."

        self.perform(f"test {name}", work)
