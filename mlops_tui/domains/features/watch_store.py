"""Which folders are watched for which table, and what became of each file that was seen there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.domains.features.records import Stamp, Table, Watch, WatchedFile

if TYPE_CHECKING:
    import sqlite_utils

_WATCH = (
    "SELECT w.*, t.name, (SELECT count(*) FROM feature_watch_file f WHERE f.watch_id = w.id) AS files,"
    " (SELECT count(*) FROM feature_watch_file f WHERE f.watch_id = w.id AND f.state = 'refused') AS refused,"
    " (SELECT max(at) FROM feature_watch_file f WHERE f.watch_id = w.id) AS last_at"
    " FROM feature_watch w JOIN feature_table t ON t.id = w.table_id"
)


def m001_watches(db: sqlite_utils.Database) -> None:
    """Watched places, and the files taken in from there as they were then."""
    db.execute(
        "CREATE TABLE feature_watch (id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL"
        " REFERENCES feature_table(id) ON DELETE CASCADE, place TEXT NOT NULL, every_ms INTEGER NOT NULL,"
        " created_at INTEGER NOT NULL, created_by TEXT NOT NULL, UNIQUE (table_id, place)) STRICT"
    )
    db.execute(
        "CREATE TABLE feature_watch_file (watch_id INTEGER NOT NULL REFERENCES feature_watch(id) ON DELETE CASCADE,"
        " path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, state TEXT NOT NULL, version INTEGER,"
        " reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (watch_id, path)) STRICT, WITHOUT ROWID"
    )


class WatchStore:
    """Rows of the catalog as records; needs the tables of `FeatureStore`."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("features_watch", (m001_watches,))

    def add(self, tx: sqlite3.Connection, table: Table, place: str, every_ms: int, now: int, actor: str) -> None:
        """Insert, or change the pace of one that is there."""
        tx.execute(
            "INSERT INTO feature_watch (table_id, place, every_ms, created_at, created_by) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (table_id, place) DO UPDATE SET every_ms = excluded.every_ms",
            (table.id, place, every_ms, now, actor),
        )

    def find(self, name: str | None = None) -> list[Watch]:
        """All, or those of one table."""
        where, params = (" WHERE t.name = ?", (name,)) if name is not None else ("", ())
        return [_watch(row) for row in self._db.read(f"{_WATCH}{where} ORDER BY t.name, w.place", params)]

    def get(self, watch_id: int) -> Watch | None:
        row = self._db.one(f"{_WATCH} WHERE w.id = ?", (watch_id,))
        return _watch(row) if row else None

    def remove(self, tx: sqlite3.Connection, watches: Iterable[Watch]) -> None:
        tx.executemany("DELETE FROM feature_watch WHERE id = ?", [(watch.id,) for watch in watches])

    def stamps(self, watch: Watch) -> dict[str, Stamp]:
        """Size and mtime of every file that was dealt with, by path."""
        rows = self._db.tuples("SELECT path, size, mtime_ns FROM feature_watch_file WHERE watch_id = ?", (watch.id,))
        return {path: (size, mtime) for path, size, mtime in rows}

    def put(self, tx: sqlite3.Connection, watch: Watch, file: WatchedFile, stamp: Stamp) -> None:
        """What became of a file; nothing when the watch is gone."""
        tx.execute(
            "INSERT OR REPLACE INTO feature_watch_file SELECT id, ?, ?, ?, ?, ?, ?, ? FROM feature_watch WHERE id = ?",
            (file.path, *stamp, file.state, file.version, file.reason, file.at, watch.id),
        )

    def files(self, watch: Watch, limit: int) -> list[WatchedFile]:
        """Newest first."""
        rows = self._db.read(
            "SELECT path, state, version, reason, at FROM feature_watch_file WHERE watch_id = ?"
            " ORDER BY at DESC, path DESC LIMIT ?",
            (watch.id, limit),
        )
        return [WatchedFile(**dict(row)) for row in rows]


def _watch(row: sqlite3.Row) -> Watch:
    return Watch(
        row["name"],
        row["place"],
        row["every_ms"],
        row["files"],
        row["refused"],
        row["last_at"],
        row["created_at"],
        row["created_by"],
        row["id"],
    )
