"""The lists of the overview: what to show of each room in one row, and which object the row opens."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from mlops_tui.core import clock
from mlops_tui.tui.lines import percent, size
from mlops_tui.workbench import Workbench

LIMIT = 30
CHANGES = 200
LITTLE = 0.1
BAR = 8
_ID = re.compile("[0-9a-f]{16}")
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
            "run",
            run.id,
            str(run.state),
            "",
            run.started_at,
        )
        for run in runs
    ]


def _share(done: int, total: int | None) -> str:
    """Progress as a bar and a number."""
    if not total:
        return ""
    share = min(1.0, done / total)
    full = round(share * BAR)
    return f"{'█' * full}{'░' * (BAR - full)} {percent(share)}"


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
    """Alerts nobody has resolved, the newest first, then what each monitor says of drift."""
    alerts = [
        Item(one.title, "monitoring", "alerts", str(one.id), str(one.state), one.subject, one.last_at)
        for one in sorted(bench.alerts.list(limit=200), key=lambda one: -one.last_at)
        if str(one.state) in ("open", "acknowledged")
    ]
    return [*alerts, *_drift(bench)]


def _drift(bench: Workbench) -> list[Item]:
    try:
        monitors = bench.monitoring.list()
    except Exception as error:  # a room that fails must not hide the alerts above; its own desk shows the error
        return [Item("drift cannot be read", "monitoring", "monitors", "", "failed", str(error))]
    return [
        Item(f"drift of {one.deployment}", "monitoring", "monitors", one.deployment, str(one.verdict or "no check yet"),
             "" if str(one.state) == "active" else str(one.state), one.checked_at)
        for one in monitors
    ]  # fmt: skip


def next_fires(bench: Workbench) -> list[Item]:
    """The next slot of every schedule that is not paused, the soonest first."""
    out = [
        Item(one.name, "pipelines", "schedules", one.name, "paused" if one.paused else "active",
             one.cron or f"on {one.kind}", None if one.paused else one.next_due)
        for one in bench.schedules.list()
    ]  # fmt: skip
    return sorted(out, key=lambda item: item.at or 2**62)


_ROW_OF = {
    "feature table": ("features", "tables"),
    "run": ("experiments", "run"),
    "experiment": ("experiments", "experiments"),
    "pipeline": ("pipelines", "pipelines"),
    "pipeline_run": ("pipelines", "runs"),
    "schedule": ("pipelines", "schedules"),
    "deployment": ("serving", "deployments"),
    "monitor": ("monitoring", "monitors"),
    "job": ("system", "jobs"),
}
"""Where the object of an audit entry is listed under its own name."""


def recent(bench: Workbench) -> list[Item]:
    """The newest changes of the audit trail; the same change over and over is one row. Enter opens what was changed."""
    out: list[Item] = []
    times: list[int] = []
    for one in bench.audit.list(limit=CHANGES):
        name = one.name[:8] if _ID.fullmatch(one.name) else one.name
        title = f"{past(one.verb)} {one.kind.replace('_', ' ')} {name}"
        if out and out[-1].title == title and out[-1].words == one.actor:
            times[-1] += 1
            continue
        desk, section, key = _object(one.kind, one.name)
        out.append(Item(title, desk, section, key or str(one.id), "", one.actor, one.at))
        times.append(1)
    counted = zip(out, times, strict=True)
    return [dataclasses.replace(item, title=f"{item.title}, {n} times") if n > 1 else item for item, n in counted]


IRREGULAR = {
    "begin": "begun", "bring": "brought", "drop": "dropped", "override": "overridden", "rollback": "rolled back", "run": "ran",
    "set": "set", "split": "split", "stop": "stopped", "submit": "submitted", "tag": "tagged", "withdraw": "withdrawn",
}  # fmt: skip


def past(verb: str) -> str:
    """A verb of the audit trail as what has been done: `promote` -> `promoted`."""
    verb, space, rest = verb.partition(" ")  # `carry on` -> `carried on`
    if verb in IRREGULAR or verb.endswith("ed"):
        done = IRREGULAR.get(verb, verb)
    elif verb.endswith("y") and verb[-2:-1] not in tuple("aeiou"):
        done = f"{verb[:-1]}ied"
    else:
        done = verb + ("d" if verb.endswith("e") else "ed")
    return done + space + rest


def _object(kind: str, name: str) -> tuple[str, str, str]:
    if kind in ("model", "alias"):
        model = name.partition("@")[0]
        return ("registry", "versions" if "/" in model else "models", model)
    if kind == "alert":
        return ("monitoring", "alerts", name)
    return (*_ROW_OF[kind], name) if kind in _ROW_OF else ("system", "audit", "")


def storage(bench: Workbench) -> list[Item]:
    """What each part of the workspace takes on disk and what is left; enter opens the desk that fills the part."""
    at = bench.workspace
    rows = (
        ("feature tables", (at.lake,), "features", "tables"),
        ("artifacts", (at.artifacts,), "registry", "versions"),
        ("metrics", (at.metrics_db, at.spool), "experiments", "runs"),
        ("predictions not yet packed", (at.segments,), "serving", "predictions"),
        ("catalog and telemetry", (at.catalog_db, at.telemetry_db), "system", "audit"),
        ("jobs and logs", (at.jobs, at.logs), "system", "jobs"),
    )
    found = [Item(title, desk, part, "", words=size(_bytes(paths))) for title, paths, desk, part in rows]
    disk = shutil.disk_usage(at.root)
    left = size(disk.free) if disk.free > LITTLE * disk.total else f"▲ little: {size(disk.free)}"
    return [Item("left on the disk", "system", "hardware", "", words=left), *found]


def _bytes(paths: Iterable[Path]) -> int:
    """The bytes of files and folders; a database counts with its log beside it. What vanishes meanwhile counts nothing."""
    total, open_ = 0, [str(path) for path in paths]
    open_ += [path + "-wal" for path in open_ if path.endswith(".db")]
    while open_:
        path = open_.pop()
        try:
            if os.path.isdir(path):  # noqa: PTH112 - scandir over many files: three times as fast without Path
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            open_.append(entry.path)
                        else:
                            total += entry.stat(follow_symlinks=False).st_size
            else:
                total += os.stat(path).st_size  # noqa: PTH116
        except FileNotFoundError:
            continue
    return total
