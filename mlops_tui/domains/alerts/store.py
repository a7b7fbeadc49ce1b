"""Alerts in catalog.db: one row each, at most one unresolved per rule and subject (an index sees to that)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.alerts.channel_store import m002_channels, m005_maintenance_that_recurs
from mlops_tui.domains.alerts.records import Alert, AlertState, Severity
from mlops_tui.domains.alerts.rule_store import m003_rules, m004_rules_that_learn

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context


def m001_alert(db: sqlite_utils.Database) -> None:
    """Create the table of alerts."""
    db.execute(
        """CREATE TABLE alert (
             id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT NOT NULL, severity TEXT NOT NULL,
             state TEXT NOT NULL, title TEXT NOT NULL, detail TEXT NOT NULL, facts TEXT NOT NULL, count INTEGER NOT NULL,
             first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, acknowledged_by TEXT, acknowledged_at INTEGER,
             silenced_until INTEGER, resolved_by TEXT, resolved_at INTEGER, why TEXT NOT NULL DEFAULT ''
           ) STRICT"""
    )
    db.execute("CREATE UNIQUE INDEX alert_unresolved ON alert(rule, subject) WHERE state <> 'resolved'")
    db.execute("CREATE INDEX alert_by_time ON alert(last_at)")


# A silence that has run out is an open alert again: decided when read, so that nothing has to run for it to reopen.
_SELECT = """SELECT id, rule, subject, severity, title, detail, facts, count, first_at, last_at, acknowledged_by,
    acknowledged_at, silenced_until, resolved_by, resolved_at, why,
    CASE WHEN state = 'silenced' AND silenced_until <= :now THEN 'open' ELSE state END AS state FROM alert"""
_CHANGEABLE = frozenset(
    {"severity", "state", "title", "detail", "facts", "count", "last_at", "acknowledged_by", "acknowledged_at"}
    | {"silenced_until", "resolved_by", "resolved_at", "why"}
)


class AlertsStore:
    """Rows of alerts and nothing else."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog
        steps = [m001_alert, m002_channels, m003_rules, m004_rules_that_learn, m005_maintenance_that_recurs]
        self._db.migrate("alerts", steps)

    def add(self, tx: sqlite3.Connection, alert: dict[str, Any]) -> int:
        """Insert one alert; its id."""
        row = {**alert, "facts": json.dumps(alert["facts"])}
        cursor = tx.execute(f"INSERT INTO alert ({', '.join(row)}) VALUES ({', '.join(':' + key for key in row)})", row)
        return int(cursor.lastrowid or 0)

    def update(self, tx: sqlite3.Connection, alert_id: int, **changes: Any) -> None:
        """Change the named columns of one alert."""
        if not _CHANGEABLE.issuperset(changes):
            raise ValueError(f"not columns of an alert that may change: {sorted(set(changes) - _CHANGEABLE)}")
        if "facts" in changes:
            changes["facts"] = json.dumps(changes["facts"])
        assignments = ", ".join(f"{key} = :{key}" for key in changes)
        tx.execute(f"UPDATE alert SET {assignments} WHERE id = :id", {**changes, "id": alert_id})

    def get(self, alert_id: int, now: int) -> Alert | None:
        """The alert of that number, as it stands at `now`."""
        row = self._db.one(f"{_SELECT} WHERE id = :id", {"id": alert_id, "now": now})
        return _record(row) if row is not None else None

    def some(self, numbers: Sequence[int], now: int) -> list[Alert]:
        """Alerts by number, in the order given; those that are gone are left out."""
        rows = self._db.read(
            f"{_SELECT} WHERE id IN (SELECT value FROM json_each(:numbers))",
            {"numbers": json.dumps(list(numbers)), "now": now},
        )
        found = {row["id"]: row for row in rows}
        return [_record(found[number]) for number in numbers if number in found]

    def unresolved(self, rule: str, subject: str, now: int) -> Alert | None:
        """The one alert of this rule and subject that is not resolved."""
        where = "WHERE rule = :rule AND subject = :subject AND alert.state <> 'resolved'"
        row = self._db.one(f"{_SELECT} {where}", {"rule": rule, "subject": subject, "now": now})
        return _record(row) if row is not None else None

    def find(
        self, now: int, *, state: str | None, subject: str | None, rule: str | None, limit: int, active: bool = False
    ) -> list[Alert]:
        """Alerts newest first; each filter left None does not filter; `active` leaves resolved ones out."""
        rows = self._db.read(
            f"""SELECT * FROM ({_SELECT}) WHERE (:state IS NULL OR state = :state)
                AND (:subject IS NULL OR subject = :subject) AND (:rule IS NULL OR rule = :rule)
                AND (NOT :active OR state <> 'resolved')
                ORDER BY last_at DESC, id DESC LIMIT :limit""",
            {"now": now, "state": state, "subject": subject, "rule": rule, "limit": limit, "active": active},
        )
        return [_record(row) for row in rows]

    def counts(self, now: int) -> dict[str, int]:
        """How many alerts are in each state."""
        rows = self._db.read(f"SELECT state, count(*) AS n FROM ({_SELECT}) GROUP BY state", {"now": now})
        return {row["state"]: row["n"] for row in rows}


def _record(row: sqlite3.Row) -> Alert:
    values = dict(row)
    values.update(severity=Severity(row["severity"]), state=AlertState(row["state"]), facts=json.loads(row["facts"]))
    return Alert(**values)
