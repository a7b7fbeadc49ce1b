"""Experiments as wholes: their names and notes, what they keep and may keep, deleted, restored and removed with all their runs."""

from __future__ import annotations

from mlops_tui.core import ids
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed
from mlops_tui.domains.experiments import quota
from mlops_tui.domains.experiments.records import MAX_NOTE, Experiment, Size
from mlops_tui.domains.experiments.upkeep import Upkeep

Sizes = list[Size]


class Groups(Upkeep):
    """The part of the room about experiments; their runs are `Upkeep`'s."""

    def note_experiment(self, name: str, text: str) -> Experiment:
        """Keep a note in Markdown with an experiment, of at most 100,000 characters; an empty text removes it."""
        before = self.experiment(name).description
        if len(text) > MAX_NOTE:
            raise InvalidInput(f"A note has at most {MAX_NOTE:,} characters, this one {len(text):,}.")
        with self._context.catalog.write() as tx:
            self._store.describe_experiment(tx, name, text.strip())
            self._audit.note(tx, "note", "experiment", name, before={"note": before}, after={"note": text.strip()})
        return self.experiment(name)

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

    def sizes(self) -> Sizes:
        """What each experiment keeps, by name: runs, points and bytes of files, deleted runs included."""
        return self._store.upkeep.sizes()

    def size(self, name: str) -> Size:
        """The same of one experiment. Raises NotFound."""
        self.experiment(name)
        return self._store.upkeep.sizes(name)[0]

    def quota_used(self, size: Size) -> float | None:
        """How much of its quota an experiment uses: 1.0 is all of the limit that is nearest; None without one."""
        return quota.share(self._context.settings.quota, size)

    def deleted(self) -> list[Experiment]:
        """Experiments that can be restored."""
        return self._store.experiments(deleted=True)

    def delete(self, name: str, *, why: str = "") -> Experiment:
        """Hide an experiment with all its runs until it is restored or collected. NotAllowed while one of them runs."""
        self._check_still(name)
        with self._context.catalog.write() as tx:
            if self._store.hide_experiment(tx, name, self._context.now()):
                self._audit.note(tx, "delete", "experiment", name, why=why)
        return self.experiment(name)

    def restore(self, name: str, *, why: str = "") -> Experiment:
        """Bring a deleted experiment back with the runs that went with it; runs deleted before stay so. Raises NotFound."""
        self.experiment(name)
        with self._context.catalog.write() as tx:
            if self._store.show_experiment(tx, name, self._context.now()):
                self._audit.note(tx, "restore", "experiment", name, why=why)
        return self.experiment(name)

    def remove(self, name: str, *, why: str = "") -> int:
        """Remove an experiment with all its runs for good; how many those were. NotAllowed while one of them runs."""
        self._check_still(name)
        removed = 0
        whole = {"experiment": name, "with_deleted": True}
        while runs := self._store.runs(whole, "-started_at", 500, 0):
            self._remove_runs(runs, why or f"with experiment {name}")
            removed += len(runs)
        self._remove_experiment(name, why, removed)
        return removed

    def _check_still(self, name: str) -> None:
        if self.experiment(name).running:
            raise NotAllowed(
                f"Runs of '{name}' are still running.",
                hint=f"See them: mlops runs list --experiment {name} --state running",
            )

    def _check_open(self, name: str) -> None:
        """NotAllowed when no new run of this experiment may start: it is deleted, or has used up its quota."""
        found = self._store.experiments(name)
        if found and found[0].deleted_at is not None:
            raise NotAllowed(
                f"Experiment '{name}' is deleted.", hint=f"Bring it back: mlops experiments restore {name}"
            )
        if found:
            quota.check(self._context, self._store, name)
