"""Channels, what they have told, and maintenance: catalog tables channel, alert_told, delivery and maintenance."""

from __future__ import annotations

import builtins
import dataclasses
import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.domains.alerts.channel_records import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Draft,
    Maintenance,
    Told,
)
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.recurring import Weekly

if TYPE_CHECKING:
    import sqlite_utils

    from mlops_tui.core.context import Context


BEATS_KEPT = 100


def m002_channels(db: sqlite_utils.Database) -> None:
    """Create channels, what each said of which alert, the messages, and times of quiet."""
    db.execute(
        """CREATE TABLE channel (
             name TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, options TEXT NOT NULL,
             severity TEXT NOT NULL, match TEXT NOT NULL, after INTEGER NOT NULL, repeat INTEGER,
             per_hour INTEGER NOT NULL, resolved INTEGER NOT NULL, paused INTEGER NOT NULL, created_at INTEGER NOT NULL,
             created_by TEXT NOT NULL
           ) STRICT"""
    )
    db.execute(
        """CREATE TABLE alert_told (
             channel TEXT NOT NULL REFERENCES channel(name) ON DELETE CASCADE, alert INTEGER NOT NULL, at INTEGER NOT NULL,
             severity TEXT NOT NULL, resolved INTEGER NOT NULL, PRIMARY KEY (channel, alert)
           ) STRICT, WITHOUT ROWID"""
    )
    db.execute(
        """CREATE TABLE delivery (
             id INTEGER PRIMARY KEY, channel TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
             title TEXT NOT NULL, body TEXT NOT NULL, alerts TEXT NOT NULL, created_at INTEGER NOT NULL,
             next_at INTEGER NOT NULL, attempts INTEGER NOT NULL, sent_at INTEGER, error TEXT NOT NULL
           ) STRICT"""
    )
    db.execute("CREATE INDEX delivery_waiting ON delivery(next_at) WHERE state = 'waiting'")
    db.execute("CREATE INDEX delivery_by_channel ON delivery(channel, created_at)")
    db.execute(
        """CREATE TABLE maintenance (
             id INTEGER PRIMARY KEY, match TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, by TEXT NOT NULL,
             why TEXT NOT NULL
           ) STRICT"""
    )


def m005_maintenance_that_recurs(db: sqlite_utils.Database) -> None:
    """Room for days and hours of the week."""
    for column in ("weekdays", "hours", "timezone"):
        db.execute(f"ALTER TABLE maintenance ADD COLUMN {column} TEXT")


class ChannelStore:
    """Rows as records; methods that change rows take the transaction they belong to."""

    def __init__(self, context: Context) -> None:
        self._db = context.catalog

    def list(self) -> builtins.list[Channel]:
        """By name."""
        return [_channel(row) for row in self._db.read("SELECT * FROM channel ORDER BY name")]

    def get(self, name: str) -> Channel | None:
        row = self._db.one("SELECT * FROM channel WHERE name = ?", (name,))
        return _channel(row) if row else None

    def put(self, tx: sqlite3.Connection, channel: Channel) -> None:
        """Insert a channel, or change it where its name is taken."""
        columns = (
            "name", "kind", "target", "options", "severity", "match", "after", "repeat", "per_hour", "resolved", "paused",
            "created_at", "created_by",
        )  # fmt: skip
        values = {name: getattr(channel, name) for name in columns} | {"options": json.dumps(channel.options)}
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
        marks = ", ".join(f":{name}" for name in columns)
        tx.execute(
            f"INSERT INTO channel ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT(name) DO UPDATE SET {changes}",
            values,
        )

    def remove(self, tx: sqlite3.Connection, name: str) -> None:
        """The channel and what waits for it; what it told stays in the list of deliveries."""
        gone = (DeliveryState.FAILED, "the channel was removed", name, DeliveryState.WAITING)
        tx.execute("UPDATE delivery SET state = ?, error = ? WHERE channel = ? AND state = ?", gone)
        tx.execute("DELETE FROM alert_told WHERE channel = ?", (name,))
        tx.execute("DELETE FROM channel WHERE name = ?", (name,))

    def told(self, channel: str) -> dict[int, Told]:
        """By alert, what the channel last said."""
        rows = self._db.read("SELECT * FROM alert_told WHERE channel = ?", (channel,))
        return {row["alert"]: Told(row["at"], Severity(row["severity"]), bool(row["resolved"])) for row in rows}

    def beats(self, channel: Channel, now: int) -> bool:
        """Whether it is time for the next beat of a heartbeat."""
        sql = "SELECT max(created_at) FROM delivery WHERE channel = ? AND kind = ?"
        last = self._db.value(sql, (channel.name, DeliveryKind.BEAT))
        return last is None or not 0 <= now - int(last) < channel.beats_after

    def stirs(self, channel: Channel, now: int) -> bool:
        """Whether a channel may have something to tell: asked every other second, so it reads no alert that was told."""
        if channel.kind is ChannelKind.HEARTBEAT:
            return self.beats(channel, now)
        sql = """SELECT EXISTS(
              SELECT 1 FROM alert LEFT JOIN alert_told AS told ON told.alert = alert.id AND told.channel = :channel
              WHERE alert.state IN ('open', 'silenced') AND (told.alert IS NULL OR told.resolved
                OR told.severity <> alert.severity OR told.at <= :now - CASE alert.severity
                  WHEN 'critical' THEN :critical ELSE :others END))
            OR EXISTS(
              SELECT 1 FROM alert_told AS told JOIN alert ON alert.id = told.alert
              WHERE told.channel = :channel AND NOT told.resolved AND alert.state = 'resolved')"""
        repeats = {"critical": channel.repeats_after(Severity.CRITICAL), "others": channel.repeats_after(Severity.INFO)}
        return bool(self._db.value(sql, {"channel": channel.name, "now": now, **repeats}))

    def over(self, channel: str) -> builtins.list[int]:
        """Alerts that have ended since the channel told of them."""
        rows = self._db.read(
            """SELECT alert.id FROM alert_told JOIN alert ON alert.id = alert_told.alert
               WHERE alert_told.channel = ? AND NOT alert_told.resolved AND alert.state = 'resolved'""",
            (channel,),
        )
        return [row["id"] for row in rows]

    def queue(self, tx: sqlite3.Connection, draft: Draft, now: int) -> int:
        """Keep a message to be sent, and that the channel has told of its alerts, in one transaction; its number."""
        cursor = tx.execute(
            """INSERT INTO delivery (channel, kind, state, severity, title, body, alerts, created_at, next_at, attempts, error)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')""",
            (
                draft.channel, draft.kind, DeliveryState.WAITING, draft.severity, draft.title, draft.body,
                json.dumps([alert.id for alert in draft.alerts]), now, now,
            ),
        )  # fmt: skip
        over = draft.kind is DeliveryKind.RESOLVED
        tx.executemany(
            """INSERT INTO alert_told (channel, alert, at, severity, resolved) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET at = excluded.at, severity = excluded.severity, resolved = excluded.resolved""",
            [(draft.channel, alert.id, now, alert.severity, over) for alert in draft.alerts],
        )
        return int(cursor.lastrowid or 0)

    def claim(self, tx: sqlite3.Connection, number: int, now: int, until: int) -> bool:
        """Whether a waiting message is the caller's to send: nobody else gets it before `until`."""
        sql = "UPDATE delivery SET next_at = ? WHERE id = ? AND state = 'waiting' AND next_at <= ?"
        return tx.execute(sql, (until, number, now)).rowcount == 1

    def settle(self, tx: sqlite3.Connection, delivery: Delivery) -> None:
        """Keep what an attempt came to."""
        tx.execute(
            "UPDATE delivery SET state = ?, attempts = ?, next_at = ?, sent_at = ?, error = ? WHERE id = ?",
            (delivery.state, delivery.attempts, delivery.next_at, delivery.sent_at, delivery.error, delivery.id),
        )

    def waiting(self, until: int) -> builtins.list[Delivery]:
        """Those whose turn has come, oldest first."""
        rows = self._db.read("SELECT * FROM delivery WHERE state = 'waiting' AND next_at <= ? ORDER BY id", (until,))
        return [_delivery(row) for row in rows]

    def delivery(self, number: int) -> Delivery | None:
        row = self._db.one("SELECT * FROM delivery WHERE id = ?", (number,))
        return _delivery(row) if row else None

    def deliveries(self, *, channel: str | None, alert: int | None, limit: int) -> builtins.list[Delivery]:
        """Newest first."""
        rows = self._db.read(
            """SELECT * FROM delivery WHERE (? IS NULL OR channel = ?)
               AND (? IS NULL OR EXISTS (SELECT 1 FROM json_each(alerts) WHERE value = ?)) ORDER BY id DESC LIMIT ?""",
            (channel, channel, alert, alert, limit),
        )
        return [_delivery(row) for row in rows]

    def count_since(self, channel: str, since: int) -> int:
        """Messages of a channel that were made since then, tests left out."""
        row = self._db.one(
            "SELECT count(*) AS n FROM delivery WHERE channel = ? AND created_at >= ? AND kind NOT IN ('test', 'beat')",
            (channel, since),
        )
        return int(row["n"]) if row else 0

    def prune(self, tx: sqlite3.Connection, before: int) -> None:
        """Forget messages that ended before then, and what was said of alerts that are over."""
        tx.execute("DELETE FROM delivery WHERE state <> 'waiting' AND created_at < ?", (before,))
        beats = (DeliveryKind.BEAT, DeliveryKind.BEAT, BEATS_KEPT)
        tx.execute(
            """DELETE FROM delivery WHERE kind = ? AND state <> 'waiting'
               AND id <= (SELECT id FROM delivery WHERE kind = ? ORDER BY id DESC LIMIT 1 OFFSET ?)""",
            beats,
        )
        tx.execute("DELETE FROM alert_told WHERE resolved AND at < ?", (before,))
        tx.execute("DELETE FROM maintenance WHERE until < ?", (before,))

    def add_maintenance(self, tx: sqlite3.Connection, new: Maintenance) -> int:
        """Its number."""
        weekly = dataclasses.asdict(new.weekly) if new.weekly else dict.fromkeys(("weekdays", "hours", "timezone"))
        row = {name: getattr(new, name) for name in ("match", "since", "until", "by", "why")} | weekly
        cursor = tx.execute(
            """INSERT INTO maintenance (match, since, until, by, why, weekdays, hours, timezone)
               VALUES (:match, :since, :until, :by, :why, :weekdays, :hours, :timezone)""",
            row,
        )
        return int(cursor.lastrowid or 0)

    def end_maintenance(self, tx: sqlite3.Connection, number: int, at: int) -> None:
        """Let it end then; one that has not begun is as if it never was."""
        tx.execute("UPDATE maintenance SET until = max(since, min(until, ?)) WHERE id = ?", (at, number))

    def maintenance(self, *, after: int) -> Sequence[Maintenance]:
        """Those that end after that time, the next first."""
        rows = self._db.read("SELECT * FROM maintenance WHERE until > ? ORDER BY since, id", (after,))
        return [_maintenance(row) for row in rows]


def _maintenance(row: sqlite3.Row) -> Maintenance:
    values = dict(row)
    weekly = [values.pop(name) for name in ("weekdays", "hours", "timezone")]
    return Maintenance(**values, weekly=Weekly(*weekly) if weekly[0] else None)


def _channel(row: sqlite3.Row) -> Channel:
    values = dict(row)
    values.update(
        kind=ChannelKind(row["kind"]),
        options=json.loads(row["options"]),
        severity=Severity(row["severity"]),
        resolved=bool(row["resolved"]),
        paused=bool(row["paused"]),
    )
    return Channel(**values)


def _delivery(row: sqlite3.Row) -> Delivery:
    values = dict(row)
    values.update(
        kind=DeliveryKind(row["kind"]),
        state=DeliveryState(row["state"]),
        severity=Severity(row["severity"]),
        alerts=tuple(json.loads(row["alerts"])),
    )
    return Delivery(**values)
