"""The online side in SQLite (`online.db`): one typed row per entity, the pushes the lake has yet to get, and what is where.

It can be made again from the lake at any time, but for pushes that are not flushed yet; those and the row they change land in
one transaction. A physical table is named by table id and generation, so that a statement of an older layout fails instead
of reading something else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.core.db import Database
from mlops_tui.domains.features import schema
from mlops_tui.domains.features.records import BIGINT, Table, quote
from mlops_tui.domains.features.window_store import SQLITE, WindowStore

FILE = "online.db"
EVENT, CREATED = '"_event_us"', '"_created_us"'


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table lies online."""

    table_id: int
    name: str
    generation: int
    version: int
    keys: tuple[str, ...]
    time: str | None
    created: str | None
    ttl: int | None  # ms
    columns: dict[str, str]
    materialized_at: int
    log_share: float = 0.01  # of lookups, kept to be compared with the offline join

    @property
    def physical(self) -> str:
        return f"entity_{self.table_id}_{self.generation}"


class OnlineStore:
    """SQL of the online side."""

    def __init__(self, context: Context) -> None:
        self.db = Database(context.workspace.root / FILE, durability="normal")
        context.on_close(self.db.close)
        self.db.migrate("online", schema.ONLINE)
        self.windows = WindowStore(self.db)

    def layout(self, name: str) -> Layout | None:
        row = self.db.one("SELECT * FROM online_table WHERE name = ?", (name,))
        return _layout(row) if row else None

    def make(self, tx: sqlite3.Connection, layout: Layout) -> None:
        """An empty table of this layout in place of the one there was. Its generation must be new."""
        for row in tx.execute(
            "SELECT * FROM online_table WHERE table_id = ? OR name = ?", (layout.table_id, layout.name)
        ):
            tx.execute(f"DROP TABLE IF EXISTS {_layout(row).physical}")
        tx.execute("DELETE FROM online_table WHERE table_id = ? OR name = ?", (layout.table_id, layout.name))
        columns = ", ".join(f"{quote(name)} {SQLITE[kind]}" for name, kind in layout.columns.items())
        keys = ", ".join(map(quote, layout.keys))
        # A single whole-number key is the row id itself: one b-tree descent less.
        rowid = "" if len(layout.keys) == 1 and layout.columns[layout.keys[0]] == BIGINT else ", WITHOUT ROWID"
        tx.execute(
            f"CREATE TABLE {layout.physical} ({columns}, {EVENT} INTEGER NOT NULL, {CREATED} INTEGER NOT NULL,"
            f" PRIMARY KEY ({keys})) STRICT{rowid}"
        )
        tx.execute(
            "INSERT INTO online_table VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                layout.table_id,
                layout.name,
                layout.generation,
                layout.version,
                json.dumps(layout.keys),
                layout.time,
                layout.created,
                layout.ttl,
                json.dumps(layout.columns),
                layout.materialized_at,
                layout.log_share,
            ),
        )

    def upsert(self, tx: sqlite3.Connection, layout: Layout, rows: Iterable[Sequence[Any]]) -> int:
        """Write rows (columns, event and created time in us); an older one never replaces a newer. How many were written."""
        names = [*map(quote, layout.columns), EVENT, CREATED]
        others = [name for name in names if name not in set(map(quote, layout.keys))]
        sets = ", ".join(f"{name} = excluded.{name}" for name in others)
        before = tx.total_changes
        tx.executemany(
            f"INSERT INTO {layout.physical} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            f" ON CONFLICT ({', '.join(map(quote, layout.keys))}) DO UPDATE SET {sets}"
            f" WHERE (excluded.{EVENT}, excluded.{CREATED}) >= ({EVENT}, {CREATED})",
            rows,
        )
        return tx.total_changes - before

    def advance(self, tx: sqlite3.Connection, layout: Layout, version: int, now: int) -> None:
        tx.execute(
            "UPDATE online_table SET version = ?, materialized_at = ? WHERE table_id = ?",
            (version, now, layout.table_id),
        )

    def set_share(self, tx: sqlite3.Connection, layout: Layout, share: float) -> None:
        """How much of the lookups is logged. The rows get another name, so that running processes read the layout again."""
        fresh = replace(layout, generation=layout.generation + 1)
        tx.execute(f"ALTER TABLE {layout.physical} RENAME TO {fresh.physical}")
        tx.execute(
            "UPDATE online_table SET generation = ?, log_share = ? WHERE table_id = ?",
            (fresh.generation, share, layout.table_id),
        )

    def count(self, layout: Layout) -> int:
        return int(self.db.value(f"SELECT count(*) FROM {layout.physical}"))

    def remove(self, name: str) -> None:
        """Take a table off, with its pushes."""
        layout = self.layout(name)
        if layout is not None:
            with self.db.write() as tx:
                tx.execute(f"DROP TABLE IF EXISTS {layout.physical}")
                tx.execute("DELETE FROM online_table WHERE table_id = ?", (layout.table_id,))
                tx.execute("DELETE FROM online_push WHERE table_id = ?", (layout.table_id,))
                windows = self.windows.get(layout.table_id)
                if windows is not None:
                    self.windows.remove(tx, windows)

    # -- pushes ------------------------------------------------------------------------------------------------------

    def add_push(
        self, tx: sqlite3.Connection, layout: Layout, at: int, rows: Iterable[Mapping[str, Any]]
    ) -> list[tuple[int, Mapping[str, Any]]]:
        """Let rows wait for the lake; the number each got, with the row."""
        sql = "INSERT INTO online_push (table_id, at, row) VALUES (?, ?, ?)"
        return [(tx.execute(sql, (layout.table_id, at, json.dumps(row))).lastrowid or 0, row) for row in rows]

    def claim(self, table: Table, batch: str) -> list[str]:
        """Put waiting rows into a batch; all batches that wait, also those of a flush that was killed."""
        with self.db.write() as tx:
            tx.execute("UPDATE online_push SET batch = ? WHERE table_id = ? AND batch IS NULL", (batch, table.id))
        rows = self.db.read(
            "SELECT batch FROM online_push WHERE table_id = ? GROUP BY batch ORDER BY min(id)", (table.id,)
        )
        return [row[0] for row in rows]

    def pushed(self, table: Table, batch: str) -> list[dict[str, Any]]:
        """The rows of a batch in the order they came."""
        rows = self.db.read(
            "SELECT row FROM online_push WHERE table_id = ? AND batch = ? ORDER BY id", (table.id, batch)
        )
        return [json.loads(row[0]) for row in rows]

    def unflushed(self, table: Table) -> list[dict[str, Any]]:
        """All pushed rows that wait, in the order they came."""
        rows = self.db.read("SELECT row FROM online_push WHERE table_id = ? ORDER BY id", (table.id,))
        return [json.loads(row[0]) for row in rows]

    def pushes(self, table: Table) -> list[tuple[int, str | None, dict[str, Any]]]:
        """(number, batch, row) of all pushed rows that wait, in the order they came."""
        rows = self.db.read("SELECT id, batch, row FROM online_push WHERE table_id = ? ORDER BY id", (table.id,))
        return [(row[0], row[1], json.loads(row[2])) for row in rows]

    def batches(self, table: Table) -> list[str]:
        """The batches that waiting rows were put into."""
        sql = "SELECT DISTINCT batch FROM online_push WHERE table_id = ? AND batch IS NOT NULL"
        return [row[0] for row in self.db.read(sql, (table.id,))]

    def forget(self, table: Table, batch: str, version: int) -> None:
        """The rows of a batch wait no more: `version` of the table has them."""
        with self.db.write() as tx:
            self.windows.land(tx, table.id, batch, version)
            tx.execute("DELETE FROM online_push WHERE table_id = ? AND batch = ?", (table.id, batch))

    def waiting(self, table: Table) -> int:
        return int(self.db.value("SELECT count(*) FROM online_push WHERE table_id = ?", (table.id,)))

    def pending(self) -> list[tuple[int, int, int]]:
        """(table id, rows that wait, when the first of them was pushed) of every table with some."""
        rows = self.db.read("SELECT table_id, count(*), min(at) FROM online_push GROUP BY table_id")
        return [(row[0], row[1], row[2]) for row in rows]


def _layout(row: sqlite3.Row) -> Layout:
    return Layout(
        row["table_id"],
        row["name"],
        row["generation"],
        row["version"],
        tuple(json.loads(row["keys"])),
        row["time"],
        row["created"],
        row["ttl"],
        json.loads(row["columns"]),
        row["materialized_at"],
        row["log_share"],
    )
