"""Where objectives are kept: catalog table serving_objective; traffic by the hour, for long windows: telemetry table serving_hour."""

from __future__ import annotations

import builtins
import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.core.clock import HOUR
from mlops_tui.core.context import Context
from mlops_tui.domains.serving.objectives import Objective, Tally

if TYPE_CHECKING:
    import sqlite_utils


def m001_objectives(db: sqlite_utils.Database) -> None:
    """Create what deployments promise; a removed deployment promises nothing."""
    db.execute(
        """CREATE TABLE serving_objective (
            deployment TEXT PRIMARY KEY REFERENCES deployment(name) ON DELETE CASCADE, availability REAL, latency_ms REAL,
            latency_share REAL NOT NULL, window_days INTEGER NOT NULL, updated_at INTEGER NOT NULL
        ) STRICT"""
    )


def m001_hours(db: sqlite_utils.Database) -> None:
    """Create traffic by the hour: a month of five-second counts is too much to add up every half minute."""
    db.execute(
        """CREATE TABLE serving_hour (
            deployment TEXT NOT NULL, at INTEGER NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL,
            histogram TEXT NOT NULL, PRIMARY KEY (deployment, at)
        ) STRICT, WITHOUT ROWID"""
    )


class ObjectiveStore:
    """Rows as records; methods that change the catalog take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog
        self._telemetry = context.telemetry
        self._catalog.migrate("serving_objectives", [m001_objectives])
        self._telemetry.migrate("serving_objectives", [m001_hours])

    def list(self) -> builtins.list[Objective]:
        """By deployment."""
        return [Objective(*row) for row in self._catalog.read("SELECT * FROM serving_objective ORDER BY deployment")]

    def find(self, deployment: str) -> Objective | None:
        row = self._catalog.one("SELECT * FROM serving_objective WHERE deployment = ?", (deployment,))
        return Objective(*row) if row else None

    def put(self, tx: sqlite3.Connection, one: Objective) -> None:
        tx.execute(
            "INSERT OR REPLACE INTO serving_objective VALUES (?, ?, ?, ?, ?, ?)",
            (one.deployment, one.availability, one.latency_ms, one.latency_share, one.window_days, one.updated_at),
        )

    def remove(self, tx: sqlite3.Connection, deployment: str) -> None:
        tx.execute("DELETE FROM serving_objective WHERE deployment = ?", (deployment,))

    def hours(self, deployment: str, since: int) -> builtins.list[Tally]:
        """Whole hours that began at `since` or later, oldest first."""
        rows = self._telemetry.read(
            "SELECT at, requests, errors, histogram FROM serving_hour WHERE deployment = ? AND at >= ? ORDER BY at",
            (deployment, since),
        )
        return [Tally(row[0], row[1], row[2], tuple(json.loads(row[3]))) for row in rows]

    def put_hours(self, deployment: str, hours: Iterable[Tally], before: int) -> None:
        """Add whole hours and drop those older than `before`."""
        rows = [(deployment, one.at, one.requests, one.errors, json.dumps(one.histogram)) for one in hours]
        with self._telemetry.write() as tx:
            tx.executemany("INSERT OR REPLACE INTO serving_hour VALUES (?, ?, ?, ?, ?)", rows)
            tx.execute("DELETE FROM serving_hour WHERE deployment = ? AND at < ?", (deployment, before // HOUR * HOUR))
