"""The page of a deployment's monitoring, and the page of an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.incident import tell
from mlops_tui.pages import drift, performance
from mlops_tui.pages.numbers import number, share, when
from mlops_tui.pages.page import MUTED, Chart, Curve, Facts, Page, Part, Section, Table, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tui.domains.alerts.records import Alert
    from mlops_tui.domains.monitoring.measured import Standing
    from mlops_tui.domains.monitoring.monitors import Monitor
    from mlops_tui.domains.monitoring.records import Report
    from mlops_tui.workbench import Workbench

REPORTS = 200
ALERTS = 200
NOTHING = {
    "What": Words("Nothing is known of it.", MUTED),
    "What moved": Words(
        "No drift of this deployment was explained. `mlops monitors explain` does, after a check that found one.", MUTED
    ),
    "How right it is": Words("Nothing was measured that this alert is about.", MUTED),
}
"""What stands where a section of an incident has nothing to say."""


def deployment(bench: Workbench, name: str) -> Page:
    """Everything that is known of how a deployment does. Raises NotFound. Reads SQLite only: measure and explain before."""
    monitor = bench.monitoring.get(name)
    reports = bench.monitoring.reports(name, REPORTS)
    standing = bench.monitoring.insight.standing(name)
    sections = [
        Section("Now", (_now(monitor, reports),)),
        *_right(standing, monitor),
        *_drift(bench, name, reports),
        *_odd(bench, name),
        *_service(reports),
        Section("Alerts", tuple(_alerts(bench, name))),
        Section("How it was measured", (Words(performance.HOW), Words(_limits(monitor)))),
    ]
    lead = performance.headline(standing) if standing else f"{name} has answered nothing that was measured yet."
    return Page(f"Monitoring of {name}", lead, tuple(sections), bench.context.now(), bench.context.actor)


def incident(bench: Workbench, alert_id: int) -> Page:
    """What an alert is about and what became of it, in order. Raises NotFound."""
    alert = bench.alerts.get(alert_id)
    standing, explained = _about(bench, alert)
    sections = [
        Section("What", (_what(alert), *([Words(alert.detail)] if alert.detail else []))),
        Section("What happened", (story(bench, alert_id),)),
        *([Section("What moved", tuple(explained))] if explained else []),
        *([Section("How right it is", tuple(standing))] if standing else []),
    ]
    lead = f"{alert.rule} of {alert.subject}, {alert.severity}, {_end(alert)}."
    return Page(f"Alert {alert.id}: {alert.title}", lead, tuple(sections), bench.context.now(), bench.context.actor)


def story(bench: Workbench, alert_id: int) -> Table:
    """What happened around an alert, oldest first."""
    rows = tuple((when(one.at), f"{one.kind} {one.name}", one.words, one.command) for one in tell(bench, alert_id))
    return Table(("When", "What", "Said", "See"), rows, code=frozenset({3}))


def _about(bench: Workbench, alert: Alert) -> tuple[list[Part], list[Part]]:
    """How right the deployment is, and what moved, as far as the alert is about a deployment."""
    try:
        monitor = bench.monitoring.get(alert.subject)
        number_ = alert.facts.get("report")
        insight = bench.monitoring.insight
        # Where the drift stayed as it was, the report before has been explained and this one has not.
        found = insight.explanation(alert.subject, number_ if isinstance(number_, int) else None)
        found = found or insight.explanation(alert.subject)
        explained = drift.explained(found, bench.monitoring.report(found.report)) if found and found.moved else []
        standing = insight.standing(alert.subject)
    except NotFound:
        return [], []
    if standing is None:
        return [], explained
    right = [*performance.over_time(standing)[:1], *performance.measures(standing.whole), *performance.slices(standing)]
    if alert.rule.startswith("fair") or "gap" in alert.title:
        right += [
            *performance.groups(standing.whole, monitor.group_rows),
            *performance.gaps_over_time(standing.stretches),
        ]
    return [Words(performance.headline(standing)), *right], explained


def _what(alert: Alert) -> Facts:
    taken = f"by {alert.acknowledged_by}, {when(alert.acknowledged_at)}" if alert.acknowledged_by else ""
    return Facts(
        (
            ("State", str(alert.state)),
            ("Severity", str(alert.severity)),
            ("About", f"{alert.rule} of {alert.subject}"),
            ("First", when(alert.first_at)),
            ("Last", f"{when(alert.last_at)}, {alert.count} times" if alert.count > 1 else ""),
            ("Acknowledged", taken),
            ("Resolved", f"by {alert.resolved_by}, {when(alert.resolved_at)}" if alert.resolved_at else ""),
            ("Why", alert.why),
        )
    )


def _end(alert: Alert) -> str:
    if alert.resolved_at:
        return f"resolved after {clock.duration(alert.resolved_at - alert.first_at)}"
    return str(alert.state)


def _now(monitor: Monitor, reports: Sequence[Report]) -> Facts:
    newest = reports[0] if reports else None
    return Facts(
        (
            ("Monitor", str(monitor.state)),
            ("Verdict", str(monitor.verdict or "not checked yet")),
            ("Version", str(monitor.version or "")),
            ("Checked", when(monitor.checked_at)),
            ("Reports", f"{len(reports):,} since {when(reports[-1].at)}" if reports else ""),
            ("Failed requests", share(newest.error_rate) if newest and newest.error_rate is not None else ""),
        )
    )


def _right(standing: Standing | None, monitor: Monitor) -> list[Section]:
    if standing is None:
        return []
    found = [
        Section("How right it is", (*performance.whole(standing), *performance.over_time(standing))),
        Section("Slices", tuple(performance.slices(standing))),
    ]
    groups = [*performance.groups(standing.whole, monitor.group_rows), *performance.gaps_over_time(standing.stretches)]
    said: list[Part] = groups or [Words("No sensitive columns were declared, so no groups were compared.", MUTED)]
    return [*found, Section("Fairness", tuple(said))]


def _drift(bench: Workbench, name: str, reports: Sequence[Report]) -> list[Section]:
    newest = next((one for one in reports if one.features), None)
    if newest is None:
        return []
    parts = drift.columns(newest)
    found = bench.monitoring.insight.explanation(name, newest.id) or bench.monitoring.insight.explanation(name)
    if newest.drifted and found is not None and found.moved:
        parts += drift.explained(found, bench.monitoring.report(found.report))
    return [Section("Inputs and answers", tuple(parts))]


def _odd(bench: Workbench, name: str) -> list[Section]:
    """Rows unlike the training data, and the clients that asked."""
    windows = list(reversed(bench.monitoring.odd.windows(name)))
    if not windows:
        return []
    newest, clients = windows[-1], bench.monitoring.odd.clients(name)
    curve = Curve("odd rows", tuple((one.at, one.share) for one in windows))
    chart = Chart("Share of odd rows", (curve,), newest.alpha, "usual at most", from_zero=True)
    said = f"{newest.odd:,} of {newest.rows:,} rows of the newest window are unlike the training data ({share(newest.share)})."
    rows = tuple((one.caller, f"{one.rows:,}", str(one.verdict), one.words) for one in clients)
    table = Table(("Client", "Rows", "Looks like", "Because"), rows, numbers=frozenset({1}))
    return [Section("Odd rows", (Words(said), *((chart,) if len(windows) > 1 else ()), table))]


def _service(reports: Sequence[Report]) -> list[Section]:
    known = [one for one in reversed(reports) if one.error_rate is not None]
    if not known:
        return []
    failed = Curve("failed requests", tuple((one.at, one.error_rate) for one in known))
    slow = Curve("p95 ms", tuple((one.at, one.latency_p95_ms) for one in known))
    last = known[-1]
    facts = Facts(
        (("Failed requests", share(last.error_rate)), ("95th percentile", f"{number(last.latency_p95_ms)} ms"))
    )
    charts = (Chart("Failed requests", (failed,), from_zero=True), Chart("Latency", (slow,), from_zero=True))
    return [Section("Service", (facts, *(charts if len(known) > 1 else ())))]


def _alerts(bench: Workbench, name: str) -> list[Part]:
    found = [one for one in bench.alerts.list(limit=ALERTS) if one.subject == name]
    if not found:
        return [Words("None.", MUTED)]
    rows = tuple(
        (str(one.id), str(one.state), str(one.severity), one.rule, one.title, when(one.first_at)) for one in found
    )
    return [Table(("Alert", "State", "Severity", "Rule", "Said", "First"), rows)]


def _limits(monitor: Monitor) -> str:
    return (
        f"Windows of {monitor.min_rows:,} to {monitor.max_rows:,} predictions; a false alarm in at most {monitor.alpha:.2%} of windows;"
        f" an alert after {monitor.need} of {monitor.of}; worse means {monitor.margin:.0%} past training on at least"
        f" {monitor.min_labels} labels."
    )
