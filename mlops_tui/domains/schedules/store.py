"""The schedule and fire tables. PRIMARY KEY (schedule_id, slot) is what makes a slot exist once."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.domains.schedules.records import Fire, FireState, Kind, Missed, Overlap, Schedule

if TYPE_CHECKING:
    import sqlite_utils

_FIRES = """SELECT fire.*, schedule.name AS schedule, schedule.pipeline FROM fire
    JOIN schedule ON schedule.id = fire.schedule_id"""


def m001_schedule(db: sqlite_utils.Database) -> None:
    """Rules, and every slot of them that came."""
    db.execute(
        # AUTOINCREMENT: job keys carry the id, so it must never name another schedule later.
        """CREATE TABLE schedule (
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, pipeline TEXT NOT NULL, kind TEXT NOT NULL,
            cron TEXT NOT NULL, timezone TEXT NOT NULL, missed TEXT NOT NULL, overlap TEXT NOT NULL, grace_s REAL NOT NULL,
            cooldown_s REAL NOT NULL, paused INTEGER NOT NULL, subject TEXT NOT NULL, tables TEXT NOT NULL,
            origin TEXT NOT NULL, next_due INTEGER, last_fired_at INTEGER, created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL, updated_at INTEGER NOT NULL,
            min_rows INTEGER NOT NULL, min_share REAL NOT NULL, max_per_day INTEGER NOT NULL, seen TEXT NOT NULL
        ) STRICT"""
    )
    db.execute(
        """CREATE TABLE fire (
            schedule_id INTEGER NOT NULL REFERENCES schedule(id) ON DELETE CASCADE, slot TEXT NOT NULL,
            due_at INTEGER NOT NULL, state TEXT NOT NULL CHECK (state IN ('queued', 'missed', 'skipped')),
            job_id INTEGER, reason TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (schedule_id, slot)
        ) STRICT, WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX fire_waiting ON fire(due_at) WHERE state = 'queued' AND job_id IS NULL")
    db.execute("CREATE INDEX fire_by_time ON fire(schedule_id, due_at)")


class SchedulesStore:
    """Rows as schedules and fires. Methods that take `tx` belong inside a `catalog.write()`."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("schedules", [m001_schedule])

    def add(self, tx: sqlite3.Connection, values: dict[str, Any]) -> int:
        row = _row(values)
        marks = ", ".join("?" * len(row))
        cursor = tx.execute(f"INSERT INTO schedule({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        return int(cursor.lastrowid or 0)

    def update(self, tx: sqlite3.Connection, schedule_id: int, **values: Any) -> None:
        row = _row(values)
        assignments = ", ".join(f"{name} = ?" for name in row)
        tx.execute(f"UPDATE schedule SET {assignments} WHERE id = ?", (*row.values(), schedule_id))

    def remove(self, tx: sqlite3.Connection, schedule_id: int) -> None:
        tx.execute("DELETE FROM schedule WHERE id = ?", (schedule_id,))

    def get(self, name: str) -> Schedule | None:
        row = self._db.one("SELECT * FROM schedule WHERE name = ?", (name,))
        return _schedule(row) if row else None

    def find(self) -> list[Schedule]:
        return [_schedule(row) for row in self._db.read("SELECT * FROM schedule ORDER BY name")]

    def due(self, now: int) -> list[Schedule]:
        rows = self._db.read("SELECT * FROM schedule WHERE next_due <= ? AND paused = 0 ORDER BY next_due", (now,))
        return [_schedule(row) for row in rows]

    def add_fire(
        self, tx: sqlite3.Connection, schedule_id: int, slot: str, due_at: int, state: FireState, reason: str, now: int
    ) -> bool:
        """False when that slot is known already."""
        cursor = tx.execute(
            "INSERT INTO fire(schedule_id, slot, due_at, state, reason, created_at) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (schedule_id, slot, due_at, state, reason, now),
        )
        return cursor.rowcount == 1

    def settle_fire(
        self,
        tx: sqlite3.Connection,
        fire: Fire,
        *,
        state: FireState = FireState.QUEUED,
        job_id: int | None = None,
        reason: str | None = None,
    ) -> bool:
        """Give a waiting fire its job or its end; False when it has one already."""
        cursor = tx.execute(
            "UPDATE fire SET state = ?, job_id = ?, reason = coalesce(?, reason) "
            "WHERE schedule_id = ? AND slot = ? AND state = 'queued' AND job_id IS NULL",
            (state, job_id, reason, fire.schedule_id, fire.slot),
        )
        return cursor.rowcount == 1

    def fire(self, schedule_id: int, slot: str) -> Fire | None:
        row = self._db.one(f"{_FIRES} WHERE schedule_id = ? AND slot = ?", (schedule_id, slot))
        return _fire(row) if row else None

    def waiting(self) -> list[Fire]:
        """Fires that wait for their job, oldest first."""
        return [
            _fire(row)
            for row in self._db.read(f"{_FIRES} WHERE fire.state = 'queued' AND fire.job_id IS NULL ORDER BY due_at")
        ]

    def fired_since(self, schedule_id: int, since: int) -> int:
        """How many fires got or await a job since then."""
        return int(
            self._db.value(
                "SELECT count(*) FROM fire WHERE schedule_id = ? AND state = 'queued' AND created_at >= ?",
                (schedule_id, since),
            )
        )

    def fires(self, schedule_id: int | None, limit: int) -> list[Fire]:
        """Newest first."""
        where, params = ("WHERE schedule_id = ?", [schedule_id]) if schedule_id is not None else ("", [])
        return [
            _fire(row)
            for row in self._db.read(f"{_FIRES} {where} ORDER BY due_at DESC, slot DESC LIMIT ?", [*params, limit])
        ]


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in ("tables", "seen") else value for name, value in values.items()}


def _schedule(row: sqlite3.Row) -> Schedule:
    values = dict(row)
    values.update(
        kind=Kind(row["kind"]),
        missed=Missed(row["missed"]),
        overlap=Overlap(row["overlap"]),
        paused=bool(row["paused"]),
        tables=tuple(json.loads(row["tables"])),
        seen={table: (version, rows) for table, (version, rows) in json.loads(row["seen"]).items()},
    )
    return Schedule(**values)


def _fire(row: sqlite3.Row) -> Fire:
    return Fire(**{**dict(row), "state": FireState(row["state"])})
