"""Counts of requests in telemetry.db: as the gateway wrote them, then added up by minute, ten minutes and hour.

Counts and histograms of latencies add up exactly, so a share or a quantile over any span is what it would be over the first rows.
A histogram is kept without the empty buckets at its ends: `12:[9,0,1]` has its first request in bucket 12.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.core.clock import DAY, HOUR, MINUTE, SECOND
from mlops_tui.core.context import Context
from mlops_tui.domains.serving.records import BOUNDS_MS, Interval, add_up

if TYPE_CHECKING:
    import sqlite_utils

LATE_MS = 30 * SECOND
"""How long after it began an interval may be written."""
TRIM_MS = 10 * MINUTE
AT_ONCE = 60
"""Steps added up in one write, so that nobody waits for it."""
_LENGTH = len(BOUNDS_MS) + 1
_counts = msgspec.json.Decoder(tuple[int, ...])
_COLUMNS = "deployment, version, at, span_ms, requests, rows, client_errors, server_errors, latency_sum_ms, histogram"


@dataclass(frozen=True, slots=True)
class Tier:
    """Counts in steps of `step` ms (0: as they were written), kept for `age` ms (0: as long as the settings say)."""

    step: int
    age: int
    table: str


RAW = Tier(0, 3 * HOUR, "serving_interval")
MINUTES = Tier(MINUTE, 2 * DAY, "serving_minute")
TENS = Tier(10 * MINUTE, 14 * DAY, "serving_ten_minutes")
HOURS = Tier(HOUR, 0, "serving_traffic_hour")
TIERS = (RAW, MINUTES, TENS, HOURS)


def m004_rolled(db: sqlite_utils.Database) -> None:
    """Create the coarser tiers, and up to when each is added up."""
    for tier in TIERS[1:]:
        db.execute(
            f"""CREATE TABLE {tier.table} (
                deployment TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, span_ms INTEGER NOT NULL,
                requests INTEGER NOT NULL, rows INTEGER NOT NULL, client_errors INTEGER NOT NULL,
                server_errors INTEGER NOT NULL, latency_sum_ms REAL NOT NULL, histogram TEXT NOT NULL,
                PRIMARY KEY (deployment, at, version)
            ) STRICT, WITHOUT ROWID"""
        )
    db.execute("CREATE TABLE serving_rolled (step INTEGER PRIMARY KEY, until INTEGER NOT NULL) STRICT")


class TrafficStore:
    """Intervals in, intervals out: the older, the coarser, none twice."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._telemetry = context.telemetry
        self._trimmed = 0

    def add_intervals(self, intervals: Iterable[Interval]) -> None:
        """Append traffic counts."""
        with self._telemetry.write() as tx:
            _put(tx, RAW, intervals)

    def intervals(self, deployment: str, since: int, until: int | None = None, step: int = 0) -> list[Interval]:
        """Return traffic counts that began in [since, until), oldest first, as fine as they are kept.

        With a `step` (ms) they may be as coarse as that, which reads far less. Coarse ones begin with a step: of the one that
        holds `since` those that began before it are left out.
        """
        until = 2**62 if until is None else until
        now, rolled = self._context.now(), self._rolled()
        found: list[Interval] = []
        for finer, tier in reversed(list(pairwise(TIERS))):
            # Up to here the finer ones may be gone; all that is added up, when that is as fine as is wanted.
            end = rolled.get(tier.step, 0)
            if step < tier.step:
                end = min(end, -(-(now - finer.age) // tier.step) * tier.step)
            if end > since:
                found += self._read(tier, deployment, since, min(end, until))
                since = end
        return found + self._read(RAW, deployment, since, until)

    def drop_intervals(self, before: int) -> None:
        """Delete traffic counts older than that."""
        with self._telemetry.write() as tx:
            for tier in TIERS:
                _drop(tx, tier, before)

    def roll_up(self) -> bool:
        """Add up what is over into the coarser tiers and drop what is old enough; whether there is more to add up.

        What was written while nobody did this is made up for, a piece at a time.
        """
        now, more = self._context.now(), False
        for finer, tier in pairwise(TIERS):
            more |= self._roll(finer, tier, now)
        if now - self._trimmed >= TRIM_MS:
            self._trimmed = now
            rolled = self._rolled()
            longest = self._context.settings.retention.series_days * DAY
            with self._telemetry.write() as tx:
                for finer, tier in pairwise(TIERS):
                    _drop(tx, finer, min(now - finer.age, rolled.get(tier.step, 0)))
                _drop(tx, HOURS, now - longest)
        return more

    def _roll(self, finer: Tier, tier: Tier, now: int) -> bool:
        rolled = self._rolled()
        ready = now - LATE_MS if finer is RAW else rolled.get(finer.step, 0)
        last = ready // tier.step * tier.step
        start = rolled.get(tier.step, 0)
        if start >= last:
            return False
        with self._telemetry.write() as tx:
            names = _deployments(tx, finer)
            start = max(
                start, min((_next(tx, finer, name, start) for name in names), default=last) // tier.step * tier.step
            )
            end = min(last, start + AT_ONCE * tier.step)
            for name in names:
                _put(tx, tier, added_up(self._read(finer, name, start, end), tier.step))
            tx.execute("INSERT OR REPLACE INTO serving_rolled VALUES (?, ?)", (tier.step, end))
        return end < last

    def _rolled(self) -> dict[int, int]:
        return {row[0]: row[1] for row in self._telemetry.read("SELECT step, until FROM serving_rolled")}

    def _read(self, tier: Tier, deployment: str, since: int, until: int) -> list[Interval]:
        query = f"SELECT {_COLUMNS} FROM {tier.table} WHERE deployment = ? AND at >= ? AND at < ? ORDER BY at, version"
        rows = self._telemetry.tuples(query, (deployment, since, until)) if until > since else []
        return [_interval(row) for row in rows]


def _interval(row: tuple[Any, ...]) -> Interval:
    values = list(row)
    values[-1] = unpacked(values[-1])
    return Interval(*values)


def added_up(intervals: Iterable[Interval], step: int) -> list[Interval]:
    """One interval for all of a version that began in the same step."""
    groups: dict[tuple[int, int], list[Interval]] = {}
    for one in intervals:
        groups.setdefault((one.at // step * step, one.version), []).append(one)
    return [
        Interval(
            deployment=group[0].deployment,
            version=version,
            at=at,
            span_ms=step,
            requests=sum(one.requests for one in group),
            rows=sum(one.rows for one in group),
            client_errors=sum(one.client_errors for one in group),
            server_errors=sum(one.server_errors for one in group),
            latency_sum_ms=sum(one.latency_sum_ms for one in group),
            histogram=add_up([one.histogram for one in group]),
        )
        for (at, version), group in groups.items()
    ]


def packed(histogram: tuple[int, ...]) -> str:
    """A histogram without the empty buckets at its ends."""
    used = [place for place, count in enumerate(histogram) if count]
    first, last = (used[0], used[-1] + 1) if used else (0, 0)
    return f"{first}:[{','.join(map(str, histogram[first:last]))}]"


def unpacked(text: str) -> tuple[int, ...]:
    """The whole histogram, of either form: rows of earlier releases have every bucket."""
    if text[0] == "[":
        return _counts.decode(text)
    first, _, counts = text.partition(":")
    known = _counts.decode(counts)
    return (0,) * int(first) + known + (0,) * (_LENGTH - int(first) - len(known))


def _put(tx: sqlite3.Connection, tier: Tier, intervals: Iterable[Interval]) -> None:
    rows = [
        (
            i.deployment, i.version, i.at, i.span_ms, i.requests, i.rows, i.client_errors, i.server_errors,
            i.latency_sum_ms, packed(i.histogram),
        )
        for i in intervals
    ]  # fmt: skip
    tx.executemany(f"INSERT OR REPLACE INTO {tier.table} ({_COLUMNS}) VALUES ({', '.join('?' * 10)})", rows)


def _drop(tx: sqlite3.Connection, tier: Tier, before: int) -> None:
    """By deployment: the time alone is no index."""
    for name in _deployments(tx, tier):
        tx.execute(f"DELETE FROM {tier.table} WHERE deployment = ? AND at < ?", (name, before))


def _next(tx: sqlite3.Connection, tier: Tier, deployment: str, since: int) -> int:
    """When the next counts of a deployment began; never, far in the future, without any."""
    query = f"SELECT min(at) FROM {tier.table} WHERE deployment = ? AND at >= ?"
    found: int | None = tx.execute(query, (deployment, since)).fetchone()[0]
    return 2**62 if found is None else found


def _deployments(tx: sqlite3.Connection, tier: Tier) -> list[str]:
    """Whose rows a table holds, from one to the next in its index."""
    query = f"""WITH RECURSIVE name(x) AS (
        SELECT min(deployment) FROM {tier.table}
        UNION ALL SELECT (SELECT min(deployment) FROM {tier.table} WHERE deployment > x) FROM name WHERE x IS NOT NULL
    ) SELECT x FROM name WHERE x IS NOT NULL"""
    return [row[0] for row in tx.execute(query).fetchall()]
