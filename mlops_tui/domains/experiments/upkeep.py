"""Changing what is kept of runs: tags, notes, names, what is deleted and what is removed for good."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, NotAllowed
from mlops_tui.domains.experiments.insight import Insight
from mlops_tui.domains.experiments.reading import Runs
from mlops_tui.domains.experiments.records import (
    MAX_KEY,
    MAX_NOTE,
    MAX_TAG,
    NOTE_TAG,
    Freed,
    Run,
    RunState,
)

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.archiving import Archived


def _limit(key: str) -> int:
    return MAX_NOTE if key == NOTE_TAG else MAX_TAG


class Upkeep(Insight):
    """The part of the room that looks after what was logged."""

    # -- words ---------------------------------------------------------------------------------------------------------

    def tag(self, run_id: str, key: str, value: str | None) -> Run:
        """Set a tag, or remove it with None. Raises InvalidInput for an empty key or a value over 8000 characters."""
        run = self.run(run_id)
        self.tag_many([run.id], {key: value})
        return self.run(run.id)

    def tag_many(self, run_ids: Sequence[str], tags: Mapping[str, str | None], *, why: str = "") -> int:
        """Set tags of many runs, or remove those whose value is None, all or none; how many runs that changed."""
        for key, value in tags.items():
            if not key.strip() or len(key) > MAX_KEY or not key.isprintable() or len(value or "") > _limit(key):
                raise InvalidInput(
                    f"A tag needs a name of at most {MAX_KEY} characters and at most {_limit(key)} characters of text."
                )
        found = [self.run(run_id) for run_id in dict.fromkeys(run_ids)]
        numbers = {run.id: self._number(run.id) for run in found}
        changed = 0
        with self._context.catalog.write() as tx:
            for run in found:
                before = {key: run.tags.get(key) for key in tags}
                if before == dict(tags):
                    continue
                changed += 1
                for key, value in tags.items():
                    if value is None:
                        self._store.remove_tag(tx, numbers[run.id], key)
                    else:
                        self._store.set_tags(tx, numbers[run.id], {key: value})
                self._audit.note(tx, "tag", "run", run.id, why=why, before=before, after=dict(tags))
        return changed

    def note(self, run_id: str, text: str) -> Run:
        """Keep a note in Markdown with a run, of at most 100,000 characters; an empty text removes it."""
        return self.tag(run_id, NOTE_TAG, text.strip() or None)

    def rename_run(self, run_id: str, name: str) -> Run:
        """Give a run another name of 1 to 200 printable characters. Raises InvalidInput."""
        run = self.run(run_id)
        if not name.strip() or len(name) > 200 or not name.isprintable():
            raise InvalidInput(f"{name[:60]!r} cannot name a run: use 1 to 200 printable characters.")
        with self._context.catalog.write() as tx:
            self._store.rename_run(tx, self._number(run.id), name.strip())
            self._audit.note(tx, "rename", "run", run.id, before={"name": run.name}, after={"name": name.strip()})
        return self.run(run.id)

    # -- deleting ------------------------------------------------------------------------------------------------------

    def delete_run(self, run_id: str, *, why: str = "") -> Run:
        """Hide a run from lists until it is restored or removed by `collect`. NotAllowed while it runs."""
        return self._hide(run_id, self._context.now(), why)

    def restore_run(self, run_id: str, *, why: str = "") -> Run:
        """Bring a deleted run back."""
        return self._hide(run_id, None, why)

    def _hide(self, run_id: str, at: int | None, why: str) -> Run:
        run = self.run(run_id)
        if at is not None and run.state is RunState.RUNNING:
            raise NotAllowed(f"Run {run.id} is still running.", hint=f"Stop process {run.pid} first.")
        with self._context.catalog.write() as tx:
            if self._store.delete_run(tx, self._number(run.id), at):
                self._audit.note(tx, "restore" if at is None else "delete", "run", run.id, why=why)
        return self.run(run.id)

    def remove_run(self, run_id: str, *, why: str = "") -> None:
        """Remove a run for good with all it logged; `collect` frees its files. NotAllowed while it runs."""
        run = self.run(run_id)
        if run.state is RunState.RUNNING:
            raise NotAllowed(f"Run {run.id} is still running.", hint=f"Stop process {run.pid} first.")
        self._remove_runs([run], why)

    # -- space ---------------------------------------------------------------------------------------------------------

    def archive(self, *, older_than_ms: int | None = None) -> Archived:
        """Move the points of runs that ended long ago (the setting retention.points_days) to Parquet; reading stays the same."""
        from mlops_tui.domains.experiments import archiving

        age = self._context.settings.retention.points_days * clock.DAY if older_than_ms is None else older_than_ms
        return archiving.archive(self._context, self._audit, self._store, before=self._context.now() - age)

    def archive_due(self) -> bool:
        """Whether runs have points to archive, looked at once an hour."""
        now, last = self._context.now(), self._store.upkeep.done_at("look")
        if last is not None and 0 <= now - last < clock.HOUR:
            return False
        before = now - self._context.settings.retention.points_days * clock.DAY
        found = bool(self._store.numbers.points.to_archive(before, 1))
        with self._context.metrics.write() as tx:
            self._store.upkeep.done(tx, "look", now)
        return found

    def collect(
        self, *, older_than_ms: int, hold: Collection[str] = (), dry_run: bool = False, min_age_ms: int = clock.HOUR
    ) -> Freed:
        """Remove for good runs and experiments deleted longer ago than that, and files of removed runs that nobody names.

        `hold`: hashes of files that others (the registry) name. A file that was stored in the last `min_age_ms` stays, since a
        run may be about to name it. With `dry_run` nothing changes: the runs, and files that are free already, are told.
        """
        from mlops_tui.domains.experiments import collecting

        before = self._context.now() - older_than_ms
        runs, whole = self._store.upkeep.deleted_before(before), self._store.experiments_deleted_before(before)
        if dry_run:
            files, size = collecting.rehearsed(self._context, self._store, hold=hold, min_age_ms=min_age_ms)
        else:
            for run_id in runs:
                self._remove_runs([self.run(run_id)], "deleted before")
            for name in whole:
                self._remove_experiment(name, "deleted before", 0)
            files, size = collecting.collect(self._context, self._store, hold=hold, min_age_ms=min_age_ms)
        return Freed(tuple(runs), files, size, dry_run, tuple(whole))

    def _remove_experiment(self, name: str, why: str, runs: int) -> None:
        """The experiment itself, after its runs: its logged models go with it, and its name is free again."""
        models = self._store.logged_models(name)
        with self._context.catalog.write() as tx:
            self._store.remove_experiment(tx, name)
            self._audit.note(tx, "remove", "experiment", name, why=why, before={"runs": runs})
        with self._context.metrics.write() as tx:
            self._store.upkeep.free_models(tx, models, self._context.now())

    def _remove_runs(self, runs: Runs, why: str) -> None:
        numbers = [self._number(run.id) for run in runs]
        with self._context.catalog.write() as tx:
            for run, number in zip(runs, numbers, strict=True):
                self._store.remove_run(tx, number, self._context.now())
                before = {"experiment": run.experiment, "name": run.name, "state": run.state.value}
                self._audit.note(tx, "remove", "run", run.id, why=why, before=before)
        self._forget(numbers)
        for run in runs:
            shutil.rmtree(self._context.workspace.logs / "runs" / run.id, ignore_errors=True)

    def _forget(self, numbers: Sequence[int]) -> None:
        """The numbers of removed runs, after the runs: a death in between leaves what the next sweep finds and completes."""
        with self._context.metrics.write() as tx:
            for number in numbers:
                self._store.upkeep.free(tx, number, self._context.now())
                self._store.numbers.forget_numbers(tx, number)
