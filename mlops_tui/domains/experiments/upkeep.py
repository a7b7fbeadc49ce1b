"""Changing what is kept: tags, notes, names, what is deleted and what is removed for good."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_tui.core import ids
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed
from mlops_tui.domains.experiments.insight import Insight
from mlops_tui.domains.experiments.reading import Runs
from mlops_tui.domains.experiments.records import MAX_TAG, NOTE_TAG, Experiment, Run, RunState


class Upkeep(Insight):
    """The part of the room that looks after what was logged."""

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
