"""A job forked from a warm process: the real thing once, because what it needs of the kernel no double has."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from mlops_tui.core import processes
from mlops_tui.core.forkserver import ForkServer
from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

pytestmark = pytest.mark.e2e


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def test_a_forked_job_has_its_own_tree_mark_log_and_end_and_outlives_what_it_was_forked_from(
    workspace: Workspace, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tui.core.forkserver.START_S", 300.0)
    jobs, server = workbench.jobs, ForkServer(workspace.root)
    try:
        first = jobs.submit("command", "Says where it is", {"command": ["sh", "-c", "echo in $PWD"]}, timeout_s=120)
        second = jobs.submit("command", "Sleeps", {"command": ["sleep", "600"]})
        for job in jobs.claim(2):
            jobs.launch(job, server.carry_out)
        assert jobs.wait(first.id, 60).state == "succeeded"
        assert jobs.log_path(first.id).read_text() == f"in {workspace.project}\n"

        second = jobs.get(second.id)
        folder = jobs.folder(second)
        until(lambda: jobs.get(second.id).state == "running")
        assert not jobs.begin(second.id, second.attempt, processes.identity()), "an attempt begins once"
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        while server.is_open:
            server.look(1.0)
        mark = json.loads((folder / "pid.json").read_text())["mark"]
        child = processes.child_identity(folder)
        assert child is not None
        assert child.pid in {one.pid for one in processes.marked("MLOPS_JOB_MARK", mark)}
        assert processes.command_line(child)[-1] == f"{second.id}/1"
        assert jobs.cancel(second.id).state == "cancelled"
        assert processes.marked("MLOPS_JOB_MARK", mark) == []
    finally:
        server.close()
