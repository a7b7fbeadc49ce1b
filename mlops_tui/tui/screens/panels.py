"""The lists of the overview: what to show of each room in one row, and which object the row opens."""

from __future__ import annotations

import dataclasses

from mlops_tui.core import clock
from mlops_tui.tui.lines import percent
from mlops_tui.workbench import Workbench

LIMIT = 30
TRAFFIC_MS = 15 * clock.MINUTE


@dataclasses.dataclass(frozen=True)
class Item:
    """One row of a panel and the object that enter opens."""

    title: str
    desk: str
    section: str
    key: str
    state: str = ""
    words: str = ""
    at: int | None = None
    rates: tuple[float, ...] = ()


def running(bench: Workbench) -> list[Item]:
    """Pending jobs, then runs that log right now."""
    found = [
        Item(one.title, "system", "jobs", str(one.id), str(one.state), _share(one.progress.done, one.progress.total),
             one.started_at or one.created_at)
        for one in bench.jobs.list(limit=LIMIT)
        if str(one.state) in ("queued", "claimed", "running")
    ]  # fmt: skip
    runs = bench.experiments.runs(state="running", limit=LIMIT)
    return found + [
        Item(
            f"{run.experiment} {run.name or run.id[:8]}",
            "experiments",
            "runs",
            run.id,
            str(run.state),
            "",
            run.started_at,
        )
        for run in runs
    ]


def _share(done: int, total: int | None) -> str:
    return percent(done / total) if total else ""


def deployed(bench: Workbench) -> list[Item]:
    """Deployments with their routes and the requests of the last 15 minutes."""
    since = bench.context.now() - TRAFFIC_MS
    out = []
    for one in bench.serving.list():
        points = bench.serving.series(one.name, since, 30 * clock.SECOND)
        stats = bench.serving.stats(one.name, since)
        routes = " ".join(f"v{route.version}:{route.weight:g}%" for route in one.versions)
        rates = tuple(float(point.requests) for point in points)
        out.append(
            Item(
                one.name,
                "serving",
                "deployments",
                one.name,
                str(one.state),
                f"{routes}  {stats.rate:.1f}/s",
                None,
                rates,
            )
        )
    return out


def open_alerts(bench: Workbench) -> list[Item]:
    """Alerts nobody has resolved, the newest first."""
    return [
        Item(one.title, "monitoring", "alerts", str(one.id), str(one.state), one.subject, one.last_at)
        for one in sorted(bench.alerts.list(limit=200), key=lambda one: -one.last_at)
        if str(one.state) in ("open", "acknowledged")
    ]


def next_fires(bench: Workbench) -> list[Item]:
    """The next slot of every schedule that is not paused, the soonest first."""
    out = [
        Item(one.name, "pipelines", "schedules", one.name, "paused" if one.paused else "active",
             one.cron or f"on {one.kind}", None if one.paused else one.next_due)
        for one in bench.schedules.list()
    ]  # fmt: skip
    return sorted(out, key=lambda item: item.at or 2**62)


def recent(bench: Workbench) -> list[Item]:
    """The newest changes of the audit log."""
    return [
        Item(f"{one.verb} {one.kind} {one.name}", "system", "audit", str(one.id), "", one.actor, one.at)
        for one in bench.audit.list(limit=LIMIT)
    ]
