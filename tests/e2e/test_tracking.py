"""Training scripts as they really run: in processes of their own, two at once, and killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from mlops_tui.domains.experiments.records import RunState
from mlops_tui.workbench import Workbench

pytestmark = pytest.mark.e2e

_KILLED = """
import os, signal, sys
import mlops_tui as mlops
run = mlops.start_run(experiment="killed")
print(run.id, flush=True)
for step in range(3000):
    run.log_metric("loss", step, step=step)
    if step == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
"""

_LOGGER = """
import sys
import mlops_tui as mlops
with mlops.start_run(experiment="both") as run:
    for step in range(10_000):
        run.log_metric("loss", step * 0.5)
    run.log_param("steps", step + 1)
print(run.id)
"""

_ENDLESS = """
import time
import mlops_tui as mlops
run = mlops.start_run(experiment="killed")
print(run.id, flush=True)
while True:
    run.log_metric("loss", 1.0)
    print(run.writer._steps["loss"], flush=True)
"""


@pytest.fixture
def script(workspace):
    """Start a training script in a process of its own on the workspace."""
    started = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"MLOPS_WORKSPACE": str(workspace.root), "PATH": "/usr/bin:/bin", "HOME": str(workspace.root)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("last", [0, 1, 777, 2999])
def test_a_process_killed_right_after_log_metric_returned_lost_nothing(script, workspace, last):
    process = script(_KILLED, str(last))
    out, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    with Workbench(workspace, actor="reader") as bench:
        assert [run.id for run in bench.experiments.sweep()] == [out.strip()]
        run = bench.experiments.run(out.strip())
        points = bench.experiments.history(run.id, "loss")
        assert [point.value for point in points] == [float(step) for step in range(last + 1)]
        assert run.state is RunState.CRASHED
        assert run.ended_at >= points[-1].ts - 1
        assert list((workspace.spool / "runs").glob("*.seg")) == []


def test_every_number_that_was_acknowledged_before_an_outside_kill_is_there(script, workspace):
    process = script(_ENDLESS)
    run_id = process.stdout.readline().strip()
    acknowledged = 0
    until = time.monotonic() + 1.5  # long enough for the background thread to be in the middle of its work
    while time.monotonic() < until:
        acknowledged = int(process.stdout.readline())
    process.kill()
    acknowledged = int(([acknowledged, *process.stdout.read().split("\n")[:-1]])[-1])
    process.wait()
    with Workbench(workspace, actor="reader") as bench:
        bench.experiments.sweep()
        assert bench.experiments.metrics(run_id)["loss"].count >= acknowledged > 1000
        steps = [point.step for point in bench.experiments.history(run_id, "loss")]
        assert steps == list(range(len(steps)))


def test_two_processes_logging_ten_thousand_metrics_each_lose_none(script, workspace):
    processes = [script(_LOGGER) for _ in range(2)]
    with Workbench(workspace, actor="reader") as bench:
        while any(process.poll() is None for process in processes):
            bench.experiments.take_in()  # a third reader, as the TUI or the daemon would be
            bench.experiments.runs()
            time.sleep(0.05)
        for process in processes:
            out, err = process.communicate()
            assert (process.returncode, err) == (0, "")
            run = bench.experiments.run(out.strip())
            assert run.state is RunState.FINISHED
            assert [point.value for point in bench.experiments.history(run.id, "loss")] == [
                step * 0.5 for step in range(10_000)
            ]
            assert bench.experiments.params(run.id) == {"steps": "10000"}
        assert bench.experiments.experiment("both").runs == 2
        assert list((workspace.spool / "runs").glob("*.seg")) == []
