"""What upkeep remembers: marks of runs, files whose last run is gone, sizes, and when things were done last."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from mlops_tui.core.context import Context
from mlops_tui.domains.experiments.numbers import in_chunks
from mlops_tui.domains.experiments.records import Health, MarkKind, RunState, Size, silent


class UpkeepStore:
    """By a run's `number`. Methods with `tx` belong inside a `write()` of the metrics."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._db = context.metrics

    # -- health -------------------------------------------------------------------------------------------------------

    def put_health(
        self, tx: sqlite3.Connection, number: int, health: Health, at: int, last_at: int, interval: int | None
    ) -> None:
        marks = json.dumps([[mark.kind.value, mark.key, mark.step, mark.detail] for mark in health.marks])
        tx.execute(
            "INSERT OR REPLACE INTO run_health VALUES (?, coalesce((SELECT seen_at FROM run_seen WHERE run = ?), 0), ?, ?, ?, ?)",
            (number, number, at, marks, last_at, interval),
        )

    def judged_lately(self, number: int, since: int) -> bool:
        """Whether a run was judged after `since`, or nothing of it has come since it was judged."""
        row = self._db.one(
            "SELECT h.judged_at > ? OR h.seen_at IS (SELECT seen_at FROM run_seen WHERE run = h.run) FROM run_health h WHERE h.run = ?",
            (since, number),
        )
        return row is not None and bool(row[0])

    def marks(self, states: dict[int, str]) -> dict[int, tuple[str, ...]]:
        """Kinds of marks of runs (number -> state) that have some; silence is told for this moment."""
        now = self._context.now()
        found: dict[int, tuple[str, ...]] = {}
        sql = "SELECT run, marks, last_at, interval FROM run_health WHERE run IN ({})"
        for number, marks, last_at, interval in map(tuple, in_chunks(self._db.read, sql, list(states))):
            kinds = list(dict.fromkeys(mark[0] for mark in json.loads(marks))) if marks != "[]" else []
            if states[number] == RunState.RUNNING and silent(last_at, interval, now):
                kinds.append(MarkKind.SILENT.value)
            if kinds:
                found[number] = tuple(kinds)
        return found

    # -- files --------------------------------------------------------------------------------------------------------

    def free(self, tx: sqlite3.Connection, number: int, at: int) -> None:
        """Remember the files of a run that goes: its rows name them no more."""
        tx.execute(
            "INSERT OR REPLACE INTO artifact_freed SELECT DISTINCT sha, ? FROM artifact WHERE run = ?", (at, number)
        )

    def free_models(self, tx: sqlite3.Connection, models: Iterable[str], at: int) -> None:
        """The same of logged models that go, with what was logged to them."""
        for model in models:
            tx.execute(
                "INSERT OR REPLACE INTO artifact_freed SELECT DISTINCT sha, ? FROM model_file WHERE model = ?",
                (at, model),
            )
            tx.execute("DELETE FROM model_file WHERE model = ?", (model,))
            tx.execute("DELETE FROM model_metric WHERE model = ?", (model,))

    def freed(self) -> list[str]:
        """Files of removed runs that no run and no logged model names any more."""
        return [
            row[0]
            for row in self._db.tuples(
                """SELECT sha FROM artifact_freed f WHERE NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha = f.sha)
                AND NOT EXISTS (SELECT 1 FROM model_file m WHERE m.sha = f.sha)"""
            )
        ]

    def forget_freed(self, tx: sqlite3.Connection, shas: Iterable[str]) -> None:
        tx.executemany("DELETE FROM artifact_freed WHERE sha = ?", [(sha,) for sha in shas])

    def deleted_before(self, at: int) -> list[str]:
        """Ids of runs that were deleted (and can be restored) before a time."""
        rows = self._context.catalog.tuples("SELECT id FROM run WHERE deleted_at < ? ORDER BY number", (at,))
        return [row[0] for row in rows]

    def done(self, tx: sqlite3.Connection, name: str, at: int) -> None:
        """Note that a piece of upkeep was done; the commit also settles what a killed writer may have left in the log."""
        tx.execute("INSERT OR REPLACE INTO upkeep VALUES (?, ?)", (name, at))

    def done_at(self, name: str) -> int | None:
        found = self._db.value("SELECT at FROM upkeep WHERE name = ?", (name,))
        return None if found is None else int(found)

    # -- sizes --------------------------------------------------------------------------------------------------------

    def sizes(self, name: str | None = None) -> list[Size]:
        """What the runs of each experiment (or of one) keep, deleted ones too; a file that several of its runs name counts once."""
        own = "" if name is None else "WHERE r.experiment_id = (SELECT id FROM experiment WHERE name = ?)"
        values = () if name is None else (name,)

        def by_experiment(what: str, of: str) -> dict[int, int]:
            sql = f"SELECT r.experiment_id, {what} FROM run r {of} {own} GROUP BY r.experiment_id"
            return dict(map(tuple, self._context.across(sql, values)))

        counts = by_experiment("count(*)", "")
        points = by_experiment("sum(l.count)", "CROSS JOIN metrics.metric_latest l ON l.run = r.number")
        archived = by_experiment("sum(a.points)", "JOIN metrics.metric_archive a ON a.run = r.number")
        files = f"(SELECT DISTINCT r.experiment_id, a.sha, a.size FROM metrics.artifact a JOIN run r ON r.number = a.run {own})"
        sql = f"SELECT r.experiment_id, sum(r.size) FROM {files} r GROUP BY r.experiment_id"
        kept: dict[int, int] = dict(map(tuple, self._context.across(sql, values)))
        chosen = "" if name is None else "WHERE name = ?"
        rows = self._context.catalog.tuples(f"SELECT id, name FROM experiment {chosen} ORDER BY name", values)
        return [
            Size(one, counts.get(at, 0), points.get(at, 0), archived.get(at, 0), kept.get(at, 0)) for at, one in rows
        ]
