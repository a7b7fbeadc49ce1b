"""Odd windows, rows and clients in telemetry.db: bounded for each deployment, the oldest go first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.domains.monitoring.odd_records import OddRow, OddWindow, Pattern

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context

WINDOWS, ROWS, PATTERNS = 1000, 2000, 500


def m001_odd(db: sqlite_utils.Database) -> None:
    """Create the tables of windows, rows and clients."""
    db.execute(
        """CREATE TABLE monitor_odd_window (
             deployment TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
             rows INTEGER NOT NULL, odd INTEGER NOT NULL, alpha REAL NOT NULL, PRIMARY KEY (deployment, at)
           ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE monitor_odd_row (
             id TEXT PRIMARY KEY, deployment TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, p REAL NOT NULL,
             why TEXT NOT NULL, neighbours REAL
           ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX monitor_odd_row_by_time ON monitor_odd_row(deployment, at)")
    db.execute(
        """CREATE TABLE monitor_pattern (
             deployment TEXT NOT NULL, caller TEXT NOT NULL, at INTEGER NOT NULL, rows INTEGER NOT NULL, "distinct" INTEGER NOT NULL,
             close REAL NOT NULL, one_column REAL NOT NULL, flips REAL NOT NULL, outside REAL NOT NULL, verdict TEXT NOT NULL,
             words TEXT NOT NULL, PRIMARY KEY (deployment, at, caller)
           ) STRICT, WITHOUT ROWID"""
    )


def m002_share(db: sqlite_utils.Database) -> None:
    """Room for how much of the traffic a client was."""
    db.execute("ALTER TABLE monitor_pattern ADD COLUMN share REAL NOT NULL DEFAULT 0")


class OddStore:
    """Rows as records."""

    def __init__(self, context: Context) -> None:
        self._db = context.telemetry
        self._db.migrate("monitoring_odd", [m001_odd, m002_share])

    def put(self, window: OddWindow, rows: Sequence[OddRow], patterns: Sequence[Pattern]) -> None:
        """Keep one look."""
        with self._db.write() as tx:
            for table, records, kept in (
                ("monitor_odd_window", [window], WINDOWS),
                ("monitor_odd_row", rows, ROWS),
                ("monitor_pattern", patterns, PATTERNS),
            ):
                for record in records:
                    values = dataclasses.asdict(record)
                    names = ", ".join(f'"{name}"' for name in values)
                    marks = ", ".join(f":{name}" for name in values)
                    tx.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)
                tx.execute(
                    f"""DELETE FROM {table} WHERE deployment = :name AND at < (
                          SELECT at FROM {table} WHERE deployment = :name ORDER BY at DESC LIMIT 1 OFFSET :kept)""",
                    {"name": window.deployment, "kept": kept - 1},
                )

    def windows(self, deployment: str, since: int, limit: int) -> list[OddWindow]:
        """Newest first."""
        sql = "SELECT * FROM monitor_odd_window WHERE deployment = ? AND at >= ? ORDER BY at DESC LIMIT ?"
        return [OddWindow(**dict(row)) for row in self._db.read(sql, (deployment, since, limit))]

    def rows(self, deployment: str, limit: int) -> list[OddRow]:
        """Newest first, of one moment the oddest first."""
        sql = "SELECT * FROM monitor_odd_row WHERE deployment = ? ORDER BY at DESC, p LIMIT ?"
        return [OddRow(**dict(row)) for row in self._db.read(sql, (deployment, limit))]

    def row(self, prediction: str) -> OddRow | None:
        found = self._db.one("SELECT * FROM monitor_odd_row WHERE id = ?", (prediction,))
        return OddRow(**dict(found)) if found else None

    def patterns(self, deployment: str, limit: int) -> list[Pattern]:
        """Newest first."""
        sql = "SELECT * FROM monitor_pattern WHERE deployment = ? ORDER BY at DESC, caller LIMIT ?"
        return [Pattern(**dict(row)) for row in self._db.read(sql, (deployment, limit))]
