"""Where runs are kept: who, when and how it ended in catalog.db; their numbers (`numbers.py`) in metrics.db, joined by `number`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.core.query import Query
from mlops_tui.domains.experiments.numbers import NumbersStore, in_chunks
from mlops_tui.domains.experiments.records import REMOTE, DataInput, Experiment, Run, RunStart, RunState
from mlops_tui.domains.experiments.schema import m001_experiments_and_runs, m002_run_text, m003_remote
from mlops_tui.domains.experiments.searching import FEW
from mlops_tui.domains.experiments.upkeep_store import UpkeepStore

_RUN = (
    "r.number, r.id, e.name AS experiment, r.name, r.state, r.started_at, r.ended_at, r.user, r.host, r.source, r.command,"
    " r.python, r.git_commit, r.git_branch, r.git_dirty, r.parent, r.error, r.pid, r.deleted_at"
)
_FROM_RUN = "FROM run r JOIN experiment e ON e.id = r.experiment_id"
_PROCESS = "pid, process_started, boot"
# Said so because of the small index of deleted runs: the column itself would have to be read from every row.
_NOT_DELETED = "r.number NOT IN (SELECT d.number FROM run d WHERE d.deleted_at IS NOT NULL)"


class ExperimentsStore:
    """Rows to records and back. Methods with `tx` belong inside a `write()` of the catalog or of the metrics."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.catalog.migrate("experiments", [m001_experiments_and_runs, m002_run_text, m003_remote])
        self.numbers = NumbersStore(context)
        self.upkeep = UpkeepStore(context)

    # -- experiments --------------------------------------------------------------------------------------------------

    def add_experiment(self, tx: sqlite3.Connection, name: str, at: int, by: str) -> int | None:
        """Its new id, or None when it was there already."""
        row = tx.execute(
            "INSERT INTO experiment(name, created_at, created_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (name, at, by),
        ).fetchone()
        return None if row is None else int(row[0])

    def experiments(self, name: str | None = None) -> list[Experiment]:
        """Experiments that are not deleted; by `name` a deleted one too, since its name is taken."""
        rows = self._context.catalog.read(
            f"""SELECT e.name, e.created_at, e.created_by, e.description,
                (SELECT count(*) FROM run r WHERE r.experiment_id = e.id)
                - (SELECT count(*) FROM run r WHERE r.experiment_id = e.id AND r.deleted_at IS NOT NULL) AS runs,
                (SELECT count(*) FROM run r WHERE r.experiment_id = e.id AND r.state = 'running' AND r.deleted_at IS NULL) AS running,
                (SELECT max(r.started_at) FROM run r WHERE r.experiment_id = e.id) AS last_started_at
            FROM experiment e WHERE {"e.deleted_at IS NULL" if name is None else "e.name = ?"}
            ORDER BY last_started_at DESC NULLS LAST, e.name""",
            () if name is None else (name,),
        )
        return [Experiment(**dict(row)) for row in rows]

    def rename_experiment(self, tx: sqlite3.Connection, name: str, new: str) -> None:
        tx.execute("UPDATE experiment SET name = ? WHERE name = ?", (new, name))

    def remove_experiment(self, tx: sqlite3.Connection, name: str) -> None:
        tx.execute("DELETE FROM experiment WHERE name = ?", (name,))

    # -- runs: changes ------------------------------------------------------------------------------------------------

    def add_run(self, tx: sqlite3.Connection, start: RunStart) -> int | None:
        """The new run's number, or None when it is known already. The experiment must exist."""
        row = tx.execute(
            f"""INSERT INTO run(id, experiment_id, name, state, started_at, user, host, source, command, python, git_commit,
                git_branch, git_dirty, parent, {_PROCESS})
            SELECT ?, id, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM experiment WHERE name = ?
            ON CONFLICT(id) DO NOTHING RETURNING number""",
            (
                *(
                    start.id,
                    start.name,
                    start.started_at,
                    start.user,
                    start.host,
                    start.source,
                    start.command,
                    start.python,
                ),
                *(start.git_commit, start.git_branch, int(start.git_dirty), start.parent),
                *(start.pid, start.process_started, start.boot, start.experiment),
            ),
        ).fetchone()
        return None if row is None else int(row[0])

    def resume_run(self, tx: sqlite3.Connection, start: RunStart) -> bool:
        """Make a known run's state `running` under the process of `start`; whether that changed anything."""
        return bool(
            tx.execute(
                "UPDATE run SET state = 'running', ended_at = NULL, error = '', pid = ?, process_started = ?, boot = ?"
                " WHERE id = ? AND NOT (state = 'running' AND pid = ? AND process_started = ?)",
                (start.pid, start.process_started, start.boot, start.id, start.pid, start.process_started),
            ).rowcount
        )

    def end_run(self, tx: sqlite3.Connection, run_id: str, state: RunState, at: int, error: str) -> bool:
        """Whether the run was there and not in that very end already."""
        return bool(
            tx.execute(
                "UPDATE run SET state = ?, ended_at = ?, error = ? WHERE id = ? AND (state, ended_at) IS NOT (?, ?)",
                (state.value, at, error, run_id, state.value, at),
            ).rowcount
        )

    def crash_run(self, tx: sqlite3.Connection, run_id: str, process: tuple[int, int, str], at: int) -> bool:
        """Mark a run crashed if it still runs under that process; whether it did."""
        changed = tx.execute(
            "UPDATE run SET state = 'crashed', ended_at = max(started_at, ?)"
            " WHERE id = ? AND state = 'running' AND pid = ? AND process_started = ? AND boot = ?",
            (at, run_id, *process),
        )
        return bool(changed.rowcount)

    def set_tags(self, tx: sqlite3.Connection, number: int, tags: Mapping[str, str]) -> None:
        tx.executemany(
            "INSERT INTO run_tag VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [(number, key, value) for key, value in tags.items()],
        )

    def remove_tag(self, tx: sqlite3.Connection, number: int, key: str) -> None:
        tx.execute("DELETE FROM run_tag WHERE run = ? AND key = ?", (number, key))

    def rename_run(self, tx: sqlite3.Connection, number: int, name: str) -> None:
        tx.execute("UPDATE run SET name = ? WHERE number = ?", (name, number))

    def delete_run(self, tx: sqlite3.Connection, number: int, at: int | None) -> bool:
        """Hide a run, or with None bring it back; whether that changed anything."""
        there = "IS NULL" if at is not None else "IS NOT NULL"
        return bool(
            tx.execute(f"UPDATE run SET deleted_at = ? WHERE number = ? AND deleted_at {there}", (at, number)).rowcount
        )

    def describe_experiment(self, tx: sqlite3.Connection, name: str, text: str) -> None:
        tx.execute("UPDATE experiment SET description = ? WHERE name = ?", (text, name))

    def put_inputs(self, tx: sqlite3.Connection, number: int, inputs: Sequence[DataInput]) -> None:
        tx.executemany(
            "INSERT INTO run_input VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET tags = excluded.tags",
            [
                (
                    number,
                    one.name,
                    one.digest,
                    one.source_type,
                    one.source,
                    one.schema,
                    one.profile,
                    json.dumps(one.tags),
                )
                for one in inputs
            ],
        )

    def remove_run(self, tx: sqlite3.Connection, number: int, at: int) -> None:
        tx.execute("INSERT INTO run_removed SELECT number, id, ? FROM run WHERE number = ?", (at, number))
        tx.execute("DELETE FROM run WHERE number = ?", (number,))

    # -- runs: reading ------------------------------------------------------------------------------------------------

    def number(self, run_id: str) -> int | None:
        return self._as_int(self._context.catalog.value("SELECT number FROM run WHERE id = ?", (run_id,)))

    def inputs(self, number: int) -> list[DataInput]:
        rows = self._context.catalog.tuples(
            "SELECT name, digest, source_type, source, schema, profile, tags FROM run_input WHERE run = ? ORDER BY rowid",
            (number,),
        )
        return [DataInput.of(row[:6], json.loads(row[6])) for row in rows]

    def was_removed(self, run_id: str) -> bool:
        return self._context.catalog.one("SELECT 1 FROM run_removed WHERE id = ?", (run_id,)) is not None

    def ids_like(self, prefix: str, limit: int = 5) -> list[str]:
        """Ids that begin with a prefix of hex digits."""
        rows = self._context.catalog.read(
            "SELECT id FROM run WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (prefix, prefix + "g", limit)
        )
        return [row["id"] for row in rows]

    def running(self) -> list[tuple[str, tuple[int, int, str]]]:
        """(id, process) of every run that is said to run on this machine."""
        rows = self._context.catalog.read(
            f"SELECT id, {_PROCESS} FROM run WHERE state = 'running' AND boot <> ?", (REMOTE,)
        )
        return [(row["id"], (row["pid"], row["process_started"], row["boot"])) for row in rows]

    def tag_keys(self) -> list[str]:
        return [row["key"] for row in self._context.catalog.read("SELECT DISTINCT key FROM run_tag ORDER BY key")]

    def values_of(self, column: str) -> list[str]:
        """What stands in a text column of the runs, without the empty text."""
        rows = self._context.catalog.read(f"SELECT DISTINCT {column} AS v FROM run WHERE {column} <> '' LIMIT 1000")
        return [row["v"] for row in rows]

    def runs(
        self, where: Mapping[str, Any], order: str, limit: int, offset: int, query: Query | None = None
    ) -> list[Run]:
        """Runs by a column of `run`; `where` maps experiment, state or parent to a value."""
        condition, values = self._condition(where, query)
        column, direction = order.removeprefix("-"), "DESC" if order.startswith("-") else "ASC"
        rows = (self._context.catalog.read if query is None else self._context.across)(
            f"SELECT {_RUN} {_FROM_RUN} {condition} ORDER BY r.{column} {direction}, r.number {direction} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return self._runs(rows)

    def runs_by_metric(
        self, where: Mapping[str, Any], order: str, limit: int, offset: int, query: Query | None = None
    ) -> list[Run]:
        """Runs by the latest value of a metric, or `param:name` by a parameter; those without a number come last, newest first."""
        condition, values = self._condition(where, query)
        by_param = order.removeprefix("-").startswith("param:")
        table, value = ("param", "number") if by_param else ("metric_latest", "value")
        order = order.replace("param:", "", 1) if by_param else order
        key, direction = order.removeprefix("-"), "DESC" if order.startswith("-") else "ASC"
        key_id = self._context.metrics.value("SELECT id FROM key WHERE name = ?", (key,))
        if query is not None:
            few = self._few(f"SELECT r.number FROM run r {condition}", values, FEW // 4)
            if few is not None:  # going through all runs by the metric would find these late
                return self._ranked(few, key_id, direction, limit, offset, table, value)
        ranked = f"SELECT run FROM metrics.{table} WHERE key = ? AND {value} IS NOT NULL"
        rows = self._context.across(
            f"""SELECT {_RUN} FROM metrics.{table} l CROSS JOIN run r ON r.number = l.run JOIN experiment e ON e.id = r.experiment_id
            {condition + " AND" if condition else "WHERE"} l.key = ? AND l.{value} IS NOT NULL
            ORDER BY l.{value} {direction}, l.run {direction} LIMIT ? OFFSET ?""",
            (*values, key_id, limit, offset),
        )
        if len(rows) < limit:
            skip = 0 if rows else max(0, offset - self._count_ranked(condition, values, key_id, table, value))
            rows += self._context.across(
                f"SELECT {_RUN} {_FROM_RUN} {condition + ' AND' if condition else 'WHERE'} r.number NOT IN ({ranked})"
                " ORDER BY r.started_at DESC, r.number DESC LIMIT ? OFFSET ?",
                (*values, key_id, limit - len(rows), skip),
            )
        return self._runs(rows)

    def _ranked(
        self, numbers: list[int], key_id: int | None, direction: str, limit: int, offset: int, table: str, value: str
    ) -> list[Run]:
        """These runs in the order of `runs_by_metric`."""
        tie = "-l.run" if direction == "DESC" else "l.run"
        rows = self._context.across(
            f"""SELECT {_RUN} {_FROM_RUN} LEFT JOIN metrics.{table} l ON l.run = r.number AND l.key = ?
            WHERE r.number IN ({", ".join("?" * len(numbers))}) ORDER BY l.{value} IS NULL, l.{value} {direction},
            iif(l.{value} IS NULL, -r.started_at, {tie}), r.number DESC LIMIT ? OFFSET ?""",
            (key_id, *numbers, limit, offset),
        )
        return self._runs(rows)

    def _count_ranked(self, condition: str, values: Sequence[Any], key_id: int | None, table: str, value: str) -> int:
        return int(
            self._context.across(
                f"""SELECT count(*) FROM metrics.{table} l JOIN run r ON r.number = l.run JOIN experiment e ON e.id = r.experiment_id
                {condition + " AND" if condition else "WHERE"} l.key = ? AND l.{value} IS NOT NULL""",
                (*values, key_id),
            )[0][0]
        )

    def run(self, run_id: str) -> Run | None:
        found = self._runs(self._context.catalog.read(f"SELECT {_RUN} {_FROM_RUN} WHERE r.id = ?", (run_id,)))
        return found[0] if found else None

    def _runs(self, rows: Sequence[sqlite3.Row]) -> list[Run]:
        numbers = [row["number"] for row in rows]
        tags: dict[int, dict[str, str]] = {}
        for row in in_chunks(
            self._context.catalog.read, "SELECT run, key, value FROM run_tag WHERE run IN ({}) ORDER BY key", numbers
        ):
            tags.setdefault(row["run"], {})[row["key"]] = row["value"]
        seen = dict(
            map(
                tuple,
                in_chunks(self._context.metrics.read, "SELECT run, seen_at FROM run_seen WHERE run IN ({})", numbers),
            )
        )
        marks = self.upkeep.marks({row["number"]: row["state"] for row in rows})
        return [
            _run(row, tags.get(row["number"], {}), seen.get(row["number"]), marks.get(row["number"], ()))
            for row in rows
        ]

    def numbers_where(self, where: Mapping[str, Any], query: Query | None, limit: int) -> list[int]:
        """Numbers of runs, the newest first."""
        condition, values = self._condition(where, query)
        rows = self._context.across(
            f"SELECT r.number FROM run r {condition} ORDER BY r.number DESC LIMIT ?", (*values, limit)
        )
        return [int(row[0]) for row in rows]

    def count(self, query: Query) -> int:
        """How many runs meet a query."""
        condition, values = self._condition({}, query)
        return int(self._context.across(f"SELECT count(*) FROM run r {condition}", values)[0][0])

    def _condition(self, where: Mapping[str, Any], query: Query | None) -> tuple[str, list[Any]]:
        columns = {
            "experiment": "r.experiment_id = (SELECT id FROM experiment WHERE name = ?)",
            "state": "r.state = ?",
            "parent": "r.parent = ?",
        }
        given = {name: value for name, value in where.items() if value is not None}
        with_deleted, only_deleted = given.pop("with_deleted", False), given.pop("deleted", False)
        texts, values = [columns[name] for name in given], list(given.values())
        if only_deleted:
            texts.append("r.number IN (SELECT d.number FROM run d WHERE d.deleted_at IS NOT NULL)")
        elif not with_deleted:
            texts.append(_NOT_DELETED)
        if query is not None:
            text, params = query.sql(self._few)
            texts.append(text)
            values += params
        return (f"WHERE {' AND '.join(texts)}" if texts else ""), values

    def _few(self, select: str, params: list[Any], most: int | None = None) -> list[int] | None:
        """The runs a SELECT gives if they are few. Where they are many, EXISTS finds the first of them sooner."""
        most = FEW if most is None else most
        rows = self._context.across(f"{select} LIMIT {most + 1}", params)
        return None if len(rows) > most else [int(row[0]) for row in rows]

    @staticmethod
    def _as_int(value: Any) -> int | None:
        return None if value is None else int(value)


def _run(row: sqlite3.Row, tags: dict[str, str], seen_at: int | None, marks: tuple[str, ...]) -> Run:
    values = dict(row)
    del values["number"]
    values["state"] = RunState(values["state"])
    values["git_dirty"] = bool(values["git_dirty"])
    return Run(**values, tags=tags, seen_at=seen_at, marks=marks)
