"""Taking waiting jobs and handing each to a child process; waiting for one, and saying what it waits for itself."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_tui.core import clock, processes
from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotAllowed, Unavailable
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.jobs.ending import Ending
from mlops_tui.domains.jobs.limits import Limits
from mlops_tui.domains.jobs.records import LEASE_MS, Job, JobState
from mlops_tui.domains.jobs.store import JobsStore

_POLL_S = 0.1
_LOOKED_AT = 500  # waiting jobs behind the first that are looked at for one that may start


class Starting:
    """The part of the room that starts work."""

    _context: Context
    _audit: Audit
    _store: JobsStore
    _limits: Limits
    _ending: Ending

    def get(self, job_id: int) -> Job:
        raise NotImplementedError

    def folder(self, job: Job) -> Path:
        raise NotImplementedError

    def settle(self, job_id: int) -> bool:
        raise NotImplementedError

    def recover(self) -> builtins.list[Job]:
        raise NotImplementedError

    def finish(
        self, job_id: int, attempt: int, state: str, *, result: dict[str, Any] | None = None, error: str = ""
    ) -> bool:
        raise NotImplementedError

    def claim(self, limit: int = 1, internal: bool | None = None) -> builtins.list[Job]:
        """Take up to `limit` waiting jobs whose time has come and whose needs are free, by priority and then by age;
        `internal` chooses one lane.

        Each is ours for LEASE_MS: launch it. The attempt number goes up by one.
        """
        if limit <= 0 or not self._store.any_due(self._context.now(), internal):
            return []
        with self._context.catalog.write() as tx:
            lease, me = self._context.now() + LEASE_MS, processes.identity()
            due = self._limits.choose(self._store.due(self._context.now(), limit + _LOOKED_AT, internal), limit)
            taken = [job_id for job_id in due if self._store.claim(tx, job_id, me, lease)]
        return [self.get(job_id) for job_id in taken]

    def waits(self, needs: dict[str, float]) -> str:
        """Why a job with these needs would have to wait now: who holds what; empty when it would not."""
        return self._limits.waits(needs)

    def held_up(self, job: Job) -> str:
        """What a queued job waits for, in a sentence; empty for one that may start, and for one that is not queued."""
        if job.state is not JobState.QUEUED:
            return ""
        left = job.not_before - self._context.now()
        if left > 0:
            return f"Is tried again in {clock.duration(left)}."
        return self.waits(job.needs)

    def turn(self) -> str:
        """Why the daemon would start no further job now, in a sentence; empty when it would."""
        most = self._context.settings.daemon.max_jobs
        return (
            f"Waits for its turn: as many jobs run as [daemon] max_jobs = {most} allows."
            if self.active(False) >= most
            else ""
        )

    def active(self, internal: bool) -> int:
        """How many jobs of a lane are claimed or running."""
        return self._store.count_active(internal)

    def launch(self, job: Job, fork: Callable[[Path], str] | None = None) -> None:
        """Start the child of a claimed job; when that fails the attempt ends as failed, with the reason.

        `fork` starts what is prepared in a folder from a warm process. What it says is why that came to nothing, for sure or not:
        this attempt is over then, and the job waits again.
        """
        command = processes.python_module(
            "mlops_tui.job", "--workspace", str(self._context.workspace.root), str(job.id), str(job.attempt)
        )
        actor = {"MLOPS_ACTOR": job.created_by}
        project, timeout_s, memory = self._context.workspace.project, job.timeout_s, job.memory_bytes
        limits: dict[str, Any] = {"cwd": project, "timeout_s": timeout_s, "memory_bytes": memory}
        try:
            if fork is None:
                environment = processes.package_environment() | actor
                processes.spawn(command, folder=self.folder(job), env=environment, **limits)
                return
            processes.prepare(command, folder=self.folder(job), env=actor, **limits)
            if why := fork(self.folder(job)):
                self.give_back(job, why)
        except Unavailable as error:
            self.finish(job.id, job.attempt, JobState.FAILED, error=error.message)

    def give_back(self, job: Job, why: str) -> bool:
        """Have a claimed job wait again whose process did not come to be, as far as anyone can tell: should there be one all the same,
        `begin` refuses it. False when it has begun or ended.
        """
        with self._context.catalog.write() as tx:
            now = self.get(job.id)
            if now.attempt != job.attempt or now.state is not JobState.CLAIMED:
                return False
            self._ending.end(tx, now, JobState.LOST, None, why)
            return True

    def run_here(self, job: Job, *, at_once: bool = False, fork: Callable[[Path], str] | None = None) -> Job:
        """Start a queued job without a daemon; the child is as detached as under one. Follow it with `wait`.

        It stays queued while `held_up` says why; `at_once` starts it over that, which the audit trail keeps. `fork`: see `launch`.
        """
        if not at_once and self.held_up(job):
            self.recover()  # who holds it may be dead, and without a daemon nobody else looks
        with self._context.catalog.write() as tx:
            held = self.held_up(self.get(job.id))
            free = at_once or not held
            taken = free and self._store.claim(tx, job.id, processes.identity(), self._context.now() + LEASE_MS)
            if taken and held:
                self._audit.note(tx, "start", "job", str(job.id), why="at once", after={"over": held})
        job = self.get(job.id)
        if taken:
            self.launch(job, fork)
        return self.get(job.id)

    def start(self, job_id: int) -> Job:
        """Start a queued job from here now, whatever it waits for. Raises NotFound, and NotAllowed when it is not queued."""
        job = self.get(job_id)
        if job.state is not JobState.QUEUED:
            raise NotAllowed(f"Job {job_id} is {job.state}.", hint="Only a job that waits can be started.")
        return self.run_here(job, at_once=True)

    def wait(
        self,
        job_id: int,
        timeout_s: float | None = None,
        *,
        start: bool = False,
        told: Callable[[str], None] = lambda text: None,
    ) -> Job:
        """Wait until a job ends, also without a daemon. With `start` it is started from here as soon as it may be, and
        `told` hears what it waits for, once for each reason.

        Raises NotFound, and Unavailable when the time is over first.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        said = ""
        while True:
            self.settle(job_id)
            job = self.get(job_id)
            if start and job.state is JobState.QUEUED:
                job = self.run_here(job)
                held = self.waits(job.needs) if job.state is JobState.QUEUED else ""
                if held and held != said:
                    said = held
                    told(held)
            if not job.state.pending:
                return job
            if deadline is not None and time.monotonic() > deadline:
                raise Unavailable(
                    f"Job {job_id} has not ended yet: it {past(job.state)}.", hint=f"mlops jobs show {job_id}"
                )
            time.sleep(_POLL_S)


def past(state: JobState) -> str:
    """What a job in that state does, or what became of it."""
    return {
        JobState.QUEUED: "waits",
        JobState.CLAIMED: "is starting",
        JobState.RUNNING: "runs",
        JobState.CANCELLED: "was cancelled",
        JobState.LOST: "was lost",
    }.get(state, str(state.value))
