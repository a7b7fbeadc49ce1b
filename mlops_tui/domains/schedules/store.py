"""The schedule and fire tables. PRIMARY KEY (schedule_id, slot) is what makes a slot exist once."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.domains.schedules.records import (
    Action,
    Blackout,
    Condition,
    Fire,
    FireState,
    Kind,
    Missed,
    Origin,
    Overlap,
    Schedule,
    Then,
)

if TYPE_CHECKING:
    import sqlite_utils

_JSON = ("tables", "seen", "paths", "all_of", "any_of")
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


def m002_blackout(db: sqlite_utils.Database) -> None:
    """Priorities, jitter, conditions, commits; who asked for a fire; and times in which nothing fires."""
    for column in (
        "priority INTEGER NOT NULL DEFAULT 0",
        "jitter_s REAL NOT NULL DEFAULT 0",
        "within_s REAL NOT NULL DEFAULT 0",
        "all_of TEXT NOT NULL DEFAULT '[]'",
        "any_of TEXT NOT NULL DEFAULT '[]'",
        "branch TEXT NOT NULL DEFAULT ''",
        "paths TEXT NOT NULL DEFAULT '[]'",
        "action TEXT NOT NULL DEFAULT 'run'",
        "seen_commit TEXT NOT NULL DEFAULT ''",
    ):
        db.execute(f"ALTER TABLE schedule ADD COLUMN {column}")
    db.execute("ALTER TABLE fire ADD COLUMN origin TEXT NOT NULL DEFAULT 'rule'")
    db.execute("CREATE INDEX schedule_due ON schedule(next_due) WHERE next_due IS NOT NULL AND paused = 0")
    db.execute(
        """CREATE TABLE blackout (
            name TEXT PRIMARY KEY, cron TEXT NOT NULL, span_s REAL NOT NULL, timezone TEXT NOT NULL, begins_at INTEGER,
            ends_at INTEGER, only_for TEXT NOT NULL, then_do TEXT NOT NULL, why TEXT NOT NULL, created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL
        ) STRICT, WITHOUT ROWID"""
    )


def m003_dry_run(db: sqlite_utils.Database) -> None:
    """Rules that only say what they would do."""
    db.execute("ALTER TABLE schedule ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0")


class SchedulesStore:
    """Rows as schedules and fires. Methods that take `tx` belong inside a `catalog.write()`."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        self._db.migrate("schedules", [m001_schedule, m002_blackout, m003_dry_run])

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

    def by_event(self) -> list[Schedule]:
        """Those that wait for something other than the clock and are not paused."""
        rows = self._db.read(
            "SELECT * FROM schedule WHERE kind NOT IN ('schedule', 'manual') AND paused = 0 ORDER BY name"
        )
        return [_schedule(row) for row in rows]

    def due(self, now: int, limit: int) -> list[Schedule]:
        """Those with a slot due by `now`, the longest overdue first."""
        rows = self._db.read(
            "SELECT * FROM schedule WHERE next_due <= ? AND paused = 0 ORDER BY next_due LIMIT ?", (now, limit)
        )
        return [_schedule(row) for row in rows]

    def ahead(self, now: int) -> list[Schedule]:
        """Those whose next slot is later than `now`."""
        rows = self._db.read("SELECT * FROM schedule WHERE next_due > ? AND paused = 0", (now,))
        return [_schedule(row) for row in rows]

    def first_due(self) -> int | None:
        """When the first slot of all is due."""
        found = self._db.value("SELECT min(next_due) FROM schedule WHERE next_due IS NOT NULL AND paused = 0")
        return None if found is None else int(found)

    def by_id(self, ids: Iterable[int]) -> dict[int, Schedule]:
        rows = self._db.read(
            "SELECT * FROM schedule WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(sorted(set(ids))),)
        )
        return {row["id"]: _schedule(row) for row in rows}

    def add_fire(
        self,
        tx: sqlite3.Connection,
        schedule_id: int,
        slot: str,
        due_at: int,
        state: FireState,
        reason: str,
        now: int,
        origin: Origin = Origin.RULE,
    ) -> bool:
        """False when that slot is known already."""
        cursor = tx.execute(
            "INSERT INTO fire(schedule_id, slot, due_at, state, reason, created_at, origin) VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT DO NOTHING",
            (schedule_id, slot, due_at, state, reason, now, origin),
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

    def revive_fire(self, tx: sqlite3.Connection, schedule_id: int, slot: str, reason: str, origin: Origin) -> bool:
        """Let a slot that was missed or skipped wait for its job after all; False for any other."""
        cursor = tx.execute(
            "UPDATE fire SET state = 'queued', reason = ?, origin = ? "
            "WHERE schedule_id = ? AND slot = ? AND state != 'queued' AND job_id IS NULL",
            (reason, origin, schedule_id, slot),
        )
        return cursor.rowcount == 1

    def fire(self, schedule_id: int, slot: str) -> Fire | None:
        row = self._db.one(f"{_FIRES} WHERE schedule_id = ? AND slot = ?", (schedule_id, slot))
        return _fire(row) if row else None

    def waiting(self) -> list[Fire]:
        """Fires that wait for their job: those of today before those of a backfill, by priority, and then the oldest."""
        rows = self._db.read(
            f"{_FIRES} WHERE fire.state = 'queued' AND fire.job_id IS NULL "
            "ORDER BY fire.origin = 'backfill', schedule.priority DESC, fire.due_at, schedule.name"
        )
        return [_fire(row) for row in rows]

    def fired_since(self, schedule_id: int, since: int, *, with_job: bool = False) -> int:
        """How many fires got or await a job since then; `with_job`: only those that got one."""
        got = "AND job_id IS NOT NULL" if with_job else ""
        sql = f"SELECT count(*) FROM fire WHERE schedule_id = ? AND state = 'queued' {got} AND created_at >= ?"
        return int(self._db.value(sql, (schedule_id, since)))

    def fires(
        self, schedule_id: int | None, limit: int, since: int | None = None, until: int | None = None
    ) -> list[Fire]:
        """Newest first; of all schedules without those of the workspace itself."""
        wanted = {"schedule_id = ?": schedule_id, "due_at >= ?": since, "due_at < ?": until}
        used = {clause: value for clause, value in wanted.items() if value is not None}
        clauses = [*used, *(["schedule.origin != 'workspace'"] if schedule_id is None else [])]
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        rows = self._db.read(f"{_FIRES} {where} ORDER BY due_at DESC, slot DESC LIMIT ?", [*used.values(), limit])
        return [_fire(row) for row in rows]

    def fires_among(self, schedule_id: int, first: int, last: int) -> dict[str, Fire]:
        """The fires of a schedule due from `first` to `last`, by slot."""
        rows = self._db.read(f"{_FIRES} WHERE schedule_id = ? AND due_at BETWEEN ? AND ?", (schedule_id, first, last))
        return {row["slot"]: _fire(row) for row in rows}

    # -- blackouts -----------------------------------------------------------------------------------------------------------

    def add_blackout(self, tx: sqlite3.Connection, one: Blackout) -> None:
        tx.execute(
            "INSERT INTO blackout(name, cron, span_s, timezone, begins_at, ends_at, only_for, then_do, why, created_at, created_by) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                one.name,
                one.cron,
                one.span_s,
                one.timezone,
                one.begins_at,
                one.ends_at,
                json.dumps(one.only),
                one.then,
                one.why,
                one.created_at,
                one.created_by,
            ),
        )

    def remove_blackout(self, tx: sqlite3.Connection, name: str) -> None:
        tx.execute("DELETE FROM blackout WHERE name = ?", (name,))

    def blackouts(self) -> list[Blackout]:
        return [_blackout(row) for row in self._db.read("SELECT * FROM blackout ORDER BY name")]


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _json(value) if name in _JSON else value for name, value in values.items()}


def _json(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return json.dumps([dataclasses.asdict(one) if isinstance(one, Condition) else one for one in value])
    return json.dumps(value)


def _schedule(row: sqlite3.Row) -> Schedule:
    values = dict(row)
    values.update(
        kind=Kind(row["kind"]),
        missed=Missed(row["missed"]),
        overlap=Overlap(row["overlap"]),
        action=Action(row["action"]),
        paused=bool(row["paused"]),
        dry_run=bool(row["dry_run"]),
        tables=_texts(row["tables"]),
        paths=_texts(row["paths"]),
        all_of=_conditions(row["all_of"]),
        any_of=_conditions(row["any_of"]),
        seen=_seen(row["seen"]),
    )
    return Schedule(**values)


def _texts(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(json.loads(text))


def _conditions(text: str) -> tuple[Condition, ...]:
    return () if text == "[]" else tuple(Condition(**one) for one in json.loads(text))


def _seen(text: str) -> dict[str, tuple[int, int]]:
    if text == "{}":
        return {}
    return {table: (version, rows) for table, (version, rows) in json.loads(text).items()}


def _fire(row: sqlite3.Row) -> Fire:
    return Fire(**{**dict(row), "state": FireState(row["state"]), "origin": Origin(row["origin"])})


def _blackout(row: sqlite3.Row) -> Blackout:
    values = dict(row)
    only, then = values.pop("only_for"), values.pop("then_do")
    return Blackout(**values, only=_texts(only), then=Then(then))
