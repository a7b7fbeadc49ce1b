"""Several points of one metric at one step: our tables show the newest of them, and the others are kept beside it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping

from mlops_tui.domains.experiments.numbers import NumbersStore, in_chunks
from mlops_tui.domains.experiments.remote_records import Points

_Value = tuple[int, float | None]


def put_points(
    tx: sqlite3.Connection, numbers: NumbersStore, number: int, keys: Mapping[str, int], points: Points
) -> None:
    """Add points of one run; of a step the one with the latest time (then the largest value) is the newest.

    A point that is there already is not added again, so that a repeated request changes nothing.
    """
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
