"""Submitting work, handing it to child processes, and recording how each attempt ended, once, whoever died meanwhile."""

from __future__ import annotations

import builtins
from functools import partial
from pathlib import Path
from typing import Any

from mlops_tui.core import bell, clock, processes
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.identity import Identity
from mlops_tui.core.query import read
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.jobs import searching
from mlops_tui.domains.jobs.ending import Ending, cancelled
from mlops_tui.domains.jobs.limits import Limits
from mlops_tui.domains.jobs.records import (
    Attempt,
    Job,
    JobState,
    Pending,
)
from mlops_tui.domains.jobs.starting import Starting, past
from mlops_tui.domains.jobs.store import JobsStore

_INTERNAL_KEPT_MS = 6 * clock.HOUR


class Jobs(Starting):
    """The queue of one workspace.

    Correct without a leader: claiming is one guarded UPDATE, the child itself takes the step to `running` with its
    attempt number (`begin`), and the end of an attempt is a row with a primary key. The folder that the shim keeps
    is the witness when a process dies without a word.
    """

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = JobsStore(context)
        self._limits = Limits(context, self._store)
        self._ending = Ending(context, self._store, audit)

    # -- asking for work -------------------------------------------------------------------------------------------------

    def submit(
        self,
        kind: str,
        title: str,
        spec: dict[str, Any],
        *,
        key: str | None = None,
        cause: dict[str, Any] | None = None,
        internal: bool = False,
        timeout_s: float | None = None,
        memory_bytes: int | None = None,
        retries: int = 0,
        name: str = "",
        needs: dict[str, float] | None = None,
        priority: int = 0,
    ) -> Job:
        """Queue a job. With a `key` that was used before, nothing is queued and that job is returned.

        `needs` ({"gpu": 1}) are held while it runs, out of `[daemon] limits`; until they are free it waits, as it does behind
        jobs of higher `priority`. An internal job (upkeep) gives its key back when it ends. Raises InvalidInput for impossible limits.
        """
        if (
            retries < 0
            or (timeout_s is not None and timeout_s <= 0)
            or (memory_bytes is not None and memory_bytes <= 0)
        ):
            raise InvalidInput("A job needs limits above zero and retries of at least zero.")
        with self._context.catalog.write() as tx:
            known = self._store.by_key(key) if key is not None else None
            if known is not None:
                return known
            now = self._context.now()
            held = self._limits.checked(needs or {})
            job_id = self._store.add(
                tx,
                {
                    "kind": kind,
                    "name": name,
                    "title": title,
                    "state": JobState.QUEUED,
                    "spec": spec,
                    "cause": cause,
                    "key": key,
                    "internal": int(internal),
                    "retries": retries,
                    "created_at": now,
                    "created_by": self._context.actor,
                    "not_before": now,
                    "timeout_s": timeout_s,
                    "memory_bytes": memory_bytes,
                    "needs": held,
                    "priority": priority,
                },
            )
            if not internal:
                self._audit.note(tx, "submit", "job", str(job_id), after={"title": title}, cause=cause)
            self._wake()
        return self.get(job_id)

    def cancel(self, job_id: int, why: str = "", *, grace_s: float = 2.0) -> Job:
        """End a job: at once when it waits, with its whole process tree when it runs; returns when it is over.

        Raises NotFound, and NotAllowed when it has ended already.
        """
        job = self.get(job_id)
        if not job.state.pending:
            raise NotAllowed(f"Job {job_id} has ended: it {past(job.state)}.")
        with self._context.catalog.write() as tx:
            job = self.get(job_id)
            if job.state.pending:
                self._store.update(tx, job_id, stop_reason=why or "cancelled")
                if not job.internal:
                    self._audit.note(tx, "cancel", "job", str(job_id), why=why, before={"state": job.state})
            if job.state in (JobState.QUEUED, JobState.CLAIMED):
                # Its child, should one be on the way, is refused by begin().
                self._ending.end(tx, job, JobState.CANCELLED, None, cancelled(why))
        folder = self.folder(job)
        if job.attempt and processes.cancel(folder, grace_s) is not None:
            self.settle(job_id)
        return self.get(job_id)

    def retry(self, job_id: int, why: str = "") -> Job:
        """Queue a job that failed, was cancelled or lost once more. Raises NotFound, NotAllowed in any other state."""
        with self._context.catalog.write() as tx:
            job = self.get(job_id)
            if job.state not in (JobState.FAILED, JobState.CANCELLED, JobState.LOST):
                raise NotAllowed(
                    f"Job {job_id} cannot be retried: it {past(job.state)}.",
                    hint="Only failed, cancelled and lost jobs can.",
                )
            self._store.update(
                tx, job_id, state=JobState.QUEUED, stop_reason="", not_before=self._context.now(), ended_at=None
            )
            self._audit.note(tx, "retry", "job", str(job_id), why=why, before={"state": job.state})
            self._wake()
        return self.get(job_id)

    # -- doing it ----------------------------------------------------------------------------------------------------------

    def begin(self, job_id: int, attempt: int, who: Identity) -> bool:
        """Called by the child before any work: claimed -> running. False means: this attempt is not wanted, exit."""
        with self._context.catalog.write() as tx:
            return self._store.begin(tx, job_id, attempt, who, self._context.now())

    def progress(self, job_id: int, done: int, total: int | None = None, note: str = "") -> None:
        """How far the job is; the last word counts. Cheap (no fsync), still at most a few times a second please."""
        self._store.say(job_id, int(done), None if total is None else int(total), note, self._context.now())

    def finish(
        self, job_id: int, attempt: int, state: str, *, result: dict[str, Any] | None = None, error: str = ""
    ) -> bool:
        """Record the end of an attempt, once: False when this attempt has ended already or is not the current one.

        A failed or lost attempt goes back into the queue with a pause while retries are left.
        """
        with self._context.catalog.write() as tx:
            job = self.get(job_id)
            if job.attempt != attempt or job.state not in (JobState.CLAIMED, JobState.RUNNING):
                return False
            self._ending.end(tx, job, JobState(state), result, error)
            return True

    def _wake(self) -> None:
        """Have the daemon, if one lives, look at the queue as soon as this is written."""
        self._context.catalog.afterwards(partial(bell.ring, self._context.workspace.bell))

    # -- picking up what died ----------------------------------------------------------------------------------------------

    def recover(self) -> builtins.list[Job]:
        """Record the end of every job whose process is gone; returns those that changed. Safe in any number of processes."""
        return [self.get(job.id) for job in self._store.active() if self.settle(job.id)]

    def settle(self, job_id: int) -> bool:
        """Look at the process of one claimed or running job and record its end if it is gone; True when it was."""
        job = self.get(job_id)
        return job.state in (JobState.CLAIMED, JobState.RUNNING) and self._ending.settle(job, self.folder(job))

    def prune(self) -> int:
        """Forget ended jobs and their folders: upkeep after six hours, others after `retention.jobs_days`."""
        now = self._context.now()
        gone = self._store.old(now - self._context.settings.retention.jobs_days * clock.DAY, now - _INTERNAL_KEPT_MS)
        if gone:
            with self._context.catalog.write() as tx:
                self._store.remove(tx, gone)
            self._store.forget_progress(gone)
            for job_id in gone:
                processes.remove(self._context.workspace.jobs / str(job_id))
        return len(gone)

    # -- looking -------------------------------------------------------------------------------------------------------------

    def get(self, job_id: int) -> Job:
        """One job. Raises NotFound."""
        job = self._store.get(job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id}.", hint="See them: mlops jobs list")
        return job

    def list(
        self,
        state: str | None = None,
        kind: str | None = None,
        internal: bool | None = False,
        limit: int = 100,
        query: str = "",
    ) -> builtins.list[Job]:
        """Jobs, newest first; upkeep only with `internal=True`, both with None. `query` is in the query language
        and looks at the newest 20,000.

        Raises InvalidInput for an unknown state and for a query that cannot be read.
        """
        if state is not None and state not in set(JobState):
            raise InvalidInput(f"'{state}' is not a state of a job.", hint=f"One of: {', '.join(JobState)}.")
        wanted = read(query, searching.JOBS, self._context.now())
        if wanted.empty:
            return self._store.find(state=state, kind=kind, internal=internal, limit=limit)
        return wanted.select(self._store.find(state=state, kind=kind, internal=internal, limit=searching.FROM))[:limit]

    def attempts(self, job_id: int) -> builtins.list[Attempt]:
        """The ended attempts of a job, first to last."""
        return self._store.attempts(job_id)

    def pending_with(self, prefix: str) -> builtins.list[Pending]:
        """Jobs still to end whose key begins with `prefix`, oldest first."""
        return self._store.pending_with(prefix)

    def newest_with(self, prefix: str) -> Job | None:
        """The newest job whose key begins with `prefix`."""
        return self._store.newest_with(prefix)

    def took(self, prefix: str, limit: int = 5) -> builtins.list[int]:
        """How long the newest jobs that succeeded and whose key begins with `prefix` took, in ms."""
        return self._store.took(prefix, limit)

    def states(self, job_ids: builtins.list[int]) -> dict[int, JobState]:
        """The states of these jobs; those that were forgotten are left out."""
        return self._store.states(job_ids)

    def folder(self, job: Job) -> Path:
        """Where the shim of the job's current attempt keeps its files."""
        return self._context.workspace.jobs / str(job.id) / str(max(job.attempt, 1))

    def log_path(self, job_id: int) -> Path:
        """The output of the newest attempt; the file may not be there yet."""
        return self.folder(self.get(job_id)) / "log.txt"
