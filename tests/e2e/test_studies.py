"""A study over processes, and over the death of all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("optuna")

from mlops_tui.core import processes
from mlops_tui.studies.book import Book
from mlops_tui.workbench import Workbench

OBJECTIVE = """
import pathlib, time
def objective(trial):
    x = trial.suggest_float("x", 0, 1)
    if not pathlib.Path("go").exists():
        pathlib.Path(f"trial{trial.number}").touch()
        time.sleep(60)
    return x
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_a_killed_study_goes_on_and_loses_at_most_the_trials_that_ran(workspace, tmp_path):
    (tmp_path / "train.py").write_text(OBJECTIVE)
    mlops = [sys.executable, "-m", "mlops_tui", "--workspace", str(workspace.root), "studies"]
    environment = {**processes.package_environment(), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*mlops, "create", "s", "--objective", "train:objective"], check=True, env=environment, capture_output=True
    )
    first = subprocess.Popen([*mlops, "run", "s", "--trials", "4", "--jobs", "2"], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 60
    while not (tmp_path / "trial0").exists() or not (tmp_path / "trial1").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    (tmp_path / "go").touch()
    done = subprocess.run(
        [*mlops, "run", "s", "--trials", "4"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with Workbench(workspace) as bench:
        standing = Book(bench).standing(Book(bench).get("s"))
    assert [trial.state for trial in standing.trials] == [
        "lost",
        "lost",
        "complete",
        "complete",
        "complete",
        "complete",
    ]
    lost, again = standing.trials[:2], standing.trials[2:4]
    assert {trial.params["x"] for trial in lost} == {trial.params["x"] for trial in again}
