"""The main job as a user runs it: `mlops demo` in an empty folder, twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def mlops(folder: Path, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_")}
    return subprocess.run(
        [sys.executable, "-m", "mlops_tui", *arguments],
        cwd=folder, env=env | {"OMP_NUM_THREADS": "1"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def test_the_demo_closes_the_loop_and_a_second_run_goes_on_from_there(tmp_path: Path) -> None:
    first = mlops(tmp_path, "demo", "--months", "2")
    assert first.returncode == 0, first.stderr
    for part in (
        "bike-demand/1",
        "predicts worse",
        "started by itself",
        "bike-demand/2 promoted: errors",
        "0 failed",
        "chain intact",
        "Loop         closed",
    ):
        assert part in first.stdout, f"{part!r} is not in:\n{first.stdout}\n{first.stderr}"
    [prediction] = [line.split()[-1] for line in first.stdout.splitlines() if line.startswith("  mlops why ")]

    story = mlops(tmp_path, "why", prediction, "--json")
    assert story.returncode == 0, story.stderr
    kinds = [item["kind"] for item in json.loads(story.stdout)]
    assert kinds == [
        "prediction",
        "model version",
        "run",
        "pipeline",
        "snapshot",
        "snapshot",
    ]  # and no commit outside git

    [alert] = [
        one
        for one in json.loads(mlops(tmp_path, "alerts", "list", "--all", "--json").stdout)
        if one["title"].startswith("bike-demand: version 1 predicts worse")
    ]
    events = json.loads(mlops(tmp_path, "alerts", "story", str(alert["id"]), "--json").stdout)
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    told = [event["kind"] for event in events]
    order = [told.index(kind) for kind in ("report", "alert", "job", "gate", "rollout")]
    assert order == sorted(order), told
    [promoted] = [event for event in events if event["words"].startswith("promoted")]
    assert promoted["command"] == "mlops deployments rollout bike-demand --number 1"

    status = json.loads(mlops(tmp_path, "status", "--json").stdout)
    assert (status["daemon"], status["counts"]["tables"], status["counts"]["models"]) == (False, 2, 1)

    again = mlops(tmp_path, "demo", "--months", "2")
    assert again.returncode == 0, again.stderr
    assert "exists" in again.stderr
    assert "was done before" in again.stderr
    assert mlops(tmp_path, "audit", "verify").returncode == 0
    assert mlops(tmp_path, "doctor").returncode == 0
