"""Hardware history in telemetry.db: wide rows of packed 32-bit floats in three tiers, each trimmed to its age.

A layout names the values of a row, so a figure costs four bytes and a GPU that appears starts a new layout, not a new
table. The first tier has one value a series; the others minimum, average and maximum. A missing value is NaN.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tui.core.clock import DAY, HOUR, SECOND

if TYPE_CHECKING:
    import sqlite3

    import sqlite_utils

    from mlops_tui.core.context import Context

Triple = tuple[float, float, float]
Point = tuple[int, float, float, float]


@dataclass(frozen=True, slots=True)
class Tier:
    """One ring: a row every `step` ms, kept for `age` ms."""

    table: str
    step: int
    age: int


RAW = Tier("hardware_1s", SECOND, 2 * HOUR)
TENS = Tier("hardware_10s", 10 * SECOND, DAY)
MINUTES = Tier("hardware_60s", 60 * SECOND, 30 * DAY)
TIERS = (RAW, TENS, MINUTES)


def m001_rings(db: sqlite_utils.Database) -> None:
    """Create the layouts and the three rings."""
    db.execute("CREATE TABLE hardware_layout (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT")
    for tier in TIERS:
        db.execute(
            f"""CREATE TABLE {tier.table} (
                  ts INTEGER PRIMARY KEY, layout INTEGER NOT NULL REFERENCES hardware_layout(id), data BLOB NOT NULL
                ) STRICT"""
        )


class HardwareStore:
    """Samples in, points out; rolling up from tier to tier happens as samples come in."""

    def __init__(self, context: Context) -> None:
        self._db = context.telemetry
        self._db.migrate("hardware", [m001_rings])
        self._layouts: dict[int, list[str]] = {}

    def add(self, samples: Sequence[tuple[int, dict[str, float | None]]], now: int) -> None:
        """Store samples (time in ms, value by series), roll up what is complete and drop what is too old: one write."""
        with self._db.write() as tx:
            for ts, values in samples:
                numbers = [math.nan if value is None else float(value) for value in values.values()]
                self._put(tx, RAW, ts, list(values), numbers)
            for finer, coarser in ((RAW, TENS), (TENS, MINUTES)):
                self._roll_up(tx, finer, coarser, now)
            for tier in TIERS:
                tx.execute(f"DELETE FROM {tier.table} WHERE ts < ?", (now - tier.age,))

    def names(self) -> list[str]:
        """Every series that any row still kept may hold, in the order they are shown."""
        used = " UNION ".join(f"SELECT layout FROM {tier.table}" for tier in TIERS)
        rows = self._db.read(f"SELECT names FROM hardware_layout WHERE id IN ({used}) ORDER BY id")
        return list(dict.fromkeys(name for row in rows for name in json.loads(row["names"])))

    def find(self, series: str, tier: Tier, since: int, until: int) -> list[Point]:
        """Points of one series in one tier with since <= ts < until, in order; missing values left out."""
        rows = self._db.read(
            f"SELECT ts, layout, data FROM {tier.table} WHERE ts >= ? AND ts < ? ORDER BY ts", (since, until)
        )
        points = []
        for ts, layout, data in rows:
            triple = self._value(tier, layout, data, series)
            if triple is not None:
                points.append((ts, *triple))
        return points

    def last(self, tier: Tier) -> int | None:
        """The time of a tier's newest row."""
        found: int | None = self._db.value(f"SELECT max(ts) FROM {tier.table}")
        return found

    # -- rolling up ---------------------------------------------------------------------------------------------------

    def _roll_up(self, tx: sqlite3.Connection, finer: Tier, coarser: Tier, now: int) -> None:
        """Make a coarse row of every complete span that has none yet; spans lost to a crash are made up for."""
        row = tx.execute(f"SELECT max(ts) FROM {coarser.table}").fetchone()
        start = row[0] + coarser.step if row[0] is not None else 0
        # A finer span that ends now is complete itself only one finer step later.
        end = now // coarser.step * coarser.step
        spans: dict[int, list[tuple[int, bytes]]] = {}
        query = f"SELECT ts, layout, data FROM {finer.table} WHERE ts >= ? AND ts < ? ORDER BY ts"
        for ts, layout, data in tx.execute(query, (start, end)).fetchall():
            spans.setdefault(ts // coarser.step * coarser.step, []).append((layout, data))
        for span, rows in spans.items():
            self._merge(tx, finer, coarser, span, rows)

    def _merge(
        self, tx: sqlite3.Connection, finer: Tier, coarser: Tier, span: int, rows: Iterable[tuple[int, bytes]]
    ) -> None:
        columns: dict[str, list[Triple]] = {}
        for layout, data in rows:
            for name, triple in zip(self._names(layout), _triples(finer, data), strict=True):
                columns.setdefault(name, []).append(triple)
        numbers = [number for triples in columns.values() for number in merge(triples)]
        self._put(tx, coarser, span, list(columns), numbers)

    def _put(self, tx: sqlite3.Connection, tier: Tier, ts: int, names: list[str], numbers: list[float]) -> None:
        data = struct.pack(f"<{len(numbers)}f", *map(_fitting, numbers))
        layout = self._layout(tx, names)
        tx.execute(f"INSERT OR REPLACE INTO {tier.table} (ts, layout, data) VALUES (?, ?, ?)", (ts, layout, data))

    def _layout(self, tx: sqlite3.Connection, names: list[str]) -> int:
        text = json.dumps(names)
        row = tx.execute("SELECT id FROM hardware_layout WHERE names = ?", (text,)).fetchone()
        if row is not None:
            return int(row[0])
        return int(tx.execute("INSERT INTO hardware_layout (names) VALUES (?)", (text,)).lastrowid or 0)

    def _names(self, layout: int) -> list[str]:
        if layout not in self._layouts:
            self._layouts[layout] = json.loads(
                self._db.value("SELECT names FROM hardware_layout WHERE id = ?", (layout,))
            )
        return self._layouts[layout]

    def _value(self, tier: Tier, layout: int, data: bytes, series: str) -> Triple | None:
        names = self._names(layout)
        if series not in names:
            return None
        place = names.index(series)
        if tier is RAW:
            (value,) = struct.unpack_from("<f", data, 4 * place)
            triple = (value, value, value)
        else:
            triple = struct.unpack_from("<3f", data, 12 * place)
        return None if math.isnan(triple[1]) else triple


def merge(triples: Sequence[Triple]) -> Triple:
    """Minimum of minima, mean of means, maximum of maxima; NaN for nothing known."""
    known = [triple for triple in triples if not math.isnan(triple[1])]
    if not known:
        return (math.nan, math.nan, math.nan)
    return (
        min(low for low, _, _ in known),
        math.fsum(mean for _, mean, _ in known) / len(known),
        max(high for _, _, high in known),
    )


def _triples(tier: Tier, data: bytes) -> list[Triple]:
    numbers = struct.unpack(f"<{len(data) // 4}f", data)
    if tier is RAW:
        return [(value, value, value) for value in numbers]
    return list(zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True))


def _fitting(value: float) -> float:
    """A value that 32 bits can hold; a wild counter must not make a whole sample fail."""
    return value if math.isnan(value) else max(-3.4e38, min(3.4e38, value))
