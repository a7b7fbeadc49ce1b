"""Several points of one metric at one step: our tables show the newest of them, and the others are kept beside it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping

from mlops_tui.core.db import Database
from mlops_tui.domains.experiments.numbers import NumbersStore, in_chunks
from mlops_tui.domains.experiments.points_store import PointsStore
from mlops_tui.domains.experiments.remote_records import Points

_Value = tuple[int, float | None]


def put_points(
    tx: sqlite3.Connection, numbers: NumbersStore, number: int, keys: Mapping[str, int], points: Points
) -> None:
    """Add points of one run; of a step the one with the latest time (then the largest value) is the newest.

    A point that is there already is not added again, so that a repeated request changes nothing.
    """
    numbers.points.bring_back(tx, number)
    by_key: dict[str, dict[int, list[_Value]]] = {}
    for name, value, ts, step in points:
        by_key.setdefault(name, {}).setdefault(step, []).append((ts, None if math.isnan(value) else value))
    for name, steps in by_key.items():
        _put(tx, numbers, number, keys[name], steps)


def _put(tx: sqlite3.Connection, numbers: NumbersStore, number: int, key: int, steps: dict[int, list[_Value]]) -> None:
    sql = "SELECT step, ts, value FROM metric WHERE run = ? AND key = ? AND step IN ({})"
    rows = in_chunks(lambda text, values: tx.execute(text, values).fetchall(), sql, list(steps), number, key)
    there: dict[int, _Value] = {step: (ts, value) for step, ts, value in rows}
    newest: dict[int, tuple[int, float]] = {}
    more: list[tuple[int, _Value]] = []
    for step, values in steps.items():
        old = there.get(step)
        winner, *others = sorted({*values, *([old] if old else [])}, key=_rank, reverse=True)
        if winner != old:
            newest[step] = (winner[0], math.nan if winner[1] is None else winner[1])
        more += [(step, value) for value in others]
    if newest:
        numbers.put_points(tx, number, key, newest)
    tx.executemany(
        """INSERT INTO metric_more SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM metric_more
        WHERE run = ?1 AND key = ?2 AND step = ?3 AND ts = ?4 AND value IS ?5)""",
        [(number, key, step, ts, value) for step, (ts, value) in more],
    )


def _rank(point: _Value) -> tuple[int, float]:
    return point[0], -math.inf if point[1] is None else point[1]


class History:
    """Reads points in pages, by time, step and value."""

    def __init__(self, db: Database, points: PointsStore) -> None:
        self._db = db
        self._points = points
        self._ordered: tuple[object, bool] = (None, False)

    def page(self, number: int, key: str, limit: int, offset: int) -> list[tuple[int, int, float]]:
        """Points (step, ts, value) of one metric of one run."""
        key_id = self._db.value("SELECT id FROM key WHERE name = ?", (key,))
        if self._points.archived(number):
            more = "SELECT step, ts, value FROM metric_more WHERE run = ? AND key = ?"
            rows = [*self._points.all_of(number, key), *self._db.tuples(more, (number, key_id))]
            rows.sort(key=lambda row: (row[1], row[0], -math.inf if row[2] is None else row[2]))
            rows = rows[offset : offset + limit]
            return [(step, ts, math.nan if value is None else value) for step, ts, value in rows]
        table = "SELECT step, ts, value FROM metric WHERE run = ?1 AND key = ?2"
        if self._db.value("SELECT 1 FROM metric_more WHERE run = ? AND key = ?", (number, key_id)) is not None:
            table += " UNION ALL SELECT step, ts, value FROM metric_more WHERE run = ?1 AND key = ?2"
            order = "ts, step, value"
        else:
            order = "step" if self._in_order(number, key_id) else "ts, step"
        rows = self._db.tuples(f"{table} ORDER BY {order} LIMIT ?3 OFFSET ?4", (number, key_id, limit, offset))
        return [(step, ts, math.nan if value is None else value) for step, ts, value in rows]

    def _in_order(self, number: int, key_id: int | None) -> bool:
        """Whether the points by step are by time too: then a page is read along the table instead of sorting all of it.

        Remembered for the last metric asked about until anything is written, since its pages come one after the other.
        """
        asked = (number, key_id, self._db.data_version())
        if self._ordered[0] != asked:
            back = """SELECT 1 FROM (SELECT ts, lag(ts) OVER (ORDER BY step) AS before FROM metric
                WHERE run = ? AND key = ?) WHERE ts < before LIMIT 1"""
            self._ordered = (asked, self._db.value(back, (number, key_id)) is None)
        return self._ordered[1]
