"""Runs that come from elsewhere: written whole or not at all, and never twice.

A run's id here is made of what names it there, so that the same run is always the same row. While its numbers are written the run
is hidden and bears no stamp; a process killed in between leaves such a row, which the next import writes anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.files import check_path
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG, REMOTE, RunStart, RunState
from mlops_tui.domains.experiments.remote_experiments import RemoteExperiments, check_label, check_texts
from mlops_tui.domains.experiments.remote_points import put_points
from mlops_tui.domains.experiments.remote_records import DataInput, LoggedModel
from mlops_tui.domains.experiments.store import ExperimentsStore

SOURCE_TAG = "import.source"
STAMP_TAG = "import.stamp"

Kept = tuple[str, str, int]
"""(path, sha, size) of a file that is in the artifact store."""
Series = tuple[str, list[tuple[float, int, int]]]
"""A metric and its points (value, ts, step)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A run as its source has it. `source` names it for ever, `stamp` differs when the source has something new of it."""

    source: str
    stamp: str
    experiment: str
    name: str
    state: RunState
    started_at: int
    ended_at: int | None
    user: str = ""
    script: str = ""
    git_commit: str = ""
    parent: str = ""
    error: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    series: Iterable[Series] = ()
    files: Iterable[Kept] = ()
    inputs: Iterable[DataInput] = ()
    models: Iterable[tuple[LoggedModel, list[Kept]]] = ()
    deleted: bool = False


def run_id_of(source: str) -> str:
    """The id of a run here by what names it there."""
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:16]


class Arrivals:
    """Takes such runs in."""

    def __init__(self, context: Context, audit: Audit, store: ExperimentsStore, experiments: RemoteExperiments) -> None:
        self._context = context
        self._audit = audit
        self._store = store
        self._experiments = experiments

    def standing(self, source: str, stamp: str) -> str:
        """`new`, `same`, `changed` (the source has something newer) or `removed` (here, by someone)."""
        run_id = run_id_of(source)
        number = self._store.number(run_id)
        if number is None:
            return "removed" if self._store.was_removed(run_id) else "new"
        found = self._stamp(number)
        return "new" if found is None else "same" if found == stamp else "changed"

    def put(self, run: Arrival) -> str:
        """Write a run, or write it anew; its id. What goes wrong leaves everything as it was.

        Raises InvalidInput for a name, key or value that cannot be kept, and what reading its series and files raises.
        """
        check_label("run", run.name, 1000)
        check_texts("parameter", run.params, MAX_PARAM)
        check_texts("tag", run.tags, MAX_TAG)
        experiment = self._experiment(run.experiment)
        run_id = run_id_of(run.source)
        number, before = self._hide(run, run_id, experiment)
        try:
            models = list(run.models)
            self._put_numbers(number, run, models)
            self._show(number, run_id, run, models, before)
        except BaseException:
            self._undo(number, before)
            raise
        return run_id

    def _experiment(self, name: str) -> str:
        try:
            found = self._experiments.named(name)
        except NotFound:
            found = self._experiments.get(self._experiments.create(name, {}))
        if found.deleted:
            raise InvalidInput(
                f"The experiment '{name}' is deleted here.", hint="Restore it, or rename one of the two."
            )
        return found.name

    def _hide(self, run: Arrival, run_id: str, experiment: str) -> tuple[int, tuple[int | None, str] | None]:
        """The run's row, hidden; and (deleted_at, stamp) of the row as it was, None when it was not whole."""
        start = RunStart(
            run_id,
            experiment,
            run.name,
            run.started_at,
            run.user,
            source=run.script,
            git_commit=run.git_commit,
            boot=REMOTE,
        )
        with self._context.catalog.write() as tx:
            if self._store.was_removed(run_id):
                raise InvalidInput("It was removed here; what was removed does not come back.")
            self._store.add_run(tx, start)
            row = tx.execute("SELECT number, deleted_at FROM run WHERE id = ?", (run_id,)).fetchone()
            number, stamp = int(row[0]), self._stamp(int(row[0]))
            tx.execute("UPDATE run SET deleted_at = ? WHERE number = ?", (self._context.now(), number))
            self._store.remove_tag(tx, number, STAMP_TAG)
        return number, None if stamp is None else (row[1], stamp)

    def _put_numbers(self, number: int, run: Arrival, models: list[tuple[LoggedModel, list[Kept]]]) -> None:
        numbers = self._store.numbers
        with self._context.metrics.write() as tx:
            numbers.forget_numbers(tx, number)
            keys = numbers.key_ids(tx, run.params)
            numbers.put_params(tx, number, keys, run.params)
            last = run.ended_at or run.started_at
            for key, points in run.series:
                check_texts("metric", {key: ""}, 0)
                put_points(tx, numbers, number, numbers.key_ids(tx, [key]), [(key, *point) for point in points])
                last = max(last, *(ts for _, ts, _ in points)) if run.ended_at is None and points else last
            at = self._context.now()
            numbers.put_artifacts(tx, number, dict(_entries(run.files, at)))
            for model, files in models:
                self._put_model_numbers(tx, number, model, dict(_entries(files, at)))
            numbers.saw(tx, number, last)

    def _put_model_numbers(
        self, tx: sqlite3.Connection, number: int, model: LoggedModel, files: dict[str, tuple[str, int, int]]
    ) -> None:
        tx.execute("DELETE FROM model_file WHERE model = ?", (model.id,))
        tx.execute("DELETE FROM model_metric WHERE model = ?", (model.id,))
        tx.executemany("INSERT INTO model_file VALUES (?, ?, ?, ?, ?)", [(model.id, p, *of) for p, of in files.items()])
        tx.executemany(
            "INSERT OR REPLACE INTO model_metric VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(model.id, p.name, p.step, p.ts, None if math.isnan(p.value) else p.value),
                    p.run_id,
                    p.dataset,
                    p.digest,
                )
                for p in model.metrics
            ],
        )
        inside = {f"{model.name}/{path}": entry for path, entry in files.items()}
        self._store.numbers.put_artifacts(tx, number, inside)

    def _show(
        self,
        number: int,
        run_id: str,
        run: Arrival,
        models: list[tuple[LoggedModel, list[Kept]]],
        before: tuple[int | None, str] | None,
    ) -> None:
        hidden_here = before[0] if before else None
        deleted_at = hidden_here if hidden_here is not None else self._context.now() if run.deleted else None
        parent = run_id_of(run.parent) if run.parent else ""
        with self._context.catalog.write() as tx:
            tx.execute(
                "UPDATE run SET name = ?, state = ?, ended_at = ?, parent = ?, error = ?, deleted_at = ? WHERE number = ?",
                (run.name, run.state.value, run.ended_at, parent, run.error, deleted_at, number),
            )
            self._store.set_tags(tx, number, {**run.tags, SOURCE_TAG: run.source, STAMP_TAG: run.stamp})
            tx.execute("DELETE FROM run_input WHERE run = ?", (number,))
            tx.executemany(
                "INSERT OR REPLACE INTO run_input VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(number, one.name, one.digest, one.source_type, one.source),
                        one.schema,
                        one.profile,
                        json.dumps(one.tags),
                    )
                    for one in run.inputs
                ],
            )
            for model, _ in models:
                self._show_model(tx, number, run_id, run.experiment, model)
            after = {"experiment": run.experiment, "name": run.name, "source": run.source}
            self._audit.note(tx, "import", "run", run_id, after=after)

    def _show_model(
        self, tx: sqlite3.Connection, number: int, run_id: str, experiment: str, model: LoggedModel
    ) -> None:
        tx.execute(
            """INSERT INTO logged_model SELECT ?, e.id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM experiment e WHERE e.name = ?
            ON CONFLICT DO UPDATE SET status = excluded.status, params = excluded.params, tags = excluded.tags""",
            (
                *(
                    model.id,
                    model.name,
                    run_id,
                    model.kind,
                    model.status,
                    json.dumps(model.params),
                    json.dumps(model.tags),
                ),
                *(model.created_at, model.updated_at, model.created_by, experiment),
            ),
        )
        tx.execute("INSERT OR REPLACE INTO run_model VALUES (?, ?, 1, 0)", (number, model.id))

    def _undo(self, number: int, before: tuple[int | None, str] | None) -> None:
        """As it was before: a new run is gone, an older one shows what it showed, since its numbers were rolled back."""
        with self._context.catalog.write() as tx:
            if before is None:
                tx.execute("DELETE FROM run WHERE number = ?", (number,))
            else:
                tx.execute("UPDATE run SET deleted_at = ? WHERE number = ?", (before[0], number))
                self._store.set_tags(tx, number, {STAMP_TAG: before[1]})
        if before is None:
            with self._context.metrics.write() as tx:
                self._store.numbers.forget_numbers(tx, number)

    def _stamp(self, number: int) -> str | None:
        found = self._context.catalog.value("SELECT value FROM run_tag WHERE run = ? AND key = ?", (number, STAMP_TAG))
        return None if found is None else str(found)


def _entries(files: Iterable[Kept], at: int) -> Iterator[tuple[str, tuple[str, int, int]]]:
    for path, sha, size in files:
        yield check_path(path), (sha, size, at)
