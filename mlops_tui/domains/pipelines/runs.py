"""Looking at runs, and closing those whose process is gone."""

from __future__ import annotations

import builtins
import shutil
from typing import TYPE_CHECKING

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.pipelines import cache
from mlops_tui.domains.pipelines.records import OPEN_STATES, PipelineRun, RunState, Trial

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.jobs.service import Jobs
    from mlops_tui.domains.pipelines.store import PipelinesStore

# What a job that ended without a word from the run says about the run.
_BY_JOB = {"lost": RunState.LOST, "cancelled": RunState.CANCELLED, "failed": RunState.FAILED}


class Runs:
    """The part of the room that answers for runs."""

    _context: Context
    _audit: Audit
    _experiments: Experiments
    _jobs: Jobs
    _store: PipelinesStore

    def mark_lost(self, run_id: str, reason: str, state: RunState = RunState.LOST) -> bool:
        """Close a run whose process is gone; False when it had ended already. What it registered stays, whole."""
        with self._context.catalog.write() as tx:
            run = self._get(run_id)
            if run.state not in OPEN_STATES:
                return False
            now = self._context.now()
            self._store.end_running(tx, run_id, now, reason)
            self._store.skip_pending(tx, run_id, reason)
            self._store.update(tx, run_id, state=state, ended_at=now, error=reason)
            self._audit.note(tx, state, "pipeline_run", run_id, why=reason)
        if run.run_id:
            self._experiments.take_in()
            if self._experiments.run(run.run_id).state == "running":
                self._experiments.finish(run.run_id, "crashed" if state is RunState.LOST else "failed", reason)
        return True

    def settle(self) -> builtins.list[PipelineRun]:
        """Close every open run whose job has ended without it; the runs changed. Safe in any number of processes."""
        return [self._get(run.id) for run in self._store.open_runs() if self._settle(run)]

    def prune(self) -> int:
        """Remove the files of runs that ended more than `retention.jobs_days` ago; their rows stay. How many.

        Steps that no run has used for long go out of the cache too.
        """
        before = self._context.now() - self._context.settings.retention.jobs_days * clock.DAY
        old = [run_id for run_id in self._store.ended_before(before) if self.folder(run_id).exists()]
        for run_id in old:
            shutil.rmtree(self.folder(run_id), ignore_errors=True)
        cache.prune(self._context.workspace)
        return len(old)

    def runs(self, name: str | None = None, limit: int = 50) -> builtins.list[PipelineRun]:
        """Runs of one pipeline or of all, newest first."""
        self.settle()
        return self._store.runs(name, limit)

    def get_run(self, run_id: str) -> PipelineRun:
        """A run by its id or a unique beginning. Raises NotFound, or InvalidInput when several begin so."""
        run = self._get(run_id)
        return self._get(run.id) if self._settle(run) else run

    def run_of_job(self, job: Job) -> PipelineRun:
        """The run that a job executes."""
        return self.get_run(str(job.spec["run_id"]))

    def definition_of(self, run_id: str) -> str:
        """The definition as it was when the run was asked for."""
        return self._store.definition(self._get(run_id).id)

    def trials(self, run_id: str) -> builtins.list[Trial]:
        """The settings that the search of a run tried, by number; while it runs, those so far."""
        return self._store.trials_of(self.get_run(run_id).id)

    def step_log(self, run_id: str, step: str) -> str:
        """What a step wrote so far; empty when it has not begun."""
        known = [one.name for one in self._get(run_id).steps]
        if step not in known:
            raise NotFound(
                f"There is no step {step!r}.", hint=ids.did_you_mean(step, known, f"Steps: {', '.join(known)}.")
            )
        path = self.folder(self._get(run_id).id) / f"{step}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def folder(self, run_id: str) -> Path:
        """Where the files of a run lie: its definition, logs and reports."""
        return self._context.workspace.root / "pipeline_runs" / run_id

    def _settle(self, run: PipelineRun) -> bool:
        if run.state not in OPEN_STATES or run.job_id is None:
            return False
        try:
            job = self._jobs.get(run.job_id)
        except NotFound:
            return self.mark_lost(run.id, "its job was removed")
        state = _BY_JOB.get(str(job.state))
        return state is not None and self.mark_lost(run.id, job.error or f"the job was {job.state}", state)

    def _get(self, run_id: str) -> PipelineRun:
        run = self._store.get(run_id)
        if run is not None:
            return run
        found = self._store.starting_with(run_id) if run_id and set(run_id) <= set("0123456789abcdef") else []
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} pipeline runs begin with {run_id}.", hint="Give more of the id.")
        run = self._store.get(found[0]) if found else None
        if run is None:
            raise NotFound(f"There is no pipeline run {run_id!r}.", hint="See: mlops pipelines show NAME")
        return run
