"""`mlops hardware`: the machine as a table and as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import NotFound
from mlops_tui.core.workspace import Workspace
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
    assert len(points) == 1
    assert 0 < points[0]["min"] <= points[0]["max"] < 100
    assert points[0]["at"].endswith("Z")
    assert isinstance(mlops("history", "memry").exception, NotFound)


def test_processes_hold_this_one(mlops: Mlops) -> None:
    found = json.loads(mlops("processes", "--limit", 10_000, "--json").stdout)
    assert os.getpid() in {process["pid"] for process in found}
    assert mlops("processes", "--sort", "memory", "--limit", 3).stdout.count("\n") == 4
