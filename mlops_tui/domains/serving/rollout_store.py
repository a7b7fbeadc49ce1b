"""Where rollouts are kept: catalog tables rollout and rollout_label."""

from __future__ import annotations

import builtins
import dataclasses
import json
import sqlite3
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.domains.serving.evidence import Counts, Evidence
from mlops_tui.domains.serving.rollout import Rollout, RolloutState, Rules

if TYPE_CHECKING:
    import sqlite_utils


def m002_rollouts(db: sqlite_utils.Database) -> None:
    """Create rollouts, and the counts of right and wrong answers that labels brought them."""
    db.execute(
        """CREATE TABLE rollout (
            id INTEGER PRIMARY KEY, deployment TEXT NOT NULL, model TEXT NOT NULL, version INTEGER NOT NULL,
            stable TEXT NOT NULL, steps TEXT NOT NULL, step INTEGER NOT NULL, state TEXT NOT NULL, rules TEXT NOT NULL,
            promote_to TEXT NOT NULL, slow_ms REAL, wrong_beyond REAL, revision INTEGER NOT NULL, by TEXT NOT NULL,
            why TEXT NOT NULL, reason TEXT NOT NULL, began_at INTEGER NOT NULL, step_at INTEGER NOT NULL,
            ended_at INTEGER, evidence TEXT NOT NULL
        ) STRICT"""
    )
    # One rollout at a time per deployment, whoever starts them at the same moment.
    db.execute("CREATE UNIQUE INDEX rollout_open ON rollout(deployment) WHERE ended_at IS NULL")
    db.execute(
        """CREATE TABLE rollout_label (
            rollout INTEGER NOT NULL REFERENCES rollout(id) ON DELETE CASCADE, until INTEGER NOT NULL,
            canary INTEGER NOT NULL, canary_failed INTEGER NOT NULL, stable INTEGER NOT NULL,
            stable_failed INTEGER NOT NULL, PRIMARY KEY (rollout, until)
        ) STRICT, WITHOUT ROWID"""
    )


class RolloutStore:
    """Rows as records; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    def list(self, deployment: str | None = None, *, running: bool = False, limit: int = 100) -> builtins.list[Rollout]:
        """Newest first."""
        rows = self._db.read(
            """SELECT * FROM rollout WHERE (? IS NULL OR deployment = ?) AND (NOT ? OR state = 'running')
               ORDER BY id DESC LIMIT ?""",
            (deployment, deployment, running, limit),
        )
        return [_rollout(row) for row in rows]

    def get(self, number: int) -> Rollout | None:
        row = self._db.one("SELECT * FROM rollout WHERE id = ?", (number,))
        return _rollout(row) if row else None

    def open(self, deployment: str) -> Rollout | None:
        """The one that has not ended."""
        row = self._db.one("SELECT * FROM rollout WHERE deployment = ? AND ended_at IS NULL", (deployment,))
        return _rollout(row) if row else None

    def any_open(self) -> bool:
        return self._db.value("SELECT 1 FROM rollout WHERE ended_at IS NULL LIMIT 1") is not None

    def put(self, tx: sqlite3.Connection, one: Rollout) -> int:
        """Write a rollout; an id of 0 makes a new one. Its id."""
        values = (
            one.deployment,
            one.model,
            one.version,
            json.dumps(one.stable),
            json.dumps(one.steps),
            one.step,
            one.state,
            json.dumps(dataclasses.asdict(one.rules)),
            one.to,
            one.slow_ms,
            one.wrong_beyond,
            one.revision,
            one.by,
            one.why,
            one.reason,
            one.began_at,
            one.step_at,
            one.ended_at,
            json.dumps([dataclasses.astuple(item) for item in one.evidence]),
        )
        if one.id:
            tx.execute(
                """UPDATE rollout SET deployment = ?, model = ?, version = ?, stable = ?, steps = ?, step = ?, state = ?,
                   rules = ?, promote_to = ?, slow_ms = ?, wrong_beyond = ?, revision = ?, by = ?, why = ?, reason = ?,
                   began_at = ?, step_at = ?, ended_at = ?, evidence = ? WHERE id = ?""",
                (*values, one.id),
            )
            return one.id
        cursor = tx.execute(f"INSERT INTO rollout VALUES (NULL, {', '.join('?' * len(values))})", values)
        return int(cursor.lastrowid or 0)

    def labels(self, rollout: int) -> tuple[builtins.list[Counts], int]:
        """Counts by labels, oldest first, and until when (ms) labels were taken."""
        rows = self._db.read("SELECT * FROM rollout_label WHERE rollout = ? ORDER BY until", (rollout,))
        counts = [Counts(row["canary"], row["canary_failed"], row["stable"], row["stable_failed"]) for row in rows]
        return counts, rows[-1]["until"] if rows else 0

    def add_labels(self, tx: sqlite3.Connection, rollout: int, until: int, counts: Counts) -> None:
        values = (rollout, until, *dataclasses.astuple(counts))
        tx.execute("INSERT OR IGNORE INTO rollout_label VALUES (?, ?, ?, ?, ?, ?)", values)


def _rollout(row: sqlite3.Row) -> Rollout:
    return Rollout(
        id=row["id"],
        deployment=row["deployment"],
        model=row["model"],
        version=row["version"],
        stable={int(version): weight for version, weight in json.loads(row["stable"]).items()},
        steps=tuple(json.loads(row["steps"])),
        step=row["step"],
        state=RolloutState(row["state"]),
        rules=Rules(**json.loads(row["rules"])),
        to=row["promote_to"],
        slow_ms=row["slow_ms"],
        wrong_beyond=row["wrong_beyond"],
        revision=row["revision"],
        by=row["by"],
        why=row["why"],
        reason=row["reason"],
        began_at=row["began_at"],
        step_at=row["step_at"],
        ended_at=row["ended_at"],
        evidence=tuple(Evidence(*item) for item in json.loads(row["evidence"])),
    )
