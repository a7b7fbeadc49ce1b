"""How a job ends: one record per attempt, then either the next try or the end of the job; also for those who died silent."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from mlops_tui.core import clock, processes
from mlops_tui.core.context import Context
from mlops_tui.core.identity import Identity
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.jobs.records import MAX_STARTS, STOPPED_BY_SIGTERM, Job, JobState, in_words, pause_ms
from mlops_tui.domains.jobs.store import JobsStore


class Ending:
    """The engine under Jobs that every end of an attempt goes through."""

    def __init__(self, context: Context, store: JobsStore, audit: Audit) -> None:
        self._context = context
        self._store = store
        self._audit = audit

    def end(
        self,
        tx: sqlite3.Connection,
        job: Job,
        state: JobState,
        result: dict[str, Any] | None,
        error: str,
        *,
        final: bool = False,
    ) -> None:
        """Inside a write(): the attempt's record, then either the next try or the end of the job."""
        now = self._context.now()
        tried = job.state in (JobState.CLAIMED, JobState.RUNNING)
        if tried:
            self._store.end_attempt(tx, job, state, now, error)
        if tried and not final and self._again(tx, job, state, error, now):
            return
        self._store.update(
            tx,
            job.id,
            state=state,
            ended_at=now,
            lease_until=None,
            result=result,
            error=error,
            key=None if job.internal else job.key,
        )
        if not job.internal and state is not JobState.CANCELLED:
            self._audit.note(
                tx,
                "finish",
                "job",
                str(job.id),
                after={
                    "state": str(state),
                    "title": job.title,
                    "attempt": job.attempt,
                    **({"error": error} if error else {}),
                },
                cause=job.cause,
            )

    def _again(self, tx: sqlite3.Connection, job: Job, state: JobState, error: str, now: int) -> bool:
        if state not in (JobState.FAILED, JobState.LOST) or job.stop_reason:
            return False
        attempts = self._store.attempts(job.id)
        if state is JobState.LOST and job.state is JobState.CLAIMED:
            # It never began, so it did no work and costs no retry; a machine that cannot start children must still end.
            again, pause = sum(not attempt.began for attempt in attempts) < MAX_STARTS, 0
        else:
            failures = sum(attempt.began or attempt.state is JobState.FAILED for attempt in attempts)
            again, pause = failures <= job.retries, pause_ms(failures)
        if not again:
            return False
        self._store.update(
            tx, job.id, state=JobState.QUEUED, not_before=now + pause, lease_until=None, error=error, ended_at=None
        )
        return True

    def settle(self, job: Job, folder: Path) -> bool:
        """Record the end of a claimed or running job whose process is gone, told by what its shim left in `folder`; True when it was."""
        record = processes.exit_record(folder)
        if record is None:
            if processes.shim_identity(folder) is not None or not self._abandoned(job):
                return False
            record = processes.ExitRecord(None, None, None, None, "lost")
        if record.reason == "lost":
            processes.sweep(folder)
        with self._context.catalog.write() as tx:
            now = self._store.get(job.id)
            if now is None or now.attempt != job.attempt or now.state not in (JobState.CLAIMED, JobState.RUNNING):
                return False  # it spoke for itself meanwhile
            job = now
            limit = {
                "timeout": f" of {clock.duration((job.timeout_s or 0) * 1000)}",
                "memory": f" of {(job.memory_bytes or 0) / 1e6:.0f} MB",
            }.get(record.reason, "")
            error = in_words(record.reason, record.code, record.signal, limit)
            if job.stop_reason or record.reason == "cancelled" or record.code == STOPPED_BY_SIGTERM:
                self.end(tx, job, JobState.CANCELLED, None, cancelled(job.stop_reason))
            elif record.reason == "lost":
                self.end(tx, job, JobState.LOST, None, error)
            else:
                self.end(tx, job, JobState.FAILED, None, error, final=record.reason in ("timeout", "memory"))
        return True

    def _abandoned(self, job: Job) -> bool:
        """Whether nobody works on a job that has no shim: who claimed it is gone or overdue, or who ran it is gone.

        A child that was on its way all the same is refused by begin(), because the attempt has ended.
        """
        if not processes.is_alive(_identity(job)):
            return True
        return job.state is JobState.CLAIMED and self._context.now() > (job.lease_until or 0)


def _identity(job: Job) -> Identity:
    return Identity(job.pid or 0, job.pid_started or 0, job.boot or "")


def cancelled(why: str) -> str:
    """The words kept for a cancelled job."""
    return f"Cancelled: {why}" if why and why != "cancelled" else "Cancelled."
