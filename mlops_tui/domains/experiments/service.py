"""What this room does: starting and ending runs and taking in what they logged. Its other parts are the bases of its class."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import identity, ids
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments import lifecycle
from mlops_tui.domains.experiments.groups import Groups
from mlops_tui.domains.experiments.reading import ORDERS, Runs
from mlops_tui.domains.experiments.records import SPOOL, Run, RunStart, RunState

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.intake import Intake
    from mlops_tui.domains.experiments.remote import Remote

__all__ = ["ORDERS", "Experiments"]
JUDGED_EVERY_MS = 10_000
JUDGED_AT_ONCE = 20


class Experiments(Groups):
    """Experiments and runs of one workspace. Wherever a run is named, its id or a unique beginning of it will do."""

    @cached_property
    def _intake(self) -> Intake:
        from mlops_tui.domains.experiments.intake import Intake  # with logging 10 ms that most lists need not pay

        return Intake(self._context, self._store, self._audit)

    @cached_property
    def remote(self) -> Remote:
        """What clients of other programs ask for over HTTP."""
        from mlops_tui.domains.experiments.remote import Remote

        return Remote(self._context, self._audit, self._store)

    def take_in(self, *, wait: bool = True) -> int:
        """Move what training processes appended to the spool into the database; the number of records moved.

        Safe in any thread or process at the same time: one does it, the others wait, or go on at once without `wait`.
        Never call it inside a `write()`.
        """
        spooled = self._context.workspace.spool / SPOOL
        if not any(spooled.glob("*.seg")):
            return 0
        taken = self._intake.take_in(wait=wait)
        if ended := self._intake.take_ended():
            self._judge(ended)
        return taken

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
        if due := self._due():
            self._judge(due)
        if forgotten := self._store.numbers.removed_with_numbers():
            self._forget(forgotten)
        return crashed

    def processes(self) -> list[tuple[str, identity.Identity]]:
        """(id, process) of every run that is said to run on this machine."""
        return [(run_id, identity.Identity(*process)) for run_id, process in self._store.running()]

    def _due(self) -> list[str]:
        """Some runs that logged something since they were judged: of this machine those that run, of HTTP clients the newest.

        Not more often than every ten seconds, less often the more points there are: looking stays under a hundredth of a core.
        """
        found = []
        for run_id, number in self._store.to_judge():
            pause = JUDGED_EVERY_MS * (1 + self._store.numbers.total(number) // 50_000)
            if not self._store.upkeep.judged_lately(number, self._context.now() - pause):
                found.append(run_id)
        return found[:JUDGED_AT_ONCE]

    def _judge(self, run_ids: list[str]) -> None:
        """Look at how these runs do and keep their marks; a mistake there must not keep anybody from logging."""
        import logging  # with this and with statistics 10 ms that most lists need not pay

        from mlops_tui.domains.experiments import judging

        try:
            judging.remember(self._context, self._store, run_ids)
        except Exception:
            logging.getLogger(__name__).exception("runs %s could not be judged", ", ".join(run_ids))

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
        self,
        experiment: str,
        *,
        name: str = "",
        parent: str = "",
        source: str | None = None,
        resume: Run | None = None,
        command: Sequence[str] | None = None,
    ) -> RunStart:
        """The facts of a run of this process (of a `command` that it runs) that starts or resumes now; nothing is written.

        Raises NotAllowed when the experiment is deleted or over its quota; a run that resumes or is part of another goes on.
        """
        from mlops_tui.domains.experiments import (
            environment,  # with subprocess and socket 10 ms that lists need not pay
        )

        ids.check_name("experiment", experiment)
        if resume is None and not parent:
            self._check_open(experiment)
        found = environment.capture(Path.cwd())
        if command:
            found = dataclasses.replace(found, command=shlex.join(command), source=environment.source_of(command))
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
