"""Watch deployments: check new predictions and labels against the training data, report, and raise alerts."""

from __future__ import annotations

import builtins
import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tui.core.clock import DAY
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, WorkbenchError
from mlops_tui.core.ids import did_you_mean, nearest
from mlops_tui.domains.monitoring import alarms
from mlops_tui.domains.monitoring.monitors import SETTINGS, Monitor, MonitorState, main_version
from mlops_tui.domains.monitoring.records import Report, Verdict
from mlops_tui.domains.monitoring.store import MonitoringStore
from mlops_tui.domains.serving.records import weights_of

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.monitoring.insight import Insight
    from mlops_tui.domains.monitoring.odd import Odd
    from mlops_tui.domains.monitoring.records import Apart
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

# Labels later than this after their prediction are not looked for.
LABEL_HORIZON = 30 * DAY
MAX_WINDOW = 1_000_000


class Monitoring:
    """The room that looks at deployments. Every deployment has a monitor with default settings from its first day."""

    def __init__(self, context: Context, audit: Audit, alerts: Alerts, registry: Registry, serving: Serving) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._registry = registry
        self._serving = serving
        self._store = MonitoringStore(context)

    @cached_property
    def insight(self) -> Insight:
        """How right it is over time and for whom, and what a drift is about."""
        from mlops_tui.domains.monitoring.insight import Insight

        return Insight(self._context, self._registry, self._serving, self.get, self._store)

    @cached_property
    def odd(self) -> Odd:
        """Odd rows and clients that probe."""
        from mlops_tui.domains.monitoring.odd import Odd

        return Odd(self._context, self._alerts, self._registry, self._serving)

    # -- monitors ------------------------------------------------------------------------------------------------------

    def add(self, deployment: str, **settings: Any) -> Monitor:
        """Watch a deployment with settings of your own (`records.SETTINGS`), or change them.

        Raises NotFound for a deployment that does not exist, AlreadyExists when nothing would change, InvalidInput for
        a setting that does not exist or cannot be.
        """
        self._serving.get(deployment)
        stored = self._stored(deployment)
        known = stored if stored and stored.state is not MonitorState.REMOVED else None
        if known and not settings:
            raise AlreadyExists(
                f"'{deployment}' has a monitor already.", hint=f"See it: mlops monitors show {deployment}"
            )
        self._check_inputs(deployment, [*settings.get("sensitive", []), *settings.get("slices", [])])
        before = known or self._new(deployment)
        after = dataclasses.replace(before, **_checked(before, settings), state=MonitorState.ACTIVE)
        return self._put("change" if known else "add", stored, after)

    def list(self) -> builtins.list[Monitor]:
        """Monitors of all deployments by name; those nobody configured have the defaults."""
        stored = {monitor.deployment: monitor for monitor in self._store.monitors()}
        names = [deployment.name for deployment in self._serving.list()]
        found = [stored.get(name) or self._store.with_mark(Monitor(name)) for name in sorted(names)]
        return [monitor for monitor in found if monitor.state is not MonitorState.REMOVED]

    def get(self, name: str) -> Monitor:
        """The monitor of a deployment. Raises NotFound."""
        found = {monitor.deployment: monitor for monitor in self.list()}
        if name not in found:
            hint = did_you_mean(name, found, "Every deployment has one: mlops deployments list")
            raise NotFound(f"There is no monitor '{name}'.", hint=hint)
        return found[name]

    def pause(self, name: str, why: str = "") -> Monitor:
        """Stop checking it until resumed. Raises NotFound."""
        return self._set_state(name, MonitorState.PAUSED, "pause", why)

    def resume(self, name: str, why: str = "") -> Monitor:
        """Check it again. Raises NotFound."""
        return self._set_state(name, MonitorState.ACTIVE, "resume", why)

    def remove(self, name: str, why: str = "") -> None:
        """Stop watching a deployment for good and end its alerts; its reports stay. `add` brings it back."""
        with self._context.catalog.write():
            self._set_state(name, MonitorState.REMOVED, "remove", why)
            for rule in (*alarms.RULES, "monitor"):
                self._alerts.resolve_by(rule, name, "its monitor was removed")

    # -- checks --------------------------------------------------------------------------------------------------------

    def check(self, name: str, *, window: int | None = None) -> Report:
        """Compare what was answered and labelled since the last check with the training data; raise or end alerts.

        The window is the newest `max_rows` (or `window`) predictions of the version that gets most traffic. With fewer
        than `min_rows` and no new labels the report says "waiting" and is not kept (id 0). Raises NotFound,
        InvalidInput for an impossible window. Imports pandas and duckdb: for a job, not for the daemon.
        """
        # numpy, pandas and river: every list command imports this module, only a check may pay for them.
        from mlops_tui.domains.monitoring.checking import Check

        monitor = self.get(name)
        if window is not None:
            monitor = dataclasses.replace(
                monitor, **_checked(monitor, {"max_rows": window, "min_rows": min(window, monitor.min_rows)})
            )
        deployment = self._serving.get(name)
        version = main_version(deployment)
        check = Check(self._context, self._registry, self._serving, self._store)
        report, detector, fed = check.run(monitor, deployment, version)
        self.insight.measure(name)
        if report.verdict is Verdict.WAITING:
            self._store.touch(monitor, report.at)
            return report
        before = self.latest(name)
        with self._context.catalog.write():  # all its alerts at once, within milliseconds of the report
            number = self._store.save(report, detector, fed, monitor)
            if not number:  # somebody else checked the same rows meanwhile; theirs counts
                return self.latest(name) or report
            report = dataclasses.replace(report, id=number)
            if before is not None and before.version != report.version:
                self._begin_anew(report, before.version)
            self._act(report, monitor)  # before the model is asked, which may take its time
        self._store.forget_fed(name, report.at - LABEL_HORIZON - DAY)
        if report.drifted and not self.insight.explained_lately(report):
            self.insight.explain(name, number)
        if report.rows and report.since is not None and report.until is not None:
            self.odd.look(name, f"{deployment.model}/{version}", report.since, report.until)
        return report

    def check_all(self) -> builtins.list[Report]:
        """Check every active monitor; one that cannot be checked raises an alert and does not keep others from it."""
        reports = []
        for monitor in self._active():
            try:
                reports.append(self.check(monitor.deployment))
            except WorkbenchError as error:
                self._alerts.raise_alert(
                    "monitor",
                    monitor.deployment,
                    title=f"{monitor.deployment}: the monitor could not run",
                    detail=f"{error.message} {error.hint}".strip(),
                )
            else:
                self._alerts.resolve_by("monitor", monitor.deployment)
        return reports

    def catch_up(self, name: str) -> None:
        """End what is said of versions of a deployment that get no traffic any more, before somebody acts on it. Cheap."""
        serving = weights_of(self._serving.get(name))
        for rule in alarms.RULES:
            for alert in self._alerts.list(rule=rule, subject=name, limit=1):
                about = alert.facts.get("version")
                if alert.active and isinstance(about, int) and about not in serving:
                    self._alerts.resolve_by(rule, name, f"version {max(serving)} took over from {about}")

    def sweep(self) -> None:
        """End what is said of deployments that were removed. Cheap."""
        there = {one.name for one in self._serving.wanted()}
        for rule in (*alarms.RULES, "monitor", alarms.PROBING):
            for alert in self._alerts.list(rule=rule, limit=100):
                if alert.active and alert.subject not in there:
                    self._alerts.resolve_by(rule, alert.subject, "the deployment was removed")

    def due(self) -> bool:
        """Whether a check would find something: enough new predictions in the log, or new labels. Reads SQLite only."""
        return any(self._due(monitor) for monitor in self._active())

    # -- reports -------------------------------------------------------------------------------------------------------

    def reports(self, name: str, limit: int = 50) -> builtins.list[Report]:
        """Reports of a deployment, newest first; the last thousand are kept."""
        return self._store.reports(name, limit)

    def report(self, report_id: int) -> Report:
        """One report. Raises NotFound."""
        found = self._store.report(report_id)
        if found is None:
            raise NotFound(f"There is no report {report_id}.", hint="See them: mlops monitors show DEPLOYMENT")
        return found

    def latest(self, name: str) -> Report | None:
        """The newest report of a deployment."""
        found = self._store.reports(name, 1)
        return found[0] if found else None

    def apart(self, name: str, report: int | None = None) -> Apart:
        """Let a classifier tell the window of a report (the newest with columns) from the answers before, or the sample rows.

        Raises NotFound, InvalidInput for too few rows. Imports sklearn: for a person who asks, not for the daemon.
        """
        from mlops_tui.domains.monitoring.asking import Asking

        asking = Asking(self._context, self._registry, self._serving, self._store)
        return asking.apart(self.get(name).deployment, report)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _begin_anew(self, report: Report, before: int) -> None:
        """End what was said of the version that served before: the new one is judged by its own answers."""
        for rule in alarms.RULES:
            self._alerts.resolve_by(rule, report.deployment, f"version {report.version} took over from {before}")

    def _act(self, report: Report, monitor: Monitor) -> None:
        votes = self._store.votes(report.deployment, report.version, monitor.of)
        for move in alarms.moves(report, monitor, votes):
            if move.raised:
                self._alerts.raise_alert(
                    move.rule,
                    report.deployment,
                    severity=move.severity,
                    title=move.title,
                    detail=move.detail,
                    facts=move.facts,
                )
            else:
                self._alerts.resolve_by(move.rule, report.deployment)

    def _due(self, monitor: Monitor) -> bool:
        since = monitor.until if monitor.until is not None else -1
        rested = self._context.now() - (monitor.checked_at or 0) >= self._context.settings.daemon.monitor_s * 1000
        # Labels may trickle in all day and a check costs seconds of CPU, so they are gathered for a while. Traffic counts
        # every version and every request: where the last look found too little, the next one can wait too.
        if rested or monitor.checked_at == monitor.reported_at:
            fresh = bool(self._serving.prediction_files(monitor.deployment, since + 1))
            if fresh and self._serving.stats(monitor.deployment, since + 1).rows >= monitor.min_rows:
                return True
        labelled_at = self._serving.feedback_at() if rested else None
        return labelled_at is not None and labelled_at > (monitor.checked_at or 0)

    def _active(self) -> builtins.list[Monitor]:
        return [monitor for monitor in self.list() if monitor.state is MonitorState.ACTIVE]

    def _check_inputs(self, name: str, wanted: builtins.list[str]) -> None:
        """Raise InvalidInput for one that the model in front does not take: it will not be in the log."""
        deployment = self._serving.get(name)
        signature = self._registry.version(f"{deployment.model}/{main_version(deployment)}").signature
        known = [str(one["name"]) for one in signature.get("inputs") or ()]
        for one in wanted:
            if one not in known:
                hint = did_you_mean(one, known, f"Its inputs are {', '.join(known[:20])}.")
                raise InvalidInput(f"'{one}' is no input of {deployment.model}, so it is not logged.", hint=hint)

    def _stored(self, name: str) -> Monitor | None:
        return next((monitor for monitor in self._store.monitors() if monitor.deployment == name), None)

    def _new(self, name: str) -> Monitor:
        return self._store.with_mark(Monitor(name, created_at=self._context.now()))

    def _set_state(self, name: str, state: MonitorState, verb: str, why: str) -> Monitor:
        before = self.get(name)
        created_at = before.created_at or self._context.now()
        return self._put(verb, before, dataclasses.replace(before, state=state, created_at=created_at), why)

    def _put(self, verb: str, before: Monitor | None, after: Monitor, why: str = "") -> Monitor:
        with self._context.catalog.write() as tx:
            self._store.put(tx, after)
            old = _facts(before) if before else None
            self._audit.note(tx, verb, "monitor", after.deployment, why=why, before=old, after=_facts(after))
        return after


def _facts(monitor: Monitor) -> dict[str, Any]:
    return {"state": str(monitor.state)} | {name: getattr(monitor, name) for name in SETTINGS}


def _checked(monitor: Monitor, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that may be used, all mistakes in one InvalidInput."""
    values = {name: getattr(monitor, name) for name in SETTINGS} | settings
    mistakes = []
    for name in settings:
        if name not in SETTINGS:
            near = nearest(name, SETTINGS)
            mistakes.append(f"'{name}' is not a setting of a monitor" + (f"; did you mean {near}?" if near else "."))
    rules = [
        (
            1 <= values["min_rows"] <= values["max_rows"] <= MAX_WINDOW,
            f"rows: 1 <= min_rows <= max_rows <= {MAX_WINDOW}",
        ),
        (0 < values["alpha"] <= 0.5, "alpha: more than 0, at most 0.5"),
        (1 <= values["need"] <= values["of"] <= 20, "votes: 1 <= need <= of <= 20"),
        (0 <= values["margin"] <= 10, "margin: 0 to 10 (0.1 is ten percent)"),
        (values["min_labels"] >= 2, "min_labels: at least 2"),
        (0 <= values["max_error_rate"] <= 1, "max_error_rate: 0 to 1"),
        (values["max_latency_ms"] > 0, "max_latency_ms: more than 0"),
        (values["group_rows"] >= 2, "group_rows: at least 2"),
    ]
    mistakes += [text for holds, text in rules if not holds]
    if mistakes:
        raise InvalidInput(
            "This monitor cannot be: " + "; ".join(mistakes), hint="mlops monitors add --help lists them."
        )
    return settings
