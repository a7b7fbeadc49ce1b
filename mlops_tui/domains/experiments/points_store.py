"""Points of metrics: of runs that go on in metrics.db, of runs that ended long ago in Parquet files named by `metric_archive`.

One statement reads the rows of a run and the name of its file, so that a reader sees the points on one side or on the other,
never on both or on none; rows go and the name comes in one transaction. Whoever writes to a run brings its points back first.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.domains.experiments.records import Point

FOLDER = "metrics"
_LOWEST = -(2**63)
_PAGE = 100_000
_SCHEMA = "run, key, step, ts, value"


class PointsStore:
    """By a run's `number`. Methods with `tx` belong inside a `write()` of the metrics."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._db = context.metrics

    # -- reading ------------------------------------------------------------------------------------------------------

    def history(
        self, number: int, key: str, after: int | None = None, limit: int | None = None, most: int | None = None
    ) -> list[Point]:
        """Points by step after step `after`, at most `limit` of them; with `most`, so many spread over all, with both ends."""
        every = 1
        if most is not None:
            every = -(-self.count(number, key) // max(1, most))
        rows = self._rows(number, key, _LOWEST if after is None else after, -1 if limit is None else limit, every)
        return [Point(step, ts, math.nan if value is None else value) for step, ts, value in rows]

    def count(self, number: int, key: str) -> int:
        sql = "SELECT count FROM metric_latest WHERE run = ? AND key = (SELECT id FROM key WHERE name = ?)"
        return int(self._db.value(sql, (number, key)) or 0)

    def all_of(self, number: int, key: str) -> list[tuple[int, int, float | None]]:
        """(step, ts, value) of a metric by step, wherever they lie."""
        return self._rows(number, key, _LOWEST, -1, 1)

    def archived(self, number: int) -> bool:
        return self._db.value("SELECT 1 FROM metric_archive WHERE run = ?", (number,)) is not None

    def _rows(self, number: int, key: str, after: int, limit: int, every: int) -> list[tuple[Any, ...]]:
        inner = """SELECT step, ts, value FROM metric WHERE run = ?1 AND key = (SELECT id FROM key WHERE name = ?2)
            AND step > ?3 ORDER BY step LIMIT ?4"""
        if every > 1:  # every so manyth, and the last one
            last = "(SELECT max(step) FROM metric WHERE run = ?1 AND key = (SELECT id FROM key WHERE name = ?2))"
            inner = f"""SELECT step, ts, value FROM (SELECT step, ts, value, row_number() OVER () AS n FROM ({inner}))
                WHERE n % {every:d} = 1 OR step = {last}"""
        sql = f"""SELECT path, 0, 0 FROM metric_archive WHERE run = ?1 UNION ALL
            SELECT step, ts, value FROM ({inner})"""
        for _ in range(2):
            rows = self._db.tuples(sql, (number, key, after, limit))
            if not rows or not isinstance(rows[0][0], str):
                return rows
            file = self._context.lake.root / rows[0][0]
            if file.is_file():  # else it was brought back and collected since
                break
        return self._from_file(rows[0][0], number, key, after, limit, every)

    def _from_file(self, path: str, number: int, key: str, after: int, limit: int, every: int) -> list[tuple[Any, ...]]:
        ends = "" if limit < 0 else f" LIMIT {limit:d}"
        sql = f"SELECT step, ts, value FROM read_parquet(?) WHERE run = ? AND key = ? AND step > ? ORDER BY step{ends}"
        with self._context.lake.connection() as connection:  # tuples cost half of what `query` makes of them
            wanted = [str(self._context.lake.root / path), self._run_id(number), key, after]
            found = connection.execute(sql, wanted).fetchall()
        return found if every == 1 else [*found[:-1:every], found[-1]]

    def _run_id(self, number: int) -> str:
        return str(self._context.catalog.value("SELECT id FROM run WHERE number = ?", (number,)))

    # -- moving -------------------------------------------------------------------------------------------------------

    def to_archive(self, before: int, limit: int) -> list[tuple[int, str]]:
        """Runs (number, id) that ended before a time and whose points still are rows, the oldest first."""
        rows = self._context.across(
            """SELECT r.number, r.id FROM run r WHERE r.state <> 'running' AND r.ended_at < ?
            AND r.number NOT IN (SELECT run FROM metrics.metric_archive)
            AND EXISTS (SELECT 1 FROM metrics.metric m WHERE m.run = r.number) ORDER BY r.number LIMIT ?""",
            (before, limit),
        )
        return [(row["number"], row["id"]) for row in rows]

    def state_of(self, number: int) -> tuple[Any, ...]:
        """What changes whenever points of a run do: how many there are, the newest, and its last sign of life."""
        return self._db.tuples(
            "SELECT count(*), max(ts), (SELECT seen_at FROM run_seen WHERE run = ?1) FROM metric WHERE run = ?1",
            (number,),
        )[0]

    def pages(self, number: int, run_id: str) -> Iterator[list[tuple[Any, ...]]]:
        """All points of a run as (run id, key name, step, ts, value), a page at a time."""
        names = dict(
            self._db.tuples(
                "SELECT id, name FROM key WHERE id IN (SELECT key FROM metric_latest WHERE run = ?)", (number,)
            )
        )
        place: tuple[int, int] = (-1, _LOWEST)
        while True:
            rows = self._db.tuples(
                "SELECT key, step, ts, value FROM metric WHERE run = ? AND (key, step) > (?, ?) ORDER BY key, step LIMIT ?",
                (number, *place, _PAGE),
            )
            if not rows:
                return
            place = (rows[-1][0], rows[-1][1])
            yield [(run_id, names[key], step, ts, value) for key, step, ts, value in rows]

    def move(self, tx: sqlite3.Connection, moved: Sequence[tuple[int, int]], path: str) -> None:
        """From now on the points of these runs (number, points) are those in the file."""
        for number, points in moved:
            tx.execute("INSERT INTO metric_archive VALUES (?, ?, ?)", (number, path, points))
            tx.execute("DELETE FROM metric WHERE run = ?", (number,))

    def bring_back(self, tx: sqlite3.Connection, number: int) -> None:
        """Make the points of a run rows again, if they are in a file: something is about to be added."""
        row = tx.execute("SELECT path FROM metric_archive WHERE run = ?", (number,)).fetchone()
        if row is None:
            return
        found = self._context.lake.query(
            "SELECT key, step, ts, value FROM read_parquet(?) WHERE run = ? ORDER BY key, step",
            (str(self._context.lake.root / row[0]), self._run_id(number)),
        )
        for key, points in groupby(found, key=lambda point: point["key"]):
            key_id = tx.execute("SELECT id FROM key WHERE name = ?", (key,)).fetchone()[0]
            rows = [(number, key_id, point["step"], point["ts"], point["value"]) for point in points]
            tx.executemany("INSERT OR IGNORE INTO metric VALUES (?, ?, ?, ?, ?)", rows)
        tx.execute("DELETE FROM metric_archive WHERE run = ?", (number,))

    def files(self) -> set[str]:
        """Paths of the files that hold points of some run."""
        return {row[0] for row in self._db.tuples("SELECT DISTINCT path FROM metric_archive")}
