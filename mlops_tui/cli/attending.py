"""Starting a job where no daemon does, saying what it waits for, and following it to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlops_tui.cli.output import follow, progress_bar, say
from mlops_tui.core.forkserver import ForkServer

if TYPE_CHECKING:
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.workbench import Workbench

POLL_S = 0.5  # a change of the catalog is seen at once; this is for its progress and for who died without a word


@contextmanager
def warming(workbench: Workbench, wanted: bool) -> Iterator[ForkServer | None]:
    """A process that loads the libraries of a job while this one finds out which; none where a daemon starts the job."""
    if not wanted or workbench.daemon_alive():
        yield None
        return
    server = ForkServer(workbench.workspace.root)
    try:
        server.open()
        yield server
    finally:
        server.close()


class Attending:
    """One job as the person at the command line sees it; `at_once` starts it from here whatever it waits for."""

    def __init__(
        self, workbench: Workbench, job: Job, *, at_once: bool = False, server: ForkServer | None = None
    ) -> None:
        self._workbench, self.job = workbench, job
        self._said = ""
        if at_once or not workbench.daemon_alive():
            self.job = workbench.jobs.run_here(job, at_once=at_once, fork=server.carry_out if server else None)
        self._tell()

    def over(self) -> bool:
        """Look at it once more, and start it where nobody else will as soon as it may be."""
        jobs = self._workbench.jobs
        jobs.settle(self.job.id)
        self.job = jobs.get(self.job.id)
        if self.job.state == "queued":
            if not self._workbench.daemon_alive():
                self.job = jobs.run_here(self.job)
            self._tell()
        return not self.job.state.pending

    def follow(self) -> None:
        """Print its log until it has ended."""
        follow(self._workbench.jobs.log_path(self.job.id), self.over)

    def watch(self) -> None:
        """Show how far it is until it has ended."""
        with progress_bar(self.job.name) as bar:
            while not self.over():
                progress = self.job.progress
                if progress is not None:
                    bar(progress.done, progress.total, progress.note)
                self._workbench.await_change(POLL_S)

    def leave(self) -> None:
        """Say what becomes of it when nobody looks on."""
        if self.job.state == "queued" and not self._workbench.daemon_alive():
            say("No daemon runs that would start it then. Start one: mlops daemon start")

    def _tell(self) -> None:
        held = waiting(self._workbench, self.job)
        if held and self._said != self.job.error + held[:5]:
            self._said = self.job.error + held[:5]  # not each second of a pause anew
            failed = f" Its try before failed: {self.job.error}" if self.job.error else ""
            say(f"Job {self.job.id}: {held}{failed}")
            say(f"Start it all the same: mlops jobs start {self.job.id}")


def waiting(workbench: Workbench, job: Job) -> str:
    """What a queued job waits for; empty when it may start, or runs."""
    if job.state != "queued":
        return ""
    return workbench.jobs.held_up(job) or (workbench.jobs.turn() if workbench.daemon_alive() else "")
