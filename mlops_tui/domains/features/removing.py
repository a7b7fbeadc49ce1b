"""Tables that were removed: what the catalog said of them and their files stay until they come back or are collected."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from mlops_tui.core.db import Database
from mlops_tui.domains.features.records import Table, quote

_PARTS = (
    "feature_version",
    "feature_file",
    "feature_check",
    "feature_profile",
    "feature_aggregate",
    "feature_transform",
    "feature_made",
)


@dataclass(frozen=True, slots=True)
class Removed:
    """A table as it was when somebody removed it."""

    name: str
    version: int
    rows: int
    removed_at: int
    removed_by: str


class Graveyard:
    """Removed tables as rows of the catalog. Methods that take `tx` run inside the caller's `write()`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def bury(self, tx: sqlite3.Connection, table: Table, now: int, actor: str) -> None:
        """Take a table out of every list; its files stay known."""
        body = {"feature_table": _rows(tx, "feature_table", "id", table.id)}
        body |= {part: _rows(tx, part, "table_id", table.id) for part in _PARTS}
        paths = [row["path"] for row in body["feature_file"]]
        paths += [row["quarantine_path"] for row in body["feature_version"] if row["quarantine_path"]]
        tx.execute(
            "INSERT INTO feature_removed VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (table.id, table.name, table.latest_version, table.rows, now, actor, json.dumps(body), json.dumps(paths)),
        )
        tx.execute("DELETE FROM feature_table WHERE id = ?", (table.id,))

    def raise_up(self, tx: sqlite3.Connection, name: str) -> bool:
        """Put the table of this name that was removed last where it was; whether there is one."""
        sql = (
            "SELECT table_id, body FROM feature_removed WHERE name = ? ORDER BY removed_at DESC, table_id DESC LIMIT 1"
        )
        found = tx.execute(sql, (name,)).fetchone()
        if found is None:
            return False
        for part, rows in json.loads(found[1]).items():
            for row in rows:
                if part == "feature_file":
                    del row["id"]  # another table's file may have it by now; only their order counts
                columns = ", ".join(map(quote, row))
                marks = ", ".join("?" * len(row))
                tx.execute(f"INSERT INTO {part} ({columns}) VALUES ({marks})", tuple(row.values()))
        tx.execute("DELETE FROM feature_removed WHERE table_id = ?", (found[0],))
        return True

    def forget(self, tx: sqlite3.Connection, until: int) -> list[str]:
        """Give up tables removed at or before `until` (ms), so that their files belong to nobody; their names."""
        rows = tx.execute("DELETE FROM feature_removed WHERE removed_at <= ? RETURNING name", (until,)).fetchall()
        return sorted(row[0] for row in rows)

    def all(self) -> list[Removed]:
        """Those that can come back, the newest first."""
        rows = self._db.read(
            "SELECT name, version, rows, removed_at, removed_by FROM feature_removed ORDER BY removed_at DESC, table_id DESC"
        )
        return [Removed(**dict(row)) for row in rows]


def _rows(tx: sqlite3.Connection, table: str, column: str, value: int) -> list[dict[str, object]]:
    found = tx.execute(f"SELECT * FROM {table} WHERE {column} = ? ORDER BY 1", (value,))
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
