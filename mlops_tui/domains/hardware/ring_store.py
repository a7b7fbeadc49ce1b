"""Series that stay flat: wide rows of packed 32-bit floats in tiers of coarser and coarser steps, each trimmed to its age.

A layout names the values of a row, so a figure costs four bytes and a GPU that appears starts a new layout, not a new
table. The first tier has one value a series; the others minimum, average and maximum. A missing value is NaN. Rows belong to a
subject: the machine itself (""), a deployment, a run, a job.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tui.core.clock import MINUTE
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean

if TYPE_CHECKING:
    import sqlite3

    import sqlite_utils

    from mlops_tui.core.db import Database

Triple = tuple[float, float, float]
Point = tuple[int, float, float, float]
Sample = tuple[str, int, dict[str, float | None]]
"""Subject, time in ms, value by series."""
TRIM_MS = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Tier:
    """One ring: a row every `step` ms, kept for `age` ms."""

    table: str
    step: int
    age: int


def create(db: sqlite_utils.Database, name: str, tiers: Sequence[Tier]) -> None:
    """Create subjects, layouts and rings; for a migration step."""
    db.execute(f"CREATE TABLE {name}_subject (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT")
    db.execute(f"CREATE TABLE {name}_layout (id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE) STRICT")
    for tier in tiers:
        create_ring(db, tier)


def create_ring(db: sqlite_utils.Database, tier: Tier) -> None:
    """Create one ring."""
    db.execute(
        f"""CREATE TABLE {tier.table} (
              subject INTEGER NOT NULL, ts INTEGER NOT NULL, layout INTEGER NOT NULL, data BLOB NOT NULL,
              PRIMARY KEY (subject, ts)
            ) STRICT, WITHOUT ROWID"""
    )


class Rings:
    """Samples in, points out; rolling up from tier to tier happens as samples come in. `name` begins its tables' names."""

    def __init__(self, db: Database, name: str, tiers: Sequence[Tier]) -> None:
        self._db = db
        self._name = name
        self._tiers = tuple(tiers)
        self._subjects: dict[str, int] = {}
        self._layouts: dict[int, list[str]] = {}
        self._rolled: dict[tuple[str, int], int] = {}
        self._trimmed = 0

    def add(self, samples: Sequence[Sample], now: int) -> None:
        """Store samples, roll up what is complete and, now and then, drop what is too old: one write."""
        try:
            with self._db.write() as tx:
                touched = {self._take(tx, *sample) for sample in samples}
                for number in touched:
                    for finer, coarser in itertools.pairwise(self._tiers):
                        self._roll_up(tx, number, finer, coarser, now)
                if now - self._trimmed >= TRIM_MS:
                    self._trim(tx, now)
        except BaseException:
            self._subjects.clear()  # what was learned in the transaction is not true
            self._rolled.clear()
            raise

    def subjects(self, start: str = "") -> list[str]:
        """Every subject with history whose name begins so, by name."""
        query = f"SELECT name FROM {self._name}_subject WHERE name >= ? AND name < ? ORDER BY name"
        return [row[0] for row in self._db.read(query, (start, start + "\U0010ffff"))]

    def active(self, since: int, now: int, most: int) -> list[str]:
        """Up to `most` subjects with a row since then, by name."""
        kept = self._fitting_tier(since, now, 1, now)
        query = f"""SELECT name FROM {self._name}_subject s
            WHERE EXISTS (SELECT 1 FROM {self._tiers[0].table} r WHERE r.subject = s.id AND r.ts >= :since)
               OR EXISTS (SELECT 1 FROM {kept.table} r WHERE r.subject = s.id AND r.ts >= :step)
            ORDER BY name LIMIT :most"""
        asked = {"since": since, "step": since // kept.step * kept.step, "most": most}
        return [row[0] for row in self._db.read(query, asked)]

    def names(self, subject: str = "") -> list[str]:
        """Every series that a row still kept of the subject may hold, in the order they are shown."""
        number = self._known(subject)
        if number is None:
            return []
        used = " UNION ".join(f"SELECT layout FROM {tier.table} WHERE subject = :subject" for tier in self._tiers)
        query = f"SELECT names FROM {self._name}_layout WHERE id IN ({used}) ORDER BY id"
        return list(
            dict.fromkeys(name for row in self._db.read(query, {"subject": number}) for name in json.loads(row[0]))
        )

    def history(self, subject: str, series: str, since: int, until: int, points: int, now: int) -> list[Point]:
        """At most `points` of (ts, minimum, average, maximum), evenly cut, from the finest tier that fits span and age.

        Raises NotFound for a series that was never recorded, InvalidInput for an empty span.
        """
        if since >= until or points < 1:
            raise InvalidInput("The span of the history is empty.", hint="Give a start before the end.")
        number = self._known(subject)
        tier = self._fitting_tier(since, until, points, now)
        found = [] if number is None else self._find(number, series, tier, since // tier.step * tier.step, until)
        raw = self._tiers[0]
        if number is not None and tier is not raw:
            for finer in reversed(
                self._tiers[: self._tiers.index(tier)]
            ):  # what is not rolled up yet is in the finer ones
                last = self._db.value(f"SELECT max(ts) FROM {tier.table} WHERE subject = ?", (number,))
                start = max(since, 0 if last is None else last + tier.step)
                found += self._find(number, series, finer, start, until)
                tier = finer
        if not found:
            names = self.names(subject)
            if names and series not in names:
                raise NotFound(f"There is no series '{series}'.", hint=did_you_mean(series, names, ", ".join(names)))
        return _thin(found, since, until, points)

    def latest(self, subject: str, now: int) -> tuple[int, dict[str, float]] | None:
        """The newest sample of a subject until `now`: its time and the values that are known; None without any.

        What lies after `now` was kept before the clock was put back.
        """
        number = self._known(subject)
        table = self._tiers[0].table
        query = f"SELECT ts, layout, data FROM {table} WHERE subject = ? AND ts <= ? ORDER BY ts DESC LIMIT 1"
        row = None if number is None else self._db.one(query, (number, now))
        if row is None:
            return None
        values = zip(
            self._names_of(row["layout"]), struct.unpack(f"<{len(row['data']) // 4}f", row["data"]), strict=True
        )
        return row["ts"], {name: value for name, value in values if not math.isnan(value)}

    # -- reading ------------------------------------------------------------------------------------------------------

    def _fitting_tier(self, since: int, until: int, points: int, now: int) -> Tier:
        """The finest tier that reaches back to `since`, or a coarser one that still has a row for every point."""
        covering = [tier for tier in self._tiers if now - since <= tier.age] or [self._tiers[-1]]
        enough = [tier for tier in covering if tier.step * points <= until - since]
        return enough[-1] if enough else covering[0]

    def _find(self, subject: int, series: str, tier: Tier, since: int, until: int) -> list[Point]:
        query = f"SELECT ts, layout, data FROM {tier.table} WHERE subject = ? AND ts >= ? AND ts < ? ORDER BY ts"
        single = tier is self._tiers[0]
        unpack = struct.Struct("<f" if single else "<3f").unpack_from
        size = 4 if single else 12
        places: dict[int, int] = {}
        points: list[Point] = []
        for ts, layout, data in self._db.tuples(query, (subject, since, until)):
            place = places.get(layout)
            if place is None:
                names = self._names_of(layout)
                place = places[layout] = size * names.index(series) if series in names else -1
            if place < 0:
                continue
            numbers = unpack(data, place)
            if numbers[-1] == numbers[-1]:  # not NaN
                points.append((ts, numbers[0], numbers[0], numbers[0]) if single else (ts, *numbers))
        return points

    def _known(self, subject: str) -> int | None:
        found = self._subjects.get(subject)
        if found is None:
            found = self._db.value(f"SELECT id FROM {self._name}_subject WHERE name = ?", (subject,))
        return found

    # -- writing ------------------------------------------------------------------------------------------------------

    def _take(self, tx: sqlite3.Connection, subject: str, ts: int, values: dict[str, float | None]) -> int:
        numbers = [math.nan if value is None else float(value) for value in values.values()]
        number = self._subject(tx, subject)
        self._put(tx, self._tiers[0], number, ts, list(values), numbers)
        return number

    def _roll_up(self, tx: sqlite3.Connection, subject: int, finer: Tier, coarser: Tier, now: int) -> None:
        """Make a coarse row of every complete span that has none yet; spans lost to a crash are made up for."""
        start = self._rolled.get((coarser.table, subject))
        if start is None:
            row = tx.execute(f"SELECT max(ts) FROM {coarser.table} WHERE subject = ?", (subject,)).fetchone()
            start = row[0] + coarser.step if row[0] is not None else 0
        end = now // coarser.step * coarser.step
        if start > end:  # the clock was put back: what is written from now on is rolled up once more
            start = end - coarser.step
        if start >= end:
            return
        spans: dict[int, list[tuple[int, bytes]]] = {}
        query = f"SELECT ts, layout, data FROM {finer.table} WHERE subject = ? AND ts >= ? AND ts < ? ORDER BY ts"
        for ts, layout, data in tx.execute(query, (subject, start, end)).fetchall():
            spans.setdefault(ts // coarser.step * coarser.step, []).append((layout, data))
        for span, rows in spans.items():
            self._merge(tx, subject, finer, coarser, span, rows)
        self._rolled[coarser.table, subject] = end

    def _merge(
        self,
        tx: sqlite3.Connection,
        subject: int,
        finer: Tier,
        coarser: Tier,
        span: int,
        rows: Sequence[tuple[int, bytes]],
    ) -> None:
        names, columns = self._columns(rows, 1 if finer is self._tiers[0] else 3)
        numbers = [number for triples in columns for number in merge(triples)]
        self._put(tx, coarser, subject, span, names, numbers)

    def _columns(self, rows: Iterable[tuple[int, bytes]], width: int) -> tuple[list[str], list[list[Triple]]]:
        """The triples of every series, in the order the series appeared."""
        columns: dict[str, list[Triple]] = {}
        for layout, data in rows:
            numbers = struct.unpack(f"<{len(data) // 4}f", data)
            triples = zip(*([numbers] * 3 if width == 1 else [numbers[at::3] for at in range(3)]), strict=True)
            for name, triple in zip(self._names_of(layout), triples, strict=True):
                columns.setdefault(name, []).append(triple)
        return list(columns), list(columns.values())

    def _put(
        self, tx: sqlite3.Connection, tier: Tier, subject: int, ts: int, names: list[str], numbers: list[float]
    ) -> None:
        data = struct.pack(f"<{len(numbers)}f", *map(_fitting, numbers))
        query = f"INSERT OR REPLACE INTO {tier.table} (subject, ts, layout, data) VALUES (?, ?, ?, ?)"
        tx.execute(query, (subject, ts, self._layout(tx, names), data))

    def _trim(self, tx: sqlite3.Connection, now: int) -> None:
        """Roll up what is left of subjects that ended; drop what is too old, and subjects of which nothing is left."""
        self._trimmed = now
        lately = f"SELECT id FROM {self._name}_subject s WHERE EXISTS (SELECT 1 FROM {self._tiers[0].table} r WHERE r.subject = s.id)"
        for (number,) in tx.execute(lately).fetchall():
            for finer, coarser in itertools.pairwise(self._tiers):
                self._roll_up(tx, number, finer, coarser, now)
        for (number,) in tx.execute(f"SELECT id FROM {self._name}_subject").fetchall():
            for tier in self._tiers:
                tx.execute(f"DELETE FROM {tier.table} WHERE subject = ? AND ts < ?", (number, now - tier.age))
        left = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {tier.table} r WHERE r.subject = s.id)" for tier in self._tiers)
        gone = tx.execute(f"DELETE FROM {self._name}_subject AS s WHERE {left} RETURNING id").fetchall()
        if gone:
            self._subjects.clear()

    def _subject(self, tx: sqlite3.Connection, name: str) -> int:
        found = self._subjects.get(name)
        if found is None:
            tx.execute(f"INSERT OR IGNORE INTO {self._name}_subject (name) VALUES (?)", (name,))
            row = tx.execute(f"SELECT id FROM {self._name}_subject WHERE name = ?", (name,)).fetchone()
            found = self._subjects[name] = int(row[0])
        return found

    def _layout(self, tx: sqlite3.Connection, names: list[str]) -> int:
        found = next((number for number, known in self._layouts.items() if known == names), None)
        if found is not None:
            return found
        text = json.dumps(names)
        tx.execute(f"INSERT OR IGNORE INTO {self._name}_layout (names) VALUES (?)", (text,))
        row = tx.execute(f"SELECT id FROM {self._name}_layout WHERE names = ?", (text,)).fetchone()
        return int(row[0])

    def _names_of(self, layout: int) -> list[str]:
        if layout not in self._layouts:
            query = f"SELECT names FROM {self._name}_layout WHERE id = ?"
            self._layouts[layout] = json.loads(self._db.value(query, (layout,)))
        return self._layouts[layout]


def merge(triples: Sequence[Triple]) -> Triple:
    """Minimum of minima, mean of means, maximum of maxima; NaN for nothing known."""
    known = [triple for triple in triples if triple[1] == triple[1]]
    if not known:
        return (math.nan, math.nan, math.nan)
    lows, means, highs = zip(*known, strict=True)
    return min(lows), math.fsum(means) / len(means), max(highs)


def _fitting(value: float) -> float:
    """A value that 32 bits can hold; a wild counter must not make a whole sample fail."""
    return value if math.isnan(value) else max(-3.4e38, min(3.4e38, value))


def _thin(found: list[Point], since: int, until: int, points: int) -> list[Point]:
    """At most `points`, merging those that fall into the same of that many equal spans; peaks survive."""
    if len(found) <= points:
        return found
    width = math.ceil((until - since) / points)
    spans: dict[int, list[Point]] = {}
    for point in found:
        spans.setdefault(max(0, point[0] - since) // width, []).append(point)
    return [(group[0][0], *merge([point[1:] for point in group])) for group in spans.values()]
