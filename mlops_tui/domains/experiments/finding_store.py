"""Finding runs: by column, by metric or parameter, by a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.core.query import Query
from mlops_tui.domains.experiments.numbers import in_chunks
from mlops_tui.domains.experiments.records import Run, RunState
from mlops_tui.domains.experiments.searching import FEW
from mlops_tui.domains.experiments.upkeep_store import UpkeepStore

_RUN = (
    "r.number, r.id, e.name AS experiment, r.name, r.state, r.started_at, r.ended_at, r.user, r.host, r.source, r.command,"
    " r.python, r.git_commit, r.git_branch, r.git_dirty, r.parent, r.error, r.pid, r.deleted_at"
)
_FROM_RUN = "FROM run r JOIN experiment e ON e.id = r.experiment_id"
# Said so because of the small index of deleted runs: the column itself would have to be read from every row.
_NOT_DELETED = "r.number NOT IN (SELECT d.number FROM run d WHERE d.deleted_at IS NOT NULL)"


class FindingStore:
    """The part of the store that reads runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.upkeep = UpkeepStore(context)

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
            # The index leaves out runs without one, and must be told that none of those is asked for.
            "parent": "r.parent = ?" + (" AND r.parent <> ''" if where.get("parent") else ""),
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


def _run(row: sqlite3.Row, tags: dict[str, str], seen_at: int | None, marks: tuple[str, ...]) -> Run:
    values = dict(row)
    del values["number"]
    values["state"] = RunState(values["state"])
    values["git_dirty"] = bool(values["git_dirty"])
    return Run(**values, tags=tags, seen_at=seen_at, marks=marks)
