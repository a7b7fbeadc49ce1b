"""The gateway as a real process: swaps and kills under load, and what its log says afterwards."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry import package
from mlops_tui.domains.serving.records import State
from mlops_tui.workbench import Workbench

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ROW = {"a": 0.5, "n": 2, "c": "x"}
HEADERS = {"content-type": "application/json"}


class Running:
    """A gateway process on a free port, with the workbench of a person beside it."""

    def __init__(self, workspace: Workspace, log: Path) -> None:
        self.bench = Workbench(workspace, actor="ana")
        self.port = free_port()
        self.log = log
        command = [sys.executable, "-m", "mlops_tui.web.inference", "--workspace", str(workspace.root)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)], stdout=out, stderr=out, env=environment
            )

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, HEADERS if headers is None else headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        is_json = response.getheader("content-type") == "application/json"
        return response.status, json.loads(text) if is_json else text.decode()

    def deployment(self, name: str = "churn") -> Any:
        return self.bench.serving.get(name)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self.bench.close()


class Load:
    """Constant traffic on kept-alive connections; every answer and every failure is kept."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.ids: list[str] = []
        self.versions: set[str] = set()
        self.failures: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _client(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = json.dumps({"dataframe_records": [ROW]}).encode()
        while not self._over.is_set():
            try:
                connection.request("POST", "/deployments/churn/invocations", body, HEADERS)
                response = connection.getresponse()
                text = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                continue
            if response.status != 200:
                self.failures.append(f"{response.status} {text!r}")
                continue
            self.ids.extend(json.loads(text)["prediction_ids"])
            self.versions.add(str(response.getheader("x-model-version")))
            time.sleep(0.005)
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def register(bench: Workbench, folder: Path, strength: float) -> int:
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    random = np.random.default_rng(7)
    rows = pd.DataFrame(
        {"a": random.normal(size=200), "n": random.integers(0, 5, 200), "c": random.choice(list("xyz"), 200)}
    )
    truth = (rows["a"] + random.normal(size=200) > 0).astype(int)
    columns = make_column_transformer((StandardScaler(), ["a", "n"]), (OneHotEncoder(handle_unknown="ignore"), ["c"]))
    model = make_pipeline(columns, LogisticRegression(C=strength)).fit(rows, truth)
    package.save(folder, model, sample=rows, task="classification", target="left")
    return bench.registry.register("churn", folder).version


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serving")
    workspace = Workspace.create(folder / "project")
    bench = Workbench(workspace, actor="ana")
    for place, strength in enumerate((1.0, 0.1)):
        register(bench, folder / f"package{place}", strength)
    bench.serving.deploy("churn", "churn/1")
    bench.close()
    gateway = Running(workspace, folder / "gateway.log")
    try:
        eventually(lambda: gateway.deployment().state is State.READY, 120)
        yield gateway
    finally:
        gateway.stop()


def test_a_deployment_answers_v2_and_its_prediction_is_found_at_once(running: Running) -> None:
    tensors = [
        {"name": name, "shape": [1], "datatype": kind, "data": [ROW[name]]}
        for name, kind in (("a", "FP64"), ("n", "INT64"), ("c", "BYTES"))
    ]
    status, answer = running.ask("POST", "/v2/models/churn/infer", {"id": "r-1", "inputs": tensors})
    assert status == 200
    assert (answer["id"], answer["model_name"], answer["outputs"][0]["name"]) == ("r-1", "churn", "prediction")
    found = running.bench.serving.prediction(answer["parameters"]["prediction_ids"][0])
    assert (found.inputs, found.request_id, found.prediction) == (ROW, "r-1", answer["outputs"][0]["data"][0])
    assert found.score == pytest.approx(answer["outputs"][1]["data"][1])


def test_twenty_swaps_under_load_fail_no_request(running: Running) -> None:
    with Load(running.port) as load:
        for turn in range(20):
            wanted = running.bench.serving.deploy("churn", f"churn/{turn % 2 + 1}")
            eventually(lambda wanted=wanted: running.deployment().state is State.READY, 30)
            assert [route.version for route in wanted.versions] == [turn % 2 + 1]
    assert load.failures == []
    assert load.versions == {"1", "2"}
    assert len(load.ids) > 100


def test_killed_workers_fail_no_request_and_lose_no_answered_prediction(running: Running) -> None:
    with Load(running.port) as load:
        for _ in range(5):
            answered = len(load.ids)
            eventually(lambda answered=answered: len(load.ids) > answered + 20)
            os.kill(running.deployment().versions[0].pid, signal.SIGKILL)
            eventually(lambda: running.deployment().state is State.READY and len(load.ids) > 0, 30)
            time.sleep(0.2)
    assert load.failures == []
    logged = {row.id for row in running.bench.serving.predictions("churn", limit=1_000_000)}
    assert set(load.ids) <= logged
    running.bench.serving.compact()
    compacted = running.bench.serving.predictions("churn", limit=1_000_000)
    assert logged <= {row.id for row in compacted}
    assert len(compacted) == len({row.id for row in compacted})


def test_a_canary_takes_its_share(running: Running) -> None:
    running.bench.serving.split("churn", {1: 75, 2: 25})
    eventually(lambda: running.deployment().state is State.READY)
    versions = [running.ask("POST", "/invocations", {"inputs": {k: [v] for k, v in ROW.items()}}) for _ in range(40)]
    rows = running.bench.serving.predictions("churn", limit=40)
    assert [status for status, _ in versions] == [200] * 40
    assert 8 <= sum(row.version == 2 for row in rows) <= 12


def test_a_model_that_fails_to_load_leaves_the_old_version_in_service(running: Running, tmp_path: Path) -> None:
    version = register(running.bench, tmp_path / "package", 0.5)
    sha = running.bench.registry.version(f"churn/{version}").sha
    model_sha = running.bench.context.artifacts.manifest(sha)["model.joblib"]
    path = running.bench.context.artifacts.path(model_sha)
    path.chmod(0o600)
    path.write_bytes(b"altered")
    running.bench.serving.deploy("churn", f"churn/{version}")
    eventually(lambda: running.deployment().state is State.DEGRADED)
    assert "altered" in running.deployment().detail
    assert running.ask("POST", "/invocations", {"dataframe_records": [ROW]})[0] == 200
    running.bench.serving.rollback("churn")
    eventually(lambda: running.deployment().state is State.READY)


def test_a_second_gateway_on_a_taken_port_says_so_in_one_sentence(running: Running, tmp_path: Path) -> None:
    other = Workspace.create(tmp_path / "other")
    command = [sys.executable, "-m", "mlops_tui.web.inference", "--workspace", str(other.root)]
    done = subprocess.run([*command, "--port", str(running.port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7
    assert done.stderr.startswith(f"Error: Port {running.port} on 127.0.0.1 cannot be used")
    assert "Traceback" not in done.stderr


def test_workers_end_with_a_killed_gateway_and_the_next_one_serves_again(running: Running) -> None:
    # The last test: it replaces the module's gateway.
    worker = running.deployment().versions[0].pid
    answer = running.ask("POST", "/invocations", {"dataframe_records": [ROW]})[1]
    running.process.kill()
    running.process.wait()
    eventually(lambda: not Path(f"/proc/{worker}/cmdline").exists() or not Path(f"/proc/{worker}/cmdline").read_bytes())
    assert running.deployment().state is State.STARTING
    assert "no gateway" in running.deployment().detail
    assert running.bench.serving.prediction(answer["prediction_ids"][0]).prediction == answer["predictions"][0]
    again = Running(running.bench.workspace, running.log)
    try:
        eventually(lambda: again.deployment().state is State.READY, 120)
        assert again.ask("POST", "/invocations", {"dataframe_records": [ROW]})[0] == 200
    finally:
        again.stop()
    assert again.process.returncode == 0
