"""The many numbers of runs, in metrics.db: points with their summary, parameters, artifact index, and how far the intake is.

A NaN is a metric row whose value is NULL (SQLite knows no NaN; a row exists only where something was logged, so nothing is
ambiguous); infinities are stored as they are. `metric_latest` is kept in the same transaction as the points.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.domains.experiments.points_store import PointsStore
from mlops_tui.domains.experiments.records import LatestMetric, RunArtifact, number_of
from mlops_tui.domains.experiments.schema import m001_points, m002_remote, m003_upkeep

_IN_CHUNK = 500


class NumbersStore:
    """Rows of metrics.db to records and back, by a run's `number`. Methods with `tx` belong inside a `write()` of the metrics."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.metrics.migrate("experiments", [m001_points, m002_remote, m003_upkeep])
        self.points = PointsStore(context)

    # -- numbers: changes (metrics.db) --------------------------------------------------------------------------------

    def key_ids(self, tx: sqlite3.Connection, names: Iterable[str]) -> dict[str, int]:
        """Ids of key names, made where missing. Not cached: a rolled back transaction would leave wrong ones."""
        names = list(names)
        tx.executemany("INSERT INTO key(name) VALUES (?) ON CONFLICT DO NOTHING", [(name,) for name in names])
        return {name: int(tx.execute("SELECT id FROM key WHERE name = ?", (name,)).fetchone()[0]) for name in names}

    def put_points(
        self, tx: sqlite3.Connection, number: int, key: int, points: Mapping[int, tuple[int, float]]
    ) -> None:
        """Points step -> (ts, value) of one metric of one run; a step that is there is overwritten."""
        self.points.bring_back(tx, number)
        rows = [(number, key, step, ts, None if math.isnan(value) else value) for step, (ts, value) in points.items()]
        before = tx.total_changes
        tx.executemany("INSERT INTO metric VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
        if tx.total_changes - before < len(rows):
            # Some step was overwritten: its old value may have been the minimum, so the summary is read anew.
            tx.executemany(
                "INSERT INTO metric VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET ts = excluded.ts, value = excluded.value",
                rows,
            )
            tx.execute("DELETE FROM metric_latest WHERE run = ? AND key = ?", (number, key))
            summary = tuple(
                tx.execute(
                    "SELECT min(value), max(value), count(*) FROM metric WHERE run = ? AND key = ?", (number, key)
                ).fetchone()
            )
            last = tuple(
                tx.execute(
                    "SELECT * FROM metric WHERE run = ? AND key = ? ORDER BY step DESC LIMIT 1", (number, key)
                ).fetchone()
            )
        else:
            values = [row[4] for row in rows if row[4] is not None]
            summary = (min(values, default=None), max(values, default=None), len(rows))
            last = max(rows, key=lambda row: row[2])
        tx.execute(
            """INSERT INTO metric_latest VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
                ts = iif(excluded.step >= step, excluded.ts, ts), value = iif(excluded.step >= step, excluded.value, value),
                step = max(step, excluded.step), count = count + excluded.count,
                min = min(coalesce(min, excluded.min), coalesce(excluded.min, min)),
                max = max(coalesce(max, excluded.max), coalesce(excluded.max, max))""",
            (*last, *summary),
        )

    def put_params(
        self, tx: sqlite3.Connection, number: int, keys: Mapping[str, int], values: Mapping[str, str]
    ) -> None:
        tx.executemany(
            "INSERT INTO param VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, number = excluded.number",
            [(number, keys[name], value, number_of(value)) for name, value in values.items()],
        )

    def put_artifacts(self, tx: sqlite3.Connection, number: int, files: Mapping[str, tuple[str, int, int]]) -> None:
        """Files path -> (sha, size, logged_at)."""
        tx.executemany(
            "INSERT OR REPLACE INTO artifact VALUES (?, ?, ?, ?, ?)",
            [(number, path, *entry) for path, entry in files.items()],
        )

    def saw(self, tx: sqlite3.Connection, number: int, at: int) -> None:
        tx.execute(
            "INSERT INTO run_seen VALUES (?, ?) ON CONFLICT DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)",
            (number, at),
        )

    def forget_numbers(self, tx: sqlite3.Connection, number: int) -> None:
        """Everything of a removed run; its row in `run_seen` last, which is how an interrupted removal is found again."""
        for table in (
            "metric",
            "metric_more",
            "metric_archive",
            "metric_latest",
            "param",
            "artifact",
            "run_health",
            "run_seen",
        ):
            tx.execute(f"DELETE FROM {table} WHERE run = ?", (number,))

    def removed_with_numbers(self) -> list[int]:
        """Removed runs whose numbers are still there, because a process died between the two files."""
        return [
            int(row[0])
            for row in self._context.across(
                "SELECT run FROM metrics.run_seen WHERE run IN (SELECT number FROM run_removed)"
            )
        ]

    # -- numbers: reading ---------------------------------------------------------------------------------------------

    def params(self, number: int) -> dict[str, str]:
        rows = self._context.metrics.read(
            "SELECT k.name, p.value FROM param p JOIN key k ON k.id = p.key WHERE p.run = ? ORDER BY k.name", (number,)
        )
        return {row["name"]: row["value"] for row in rows}

    def metrics(self, number: int) -> dict[str, LatestMetric]:
        rows = self._context.metrics.read(
            "SELECT k.name, l.value, l.step, l.ts, l.min, l.max, l.count FROM metric_latest l JOIN key k ON k.id = l.key"
            " WHERE l.run = ? ORDER BY k.name",
            (number,),
        )
        return {row["name"]: LatestMetric(_nan(row["value"]), *tuple(row)[2:]) for row in rows}

    def total(self, number: int) -> int:
        """How many points a run has."""
        return int(self._context.metrics.value("SELECT sum(count) FROM metric_latest WHERE run = ?", (number,)) or 0)

    def latest(self, key: str, run_ids: Sequence[str]) -> dict[str, float]:
        """Latest value of one metric for the runs that have it."""
        sql = (
            "SELECT r.id, l.value FROM run r CROSS JOIN metrics.metric_latest l ON l.run = r.number"
            " WHERE l.key = (SELECT id FROM metrics.key WHERE name = ?) AND r.id IN ({})"
        )
        return {row["id"]: _nan(row["value"]) for row in in_chunks(self._context.across, sql, run_ids, key)}

    def artifacts(self, number: int) -> list[RunArtifact]:
        rows = self._context.metrics.read(
            "SELECT path, sha, size, logged_at FROM artifact WHERE run = ? ORDER BY path", (number,)
        )
        return [RunArtifact(**dict(row)) for row in rows]

    def metric_keys(self, experiment: str | None = None) -> list[str]:
        return self._keys("metric_latest", experiment)

    def param_keys(self, experiment: str | None = None) -> list[str]:
        return self._keys("param", experiment)

    def _keys(self, table: str, experiment: str | None) -> list[str]:
        """Names that occur in a table, in all runs or in those of one experiment."""
        if experiment is None:
            rows = self._context.metrics.read(
                f"SELECT name FROM key k WHERE EXISTS (SELECT 1 FROM {table} l WHERE l.key = k.id) ORDER BY name"
            )
        else:
            rows = self._context.across(
                f"""SELECT name FROM metrics.key WHERE id IN (SELECT DISTINCT l.key FROM experiment e CROSS JOIN run r
                ON r.experiment_id = e.id CROSS JOIN metrics.{table} l ON l.run = r.number WHERE e.name = ?) ORDER BY name""",
                (experiment,),
            )
        return [row["name"] for row in rows]

    def values(self, table: str, numbers: Sequence[int], keys: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Of many runs: parameter texts (`param`) or latest metric values (`metric_latest`) of the named keys, by run."""
        names = dict(
            map(tuple, in_chunks(self._context.metrics.read, "SELECT id, name FROM key WHERE name IN ({})", keys))
        )
        found: dict[int, dict[str, Any]] = {}
        for key_id, name in names.items():
            sql = f"SELECT run, value FROM {table} WHERE key = ? AND run IN ({{}})"
            for run, value in in_chunks(self._context.metrics.tuples, sql, numbers, key_id):
                found.setdefault(run, {})[name] = value
        return found

    # -- intake -------------------------------------------------------------------------------------------------------

    def offsets(self) -> dict[str, int]:
        """How far each segment was taken in."""
        return {
            row["segment"]: row["offset"] for row in self._context.metrics.read("SELECT segment, offset FROM intake")
        }

    def set_offset(self, tx: sqlite3.Connection, segment: str, offset: int) -> None:
        tx.execute(
            "INSERT INTO intake VALUES (?, ?) ON CONFLICT DO UPDATE SET offset = excluded.offset", (segment, offset)
        )

    def set_offsets_durably(self, offsets: Sequence[tuple[str, int]]) -> None:
        """Like `set_offset` with the promise that it and every earlier commit survive power loss (one FULL commit syncs the WAL)."""
        self._context.metrics.read("PRAGMA synchronous=FULL")
        try:
            with self._context.metrics.write() as tx:
                for segment, offset in offsets:
                    self.set_offset(tx, segment, offset)
        finally:
            self._context.metrics.read("PRAGMA synchronous=NORMAL")

    def forget_segments(self, tx: sqlite3.Connection, names: Iterable[str]) -> None:
        tx.executemany("DELETE FROM intake WHERE segment = ?", [(name,) for name in names])


def in_chunks(read: Any, sql: str, values: Sequence[Any], *first: Any) -> list[Any]:
    """The rows of `sql`, whose `{}` takes the values, some hundred at a time (SQLite limits the number of parameters)."""
    rows: list[Any] = []
    for start in range(0, len(values), _IN_CHUNK):
        chunk = values[start : start + _IN_CHUNK]
        rows += read(sql.format(",".join("?" * len(chunk))), (*first, *chunk))
    return rows


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
