"""Where the handling of requests is kept: catalog table deployment_handling; what shadows answered: telemetry serving_shadow."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.domains.serving.handling import Handling, ShadowCounts

if TYPE_CHECKING:
    import sqlite_utils


def m003_handling(db: sqlite_utils.Database) -> None:
    """Create the handling of requests per deployment."""
    db.execute(
        """CREATE TABLE deployment_handling (
            deployment TEXT PRIMARY KEY REFERENCES deployment(name) ON DELETE CASCADE, handling TEXT NOT NULL) STRICT"""
    )


def m002_shadows(db: sqlite_utils.Database) -> None:
    """Create the counts of shadow answers."""
    db.execute(
        """CREATE TABLE serving_shadow (
            deployment TEXT NOT NULL, version INTEGER NOT NULL, rows INTEGER NOT NULL, agreed INTEGER NOT NULL,
            failed INTEGER NOT NULL, dropped INTEGER NOT NULL, largest REAL NOT NULL, PRIMARY KEY (deployment, version)
        ) STRICT, WITHOUT ROWID"""
    )


class HandlingStore:
    """Rows of both tables as records."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog
        self._telemetry = context.telemetry

    def find(self) -> dict[str, Handling]:
        """Return the handling of each deployment that has one."""
        rows = self._catalog.read("SELECT deployment, handling FROM deployment_handling")
        return {row["deployment"]: Handling(**json.loads(row["handling"])) for row in rows}

    def put(self, tx: sqlite3.Connection, deployment: str, handling: Handling) -> None:
        """Replace the handling of a deployment."""
        text = json.dumps(dataclasses.asdict(handling))
        tx.execute("INSERT OR REPLACE INTO deployment_handling VALUES (?, ?)", (deployment, text))

    def add_shadows(self, counts: Iterable[ShadowCounts]) -> None:
        """Add to what shadows answered."""
        with self._telemetry.write() as tx:
            tx.executemany(
                """INSERT INTO serving_shadow VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (deployment, version) DO UPDATE SET
                   rows = rows + excluded.rows, agreed = agreed + excluded.agreed, failed = failed + excluded.failed,
                   dropped = dropped + excluded.dropped, largest = max(largest, excluded.largest)""",
                [dataclasses.astuple(one) for one in counts],
            )

    def forget_shadow(self, deployment: str, version: int) -> None:
        """Begin the counts of a shadow anew."""
        with self._telemetry.write() as tx:
            tx.execute("DELETE FROM serving_shadow WHERE deployment = ? AND version = ?", (deployment, version))

    def shadow(self, deployment: str, version: int) -> ShadowCounts:
        """Return what one shadow answered; zeros before anything was."""
        row = self._telemetry.one(
            "SELECT * FROM serving_shadow WHERE deployment = ? AND version = ?", (deployment, version)
        )
        return ShadowCounts(*row) if row else ShadowCounts(deployment, version)
