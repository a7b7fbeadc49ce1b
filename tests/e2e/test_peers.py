"""Exports loaded by the programs they are for: real MLflow and real MLServer, each in an environment of its own.

Skipped without them: MLOPS_MLFLOW_PYTHON and MLOPS_MLSERVER_PYTHON name the Pythons (with scikit-learn and pandas too).
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_tui.domains.registry import package
from mlops_tui.workbench import Workbench

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def python(name: str) -> str:
    found = os.environ.get(name, "")
    if not found:
        pytest.skip(f"{name} names no Python")
    return found


@pytest.fixture
def rows() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame({"size": generator.normal(size=60), "kind": generator.choice(["a", "b"], 60)})


@pytest.fixture
def expected(workbench: Workbench, rows: pd.DataFrame, tmp_path: Path) -> list[list[float]]:
    """Register shop/1; what it says of the first five rows."""
    parts = [("n", StandardScaler(), ["size"]), ("c", OneHotEncoder(), ["kind"])]
    model = make_pipeline(ColumnTransformer(parts), LogisticRegression())
    model.fit(rows, np.where(rows["size"] > 0, "yes", "no"))
    package.save(tmp_path / "package", model, sample=rows, task="classification", target="y")
    workbench.registry.register("shop", tmp_path / "package")
    found: list[list[float]] = model.predict_proba(rows.head()).tolist()
    return found


def test_mlflow_loads_an_exported_model(
    workbench: Workbench, rows: pd.DataFrame, expected: Any, tmp_path: Path
) -> None:
    peer = python("MLOPS_MLFLOW_PYTHON")
    workbench.registry.export("shop/1", tmp_path / "model", "mlflow")
    script = (
        "import json, sys, mlflow, pandas as pd\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "rows = pd.DataFrame(json.loads(sys.argv[2]))\n"
        "print(json.dumps(model.predict(rows).to_dict('list') if hasattr(model.predict(rows), 'to_dict') "
        "else list(map(str, model.predict(rows)))))\n"
    )
    given = [peer, "-c", script, str(tmp_path / "model"), json.dumps(rows.head().to_dict("list"))]
    done = subprocess.run(given, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    labels = said if isinstance(said, list) else said["prediction"]
    assert labels == ["yes" if row[1] > 0.5 else "no" for row in expected]


def test_mlserver_serves_an_exported_model(
    workbench: Workbench, rows: pd.DataFrame, expected: Any, tmp_path: Path
) -> None:
    peer = python("MLOPS_MLSERVER_PYTHON")
    workbench.registry.export("shop/1", tmp_path / "model", "mlserver")
    ports = free_ports(3)
    names = ("MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT", "MLSERVER_METRICS_PORT")
    environment = {**os.environ, **{name: str(port) for name, port in zip(names, ports, strict=True)},
                   "MLSERVER_PARALLEL_WORKERS": "0", "OMP_NUM_THREADS": "1"}  # fmt: skip
    command = [str(Path(peer).with_name("mlserver")), "start", str(tmp_path / "model")]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        until_ready(ports[0], server, tmp_path / "log")
        tensors = [
            {"name": "size", "datatype": "FP64", "shape": [5], "data": rows["size"].head().tolist()},
            {"name": "kind", "datatype": "BYTES", "shape": [5], "data": rows["kind"].head().tolist()},
        ]
        status, body = ask(ports[0], "POST", "/v2/models/shop/infer", {"inputs": tensors})
    finally:
        server.terminate()
        server.wait(30)
    assert status == 200, body
    outputs = {one["name"]: one["data"] for one in body["outputs"]}
    assert outputs["prediction"] == ["yes" if row[1] > 0.5 else "no" for row in expected]
    assert outputs["probabilities"] == pytest.approx([value for row in expected for value in row])


def ask(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, json.dumps(body).encode(), {"content-type": "application/json"})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, json.loads(text) if text.startswith(b"{") else text.decode()


def until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            if ask(port, "GET", "/v2/models/shop/ready")[0] == 200:
                return
        except OSError:  # it does not listen yet
            pass
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    doors = [socket.socket() for _ in range(count)]
    try:
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [int(door.getsockname()[1]) for door in doors]
    finally:
        for door in doors:
            door.close()
