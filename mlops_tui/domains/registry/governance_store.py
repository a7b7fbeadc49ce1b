"""Where the registry keeps what people decided and said: catalog tables model_policy, model_request and model_note."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from mlops_tui.domains.registry.records import Decision, Note, Request, RequestState

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlite_utils

    from mlops_tui.core.context import Context


def m004_governance(db: sqlite_utils.Database) -> None:
    db.execute(
        """CREATE TABLE model_policy (
            model TEXT PRIMARY KEY REFERENCES model(name) ON DELETE CASCADE, approvals INTEGER NOT NULL) STRICT"""
    )
    db.execute(
        """CREATE TABLE model_request (
            id INTEGER PRIMARY KEY, model TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
            asked_by TEXT NOT NULL, asked_at INTEGER NOT NULL, decisions TEXT NOT NULL, ended_at INTEGER,
            FOREIGN KEY (model, version) REFERENCES model_version(model, version) ON DELETE CASCADE) STRICT"""
    )
    # One open request per version, whoever asks at the same time.
    db.execute("CREATE UNIQUE INDEX model_request_open ON model_request(model, version) WHERE state = 'open'")
    db.execute(
        """CREATE TABLE model_note (
            id INTEGER PRIMARY KEY, model TEXT NOT NULL REFERENCES model(name) ON DELETE CASCADE, version INTEGER,
            at INTEGER NOT NULL, by TEXT NOT NULL, text TEXT NOT NULL) STRICT"""
    )
    db.execute("CREATE INDEX model_note_by_model ON model_note(model, version, id)")


class GovernanceStore:
    """Rows and records; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    def needed(self, model: str) -> int:
        return int(self._db.value("SELECT approvals FROM model_policy WHERE model = ?", (model,)) or 0)

    def set_needed(self, tx: sqlite3.Connection, model: str, approvals: int) -> None:
        tx.execute(
            "INSERT INTO model_policy VALUES (?, ?) ON CONFLICT (model) DO UPDATE SET approvals = excluded.approvals",
            (model, approvals),
        )

    def requests(self, model: str | None, *, open_only: bool) -> list[Request]:
        """Newest first."""
        rows = self._db.read(
            """SELECT r.*, coalesce(p.approvals, 0) AS needed FROM model_request r LEFT JOIN model_policy p USING (model)
               WHERE (? IS NULL OR model = ?) AND (NOT ? OR state = 'open') ORDER BY id DESC""",
            (model, model, open_only),
        )
        return [_request(row) for row in rows]

    def newest(self, model: str, version: int) -> Request | None:
        row = self._db.one(
            """SELECT r.*, coalesce(p.approvals, 0) AS needed FROM model_request r LEFT JOIN model_policy p USING (model)
               WHERE model = ? AND version = ? ORDER BY id DESC LIMIT 1""",
            (model, version),
        )
        return _request(row) if row else None

    def add_request(self, tx: sqlite3.Connection, model: str, version: int, why: str, by: str, at: int) -> None:
        tx.execute(
            """INSERT INTO model_request (model, version, state, why, asked_by, asked_at, decisions)
               VALUES (?, ?, ?, ?, ?, ?, '[]')""",
            (model, version, RequestState.OPEN, why, by, at),
        )

    def decide(
        self, tx: sqlite3.Connection, number: int, state: RequestState, decisions: Sequence[Decision], ended: int | None
    ) -> None:
        said = json.dumps([[one.by, one.verdict, one.at, one.why] for one in decisions])
        tx.execute(
            "UPDATE model_request SET state = ?, decisions = ?, ended_at = ? WHERE id = ?", (state, said, ended, number)
        )

    def notes(self, model: str, version: int | None) -> list[Note]:
        """Oldest first; those of the model and, with a version, of that version too."""
        rows = self._db.read(
            "SELECT * FROM model_note WHERE model = ? AND (version IS NULL OR version = ?) ORDER BY id",
            (model, version),
        )
        return [Note(**dict(row)) for row in rows]

    def add_note(self, tx: sqlite3.Connection, model: str, version: int | None, at: int, by: str, text: str) -> None:
        tx.execute(
            "INSERT INTO model_note (model, version, at, by, text) VALUES (?, ?, ?, ?, ?)",
            (model, version, at, by, text),
        )


def _request(row: sqlite3.Row) -> Request:
    decisions = tuple(Decision(*one) for one in json.loads(row["decisions"]))
    return Request(
        row["id"],
        row["model"],
        row["version"],
        RequestState(row["state"]),
        row["why"],
        row["asked_by"],
        row["asked_at"],
        decisions,
        row["needed"],
        row["ended_at"],
    )
