"""The stock Feast client, unchanged, with our gateway as its online store: a script that imports nothing of ours.

Feast is no dependency of ours. MLOPS_TEST_FEAST_PYTHON names an interpreter that has it; without it this interpreter is asked.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

PYTHON = os.environ.get("MLOPS_TEST_FEAST_PYTHON", sys.executable)
SCRIPT = Path(__file__).parent / "feast_stock_client.py"


@pytest.mark.e2e
@pytest.mark.slow
def test_a_script_of_the_stock_client_reads_what_is_online(workspace, workbench, tmp_path):
    if sys.executable == PYTHON and importlib.util.find_spec("feast") is None:
        pytest.skip(f"{PYTHON} has no feast; name one that has in MLOPS_TEST_FEAST_PYTHON")
    workbench.features.create("customers", ["customer_id"], time="at")
    rows = [{"customer_id": 1, "at": "2026-11-20T10:00:00.5Z", "spend": 12.5, "orders": 3, "plan": "pro"}]
    rows += [{"customer_id": 2, "at": "2026-11-20T11:00:00Z", "spend": None, "orders": 0, "plan": "free"}]
    workbench.features.ingest("customers", rows)
    workbench.features.materialize("customers")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlops_tui.web.inference", "--workspace", str(workspace.root), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as gateway:
        try:
            _answers(f"{url}/health/live", gateway)
            done = subprocess.run(
                [PYTHON, str(SCRIPT), url], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=220
            )
        finally:
            gateway.terminate()
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["answer"] == {
        "customer_id": [1, 2, 9],
        "spend": [12.5, None, None],
        "orders": [3, 0, None],
        "plan": ["pro", "free", None],
    }
    assert said["full"]["customers__plan"] == ["pro"]
    present, unknown, null = "1", "3", "2"  # feast.protos.feast.serving.ServingService.FieldStatus
    assert said["statuses"]["spend"] == [present, null, unknown]
    assert "spent" in said["refused"]


def _answers(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the gateway did not come up")
