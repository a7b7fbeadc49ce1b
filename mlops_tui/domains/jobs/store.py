"""The job tables: the queue in the catalog, progress (many small writes, nothing lost by losing it) in telemetry."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.identity import Identity
from mlops_tui.domains.jobs.records import Attempt, Job, JobState, Pending, Progress

if TYPE_CHECKING:
    import sqlite_utils

_JSON = ("spec", "cause", "result", "needs")


def m001_job(db: sqlite_utils.Database) -> None:
    """The queue, and one row for each attempt that ended."""
    db.execute(
        """CREATE TABLE job (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, name TEXT NOT NULL, title TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('queued','claimed','running','succeeded','failed','cancelled','lost')),
            spec TEXT NOT NULL, cause TEXT, key TEXT UNIQUE, internal INTEGER NOT NULL,
            attempt INTEGER NOT NULL DEFAULT 0, retries INTEGER NOT NULL,
            created_at INTEGER NOT NULL, created_by TEXT NOT NULL, not_before INTEGER NOT NULL, lease_until INTEGER,
            started_at INTEGER, ended_at INTEGER, timeout_s REAL, memory_bytes INTEGER,
            stop_reason TEXT NOT NULL DEFAULT '', result TEXT, error TEXT NOT NULL DEFAULT '',
            pid INTEGER, pid_started INTEGER, boot TEXT
        ) STRICT"""
    )
    db.execute("CREATE INDEX job_by_state ON job(state, internal, not_before, id)")
    db.execute(
        """CREATE TABLE job_attempt (
            job_id INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE, attempt INTEGER NOT NULL, state TEXT NOT NULL,
            began INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER NOT NULL, error TEXT NOT NULL,
            PRIMARY KEY (job_id, attempt)
        ) STRICT, WITHOUT ROWID"""
    )


def m002_needs(db: sqlite_utils.Database) -> None:
    """What a job holds while it runs, and its place among those that wait."""
    db.execute("ALTER TABLE job ADD COLUMN needs TEXT NOT NULL DEFAULT '{}'")
    db.execute("ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 0")


def m001_progress(db: sqlite_utils.Database) -> None:
    """The last word of each job about how far it is."""
    db.execute(
        """CREATE TABLE job_progress (
            job_id INTEGER PRIMARY KEY, done INTEGER NOT NULL, total INTEGER, note TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT"""
    )


class JobsStore:
    """Rows as jobs. Methods that take `tx` belong inside a `catalog.write()`."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog
        self._telemetry = context.telemetry
        self._catalog.migrate("jobs", [m001_job, m002_needs])
        self._telemetry.migrate("jobs", [m001_progress])

    def add(self, tx: sqlite3.Connection, values: dict[str, Any]) -> int:
        row = {**values, **{name: _text(values[name]) for name in _JSON if name in values}}
        names = ", ".join(row)
        cursor = tx.execute(f"INSERT INTO job({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
        return int(cursor.lastrowid or 0)

    def update(self, tx: sqlite3.Connection, job_id: int, **values: Any) -> None:
        row = {name: _text(value) if name in _JSON else value for name, value in values.items()}
        assignments = ", ".join(f"{name} = ?" for name in row)
        tx.execute(f"UPDATE job SET {assignments} WHERE id = ?", (*row.values(), job_id))

    def get(self, job_id: int) -> Job | None:
        row = self._catalog.one("SELECT * FROM job WHERE id = ?", (job_id,))
        return self._jobs([row])[0] if row else None

    def by_key(self, key: str) -> Job | None:
        row = self._catalog.one("SELECT * FROM job WHERE key = ?", (key,))
        return self._jobs([row])[0] if row else None

    def find(
        self, *, state: str | None = None, kind: str | None = None, internal: bool | None = None, limit: int = 100
    ) -> list[Job]:
        """Newest first."""
        wanted = {"state = ?": state, "kind = ?": kind, "internal = ?": None if internal is None else int(internal)}
        used = {clause: value for clause, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(used)}" if used else ""
        rows = self._catalog.read(f"SELECT * FROM job {where} ORDER BY id DESC LIMIT ?", (*used.values(), limit))
        return self._jobs(rows)

    def any_due(self, now: int, internal: bool | None) -> bool:
        return bool(self.due(now, 1, internal))

    def due(self, now: int, limit: int, internal: bool | None) -> list[tuple[int, dict[str, float]]]:
        """(id, needs) of queued jobs whose time has come, the highest priority first and then the oldest."""
        lane = "" if internal is None else f"AND internal = {int(internal)}"
        rows = self._catalog.read(
            f"SELECT id, needs FROM job WHERE state = 'queued' AND not_before <= ? {lane} "
            "ORDER BY priority DESC, id LIMIT ?",
            (now, limit),
        )
        return [(row["id"], {} if row["needs"] == "{}" else json.loads(row["needs"])) for row in rows]

    def active(self) -> list[Job]:
        """Claimed and running jobs, oldest first."""
        return self._jobs(self._catalog.read("SELECT * FROM job WHERE state IN ('claimed', 'running') ORDER BY id"))

    def count_active(self, internal: bool) -> int:
        return int(
            self._catalog.value(
                "SELECT count(*) FROM job WHERE state IN ('claimed', 'running') AND internal = ?", (int(internal),)
            )
        )

    def held(self) -> list[tuple[int, str, dict[str, float]]]:
        """(id, title, needs) of each claimed or running job that holds something."""
        rows = self._catalog.read(
            "SELECT id, title, needs FROM job WHERE state IN ('claimed', 'running') AND needs != '{}' ORDER BY id"
        )
        return [(row["id"], row["title"], json.loads(row["needs"])) for row in rows]

    def pending_with(self, prefix: str) -> list[Pending]:
        """Jobs still to end whose key begins with `prefix`, oldest first."""
        rows = self._catalog.read(
            "SELECT id, key, started_at, json_extract(cause, '$.origin') AS origin FROM job "
            "WHERE state IN ('queued', 'claimed', 'running') AND substr(key, 1, ?) = ? ORDER BY id",
            (len(prefix), prefix),
        )
        return [Pending(*row) for row in rows]

    def newest_with(self, prefix: str) -> Job | None:
        rows = self._catalog.read(
            "SELECT * FROM job WHERE key >= ? AND key < ? ORDER BY id DESC LIMIT 1", (prefix, prefix + "\U0010ffff")
        )
        return self._jobs(rows)[0] if rows else None

    def took(self, prefix: str, limit: int) -> list[int]:
        """How long the newest jobs that succeeded and whose key begins with `prefix` took, in ms."""
        rows = self._catalog.read(
            "SELECT ended_at - started_at AS took FROM job WHERE key >= ? AND key < ? AND state = 'succeeded' "
            "AND started_at IS NOT NULL ORDER BY id DESC LIMIT ?",
            (prefix, prefix + "\U0010ffff", limit),
        )
        return [int(row["took"]) for row in rows]

    def states(self, job_ids: list[int]) -> dict[int, JobState]:
        sql = "SELECT id, state FROM job WHERE id IN (SELECT value FROM json_each(?))"
        rows = self._catalog.read(sql, (json.dumps(job_ids),))
        return {row["id"]: JobState(row["state"]) for row in rows}

    def claim(self, tx: sqlite3.Connection, job_id: int, who: Identity, lease_until: int) -> bool:
        cursor = tx.execute(
            "UPDATE job SET state = 'claimed', attempt = attempt + 1, lease_until = ?, started_at = NULL, ended_at = NULL, "
            "pid = ?, pid_started = ?, boot = ?, error = '', result = NULL WHERE id = ? AND state = 'queued'",
            (lease_until, who.pid, who.started, who.boot, job_id),
        )
        return cursor.rowcount == 1

    def begin(self, tx: sqlite3.Connection, job_id: int, attempt: int, who: Identity, now: int) -> bool:
        cursor = tx.execute(
            "UPDATE job SET state = 'running', started_at = ?, lease_until = NULL, pid = ?, pid_started = ?, boot = ? "
            "WHERE id = ? AND attempt = ? AND state = 'claimed' AND stop_reason = ''",
            (now, who.pid, who.started, who.boot, job_id, attempt),
        )
        return cursor.rowcount == 1

    def end_attempt(self, tx: sqlite3.Connection, job: Job, state: JobState, now: int, error: str) -> None:
        """The one record of that attempt; a second one is an IntegrityError and rolls everything back."""
        tx.execute(
            "INSERT INTO job_attempt(job_id, attempt, state, began, started_at, ended_at, error) VALUES (?,?,?,?,?,?,?)",
            (job.id, job.attempt, state, int(job.state is JobState.RUNNING), job.started_at, now, error),
        )

    def attempts(self, job_id: int) -> list[Attempt]:
        """Ended attempts, first to last."""
        rows = self._catalog.read("SELECT * FROM job_attempt WHERE job_id = ? ORDER BY attempt", (job_id,))
        return [Attempt(**{**dict(row), "state": JobState(row["state"]), "began": bool(row["began"])}) for row in rows]

    def say(self, job_id: int, done: int, total: int | None, note: str, now: int) -> None:
        with self._telemetry.write() as tx:
            tx.execute(
                "INSERT INTO job_progress(job_id, done, total, note, at) VALUES (?,?,?,?,?) ON CONFLICT(job_id) DO UPDATE "
                "SET done = excluded.done, total = excluded.total, note = excluded.note, at = excluded.at",
                (job_id, done, total, note, now),
            )

    def old(self, user_before: int, internal_before: int) -> list[int]:
        """Ids of jobs that ended before these times."""
        rows = self._catalog.read(
            "SELECT id FROM job WHERE ended_at < CASE internal WHEN 1 THEN ? ELSE ? END "
            "AND state NOT IN ('queued', 'claimed', 'running') LIMIT 500",
            (internal_before, user_before),
        )
        return [int(row["id"]) for row in rows]

    def remove(self, tx: sqlite3.Connection, job_ids: list[int]) -> None:
        marks = ", ".join("?" * len(job_ids))
        tx.execute(f"DELETE FROM job WHERE id IN ({marks})", job_ids)

    def forget_progress(self, job_ids: list[int]) -> None:
        with self._telemetry.write() as tx:
            tx.execute(f"DELETE FROM job_progress WHERE job_id IN ({', '.join('?' * len(job_ids))})", job_ids)

    def _jobs(self, rows: list[sqlite3.Row]) -> list[Job]:
        if not rows:
            return []
        marks = ", ".join("?" * len(rows))
        said = self._telemetry.read(
            f"SELECT * FROM job_progress WHERE job_id IN ({marks})", [row["id"] for row in rows]
        )
        progress = {row["job_id"]: Progress(row["done"], row["total"], row["note"], row["at"]) for row in said}
        return [_job(row, progress.get(row["id"], Progress())) for row in rows]


def _job(row: sqlite3.Row, progress: Progress) -> Job:
    values = dict(row)
    for name in _JSON:
        values[name] = json.loads(values[name]) if values[name] else None
    values.update(state=JobState(row["state"]), internal=bool(row["internal"]), progress=progress)
    return Job(**values)


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)
