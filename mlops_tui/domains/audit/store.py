"""The audit table: append-only (triggers refuse anything else) and hash-chained."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.domains.audit.records import Entry, Row, chain_hash

if TYPE_CHECKING:
    import sqlite_utils


def m001_audit(db: sqlite_utils.Database) -> None:
    """The table, its indexes, and the triggers that keep it append-only."""
    db.execute(
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL, kind TEXT NOT NULL,
            name TEXT NOT NULL, why TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, cause TEXT NOT NULL,
            previous_hash TEXT NOT NULL, hash TEXT NOT NULL
        ) STRICT"""
    )
    db.execute("CREATE INDEX audit_by_object ON audit(kind, name, id)")
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        )


_CLAUSES = {
    "kind": "kind = ?",
    "name": "name = ?",
    "actor": "actor = ?",
    "verb": "verb = ?",
    "since": "at >= ?",
    "until": "at < ?",
    "before_id": "id < ?",
    "after_id": "id > ?",
}


class AuditStore:
    """Rows of the audit table as entries."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("audit", [m001_audit])

    def add(
        self,
        tx: sqlite3.Connection,
        *,
        at: int,
        actor: str,
        verb: str,
        kind: str,
        name: str,
        why: str,
        before: Any,
        after: Any,
        cause: Any,
    ) -> int:
        """Append an entry inside the caller's transaction; its id."""
        last = tx.execute("SELECT hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        previous = last[0] if last else ""
        texts = [_text(before), _text(after), _text(cause)]
        digest = chain_hash(previous, at, actor, verb, kind, name, why, *texts)
        cursor = tx.execute(
            "INSERT INTO audit(at, actor, verb, kind, name, why, before, after, cause, previous_hash, hash) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (at, actor, verb, kind, name, why, *texts, previous, digest),
        )
        return int(cursor.lastrowid or 0)

    def get(self, entry_id: int) -> Entry | None:
        row = self._db.one("SELECT * FROM audit WHERE id = ?", (entry_id,))
        return _entry(row) if row else None

    def has_hash(self, digest: str) -> bool:
        return self._db.one("SELECT id FROM audit WHERE hash = ?", (digest,)) is not None

    def find(self, *, limit: int, **wanted: Any) -> list[Entry]:
        """Newest first."""
        where, values = _where(wanted)
        rows = self._db.read(f"SELECT * FROM audit {where} ORDER BY id DESC LIMIT ?", (*values, limit))
        return [_entry(row) for row in rows]

    def rows(self, batch: int = 5000, **wanted: Any) -> Iterator[Row]:
        """As they are stored, oldest first, those that are there when it begins."""
        end = int(self._db.value("SELECT coalesce(max(id), 0) FROM audit"))
        last = 0
        while True:
            where, values = _where({**wanted, "after_id": last, "before_id": end + 1})
            found = self._db.read(f"SELECT * FROM audit {where} ORDER BY id LIMIT ?", (*values, batch))
            yield from (Row(*row) for row in found)
            if len(found) < batch:
                return
            last = found[-1]["id"]

    def chain(self, batch: int = 5000) -> Iterator[tuple[Entry, str]]:
        """Every entry in order, with the hash that its stored text gives now."""
        last = 0
        while rows := self._db.read("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?", (last, batch)):
            for row in rows:
                yield (
                    _entry(row),
                    chain_hash(
                        *(
                            row[key]
                            for key in (
                                "previous_hash",
                                "at",
                                "actor",
                                "verb",
                                "kind",
                                "name",
                                "why",
                                "before",
                                "after",
                                "cause",
                            )
                        )
                    ),
                )
            last = rows[-1]["id"]


def _where(wanted: dict[str, Any]) -> tuple[str, list[Any]]:
    used = {_CLAUSES[name]: value for name, value in wanted.items() if value is not None}
    return (f"WHERE {' AND '.join(used)}" if used else ""), list(used.values())


def _text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _entry(row: sqlite3.Row) -> Entry:
    values = dict(row)
    for key in ("before", "after", "cause"):
        values[key] = json.loads(values[key]) if values[key] else None
    return Entry(**values)
