"""A process that sleeps as the work of a job."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from mlops_tui.core.identity import identity
from mlops_tui.domains.jobs.records import Job
from mlops_tui.workbench import Workbench


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process below this one."""
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
    yield child
    child.kill()
    child.wait()


@pytest.fixture
def working(workbench: Workbench) -> Callable[[int], Job]:
    """A job that says a process does its work."""

    def begin(pid: int) -> Job:
        jobs = workbench.jobs
        job = jobs.submit("pipeline", "Train churn", {}, name="churn")
        jobs.claim(1)
        assert jobs.begin(job.id, 1, identity(pid))
        return jobs.get(job.id)

    return begin
