"""The daemon as a real process that is killed in the middle of things."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_tui import daemon
from mlops_tui.core import locks, processes
from mlops_tui.core.errors import AlreadyExists, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.jobs.records import Job, JobState
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench

pytestmark = pytest.mark.e2e

# A daemon that is the real one but for its pipelines room, whose runs append their slot to a file.
DAEMON = """
import sys
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.workbench import Workbench

class Pipelines:
    def __init__(self, bench): self.bench = bench
    def list(self): return []
    def get(self, name): return Definition(name, "")
    def run(self, name, cause, key=None):
        command = ["sh", "-c", "echo " + cause["slot"] + " >> ran.txt"]
        return self.bench.jobs.submit("command", "Write the slot", {"command": command}, key=key, cause=cause)

Workbench.pipelines = property(Pipelines)
from mlops_tui.daemon.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


class NamedPipelines:
    """What `Schedules.add` asks of the pipelines room."""

    def get(self, name: str) -> Definition:
        return Definition(name, "")


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.03)
    return value


def kill(workspace: Workspace) -> None:
    pid = daemon.status(workspace).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not locks.held(workspace.daemon_lock))


@pytest.fixture
def bench(workspace: Workspace) -> Iterator[Workbench]:
    settings = "[daemon]\npoll_ms = 100\n[serving]\nenabled = false\n"
    workspace.settings_file.write_text(settings)
    with Workbench(workspace, actor="tester") as bench:
        yield bench
        for job in bench.jobs.list(internal=None):
            if job.state.pending:
                bench.jobs.cancel(job.id)
    if daemon.status(workspace).running:
        daemon.stop(workspace)


def long_job(bench: Workbench, folder: Path) -> Job:
    """A job that notes each start and ends when it is allowed to."""
    code = (
        f"import os, time; open({str(folder / 'starts')!r}, 'a').write('x')\n"
        f"while not os.path.exists({str(folder / 'go')!r}): time.sleep(0.02)"
    )
    job = bench.jobs.submit("command", "Long", {"command": [sys.executable, "-c", code]})
    until(lambda: (folder / "starts").exists())
    return job


def test_a_job_survives_kill_9_and_an_upgrade_of_the_daemon_and_is_recorded_once(
    bench: Workbench, tmp_path: Path
) -> None:
    workspace = bench.workspace
    first = daemon.start(workspace)
    job = long_job(bench, tmp_path)
    kill(workspace)
    assert bench.jobs.get(job.id).state is JobState.RUNNING
    second = daemon.start(workspace)
    assert second.pid != first.pid
    third = daemon.restart(workspace)
    assert third.pid not in (first.pid, second.pid)
    assert bench.jobs.get(job.id).state is JobState.RUNNING
    (tmp_path / "go").touch()
    until(lambda: not bench.jobs.get(job.id).state.pending)
    assert bench.jobs.get(job.id).state is JobState.SUCCEEDED
    assert [attempt.attempt for attempt in bench.jobs.attempts(job.id)] == [1]
    assert (tmp_path / "starts").read_text() == "x"
    assert [entry.verb for entry in bench.audit.list(kind="job", name=str(job.id))] == ["finish", "submit"]


def test_a_job_that_is_killed_while_no_daemon_lives_is_recorded_by_the_next(bench: Workbench, tmp_path: Path) -> None:
    daemon.start(bench.workspace)
    job = long_job(bench, tmp_path)
    kill(bench.workspace)
    folder = bench.jobs.folder(bench.jobs.get(job.id))
    for who in (processes.shim_identity(folder), processes.child_identity(folder)):
        assert who is not None
        try:
            os.kill(who.pid, signal.SIGKILL)
        except ProcessLookupError:  # the child goes with its shim
            pass
    daemon.start(bench.workspace)
    until(lambda: not bench.jobs.get(job.id).state.pending)
    assert bench.jobs.get(job.id).state is JobState.LOST
    assert len(bench.jobs.attempts(job.id)) == 1
    until(lambda: bench.alerts.list(rule="job_failed"))


def test_a_second_daemon_refuses_and_the_first_goes_on(bench: Workbench) -> None:
    workspace = bench.workspace
    first = daemon.start(workspace)
    with pytest.raises(AlreadyExists, match=f"pid {first.pid}"):
        daemon.start(workspace)
    second = subprocess.run(
        processes.python_module("mlops_tui.daemon", "--workspace", str(workspace.root)),
        env=processes.package_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"already (pid {first.pid})" in second.stderr
    assert daemon.status(workspace).pid == first.pid
    daemon.stop(workspace)
    with pytest.raises(NotFound):
        daemon.stop(workspace)
    assert "daemon stopped" in daemon.log_path(workspace).read_text()


def test_a_daemon_that_cannot_start_says_why(workspace: Workspace) -> None:
    workspace.settings_file.write_text("[daemon]\npol_ms = 1\n")
    with pytest.raises(Unavailable, match="poll_ms"):
        daemon.start(workspace)
    assert not daemon.status(workspace).running


def test_a_long_job_does_not_hold_up_upkeep(bench: Workbench, tmp_path: Path) -> None:
    daemon.start(bench.workspace)
    for _ in range(3):  # one more than the lane is wide
        job = bench.jobs.submit("command", "Sleep", {"command": ["sleep", "30"]})
    upkeep = bench.jobs.submit("command", "Upkeep", {"command": ["true"]}, internal=True)
    until(lambda: bench.jobs.get(upkeep.id).state is JobState.SUCCEEDED)
    assert bench.jobs.get(job.id).state is JobState.QUEUED


@pytest.mark.slow
def test_every_slot_of_a_second_by_second_schedule_runs_exactly_once_through_many_kills(
    bench: Workbench, tmp_path: Path
) -> None:
    workspace = bench.workspace
    rooms: list[Any] = [bench.context, bench.audit, bench.alerts, bench.jobs, NamedPipelines(), None, bench.features]
    schedules = Schedules(*rooms)
    schedules.add("pulse", "any", "@every 1s", missed="all", overlap="queue")
    script = tmp_path / "daemon.py"
    script.write_text(DAEMON)
    draw = random.Random(7)

    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, str(script), "--workspace", str(workspace.root)]
        return subprocess.Popen(command, env=processes.package_environment(), stderr=subprocess.DEVNULL)

    def begun(process: subprocess.Popen[bytes]) -> None:
        until(lambda: daemon.status(workspace).pid == process.pid)

    for _ in range(6):
        running = begin()
        begun(running)
        time.sleep(draw.uniform(0.1, 1.3))
        running.kill()
        running.wait()
    last = begin()
    try:
        begun(last)
        until(lambda: len(schedules.fires("pulse")) >= 4)
        schedules.pause("pulse")
        until(
            lambda: all(fire.job_id for fire in schedules.fires("pulse")) and not bench.jobs.pending_with("schedule:")
        )
    finally:
        last.terminate()
        last.wait()
    fires = schedules.fires("pulse")
    ran = Counter((workspace.project / "ran.txt").read_text().split())
    assert ran == Counter({fire.slot: 1 for fire in fires})
    times = sorted(fire.due_at for fire in fires)
    assert times == list(range(times[0], times[-1] + 1000, 1000))
    # A kill between claim and launch costs an attempt number, never a second piece of work.
    assert all(sum(a.began for a in bench.jobs.attempts(fire.job_id or 0)) == 1 for fire in fires)


@pytest.mark.slow
def test_an_idle_daemon_is_small_and_quiet(bench: Workbench) -> None:
    pid = daemon.start(bench.workspace).pid
    time.sleep(3)

    def cpu_s() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, began = cpu_s(), time.monotonic()
    time.sleep(5)
    share = (cpu_s() - before) / (time.monotonic() - began)
    memory = daemon.status(bench.workspace).memory_bytes
    assert memory < 80e6, f"{memory / 1e6:.0f} MB"
    assert share < 0.03, f"{share:.1%} of a core"  # under 1 % on a quiet machine; a tick of the counter is 0.2 % here
