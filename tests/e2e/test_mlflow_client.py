"""The stock MLflow client, unchanged, against our server: a script that imports nothing of ours (mlflow_stock_client.py).

It runs with the mlflow-skinny of the development environment. MLOPS_TEST_MLFLOW_PYTHON names another interpreter (with mlflow, or
with mlflow-skinny alone, which leaves out what needs scikit-learn), and then MLflow also finds out by itself what a model needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_tui.workbench import Workbench

PYTHON = os.environ.get("MLOPS_TEST_MLFLOW_PYTHON", sys.executable)
SCRIPT = Path(__file__).parent / "mlflow_stock_client.py"


@contextlib.contextmanager
def server(workspace) -> Iterator[tuple[str, subprocess.Popen]]:
    command = [sys.executable, "-m", "mlops_tui.web.tracking", "--workspace", str(workspace.root), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            assert "answering on http://" in line, line
            yield line.split()[-1], process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def post(url: str, path: str, body: dict) -> dict:
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.e2e
@pytest.mark.slow
def test_a_script_of_the_stock_client_runs_unchanged(workspace, tmp_path):
    has = subprocess.run([PYTHON, "-c", "import mlflow"], capture_output=True, check=False, cwd=tmp_path)
    if has.returncode:
        pytest.skip(f"{PYTHON} has no mlflow; name one that has in MLOPS_TEST_MLFLOW_PYTHON")
    with server(workspace) as (url, _):
        done = subprocess.run(
            [PYTHON, str(SCRIPT), url, *(["quick"] if sys.executable == PYTHON else [])],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=220,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    with Workbench(workspace) as bench:
        run = bench.experiments.run(said["run"])
        assert (run.experiment, run.name, run.state) == ("credit risk / 2026", "outer", "finished")
        assert bench.experiments.params(run.id)["depth"] == "6"
        assert len(bench.experiments.history(run.id, "loss")) == 20
        assert bench.experiments.artifact_file(run.id, "notes/a.txt").read_text() == "hello"
        if said["learning"]:
            assert bench.registry.version("risk@champion").stage == "Production"
        assert bench.audit.verify().ok


@pytest.mark.e2e
@pytest.mark.slow
def test_nothing_answered_is_lost_when_the_server_is_killed(workspace):
    with server(workspace) as (url, process):
        run = post(url, "runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
        answered = 0
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            post(
                url, "runs/log-metric", {"run_id": run, "key": "m", "value": answered, "timestamp": 1, "step": answered}
            )
            answered += 1
        post(url, "runs/set-tag", {"run_id": run, "key": "last", "value": str(answered)})
        process.kill()
        process.wait()
    with Workbench(workspace) as bench:
        assert [point.value for point in bench.experiments.history(run, "m")] == [
            float(step) for step in range(answered)
        ]
        assert bench.experiments.run(run).tags["last"] == str(answered)


@pytest.mark.e2e
@pytest.mark.slow
def test_the_server_is_ready_in_a_second_of_cpu_and_stays_small(workspace):
    code = "import sys, mlops_tui.web.tracking, uvicorn; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pandas", "numpy", "sklearn", "duckdb", "pyarrow", "textual"} & set(loaded)
    with Workbench(workspace) as bench:  # the first start makes the tables
        _ = bench.experiments.remote, bench.registry.remote
    with server(workspace) as (url, process):
        assert urllib.request.urlopen(f"{url}/health", timeout=20).read() == b"OK"
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        assert cpu < 1.0
        (resident,) = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmRSS" in line]
        assert int(resident.split()[1]) < 100_000
