"""What deployments, runs and jobs take of the machine, from files as the kernel has them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.domains.hardware.records import GpuProcess
from mlops_tui.domains.jobs.records import Job
from mlops_tui.telemetry import loads
from mlops_tui.telemetry.loads import PAGE, TICK, Loads, Stat
from mlops_tui.telemetry.owners import Owner
from mlops_tui.workbench import Workbench

MB = 1_000_000


def stat(proc: Path, pid: int, parent: int, cpu_s: float, pages: int = 1000, threads: int = 2) -> None:
    (proc / str(pid)).mkdir(parents=True, exist_ok=True)
    half = int(cpu_s * TICK / 2)
    fields = ["S", parent, *[0] * 9, half, half, 0, 0, 20, 0, threads, 0, 5_000 + pid, 0, pages, *[0] * 10]
    (proc / str(pid) / "stat").write_text(f"{pid} (a (strange) name) " + " ".join(map(str, fields)))


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def taking(workbench: Workbench, tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch) -> Loads:
    """Looks at a made-up /proc with a job of two processes and a deployment of one worker."""
    known = [Owner("job", "7", (10,)), Owner("deployment", "churn", (20,), workers=1, restarts=3)]
    monkeypatch.setattr(loads, "owners", lambda _: known)
    monkeypatch.setattr(workbench.hardware, "on_gpus", lambda: None)
    for pid, parent in ((1, 0), (10, 1), (11, 10), (20, 1)):
        stat(tmp_path, pid, parent, 50.0)
    return Loads(workbench, proc=tmp_path, monotonic=lambda: now[0])


def test_processors_are_counted_between_two_looks_over_the_whole_tree(
    taking: Loads, workbench: Workbench, tmp_path: Path, now: list[float]
) -> None:
    assert taking.sample() == 0  # a rate needs two looks
    now[0] += 10
    stat(tmp_path, 11, 10, 60.0)
    stat(tmp_path, 12, 11, 5.0)  # began since: all it spent was spent since
    stat(tmp_path, 20, 1, 52.0)
    (tmp_path / "1" / "stat").unlink()
    assert taking.sample() == 2
    job = workbench.hardware.load("job 7")
    assert (job["cpu_percent"], job["processes"], job["threads"]) == (150.0, 3.0, 6.0)
    assert job["memory_mb"] == pytest.approx(3 * 1000 * PAGE / MB)
    churn = workbench.hardware.load("deployment churn")
    assert (churn["cpu_percent"], churn["saturation"], churn["workers"], churn["restarts"]) == (20.0, 20.0, 1.0, 3.0)
    assert "gpu_percent" not in churn  # no GPU here: that is no use of zero


def test_gpus_are_those_of_its_processes(taking: Loads) -> None:
    on_gpus = {
        10: {0: GpuProcess(10, 3 * MB, utilization=30.0), 1: GpuProcess(10, 2 * MB, utilization=20.0)},
        99: {0: GpuProcess(99, 50 * MB, utilization=50.0)},
    }
    stats = {10: Stat(1, 5, 0.0, 1, MB), 20: Stat(1, 6, 0.0, 1, MB)}
    known = [Owner("job", "7", (10,)), Owner("run", "3f", (20,))]
    found = taking.take(known, stats, 10.0, on_gpus)
    assert (found["job 7"]["gpu_percent"], found["job 7"]["gpu_memory_mb"]) == (50.0, 5.0)
    assert (found["run 3f"]["gpu_percent"], found["run 3f"]["gpu_memory_mb"]) == (0.0, 0.0)
    hidden = taking.take(known[:1], stats, 10.0, {10: {0: GpuProcess(10, None)}})["job 7"]
    assert hidden["gpu_percent"] is None  # it is on a GPU, and the driver does not say how much


def test_a_worker_can_use_no_more_than_its_time(taking: Loads) -> None:
    stats = {20: Stat(1, 6, 25.0, 8, MB)}
    found = taking.take([Owner("deployment", "churn", (20,), workers=2)], stats, 10.0, None)
    assert found["deployment churn"]["saturation"] == 100.0


def test_the_job_of_a_real_process_has_its_load(
    workbench: Workbench,
    working: Callable[[int], Job],
    sleeper: subprocess.Popen[bytes],
    now: list[float],
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(workbench.hardware, "on_gpus", lambda: None)
    job = working(sleeper.pid)
    taking = Loads(workbench, monotonic=lambda: now[0])
    taking.sample()
    now[0] += 10
    assert taking.sample() == 1
    found = workbench.hardware.load(f"job {job.id}")
    assert found["processes"] == 1.0
    assert found["memory_mb"] > 1


def test_with_nothing_running_nobody_is_looked_at(workbench: Workbench, tmp_path: Path) -> None:
    assert Loads(workbench, proc=tmp_path / "missing").sample() == 0
