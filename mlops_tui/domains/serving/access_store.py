"""Where tokens are kept: catalog table serving_token; how much they were used: telemetry table serving_usage."""

from __future__ import annotations

import builtins
import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.domains.serving.access import Right, Token, Usage

if TYPE_CHECKING:
    import sqlite_utils


def m001_tokens(db: sqlite_utils.Database) -> None:
    """Create tokens; of a secret only its hash is kept."""
    db.execute(
        """CREATE TABLE serving_token (
            name TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, rights TEXT NOT NULL, deployments TEXT NOT NULL, rate REAL,
            created_at INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at INTEGER, revoked_at INTEGER
        ) STRICT"""
    )


def m001_usage(db: sqlite_utils.Database) -> None:
    """Create counts of requests by token, deployment and hour."""
    db.execute(
        """CREATE TABLE serving_usage (
            token TEXT NOT NULL, deployment TEXT NOT NULL, hour_at INTEGER NOT NULL, requests INTEGER NOT NULL,
            rows INTEGER NOT NULL, errors INTEGER NOT NULL, limited INTEGER NOT NULL, last_at INTEGER NOT NULL,
            PRIMARY KEY (token, deployment, hour_at)
        ) STRICT, WITHOUT ROWID"""
    )


class AccessStore:
    """Rows as records; methods that change the catalog take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._catalog = context.catalog
        self._telemetry = context.telemetry
        self._catalog.migrate("serving_access", [m001_tokens])
        self._telemetry.migrate("serving_access", [m001_usage])

    def list(self) -> builtins.list[Token]:
        """All tokens by name."""
        return [_token(row) for row in self._catalog.read("SELECT * FROM serving_token ORDER BY name")]

    def find(self, name: str) -> Token | None:
        row = self._catalog.one("SELECT * FROM serving_token WHERE name = ?", (name,))
        return _token(row) if row else None

    def add(self, tx: sqlite3.Connection, token: Token) -> None:
        tx.execute(
            "INSERT INTO serving_token VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                token.name,
                token.hash,
                json.dumps(token.rights),
                json.dumps(token.deployments),
                token.rate,
                token.created_at,
                token.created_by,
                token.expires_at,
                token.revoked_at,
            ),
        )

    def revoke(self, tx: sqlite3.Connection, name: str, at: int) -> None:
        tx.execute("UPDATE serving_token SET revoked_at = ? WHERE name = ?", (at, name))

    def add_usage(self, counted: Iterable[Usage]) -> None:
        """Add counts to their hours."""
        rows = [(u.token, u.deployment, u.hour_at, u.requests, u.rows, u.errors, u.limited, u.last_at) for u in counted]
        with self._telemetry.write() as tx:
            tx.executemany(
                "INSERT INTO serving_usage VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "requests = requests + excluded.requests, rows = rows + excluded.rows, errors = errors + excluded.errors, "
                "limited = limited + excluded.limited, last_at = max(last_at, excluded.last_at)",
                rows,
            )

    def usage(self, since: int, token: str | None = None) -> builtins.list[Usage]:
        """Counts of hours that began at `since` or later, added up by token and deployment; `hour_at` is the first hour."""
        rows = self._telemetry.read(
            "SELECT token, deployment, min(hour_at), sum(requests), sum(rows), sum(errors), sum(limited), max(last_at) "
            "FROM serving_usage WHERE hour_at >= ? AND (? IS NULL OR token = ?) GROUP BY token, deployment",
            (since, token, token),
        )
        return [Usage(*row) for row in rows]


def _token(row: sqlite3.Row) -> Token:
    values = dict(row)
    rights = tuple(map(Right, json.loads(values.pop("rights"))))
    return Token(**{**values, "rights": rights, "deployments": tuple(json.loads(values["deployments"]))})
