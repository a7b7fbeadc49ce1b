"""Queues, their rows and every label ever given, in the catalog. A label is never changed: a newer one or an undo takes its place."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.domains.labels.records import Item, Label, Queue

if TYPE_CHECKING:
    import sqlite_utils

_QUEUE = """SELECT q.*,
    (SELECT count(*) FROM label_item i WHERE i.queue_id = q.id) AS rows,
    (SELECT count(*) FROM (SELECT 1 FROM label l WHERE l.queue_id = q.id AND l.live = 1 AND l.label IS NOT NULL
       GROUP BY l.position HAVING count(*) >= q.votes)) AS labelled,
    (SELECT count(*) FROM label l WHERE l.queue_id = q.id AND l.live = 1 AND l.label IS NOT NULL) AS labels,
    (SELECT max(at) FROM label l WHERE l.queue_id = q.id) AS last_at,
    (SELECT count(*) FROM label l WHERE l.queue_id = q.id AND l.live = 1 AND l.label IS NOT NULL AND NOT EXISTS
       (SELECT 1 FROM label_published p WHERE p.queue_id = q.id AND p.label_id = l.id))
    + (SELECT count(*) FROM label_published p WHERE p.queue_id = q.id AND NOT EXISTS
       (SELECT 1 FROM label l WHERE l.queue_id = q.id AND l.position = p.position AND l.labeller = p.labeller AND l.live = 1
         AND l.label IS NOT NULL)) AS unpublished
    FROM label_queue q"""
_LIVE = "SELECT * FROM label WHERE queue_id = ? AND live"  # and the number that follows


def m001_labels(db: sqlite_utils.Database) -> None:
    """Queues, rows to label, labels, and which of them the feature table has."""
    db.execute(
        "CREATE TABLE label_queue (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, source TEXT NOT NULL,"
        " classes TEXT NOT NULL, rule TEXT NOT NULL, why TEXT NOT NULL, seed INTEGER NOT NULL, votes INTEGER NOT NULL,"
        " target TEXT NOT NULL, keys TEXT NOT NULL, time TEXT, types TEXT NOT NULL, created_at INTEGER NOT NULL,"
        " created_by TEXT NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE label_item (queue_id INTEGER NOT NULL REFERENCES label_queue(id) ON DELETE CASCADE,"
        " position INTEGER NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL, score REAL,"
        " PRIMARY KEY (queue_id, position)) STRICT, WITHOUT ROWID"
    )
    # live: 1 counts, 0 was replaced by a newer one of the same person, -1 was taken back. replaced: the one this took the place of.
    db.execute(
        "CREATE TABLE label (id INTEGER PRIMARY KEY AUTOINCREMENT, queue_id INTEGER NOT NULL, position INTEGER NOT NULL,"
        " labeller TEXT NOT NULL, label TEXT, note TEXT NOT NULL, at INTEGER NOT NULL, live INTEGER NOT NULL,"
        " replaced INTEGER, FOREIGN KEY (queue_id, position) REFERENCES label_item(queue_id, position) ON DELETE CASCADE)"
        " STRICT"
    )
    db.execute("CREATE UNIQUE INDEX label_live ON label (queue_id, position, labeller) WHERE live = 1")
    db.execute("CREATE INDEX label_of_labeller ON label (queue_id, labeller, id)")
    db.execute(
        "CREATE TABLE label_published (queue_id INTEGER NOT NULL REFERENCES label_queue(id) ON DELETE CASCADE,"
        " position INTEGER NOT NULL, labeller TEXT NOT NULL, label_id INTEGER NOT NULL,"
        " PRIMARY KEY (queue_id, position, labeller)) STRICT, WITHOUT ROWID"
    )


class LabelStore:
    """Rows of the catalog as records. Methods that take `tx` run inside the caller's `write()`."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("labels", (m001_labels,))

    # -- queues ------------------------------------------------------------------------------------------------------

    def add(self, tx: sqlite3.Connection, queue: Queue, items: Iterable[Item]) -> None:
        cursor = tx.execute(
            "INSERT INTO label_queue (name, source, classes, rule, why, seed, votes, target, keys, time, types, created_at,"
            " created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                queue.name,
                queue.source,
                json.dumps(queue.classes),
                queue.order,
                queue.why,
                queue.seed,
                queue.votes,
                queue.to,
                json.dumps(queue.keys),
                queue.time,
                json.dumps(queue.types),
                queue.created_at,
                queue.created_by,
            ),
        )
        tx.executemany(
            "INSERT INTO label_item VALUES (?, ?, ?, ?, ?)",
            [(cursor.lastrowid, one.position, json.dumps(one.key), json.dumps(one.values), one.score) for one in items],
        )

    def get(self, name: str) -> Queue | None:
        row = self._db.one(f"{_QUEUE} WHERE q.name = ?", (name,))
        return _queue(row) if row else None

    def find(self) -> list[Queue]:
        return [_queue(row) for row in self._db.read(f"{_QUEUE} ORDER BY q.name")]

    def remove(self, tx: sqlite3.Connection, queue: Queue) -> None:
        tx.execute("DELETE FROM label_queue WHERE id = ?", (queue.id,))

    # -- rows --------------------------------------------------------------------------------------------------------

    def item(self, queue: Queue, position: int) -> Item | None:
        row = self._db.one("SELECT * FROM label_item WHERE queue_id = ? AND position = ?", (queue.id, position))
        return _item(row) if row else None

    def items(self, queue: Queue, positions: Sequence[int] | None = None) -> list[Item]:
        """All rows in order, or those at these positions."""
        sql, params = "SELECT * FROM label_item WHERE queue_id = ?", [queue.id]
        if positions is not None:
            sql += f" AND position IN ({', '.join('?' * len(positions))})"
            params += positions
        return [_item(row) for row in self._db.read(f"{sql} ORDER BY position", params)]

    def open_items(self, queue: Queue, labeller: str, limit: int, *, disputed: bool, skipped: bool) -> list[Item]:
        """Rows this person has not dealt with and that lack votes, in order; with `disputed` those come first that others
        label differently, whatever votes they have. `skipped`: those this person skipped, instead.
        """
        rows = self._db.read(
            f"SELECT i.* {_open(skipped)} ORDER BY coalesce(v.torn, 0) * :disputed DESC, i.position LIMIT :limit",
            {**_asked(queue, labeller, disputed), "limit": limit},
        )
        return [_item(row) for row in rows]

    def count_open(self, queue: Queue, labeller: str, *, disputed: bool) -> int:
        """How many rows `open_items` would give without a limit."""
        return int(self._db.value(f"SELECT count(*) {_open(False)}", _asked(queue, labeller, disputed)))

    # -- labels ------------------------------------------------------------------------------------------------------

    def put(self, tx: sqlite3.Connection, queue: Queue, label: Label) -> int:
        """Insert a label in the place of what this person said of this row before; its id."""
        before = tx.execute(
            f"{_LIVE} = 1 AND position = ? AND labeller = ?", (queue.id, label.position, label.labeller)
        ).fetchone()
        if before is not None:
            tx.execute("UPDATE label SET live = 0 WHERE id = ?", (before["id"],))
        cursor = tx.execute(
            "INSERT INTO label (queue_id, position, labeller, label, note, at, live, replaced) VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
            (
                queue.id,
                label.position,
                label.labeller,
                label.label,
                label.note,
                label.at,
                before["id"] if before is not None else None,
            ),
        )
        return int(cursor.lastrowid or 0)

    def undo(self, tx: sqlite3.Connection, queue: Queue, labeller: str) -> Label | None:
        """Take the newest label of this person back; what it replaced counts again. None when there is none."""
        newest = tx.execute(f"{_LIVE} = 1 AND labeller = ? ORDER BY id DESC LIMIT 1", (queue.id, labeller)).fetchone()
        if newest is None:
            return None
        tx.execute("UPDATE label SET live = -1 WHERE id = ?", (newest["id"],))
        tx.execute("UPDATE label SET live = 1 WHERE id = ?", (newest["replaced"],))
        return _label(newest)

    def labels(self, queue: Queue, labeller: str | None = None) -> list[Label]:
        """Labels that count, skips too, in the order they were given."""
        sql, params = f"{_LIVE} = 1", [queue.id]
        rows = self._db.read(
            f"{sql} AND labeller = ? ORDER BY id" if labeller is not None else f"{sql} ORDER BY id",
            [*params, labeller] if labeller is not None else params,
        )
        return [_label(row) for row in rows]

    # -- publishing --------------------------------------------------------------------------------------------------

    def unpublished(self, queue: Queue) -> tuple[list[Label], list[tuple[int, str]]]:
        """Labels the table has not got, and (position, labeller) of those it has that count no more."""
        rows = self._db.read(
            f"{_LIVE} = 1 AND label IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM label_published p WHERE p.queue_id = label.queue_id AND p.label_id = label.id) ORDER BY id",
            (queue.id,),
        )
        gone = self._db.read(
            "SELECT position, labeller FROM label_published p WHERE queue_id = ? AND NOT EXISTS"
            " (SELECT 1 FROM label l WHERE l.queue_id = p.queue_id AND l.position = p.position AND l.labeller = p.labeller"
            "   AND l.live = 1 AND l.label IS NOT NULL) ORDER BY position, labeller",
            (queue.id,),
        )
        return [_label(row) for row in rows], [(row[0], row[1]) for row in gone]

    def put_published(
        self, tx: sqlite3.Connection, queue: Queue, labels: Sequence[Label], gone: Sequence[tuple[int, str]]
    ) -> None:
        tx.executemany(
            "INSERT OR REPLACE INTO label_published VALUES (?, ?, ?, ?)",
            [(queue.id, one.position, one.labeller, one.id) for one in labels],
        )
        tx.executemany(
            "DELETE FROM label_published WHERE queue_id = ? AND position = ? AND labeller = ?",
            [(queue.id, position, labeller) for position, labeller in gone],
        )


def _open(skipped: bool) -> str:
    """The part after SELECT that finds a person's open rows."""
    votes = (
        "SELECT position, count(*) AS votes, count(DISTINCT label) > 1 AS torn FROM label"
        " WHERE queue_id = :queue AND live = 1 AND label IS NOT NULL GROUP BY position"
    )
    mine = "SELECT 1 FROM label m WHERE m.queue_id = i.queue_id AND m.position = i.position AND m.labeller = :me AND m.live = 1"
    where = f"EXISTS ({mine} AND m.label IS NULL)" if skipped else f"NOT EXISTS ({mine})"
    return (
        f"FROM label_item i LEFT JOIN ({votes}) v ON v.position = i.position WHERE i.queue_id = :queue AND {where}"
        " AND (coalesce(v.votes, 0) < :votes OR coalesce(v.torn, 0) * :disputed)"
    )


def _asked(queue: Queue, labeller: str, disputed: bool) -> dict[str, Any]:
    return {"queue": queue.id, "me": labeller, "votes": queue.votes, "disputed": int(disputed)}


def _queue(row: sqlite3.Row) -> Queue:
    return Queue(
        name=row["name"],
        source=row["source"],
        classes=tuple(json.loads(row["classes"])),
        order=row["rule"],
        why=row["why"],
        seed=row["seed"],
        votes=row["votes"],
        to=row["target"],
        keys=tuple(json.loads(row["keys"])),
        time=row["time"],
        types=json.loads(row["types"]),
        rows=row["rows"],
        labelled=row["labelled"],
        labels=row["labels"],
        unpublished=row["unpublished"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        last_at=row["last_at"],
        id=row["id"],
    )


def _item(row: sqlite3.Row) -> Item:
    key: dict[str, Any] = json.loads(row["key"])
    return Item(row["position"], key, json.loads(row["row"]), row["score"])


def _label(row: sqlite3.Row) -> Label:
    return Label(row["position"], row["label"], row["labeller"], row["note"], row["at"], row["id"])
