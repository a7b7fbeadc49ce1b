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

    def sizes(self) -> list[Size]:
        """What the runs of each experiment keep, deleted ones too; a file that several runs of it name counts once."""
        runs: dict[int, str] = dict(
            map(
                tuple,
                self._context.catalog.read(
                    "SELECT r.number, e.name FROM run r JOIN experiment e ON e.id = r.experiment_id"
                ),
            )
        )
        names = [row[0] for row in self._context.catalog.tuples("SELECT name FROM experiment ORDER BY name")]
        points: dict[str, list[int]] = {name: [0, 0, 0] for name in names}
        for number, count in self._db.tuples("SELECT run, sum(count) FROM metric_latest GROUP BY run"):
            if number in runs:
                points[runs[number]][0] += count
        for number, count in self._db.tuples("SELECT run, points FROM metric_archive"):
            if number in runs:
                points[runs[number]][1] += count
        files: dict[tuple[str, str], int] = {}
        for number, sha, size in self._db.tuples("SELECT run, sha, size FROM artifact"):
            if number in runs:
                files[runs[number], sha] = size
        for (name, _), size in files.items():
            points[name][2] += size
        counts: dict[str, int] = {}
        for name in runs.values():
            counts[name] = counts.get(name, 0) + 1
        return [Size(name, counts.get(name, 0), *map(int, points[name])) for name in names]
