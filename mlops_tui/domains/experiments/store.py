"""Where runs are kept: who, when and how it ended in catalog.db; their numbers (`numbers.py`) in metrics.db, joined by `number`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.domains.experiments.finding_store import FindingStore
from mlops_tui.domains.experiments.numbers import NumbersStore
from mlops_tui.domains.experiments.records import REMOTE, DataInput, Experiment, RunStart, RunState
from mlops_tui.domains.experiments.schema import m001_experiments_and_runs, m002_run_text, m003_remote, m004_children

_PROCESS = "pid, process_started, boot"


class ExperimentsStore(FindingStore):
    """Rows to records and back. Methods with `tx` belong inside a `write()` of the catalog or of the metrics."""

    def __init__(self, context: Context) -> None:
        context.catalog.migrate("experiments", [m001_experiments_and_runs, m002_run_text, m003_remote, m004_children])
        self.numbers = NumbersStore(context)
        super().__init__(context)

    # -- experiments --------------------------------------------------------------------------------------------------

    def add_experiment(self, tx: sqlite3.Connection, name: str, at: int, by: str) -> int | None:
        """Its new id, or None when it was there already."""
        row = tx.execute(
            "INSERT INTO experiment(name, created_at, created_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
            (name, at, by),
        ).fetchone()
        return None if row is None else int(row[0])

    def experiments(self, name: str | None = None, *, deleted: bool = False) -> list[Experiment]:
        """Experiments that are not deleted, or those that are; by `name` either, since its name is taken."""
        there = f"e.deleted_at IS {'NOT NULL' if deleted else 'NULL'}"
        rows = self._context.catalog.read(
            f"""SELECT e.name, e.created_at, e.created_by, e.description, e.deleted_at,
                (SELECT count(*) FROM run r WHERE r.experiment_id = e.id)
                - (SELECT count(*) FROM run r WHERE r.experiment_id = e.id AND r.deleted_at IS NOT NULL) AS runs,
                (SELECT count(*) FROM run r WHERE r.experiment_id = e.id AND r.state = 'running' AND r.deleted_at IS NULL) AS running,
                (SELECT max(r.started_at) FROM run r WHERE r.experiment_id = e.id) AS last_started_at
            FROM experiment e WHERE {there if name is None else "e.name = ?"}
            ORDER BY last_started_at DESC NULLS LAST, e.name""",
            () if name is None else (name,),
        )
        return [Experiment(**dict(row)) for row in rows]

    def rename_experiment(self, tx: sqlite3.Connection, name: str, new: str) -> None:
        tx.execute("UPDATE experiment SET name = ? WHERE name = ?", (new, name))

    def hide_experiment(self, tx: sqlite3.Connection, name: str, now: int) -> bool:
        """Hide an experiment with all its runs; whether it was there to be hidden."""
        # Showing tells the runs that went with the experiment by this moment, so it is later than any deletion before.
        sql = "SELECT max(r.deleted_at) FROM run r JOIN experiment e ON e.id = r.experiment_id WHERE e.name = ?"
        at = max(now, (tx.execute(sql, (name,)).fetchone()[0] or 0) + 1)
        changed = tx.execute(
            "UPDATE experiment SET deleted_at = ?1, changed_at = ?1 WHERE name = ?2 AND deleted_at IS NULL", (at, name)
        )
        tx.execute(
            """UPDATE run SET deleted_at = ?1 WHERE deleted_at IS NULL
            AND experiment_id = (SELECT id FROM experiment WHERE name = ?2 AND deleted_at = ?1)""",
            (at, name),
        )
        return bool(changed.rowcount)

    def show_experiment(self, tx: sqlite3.Connection, name: str, now: int) -> bool:
        """Bring a deleted experiment back with the runs that went with it; whether it was deleted."""
        tx.execute(
            """UPDATE run SET deleted_at = NULL FROM experiment e
            WHERE e.name = ? AND run.experiment_id = e.id AND run.deleted_at = e.deleted_at""",
            (name,),
        )
        changed = tx.execute(
            "UPDATE experiment SET deleted_at = NULL, changed_at = ? WHERE name = ? AND deleted_at IS NOT NULL",
            (now, name),
        )
        return bool(changed.rowcount)

    def open_experiment(self, tx: sqlite3.Connection, name: str) -> bool:
        """Bring back a deleted experiment without its runs; whether it was deleted."""
        sql = "UPDATE experiment SET deleted_at = NULL WHERE name = ? AND deleted_at IS NOT NULL"
        return bool(tx.execute(sql, (name,)).rowcount)

    def experiments_deleted_before(self, at: int) -> list[str]:
        """Those of which every run that is left was deleted before that time too."""
        rows = self._context.catalog.tuples(
            """SELECT name FROM experiment e WHERE deleted_at < ?1 AND NOT EXISTS (SELECT 1 FROM run r
            WHERE r.experiment_id = e.id AND (r.deleted_at IS NULL OR r.deleted_at >= ?1)) ORDER BY name""",
            (at,),
        )
        return [row[0] for row in rows]

    def logged_models(self, name: str) -> list[str]:
        """Ids of the logged models of an experiment."""
        sql = "SELECT m.id FROM logged_model m JOIN experiment e ON e.id = m.experiment_id WHERE e.name = ?"
        return [row[0] for row in self._context.catalog.tuples(sql, (name,))]

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

    def to_judge(self) -> list[tuple[str, int]]:
        """(id, number) of runs that run here, and of the newest 200 those of HTTP clients: nobody says when these are done."""
        rows = self._context.catalog.tuples(
            """SELECT id, number FROM run WHERE state = 'running' AND boot <> ?1 UNION
            SELECT id, number FROM (SELECT id, number, boot FROM run ORDER BY number DESC LIMIT 200) WHERE boot = ?1""",
            (REMOTE,),
        )
        return [(row[0], row[1]) for row in rows]

    def tag_keys(self) -> list[str]:
        return [row["key"] for row in self._context.catalog.read("SELECT DISTINCT key FROM run_tag ORDER BY key")]

    def values_of(self, column: str) -> list[str]:
        """What stands in a text column of the runs, without the empty text."""
        rows = self._context.catalog.read(f"SELECT DISTINCT {column} AS v FROM run WHERE {column} <> '' LIMIT 1000")
        return [row["v"] for row in rows]

    @staticmethod
    def _as_int(value: Any) -> int | None:
        return None if value is None else int(value)
