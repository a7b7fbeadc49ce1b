"""What this room does: starting and ending runs, taking in what they logged, and answering questions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import identity, ids
from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.core.query import Fields, read
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments import lifecycle
from mlops_tui.domains.experiments.records import (
    MAX_TAG,
    NOTE_TAG,
    SPOOL,
    Comparison,
    Experiment,
    LatestMetric,
    Point,
    Run,
    RunArtifact,
    RunStart,
    RunState,
)
from mlops_tui.domains.experiments.searching import run_fields
from mlops_tui.domains.experiments.store import ExperimentsStore

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.intake import Intake
    from mlops_tui.domains.experiments.remote import Remote

ORDERS = ("started_at", "ended_at", "name", "state")
Runs = list[Run]
Points = list[Point]
Files = list[RunArtifact]
Names = list[str]
_HEX = frozenset("0123456789abcdef")


class Experiments:
    """Experiments and runs of one workspace. Wherever a run is named, its id or a unique beginning of it will do."""

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = ExperimentsStore(context)

    @cached_property
    def _intake(self) -> Intake:
        from mlops_tui.domains.experiments.intake import Intake  # with logging 10 ms that most lists need not pay

        return Intake(self._context, self._store, self._audit)

    @cached_property
    def remote(self) -> Remote:
        """What clients of other programs ask for over HTTP."""
        from mlops_tui.domains.experiments.remote import Remote

        return Remote(self._context, self._audit, self._store)

    # -- what was logged ----------------------------------------------------------------------------------------------

    def take_in(self, *, wait: bool = True) -> int:
        """Move what training processes appended to the spool into the database; the number of records moved.

        Safe in any thread or process at the same time: one does it, the others wait, or go on at once without `wait`.
        Never call it inside a `write()`.
        """
        spooled = self._context.workspace.spool / SPOOL
        return self._intake.take_in(wait=wait) if any(spooled.glob("*.seg")) else 0

    def sweep(self) -> Runs:
        """Take in everything, then mark runs crashed whose process is gone without a last word; those runs.

        A crashed run ends at its last sign of life.
        """
        # Who is dead is asked before taking in: what a dead process wrote is all there then.
        dead = self._dead()
        self.take_in()
        late = self._dead() - dead
        # Runs that came to light just now: their last words may have been written after the look into the spool.
        if late:
            self.take_in()
        crashed = []
        for run_id, process in sorted(dead | late):
            if self._mark_crashed(run_id, process):
                crashed.append(self.run(run_id))
        if forgotten := self._store.numbers.removed_with_numbers():
            self._forget(forgotten)
        return crashed

    def _dead(self) -> set[tuple[str, tuple[int, int, str]]]:
        """Runs said to run whose process is gone, with that process."""
        return {
            (run_id, process)
            for run_id, process in self._store.running()
            if not identity.is_alive(identity.Identity(*process))
        }

    def _mark_crashed(self, run_id: str, process: tuple[int, int, str]) -> bool:
        run = self._store.run(run_id)
        if run is None:
            return False
        seen_at = run.seen_at or run.started_at
        with self._context.catalog.write() as tx:
            changed = self._store.crash_run(tx, run_id, process, seen_at)
            if changed:
                why = f"process {process[0]} is gone without a last word"
                self._audit.note(tx, "crash", "run", run_id, why=why, after={"state": "crashed", "seen_at": seen_at})
        return changed

    # -- runs ---------------------------------------------------------------------------------------------------------

    def start(
        self,
        experiment: str,
        *,
        name: str = "",
        tags: Mapping[str, str] | None = None,
        parent: str | None = None,
        source: str | None = None,
    ) -> Run:
        """Add a run of this process to an experiment, which is made when it is new.

        Raises InvalidInput for a bad name, NotFound for an unknown parent.
        """
        start = self.describe(experiment, name=name, parent=parent or "", source=source)
        with self._context.catalog.write() as tx:
            lifecycle.begin(tx, self._store, self._audit, start)
            number = self._store.number(start.id)
            assert number is not None
            self._store.set_tags(tx, number, dict(tags or {}))
        return self.run(start.id)

    def describe(
        self, experiment: str, *, name: str = "", parent: str = "", source: str | None = None, resume: Run | None = None
    ) -> RunStart:
        """The facts of a run of this process that starts (or resumes) now; nothing is written."""
        from mlops_tui.domains.experiments import (
            environment,  # with subprocess and socket 10 ms that lists need not pay
        )

        ids.check_name("experiment", experiment)
        found = environment.capture(Path.cwd())
        me = identity.identity()
        run_id = resume.id if resume else ids.new_id()
        return RunStart(
            id=run_id,
            experiment=experiment,
            name=(name.strip() or (resume.name if resume else run_id[:8]))[:200],
            started_at=self._context.now(),
            user=self._context.actor,
            host=found.host,
            source=found.source if source is None else source,
            command=found.command,
            python=found.python,
            git_commit=found.git.commit,
            git_branch=found.git.branch,
            git_dirty=found.git.dirty,
            parent=self._resolve(parent) if parent else "",
            pid=me.pid,
            process_started=me.started,
            boot=me.boot,
            resumed=resume is not None,
        )

    def finish(self, run_id: str, state: RunState | str = RunState.FINISHED, error: str = "") -> Run:
        """End a run: finished, failed or crashed. Raises InvalidInput for another state."""
        try:
            final = RunState(state)
        except ValueError:
            final = RunState.RUNNING
        if final is RunState.RUNNING:
            raise InvalidInput(f"A run cannot end as {state!s}.", hint="Use finished, failed or crashed.")
        run_id = self._resolve(run_id)
        with self._context.catalog.write() as tx:
            lifecycle.end(tx, self._store, self._audit, run_id, final, self._context.now(), error)
        return self.run(run_id)

    def runs(
        self,
        experiment: str | None = None,
        *,
        state: str | None = None,
        parent: str | None = None,
        limit: int = 100,
        offset: int = 0,
        order: str = "-started_at",
        query: str = "",
    ) -> Runs:
        """Runs in the order of a field (started_at, ended_at, name, state) or of a metric's latest value; `-` is descending.

        `query` is in the query language (docs/query.md): `metrics.auc>=0.9 params.lr<1e-3 -state:failed`.
        By a metric, runs without it or with NaN come last. Raises NotFound for an unknown experiment, InvalidInput for
        an unknown state or order and, with a caret under the mistake, for a query that cannot be read.
        """
        if experiment is not None:
            self.experiment(experiment)
        if state is not None and state not in set(RunState):
            raise InvalidInput(f"'{state}' is no state of a run.", hint="States: " + ", ".join(RunState))
        where = {"experiment": experiment, "state": state, "parent": parent}
        wanted = read(query, self.fields, self._context.now()) if query.strip() else None
        key = self.metric_of(order)
        if key is None:
            return self._store.runs(where, order, limit, offset, wanted)
        keys = self._store.numbers.metric_keys()
        if key not in keys:
            hint = ids.did_you_mean(key, [*ORDERS, *keys], "Sort by " + ", ".join(ORDERS) + " or a metric.")
            raise InvalidInput(f"Runs cannot be sorted by '{key}'.", hint=hint)
        return self._store.runs_by_metric(where, ("-" if order.startswith("-") else "") + key, limit, offset, wanted)

    def count(self, query: str = "") -> int:
        """How many runs meet a query. Raises InvalidInput as `runs` does."""
        return self._store.count(read(query, self.fields, self._context.now()))

    @cached_property
    def fields(self) -> Fields:
        """What a query may ask of runs."""
        return run_fields(self._store)

    @staticmethod
    def metric_of(order: str) -> str | None:
        """The metric that an order of `runs` means, or None when it is a field; `metric:name` is always a metric."""
        key = order.removeprefix("-")
        return None if key in ORDERS else key.removeprefix("metric:")

    def run(self, run_id: str) -> Run:
        """A run by its id or a unique beginning. Raises NotFound, or InvalidInput when several begin so."""
        run = self._store.run(self._resolve(run_id))
        if run is None:
            raise _no_run(run_id)
        return run

    def params(self, run_id: str) -> dict[str, str]:
        """Parameters as text, by name."""
        return self._store.numbers.params(self._number(run_id))

    def metrics(self, run_id: str) -> dict[str, LatestMetric]:
        """Latest value and range of every metric, by name."""
        return self._store.numbers.metrics(self._number(run_id))

    def history(self, run_id: str, key: str, *, after: int | None = None, limit: int | None = None) -> Points:
        """Points of a metric by step, from the one after step `after`. Raises NotFound for a metric the run does not have."""
        number = self._number(run_id)
        points = self._store.numbers.history(number, key, after, limit)
        if not points:
            known = self._store.numbers.metrics(number)
            if key not in known:
                raise NotFound(
                    f"Run {run_id} has no metric '{key}'.",
                    hint=ids.did_you_mean(key, known, "It has: " + (", ".join(known) or "none")),
                )
        return points

    def latest(self, key: str, run_ids: Sequence[str]) -> dict[str, float]:
        """Latest value of one metric for the runs (full ids) that have it."""
        return self._store.numbers.latest(key, run_ids)

    def metric_keys(self) -> Names:
        """Names of all metrics in the workspace."""
        return self._store.numbers.metric_keys()

    def artifacts(self, run_id: str) -> Files:
        """Files of a run by path."""
        return self._store.numbers.artifacts(self._number(run_id))

    def artifact_file(self, run_id: str, path: str) -> Path:
        """Where the content of a run's file lies (read-only, hash checked). Raises NotFound."""
        files = {item.path: item for item in self.artifacts(run_id)}
        if path not in files:
            raise NotFound(
                f"Run {run_id} has no artifact '{path}'.",
                hint=ids.did_you_mean(path, files, "List them: mlops runs artifacts RUN"),
            )
        return self._context.artifacts.path(files[path].sha)

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Two or more runs side by side. Raises InvalidInput for fewer than two different runs."""
        runs = {run.id: run for run in map(self.run, run_ids)}
        if len(runs) < 2:
            raise InvalidInput("A comparison needs at least two different runs.", hint="mlops runs compare RUN RUN")
        params = [self.params(run_id) for run_id in runs]
        metrics = [self.metrics(run_id) for run_id in runs]
        return Comparison(
            runs=tuple(runs.values()),
            params={key: tuple(each.get(key) for each in params) for key in sorted(set().union(*params))},
            metrics={
                key: tuple(each[key].value if key in each else None for each in metrics)
                for key in sorted(set().union(*metrics))
            },
        )

    def log_dir(self, run_id: str) -> Path:
        """The folder for text logs of a run; not made before something is written to it."""
        return self._context.workspace.logs / "runs" / self._resolve(run_id)

    # -- changing what is kept ----------------------------------------------------------------------------------------

    def tag(self, run_id: str, key: str, value: str | None) -> Run:
        """Set a tag, or remove it with None. Raises InvalidInput for an empty key or a value over 8000 characters."""
        if not key.strip() or len(value or "") > MAX_TAG:
            raise InvalidInput("A tag needs a name and at most 8000 characters of text.")
        run = self.run(run_id)
        number = self._number(run.id)
        with self._context.catalog.write() as tx:
            if value is None:
                self._store.remove_tag(tx, number, key)
            else:
                self._store.set_tags(tx, number, {key: value})
            self._audit.note(tx, "tag", "run", run.id, before={key: run.tags.get(key)}, after={key: value})
        return self.run(run.id)

    def note(self, run_id: str, text: str) -> Run:
        """Keep a note with a run; an empty text removes it."""
        return self.tag(run_id, NOTE_TAG, text.strip() or None)

    def remove_run(self, run_id: str, *, why: str = "") -> None:
        """Remove a run with all it logged; files stay in the store for others. NotAllowed while it runs."""
        run = self.run(run_id)
        if run.state is RunState.RUNNING:
            raise NotAllowed(f"Run {run.id} is still running.", hint=f"Stop process {run.pid} first.")
        self._remove_runs([run], why)

    def rename(self, name: str, new: str, *, why: str = "") -> Experiment:
        """Give an experiment another name. Raises NotFound, AlreadyExists, InvalidInput."""
        ids.check_name("experiment", new)
        self.experiment(name)
        with self._context.catalog.write() as tx:
            if self._store.experiments(new):
                raise AlreadyExists(f"There is an experiment '{new}' already.", hint="Choose another name.")
            self._store.rename_experiment(tx, name, new)
            self._audit.note(tx, "rename", "experiment", new, why=why, before={"name": name}, after={"name": new})
        return self.experiment(new)

    def remove(self, name: str, *, why: str = "") -> int:
        """Remove an experiment with all its runs; how many those were. NotAllowed while one of them runs."""
        if self.experiment(name).running:
            raise NotAllowed(
                f"Runs of '{name}' are still running.",
                hint=f"See them: mlops runs list --experiment {name} --state running",
            )
        removed = 0
        whole = {"experiment": name, "with_deleted": True}
        while runs := self._store.runs(whole, "-started_at", 500, 0):
            self._remove_runs(runs, why or f"with experiment {name}")
            removed += len(runs)
        with self._context.catalog.write() as tx:
            self._store.remove_experiment(tx, name)
            self._audit.note(tx, "remove", "experiment", name, why=why, before={"runs": removed})
        return removed

    def experiment(self, name: str) -> Experiment:
        """One experiment. Raises NotFound with the nearest name."""
        found = self._store.experiments(name)
        if not found:
            names = [item.name for item in self._store.experiments()]
            raise NotFound(
                f"There is no experiment '{name}'.",
                hint=ids.did_you_mean(name, names, "List them: mlops experiments list"),
            )
        return found[0]

    def list(self) -> list[Experiment]:
        """Experiments, the one with the newest run first."""
        return self._store.experiments()

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _resolve(self, prefix: str) -> str:
        if not 0 < len(prefix) <= 16 or not _HEX.issuperset(prefix):
            raise InvalidInput(
                f"'{prefix[:40]}' is not the id of a run.",
                hint="An id has up to 16 digits 0-9 and a-f: mlops runs list",
            )
        found = self._store.ids_like(prefix)
        if prefix in found:
            return prefix
        if not found:
            raise _no_run(prefix)
        if len(found) > 1:
            raise InvalidInput(f"Several runs begin with {prefix}.", hint="Which one? " + ", ".join(found))
        return found[0]

    def _number(self, run_id: str) -> int:
        number = self._store.number(self._resolve(run_id))
        if number is None:
            raise _no_run(run_id)
        return number

    def _remove_runs(self, runs: Runs, why: str) -> None:
        numbers = [self._number(run.id) for run in runs]
        with self._context.catalog.write() as tx:
            for run, number in zip(runs, numbers, strict=True):
                self._store.remove_run(tx, number, self._context.now())
                before = {"experiment": run.experiment, "name": run.name, "state": run.state.value}
                self._audit.note(tx, "remove", "run", run.id, why=why, before=before)
        self._forget(numbers)

    def _forget(self, numbers: Sequence[int]) -> None:
        """The numbers of removed runs, after the runs: a death in between leaves what the next sweep finds and completes."""
        with self._context.metrics.write() as tx:
            for number in numbers:
                self._store.numbers.forget_numbers(tx, number)


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"There is no run {run_id}.", hint="List them: mlops runs list")
