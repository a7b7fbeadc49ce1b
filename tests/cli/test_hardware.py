"""`mlops hardware`: the machine as a table and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import NotAllowed, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.hardware.probes import Probe
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, GpuProcess, GpuState, Mig
from mlops_tui.workbench import Workbench

Mlops = Callable[..., Result]


@pytest.fixture
def mlops(workspace: Workspace) -> Mlops:
    def run(*arguments: Any) -> Result:
        return CliRunner().invoke(cli, ["--workspace", str(workspace.project), "hardware", *map(str, arguments)])

    return run


def test_show_has_the_machine_its_limits_and_the_state_of_the_driver(mlops: Mlops) -> None:
    shown = mlops("show")
    assert shown.exit_code == 0, shown.output
    assert "processors" in shown.stdout
    document = json.loads(mlops("show", "--json").stdout)
    assert document["memory_total"] > 0
    assert document["limits"]["cpus_allowed"] >= 1
    assert isinstance(document["driver"], str)


def test_history_says_where_it_comes_from_when_there_is_none(mlops: Mlops) -> None:
    assert "mlops daemon start" in mlops("history").stderr
    assert "mlops daemon start" in mlops("history", "cpu").stderr


def test_history_lists_series_and_points(mlops: Mlops, workspace: Workspace) -> None:
    bench = Workbench(workspace, actor="sampler")
    bench.hardware.record(bench.hardware.read())
    bench.hardware.flush()
    bench.close()
    assert "memory" in [row["series"] for row in json.loads(mlops("history", "--json").stdout)]
    points = json.loads(mlops("history", "memory", "--json").stdout)
    assert json.loads(mlops("history", "memory", "--of", "this machine", "--json").stdout) == points
    assert len(points) == 1
    assert 0 < points[0]["min"] <= points[0]["max"] < 100
    assert points[0]["at"].endswith("Z")
    assert isinstance(mlops("history", "memry").exception, NotFound)


def test_processes_hold_this_one(mlops: Mlops) -> None:
    found = json.loads(mlops("processes", "--limit", 10_000, "--json").stdout)
    assert os.getpid() in {process["pid"] for process in found}
    assert mlops("processes", "--sort", "memory", "--limit", 3).stdout.count("\n") == 4


def test_processes_say_what_they_work_for(mlops: Mlops, workspace: Workspace) -> None:
    bench = Workbench(workspace, actor="ana")
    run = bench.experiments.start("churn")  # of this process
    bench.close()
    own = json.loads(mlops("processes", "--own", "--limit", 10_000, "--json").stdout)
    mine = next(one for one in own if one["pid"] == os.getpid())
    assert mine["owner"] == f"run {run.id}"
    assert mine["threads"] >= 1
    shown = mlops("processes", "--own", "--tree").stdout
    assert f"run {run.id}" in shown
    assert mlops("processes", "--own", "--tree", "--limit", 1).stdout.count("\n") == 2


def test_gpu_processes_without_a_gpu_are_a_reason(mlops: Mlops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "gpus", lambda self: (Driver.NOT_LOADED, ()))
    monkeypatch.setattr(Probe, "driver", lambda self: Driver.NOT_LOADED)
    assert "driver not loaded" in str(mlops("processes", "--sort", "gpu").exception)
    assert "driver not loaded" in mlops("gpus").stderr
    assert isinstance(mlops("gpus", "0").exception, NotFound)


def test_gpus_are_listed_with_their_parts_what_is_lost_and_what_is_not_supported(
    mlops: Mlops, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Mig(0, "MIG 1g", memory_used=10**9, memory_total=4 * 10**9, processes=(GpuProcess(12, None),))
    well = Gpu(
        0,
        "H200",
        GpuState.OK,
        memory_used=10**9,
        memory_total=10**10,
        temperature=41.0,
        mig=(part,),
        throttle=("power cap",),
    )
    gpus = (well, Gpu(1, "GPU 1", GpuState.LOST))
    facts = [
        Fact("memory", "used", 10**9, "B"),
        Fact("power", "usage", None, "W", "not supported"),
        Fact("errors", "ecc", True),
        Fact("errors", "ever", 0),
    ]
    monkeypatch.setattr(Probe, "gpus", lambda self: (Driver.OK, gpus))
    monkeypatch.setattr(Probe, "facts", lambda self, index, part=None: [] if index else facts)
    lines = mlops("gpus").stdout.splitlines()
    assert "not supported" in lines[1]  # its use: no zero is made up
    assert "power cap" in lines[1]
    assert "0.0" in lines[2]
    assert "hidden" in lines[3]
    assert lines[4].split()[:4] == ["1", "GPU", "1", "lost"]
    assert [one["state"] for one in json.loads(mlops("gpus", "--json").stdout)] == ["ok", "lost"]
    shown = mlops("gpus", "0").stdout
    assert shown.splitlines()[4].split() == ["errors", "ever", "0"]  # a count is no yes or no
    assert "1.0 GB" in shown
    assert "not supported" in shown
    assert "yes" in shown
    assert json.loads(mlops("gpus", "0", "--json").stdout)[1]["missing"] == "not supported"
    assert isinstance(mlops("gpus", "1").exception, Unavailable)


def test_a_process_that_is_not_ours_is_left_alone_and_nobody_is_asked_without_a_terminal(mlops: Mlops) -> None:
    assert isinstance(mlops("kill", os.getpid()).exception, NotAllowed)
    assert "--yes" in mlops("kill", os.getpid()).exception.hint
    assert "not of this workspace" in str(mlops("kill", os.getpid(), "--yes").exception)
    assert "not of this workspace" in str(mlops("nice", os.getpid(), "-5", "--yes").exception)
    assert isinstance(mlops("kill", 2**22 + 1, "--yes").exception, NotFound)


def test_a_process_of_a_run_can_be_made_nicer(mlops: Mlops, workspace: Workspace) -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]) as child:
        try:
            bench = Workbench(workspace, actor="ana")
            run = bench.experiments.start("churn")  # of this process, so those below it are of the run, too
            bench.close()
            said = json.loads(mlops("nice", child.pid, 19, "--yes", "--json").stdout)
            assert said["pid"] == child.pid
            assert os.getpriority(os.PRIO_PROCESS, child.pid) == 19
            assert run.id in mlops("kill", child.pid, "--signal", "kill", "--yes").stderr
            assert child.wait(10) == -9
        finally:
            child.kill()


def test_loads_and_their_history(mlops: Mlops, workspace: Workspace) -> None:
    assert "mlops daemon status" in mlops("loads").stderr
    bench = Workbench(workspace, actor="sampler")
    now = bench.context.now()
    values = {"cpu_percent": 12.3, "memory_mb": 100.0, "saturation": 12.3}
    bench.hardware.record_loads([("deployment churn", now, values), ("job 7", now, {"cpu_percent": 5.0})])
    bench.close()
    found = json.loads(mlops("loads", "--kind", "deployment", "--json").stdout)
    assert found[0]["subject"] == "deployment churn"
    assert found[0]["saturation"] == pytest.approx(12.3)
    assert (found[0]["requests"], found[0]["success_rate"]) == (0, None)
    assert "job 7" in mlops("loads").stdout
    assert json.loads(mlops("history", "--of", "job 7", "--json").stdout) == [{"series": "cpu_percent"}]
    assert json.loads(mlops("history", "cpu_percent", "--of", "job 7", "--json").stdout)[0]["avg"] == 5.0
    drawn = mlops("history", "--of", "deployment churn", "--plot").stdout
    assert "saturation" in drawn
    assert "cpu_percent" in drawn
    missed = mlops("history", "cpu_percent", "--of", "job 8").exception
    assert isinstance(missed, NotFound)
    assert "job 7" in missed.hint
