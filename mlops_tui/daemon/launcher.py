"""Starting the processes of jobs: by fork from a warm process where their libraries are loaded, else each by itself."""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.forkserver import REFUSED, ForkServer

if TYPE_CHECKING:
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.workbench import Workbench

# Jobs that load the libraries a warm process has; of these a run of a pipeline opens one, and keeps it.
FORKED = ("pipeline", "batch", "compact", "ingest", "flush", "watch", "monitor", "skew")
OPENING = ("pipeline",)
OFF_S = 60.0  # after a warm process failed, jobs are started one by one for so long


class Launcher:
    """The warm process of a daemon, and the way round it."""

    def __init__(self, bench: Workbench, log: logging.Logger, idle_s: float) -> None:
        self._jobs, self._log = bench.jobs, log
        self._server = ForkServer(bench.workspace.root, idle_s=idle_s)
        self._kept = idle_s > 0
        self._orders: dict[Path, Job] = {}
        self._off_until = 0.0

    def launch(self, job: Job) -> None:
        """Start the process of a claimed job."""
        wanted = self._kept and job.kind in FORKED and (self._server.is_open or job.kind in OPENING)
        fork = wanted and time.monotonic() >= self._off_until
        self._jobs.launch(job, partial(self._order, job) if fork else None)

    def look(self) -> None:
        """See to orders that came to nothing: given again where the warm process was only out of date."""
        failed = self._server.look()
        for folder, how in failed:
            job = self._orders.pop(folder)
            if how == REFUSED:
                self._order(job, folder)
            elif self._jobs.give_back(job, "The process it was to be forked from ended."):
                self._off_until = time.monotonic() + OFF_S
                self._log.warning("job %d was not forked: jobs are started one by one for %g s", job.id, OFF_S)
        waiting = self._server.waiting
        self._orders = {folder: job for folder, job in self._orders.items() if folder in waiting}

    def close(self) -> None:
        """End the warm process; jobs forked from it go on."""
        self._server.close()

    def _order(self, job: Job, folder: Path) -> str:
        self._orders[folder] = job
        if not self._server.is_open:
            self._server.open()
            self._log.info("process %s loads the libraries of pipelines", self._server.pid)
        self._server.order(folder, keep=job.kind in OPENING)
        return ""
