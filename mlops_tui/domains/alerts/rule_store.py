"""Rules of the user's own: catalog table alert_rule."""

from __future__ import annotations

import builtins
import dataclasses
import json
import sqlite3
from typing import TYPE_CHECKING

from mlops_tui.domains.alerts.normal import Normal
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.rules import Rule, Watch

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context

_COLUMNS = (
    "name", "series", "subject", "test", "limit_value", "span", "clear", "severity", "paused", "created_at", "created_by",
    "clear_for", "objective", "clearing_since",
)  # fmt: skip


def m003_rules(db: sqlite_utils.Database) -> None:
    """Create the table of rules."""
    db.execute(
        """CREATE TABLE alert_rule (
             name TEXT PRIMARY KEY, series TEXT NOT NULL, subject TEXT NOT NULL, test TEXT NOT NULL,
             limit_value REAL NOT NULL, span INTEGER NOT NULL, clear REAL, severity TEXT NOT NULL, paused INTEGER NOT NULL,
             created_at INTEGER NOT NULL, created_by TEXT NOT NULL
           ) STRICT"""
    )


def m004_rules_that_learn(db: sqlite_utils.Database) -> None:
    """Room for how long a rule must be clear, the promise it holds a series to, and what it learned is normal."""
    db.execute("ALTER TABLE alert_rule ADD COLUMN clear_for INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE alert_rule ADD COLUMN objective REAL NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE alert_rule ADD COLUMN clearing_since INTEGER")
    db.execute(
        """CREATE TABLE alert_normal (
             rule TEXT PRIMARY KEY REFERENCES alert_rule(name) ON DELETE CASCADE, at INTEGER NOT NULL, document TEXT NOT NULL
           ) STRICT"""
    )


class RuleStore:
    """Rows as records; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    def list(self) -> builtins.list[Rule]:
        """By name."""
        return [_rule(row) for row in self._db.read("SELECT * FROM alert_rule ORDER BY name")]

    def put(self, tx: sqlite3.Connection, rule: Rule) -> None:
        """Insert a rule, or change it where its name is taken."""
        values = {name: getattr(rule, "limit" if name == "limit_value" else name) for name in _COLUMNS}
        changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
        marks = ", ".join(f":{name}" for name in _COLUMNS)
        tx.execute(
            f"INSERT INTO alert_rule ({', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT(name) DO UPDATE SET {changes}",
            values,
        )

    def remove(self, tx: sqlite3.Connection, name: str) -> None:
        tx.execute("DELETE FROM alert_normal WHERE rule = ?", (name,))
        tx.execute("DELETE FROM alert_rule WHERE name = ?", (name,))

    def clearing(self, tx: sqlite3.Connection, name: str, since: int | None) -> None:
        """Since when the condition of an open alert does not hold; None when it does."""
        tx.execute("UPDATE alert_rule SET clearing_since = ? WHERE name = ?", (since, name))

    def normal(self, name: str) -> tuple[int, Normal | None] | None:
        """When a rule last looked at its past, and what it learned; None before it did."""
        row = self._db.one("SELECT at, document FROM alert_normal WHERE rule = ?", (name,))
        if row is None:
            return None
        values = json.loads(row["document"])
        return row["at"], Normal(**values) if values else None

    def learned(self, tx: sqlite3.Connection, name: str, at: int, normal: Normal | None) -> None:
        """Keep what a rule learned."""
        document = json.dumps(dataclasses.asdict(normal) if normal else None)
        tx.execute("INSERT OR REPLACE INTO alert_normal (rule, at, document) VALUES (?, ?, ?)", (name, at, document))


def _rule(row: sqlite3.Row) -> Rule:
    values = dict(row)
    values["limit"] = values.pop("limit_value")
    values.update(test=Watch(row["test"]), severity=Severity(row["severity"]), paused=bool(row["paused"]))
    return Rule(**values)
