"""Monitors in catalog.db; reports, detectors and which labels were fed in telemetry.db."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.monitoring.monitors import SETTINGS, Detector, Monitor, MonitorState
from mlops_tui.domains.monitoring.records import Report, Verdict, from_document, to_document

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context

# A report of twenty columns is 10 kB; a thousand of one deployment stay under 10 MB.
KEEP_REPORTS = 1000


def m001_monitor(db: sqlite_utils.Database) -> None:
    """Create the table of monitors; settings left NULL keep the default of the day."""
    db.execute(
        """CREATE TABLE monitor (
             deployment TEXT PRIMARY KEY, state TEXT NOT NULL, settings TEXT NOT NULL, created_at INTEGER NOT NULL
           ) STRICT"""
    )


def m001_report(db: sqlite_utils.Database) -> None:
    """Create what checks leave behind: reports, the detector's memory, the labels it was fed."""
    db.execute(
        """CREATE TABLE monitor_report (
             id INTEGER PRIMARY KEY AUTOINCREMENT, deployment TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,
             until INTEGER, verdict TEXT NOT NULL, drifted INTEGER, document TEXT NOT NULL
           ) STRICT"""
    )
    db.execute("CREATE INDEX monitor_report_of ON monitor_report(deployment, id)")
    db.execute(
        """CREATE TABLE monitor_detector (
             deployment TEXT PRIMARY KEY, version INTEGER NOT NULL, errors BLOB NOT NULL, concept_at INTEGER, before REAL
           ) STRICT"""
    )
    db.execute(
        """CREATE TABLE monitor_fed (
             deployment TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (deployment, id)
           ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE monitor_mark (
             deployment TEXT PRIMARY KEY, checked_at INTEGER NOT NULL, until INTEGER
           ) STRICT"""
    )


def m002_few_labels(db: sqlite_utils.Database) -> None:
    """Remember which detector alarmed and the bets on few labels."""
    db.execute("ALTER TABLE monitor_detector ADD COLUMN by TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE monitor_detector ADD COLUMN few TEXT NOT NULL DEFAULT '[]'")


class MonitoringStore:
    """Rows of monitors and of what they found."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog
        self._telemetry = context.telemetry
        self._catalog.migrate("monitoring", [m001_monitor])
        self._telemetry.migrate("monitoring_reports", [m001_report, m002_few_labels])

    # -- monitors ------------------------------------------------------------------------------------------------------

    def monitors(self) -> list[Monitor]:
        """Every monitor, removed ones included, with what its last check left."""
        rows = self._catalog.read("SELECT deployment, state, settings, created_at FROM monitor ORDER BY deployment")
        return [
            self.with_mark(
                Monitor(
                    deployment=row["deployment"],
                    state=MonitorState(row["state"]),
                    created_at=row["created_at"],
                    **json.loads(row["settings"]),
                )
            )
            for row in rows
        ]

    def put(self, tx: sqlite3.Connection, monitor: Monitor) -> None:
        """Insert or replace a monitor's settings and state."""
        default = Monitor(monitor.deployment)
        changed = {
            name: getattr(monitor, name) for name in SETTINGS if getattr(monitor, name) != getattr(default, name)
        }
        tx.execute(
            """INSERT INTO monitor (deployment, state, settings, created_at) VALUES (?, ?, ?, ?)
               ON CONFLICT(deployment) DO UPDATE SET state = excluded.state, settings = excluded.settings""",
            (monitor.deployment, monitor.state, json.dumps(changed), monitor.created_at),
        )

    def with_mark(self, monitor: Monitor) -> Monitor:
        """The monitor with the time and verdict of its last check."""
        mark = self._telemetry.one("SELECT * FROM monitor_mark WHERE deployment = ?", (monitor.deployment,))
        last = self._telemetry.one(
            "SELECT version, verdict, at FROM monitor_report WHERE deployment = ? ORDER BY id DESC LIMIT 1",
            (monitor.deployment,),
        )
        return dataclasses.replace(
            monitor,
            checked_at=mark["checked_at"] if mark else None,
            until=mark["until"] if mark else None,
            reported_at=last["at"] if last else None,
            verdict=Verdict(last["verdict"]) if last else None,
            version=last["version"] if last else None,
        )

    # -- reports -------------------------------------------------------------------------------------------------------

    def save(self, report: Report, detector: Detector | None, fed: Iterable[tuple[str, int]], before: Monitor) -> int:
        """Keep a report and everything it moved in one write; its id, or 0 when another check was faster.

        `before` is the monitor the check started from: a mark that has moved since then means the same predictions and
        labels were counted by somebody else.
        """
        with self._telemetry.write() as tx:
            if self._mark(tx, report.deployment) != before.checked_at:
                return 0
            self._put_mark(tx, report.deployment, report.at, report.until)
            if detector is not None:
                self._put_detector(tx, report.deployment, detector)
            tx.executemany(
                "INSERT OR IGNORE INTO monitor_fed (deployment, id, at) VALUES (?, ?, ?)",
                [(report.deployment, each, at) for each, at in fed],
            )
            return self._put_report(tx, report)

    def touch(self, before: Monitor, at: int) -> None:
        """Remember that a check looked and found too little."""
        with self._telemetry.write() as tx:
            if self._mark(tx, before.deployment) == before.checked_at:
                self._put_mark(tx, before.deployment, at, before.until)

    def reports(self, deployment: str, limit: int) -> list[Report]:
        """Newest first."""
        rows = self._telemetry.read(
            "SELECT id, document FROM monitor_report WHERE deployment = ? ORDER BY id DESC LIMIT ?", (deployment, limit)
        )
        return [_report(row) for row in rows]

    def report(self, report_id: int) -> Report | None:
        """One report by its number."""
        row = self._telemetry.one("SELECT id, document FROM monitor_report WHERE id = ?", (report_id,))
        return _report(row) if row else None

    def votes(self, deployment: str, version: int, count: int) -> list[bool]:
        """Whether each of the last windows of this version drifted, newest first; reports without a window do not vote."""
        rows = self._telemetry.read(
            """SELECT drifted FROM monitor_report WHERE deployment = ? AND version = ? AND drifted IS NOT NULL
               ORDER BY id DESC LIMIT ?""",
            (deployment, version, count),
        )
        return [bool(row["drifted"]) for row in rows]

    def rates(self, deployment: str, version: int, count: int = 20) -> list[float]:
        """Answers per hour in the last windows of the version."""
        rows = self._telemetry.read(
            """SELECT json_extract(document, '$.seen') * 3600000.0 / max(1, until - json_extract(document, '$.since')) AS rate
               FROM monitor_report WHERE deployment = ? AND version = ? AND drifted IS NOT NULL
               AND json_extract(document, '$.since') IS NOT NULL ORDER BY id DESC LIMIT ?""",
            (deployment, version, count),
        )
        return [float(row["rate"]) for row in rows]

    def calm_until(self, deployment: str, version: int) -> int | None:
        """Up to when (ms) the version's windows looked like the reference, before the run of drifted ones there is now."""
        found: int | None = self._telemetry.value(
            """SELECT max(until) FROM monitor_report WHERE deployment = ?1 AND version = ?2 AND drifted = 0
               AND EXISTS (SELECT 1 FROM monitor_report WHERE deployment = ?1 AND version = ?2 AND drifted = 1)""",
            (deployment, version),
        )
        return found

    # -- the detector --------------------------------------------------------------------------------------------------

    def detector(self, deployment: str) -> Detector | None:
        """What is remembered of the error stream."""
        row = self._telemetry.one(
            "SELECT version, errors, concept_at, before, by, few FROM monitor_detector WHERE deployment = ?",
            (deployment,),
        )
        if row is None:
            return None
        few = tuple(json.loads(row["few"]))
        return Detector(row["version"], row["errors"], row["concept_at"], row["before"], row["by"], few)

    def fed(self, deployment: str) -> set[str]:
        """Predictions whose labels the detector has seen."""
        return {
            row[0] for row in self._telemetry.read("SELECT id FROM monitor_fed WHERE deployment = ?", (deployment,))
        }

    def forget_fed(self, deployment: str, before: int) -> None:
        """Drop memories of labels whose predictions are too old to be asked for again."""
        with self._telemetry.write() as tx:
            tx.execute("DELETE FROM monitor_fed WHERE deployment = ? AND at < ?", (deployment, before))

    def _mark(self, tx: sqlite3.Connection, deployment: str) -> int | None:
        row = tx.execute("SELECT checked_at FROM monitor_mark WHERE deployment = ?", (deployment,)).fetchone()
        return row[0] if row else None

    def _put_mark(self, tx: sqlite3.Connection, deployment: str, at: int, until: int | None) -> None:
        tx.execute(
            "INSERT OR REPLACE INTO monitor_mark (deployment, checked_at, until) VALUES (?, ?, ?)",
            (deployment, at, until),
        )

    def _put_detector(self, tx: sqlite3.Connection, deployment: str, detector: Detector) -> None:
        tx.execute(
            """INSERT OR REPLACE INTO monitor_detector (deployment, version, errors, concept_at, before, by, few)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                deployment,
                detector.version,
                detector.errors,
                detector.concept_at,
                detector.before,
                detector.by,
                json.dumps(detector.few),
            ),
        )

    def _put_report(self, tx: sqlite3.Connection, report: Report) -> int:
        drifted = report.moved if report.rows and (report.features or report.prediction) else None
        cursor = tx.execute(
            """INSERT INTO monitor_report (deployment, version, at, until, verdict, drifted, document)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (report.deployment, report.version, report.at, report.until, report.verdict, drifted, _document(report)),
        )
        tx.execute(
            """DELETE FROM monitor_report WHERE deployment = ? AND id <= (
                 SELECT id FROM monitor_report WHERE deployment = ? ORDER BY id DESC LIMIT 1 OFFSET ?)""",
            (report.deployment, report.deployment, KEEP_REPORTS),
        )
        return int(cursor.lastrowid or 0)


def _document(report: Report) -> str:
    return json.dumps(to_document(report))


def _report(row: sqlite3.Row) -> Report:
    document: dict[str, Any] = json.loads(row["document"])
    return from_document({**document, "id": row["id"]})
