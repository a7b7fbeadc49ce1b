"""Where it is kept what versions showed before their first traffic: catalog table serving_check, the last look of each."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.domains.registry.records import Health

if TYPE_CHECKING:
    import sqlite_utils


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """What a version showed, by which engine ("" the one of its trial) and under which libraries.

    `accepted_by` named it good enough all the same.
    """

    model: str
    version: int
    engine: str
    environment: str
    checks: tuple[Health, ...]
    at: int
    accepted_by: str = ""
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether it may have traffic."""
        return bool(self.accepted_by) or all(one.ok for one in self.checks)


def m004_checks(db: sqlite_utils.Database) -> None:
    """Create what was looked at before a version got traffic."""
    db.execute(
        """CREATE TABLE serving_check (
            model TEXT NOT NULL, version INTEGER NOT NULL, engine TEXT NOT NULL, environment TEXT NOT NULL,
            checks TEXT NOT NULL, at INTEGER NOT NULL, accepted_by TEXT NOT NULL, why TEXT NOT NULL,
            PRIMARY KEY (model, version)
        ) STRICT, WITHOUT ROWID"""
    )


class CheckStore:
    """Rows of the table as records."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog

    def find(self, model: str, version: int) -> Checked | None:
        """Return the last look at a version."""
        row = self._catalog.one("SELECT * FROM serving_check WHERE model = ? AND version = ?", (model, version))
        if row is None:
            return None
        values = dict(row)
        return Checked(**{**values, "checks": tuple(Health(*one) for one in json.loads(values["checks"]))})

    def put(self, tx: sqlite3.Connection, found: Checked) -> None:
        """Keep a look in place of the one before."""
        checks = json.dumps([dataclasses.astuple(one) for one in found.checks])
        tx.execute(
            "INSERT OR REPLACE INTO serving_check VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                found.model,
                found.version,
                found.engine,
                found.environment,
                checks,
                found.at,
                found.accepted_by,
                found.why,
            ),
        )
