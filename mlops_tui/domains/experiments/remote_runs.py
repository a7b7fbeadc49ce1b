"""Runs of clients over HTTP: each value is in the database before the call returns."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core import ids
from mlops_tui.core.conditions import Condition, Order, all_of
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments import lifecycle, quota
from mlops_tui.domains.experiments.numbers import in_chunks
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG, REMOTE, RunStart
from mlops_tui.domains.experiments.remote_experiments import VIEWS, RemoteExperiments, check_label, check_texts
from mlops_tui.domains.experiments.remote_points import History, put_points
from mlops_tui.domains.experiments.remote_records import (
    BRANCH_TAG,
    COMMIT_TAG,
    PARENT_TAG,
    RUN_NAME_TAG,
    SOURCE_TAG,
    USER_TAG,
    DataInput,
    Points,
    RemoteRun,
)
from mlops_tui.domains.experiments.remote_search import condition_sql, order_sql
from mlops_tui.domains.experiments.store import ExperimentsStore

_RUN = "r.number, r.id, r.experiment_id, r.name, r.user, r.state, r.started_at, r.ended_at, r.deleted_at, r.parent"


class RemoteRuns:
    """Runs by their whole id. Changing a deleted one is InvalidInput, an unknown one NotFound."""

    def __init__(self, context: Context, audit: Audit, store: ExperimentsStore, experiments: RemoteExperiments) -> None:
        self._context = context
        self._audit = audit
        self._store = store
        self._experiments = experiments
        self._history = History(context.metrics, store.numbers.points)

    # -- life ---------------------------------------------------------------------------------------------------------

    def create(
        self, experiment_id: int, *, user: str = "", name: str = "", started_at: int = 0, tags: Mapping[str, str]
    ) -> RemoteRun:
        """Add a run. Its facts are read from the tags clients send: name, parent, source, commit, branch, user."""
        experiment = self._experiments.active(experiment_id)
        check_texts("tag", tags, MAX_TAG)
        if not tags.get(PARENT_TAG):
            quota.check(self._context, self._store, experiment.name)
        run_id = ids.new_id()
        name = name or tags.get(RUN_NAME_TAG, "") or f"run-{run_id[:8]}"
        check_label("run", name, 1000)
        start = RunStart(
            id=run_id,
            experiment=experiment.name,
            name=name,
            started_at=started_at or self._context.now(),
            user=user or tags.get(USER_TAG, ""),
            source=tags.get(SOURCE_TAG, ""),
            git_commit=tags.get(COMMIT_TAG, ""),
            git_branch=tags.get(BRANCH_TAG, ""),
            parent=tags.get(PARENT_TAG, ""),
            boot=REMOTE,
        )
        with self._context.catalog.write() as tx:
            lifecycle.begin(tx, self._store, self._audit, start)
            self._store.set_tags(tx, self._number(run_id), {**tags, RUN_NAME_TAG: name})
        return self.get(run_id)

    def update(self, run_id: str, *, state: str = "", ended_at: int = 0, name: str = "") -> RemoteRun:
        """Set the state (one of ours), the end and the name, those that are given."""
        number = self._active(run_id)
        if name:
            check_label("run", name, 1000)
        with self._context.catalog.write() as tx:
            if name:
                tx.execute("UPDATE run SET name = ? WHERE number = ?", (name, number))
                self._store.set_tags(tx, number, {RUN_NAME_TAG: name})
            if state:
                end = None if state == "running" else ended_at or self._context.now()
                old = tx.execute("SELECT state FROM run WHERE number = ?", (number,)).fetchone()[0]
                tx.execute("UPDATE run SET state = ?, ended_at = ? WHERE number = ?", (state, end, number))
                if state != old:
                    verb = "resume" if state == "running" else "end"
                    self._audit.note(tx, verb, "run", run_id, after={"state": state})
            elif ended_at:
                tx.execute("UPDATE run SET ended_at = ? WHERE number = ?", (ended_at, number))
        return self.get(run_id)

    def delete(self, run_id: str) -> None:
        """Hide a run; it can be restored."""
        number = self.number(run_id)
        with self._context.catalog.write() as tx:
            changed = tx.execute(
                "UPDATE run SET deleted_at = ? WHERE number = ? AND deleted_at IS NULL", (self._context.now(), number)
            )
            if changed.rowcount:
                self._audit.note(tx, "delete", "run", run_id)

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        number = self.number(run_id)
        with self._context.catalog.write() as tx:
            if tx.execute(
                "UPDATE run SET deleted_at = NULL WHERE number = ? AND deleted_at IS NOT NULL", (number,)
            ).rowcount:
                self._audit.note(tx, "restore", "run", run_id)

    # -- logging ------------------------------------------------------------------------------------------------------

    def log(self, run_id: str, metrics: Points, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Keep points, parameters and tags, all or none; repeating a call changes nothing.

        Raises InvalidInput for a parameter that has another value already, or a name that cannot be one.
        """
        number = self._active(run_id)
        check_texts("metric", dict.fromkeys((point[0] for point in metrics), ""), 0)
        check_texts("parameter", params, MAX_PARAM)
        check_texts("tag", tags, MAX_TAG)
        if not tags:
            self._log_numbers(number, metrics, params)
            return
        with self._context.catalog.write() as tx:
            self._store.set_tags(tx, number, tags)
            if RUN_NAME_TAG in tags:
                tx.execute("UPDATE run SET name = ? WHERE number = ?", (tags[RUN_NAME_TAG], number))
            self._log_numbers(number, metrics, params)

    def _log_numbers(self, number: int, metrics: Points, params: Mapping[str, str]) -> None:
        if not metrics and not params:
            return
        numbers = self._store.numbers
        with self._context.metrics.write() as tx:
            if params:
                known = numbers.params(number)
                for key, value in params.items():
                    if known.get(key, value) != value:
                        raise InvalidInput(
                            "Changing param values is not allowed. Param with key="
                            f"'{key}' was already logged with value='{known[key][:200]}', attempted new value '{value[:200]}'."
                        )
                params = {key: value for key, value in params.items() if key not in known}
            keys = numbers.key_ids(tx, {*params, *(point[0] for point in metrics)})
            numbers.put_params(tx, number, keys, params)
            put_points(tx, numbers, number, keys, metrics)
            numbers.saw(tx, number, self._context.now())

    def remove_tag(self, run_id: str, key: str) -> None:
        """Raises NotFound when the run has no such tag."""
        number = self._active(run_id)
        with self._context.catalog.write() as tx:
            if not tx.execute("DELETE FROM run_tag WHERE run = ? AND key = ?", (number, key)).rowcount:
                raise NotFound(f"No tag with name: {key} in run with id {run_id}")

    def log_inputs(self, run_id: str, inputs: Sequence[DataInput], models: Sequence[tuple[str, bool, int]]) -> None:
        """Keep which data sets and models a run read, and which models it made (id, made here, step)."""
        number = self._active(run_id)
        with self._context.catalog.write() as tx:
            self._store.put_inputs(tx, number, inputs)
            tx.executemany(
                "INSERT INTO run_model VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET step = excluded.step",
                [(number, model, int(made), step) for model, made, step in models],
            )

    # -- reading ------------------------------------------------------------------------------------------------------

    def data_sets(self, experiments: Sequence[int], limit: int) -> list[tuple[int, str, str, str]]:
        """What the runs of these experiments read: (experiment, name, digest, context), each once."""
        places = ", ".join("?" * len(experiments))
        rows = self._context.catalog.tuples(
            f"""SELECT DISTINCT r.experiment_id, i.name, i.digest, coalesce(json_extract(i.tags, '$."mlflow.data.context"'), '')
            FROM run r JOIN run_input i ON i.run = r.number WHERE r.deleted_at IS NULL AND r.experiment_id IN ({places})
            ORDER BY 1, 2, 3, 4 LIMIT ?""",
            (*experiments, limit),
        )
        return [(int(number), name, digest, context) for number, name, digest, context in rows]

    def get(self, run_id: str) -> RemoteRun:
        """A run, deleted or not, with everything but its history."""
        rows = self._context.catalog.read(f"SELECT {_RUN} FROM run r WHERE r.id = ?", (run_id,))
        if not rows:
            raise NotFound(f"Run with id={run_id[:80]} not found")
        return self._filled(rows)[0]

    def search(
        self,
        experiments: Sequence[int],
        conditions: Sequence[Condition],
        orders: Sequence[Order],
        view: str,
        limit: int,
        offset: int,
    ) -> list[RemoteRun]:
        """Runs of these experiments that meet all conditions; without an order the newest first."""
        if not experiments:
            return []
        places = ", ".join("?" * len(experiments))
        parts = [condition_sql(condition) for condition in conditions]
        where, values = all_of(
            [(f"r.experiment_id IN ({places})", list(experiments)), (VIEWS[view].format("r"), []), *parts]
        )
        if orders and orders[0].entity == "metric":
            rows = self._by_metric(orders[0], where, values, limit, offset) if len(orders) == 1 else None
            if rows is not None:
                return self._filled(rows)
        joins, more, by = order_sql(orders)
        rows = self._context.across(
            f"SELECT {_RUN} FROM run r {joins} WHERE {where} ORDER BY {by} LIMIT ? OFFSET ?",
            (*more, *values, limit, offset),
        )
        return self._filled(rows)

    def _by_metric(
        self, order: Order, where: str, values: Sequence[Any], limit: int, offset: int
    ) -> list[sqlite3.Row] | None:
        """The runs along the index of the metric's values, or None when those with a value do not fill the page."""
        direction = "ASC" if order.ascending else "DESC"
        rows = self._context.across(
            f"""SELECT {_RUN} FROM metrics.metric_latest l CROSS JOIN run r ON r.number = l.run
            WHERE l.key = (SELECT id FROM metrics.key WHERE name = ?) AND l.value IS NOT NULL AND {where}
            ORDER BY l.value {direction}, r.started_at DESC, r.id LIMIT ? OFFSET ?""",
            (order.key, *values, limit, offset),
        )
        return rows if len(rows) == limit else None

    def history(self, run_id: str, key: str, limit: int, offset: int) -> list[tuple[int, int, float]]:
        """All points (step, ts, value) of a metric by time, step and value; empty when there are none."""
        return self._history.page(self.number(run_id), key, limit, offset)

    def _filled(self, rows: Sequence[sqlite3.Row]) -> list[RemoteRun]:
        numbers = [row[0] for row in rows]
        catalog, metrics = self._context.catalog.tuples, self._context.metrics.tuples
        found: dict[int, RemoteRun] = {}
        for number, run_id, experiment, name, user, state, started, ended, deleted, parent in rows:
            tags = {RUN_NAME_TAG: name}
            if user:
                tags[USER_TAG] = user
            if parent:
                tags[PARENT_TAG] = parent
            found[number] = RemoteRun(run_id, experiment, name, user, state, started, ended, deleted is not None, tags)
        for number, key, value in in_chunks(catalog, "SELECT run, key, value FROM run_tag WHERE run IN ({})", numbers):
            found[number].tags[key] = value
        names = self._key_names(numbers)
        for number, key, value in in_chunks(metrics, "SELECT run, key, value FROM param WHERE run IN ({})", numbers):
            found[number].params.append((names[key], value))
        latest = "SELECT run, key, value, ts, step FROM metric_latest WHERE run IN ({})"
        for number, key, value, ts, step in in_chunks(metrics, latest, numbers):
            found[number].metrics.append((names[key], math.nan if value is None else value, ts, step))
        for row in in_chunks(catalog, "SELECT * FROM run_input WHERE run IN ({})", numbers):
            name, digest, source_type, source, schema, profile, tags_text = row[1:]
            given = DataInput(name, digest, source_type, source, schema, profile, json.loads(tags_text))
            found[row[0]].inputs.append(given)
        models = "SELECT run, model, made, step FROM run_model WHERE run IN ({})"
        for number, model, made, step in in_chunks(catalog, models, numbers):
            found[number].models.append((model, bool(made), step))
        return list(found.values())

    def _key_names(self, numbers: Sequence[int]) -> dict[int, str]:
        """Names of metrics and parameters by number; of all when many runs are read, since joining them costs more."""
        read = self._context.metrics.tuples
        if len(numbers) != 1:
            return {row[0]: row[1] for row in read("SELECT id, name FROM key")}
        used = "SELECT key FROM metric_latest WHERE run = ?1 UNION SELECT key FROM param WHERE run = ?1"
        rows = read(f"SELECT id, name FROM key WHERE id IN ({used})", (numbers[0],))
        return {row[0]: row[1] for row in rows}

    # -- helpers ------------------------------------------------------------------------------------------------------

    def number(self, run_id: str) -> int:
        """The number of a run, deleted or not. Raises NotFound."""
        number = self._store.number(run_id)
        if number is None:
            raise NotFound(f"Run with id={run_id[:80]} not found")
        return number

    _number = number

    def has(self, run_id: str) -> bool:
        """Whether there is such a run, deleted or not."""
        return self._store.number(run_id) is not None

    def _active(self, run_id: str) -> int:
        row = self._context.catalog.one("SELECT number, deleted_at FROM run WHERE id = ?", (run_id,))
        if row is None:
            raise NotFound(f"Run with id={run_id[:80]} not found")
        if row[1] is not None:
            raise InvalidInput(f"The run {run_id} must be in the 'active' state. Current state is deleted.")
        return int(row[0])

    check_active = _active
