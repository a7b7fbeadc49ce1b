"""Rules of the user's own: catalog table alert_rule."""

from __future__ import annotations

import builtins
import sqlite3
from typing import TYPE_CHECKING

from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.rules import Rule, Watch

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context

_COLUMNS = (
    "name", "series", "subject", "test", "limit_value", "span", "clear", "severity", "paused", "created_at", "created_by",
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
        tx.execute("DELETE FROM alert_rule WHERE name = ?", (name,))


def _rule(row: sqlite3.Row) -> Rule:
    values = dict(row)
    values["limit"] = values.pop("limit_value")
    values.update(test=Watch(row["test"]), severity=Severity(row["severity"]), paused=bool(row["paused"]))
    return Rule(**values)
