"""Labels that came by key and wait for their prediction: catalog table serving_waiting."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context

if TYPE_CHECKING:
    import sqlite_utils


def m001_waiting(db: sqlite_utils.Database) -> None:
    """Create labels by key; `before` is when the prediction was made at the latest."""
    db.execute(
        """CREATE TABLE serving_waiting (
            id INTEGER PRIMARY KEY, deployment TEXT NOT NULL, key TEXT NOT NULL, before INTEGER NOT NULL,
            label TEXT NOT NULL, at INTEGER NOT NULL, received_at INTEGER NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX serving_waiting_by_deployment ON serving_waiting(deployment, id)")


class WaitingStore:
    """Rows as dictionaries: id, deployment, key (name to value), before, label, at, received_at."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("serving_waiting", [m001_waiting])

    def add(self, tx: sqlite3.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        tx.executemany(
            "INSERT INTO serving_waiting (deployment, key, before, label, at, received_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    row["deployment"],
                    json.dumps(row["key"], sort_keys=True),
                    row["before"],
                    json.dumps(row["label"]),
                    row["at"],
                    row["received_at"],
                )
                for row in rows
            ],
        )

    def remove(self, tx: sqlite3.Connection, ids: Iterable[int]) -> None:
        tx.executemany("DELETE FROM serving_waiting WHERE id = ?", [(one,) for one in ids])

    def drop(self, tx: sqlite3.Connection, before: int) -> None:
        """Forget labels that came before a time: their predictions are not kept any more."""
        tx.execute("DELETE FROM serving_waiting WHERE received_at < ?", (before,))

    def list(self, limit: int = 100_000, after: int = 0) -> list[dict[str, Any]]:
        """Oldest first, those with a greater id than `after`."""
        rows = self._db.read("SELECT * FROM serving_waiting WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [{**dict(row), "key": json.loads(row["key"]), "label": json.loads(row["label"])} for row in rows]

    def count(self, deployment: str) -> int:
        return int(self._db.value("SELECT count(*) FROM serving_waiting WHERE deployment = ?", (deployment,)) or 0)
