"""The servers that bench/serving.py measures: ours, and peers from virtual environments of their own, with the same models.

A peer is run as its own documentation says, with one worker, one thread for numeric libraries, and its quickest ordinary
input: bare numbers where it takes them. Each answers probabilities.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

COLUMNS = [f"f{place}" for place in range(30)]
VALUES = [round(0.1 * place - 1.5, 3) for place in range(30)]
MODELS = ("linear", "forest")
ROWS = json.dumps({"rows": [VALUES]}).encode()
TENSOR = {"inputs": [{"name": "rows", "shape": [1, 30], "datatype": "FP64", "data": VALUES}]}
SPLIT = {"dataframe_split": {"columns": COLUMNS, "data": [VALUES]}}

FASTAPI = """
import sys, joblib, pandas as pd, uvicorn
from fastapi import FastAPI
model, port = joblib.load(sys.argv[1]), int(sys.argv[2])
columns = [f"f{place}" for place in range(30)]
app = FastAPI()
@app.post("/predict")
def predict(body: dict): return {"probabilities": model.predict_proba(pd.DataFrame(body["rows"], columns=columns)).tolist()}
uvicorn.run(app, port=port, log_level="warning")
"""
BENTOML = """
import os, joblib, numpy as np, bentoml
@bentoml.service(workers=1)
class Model:
    def __init__(self): self.model = joblib.load(os.environ["BENCH_MODEL"])
    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray: return self.model.predict_proba(rows)
"""
MLFLOW = """
import sys, joblib, mlflow
mlflow.sklearn.save_model(joblib.load(sys.argv[1]), sys.argv[2], pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle")
"""


@dataclasses.dataclass
class Server:
    """A server under test: `requests` are the path, body and headers per model; `processes` one or one per model."""

    name: str
    requests: dict[str, tuple[int, str, bytes, dict[str, str]]]
    start: Callable[[], list[subprocess.Popen[bytes]]]
    processes: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)


def train(folder: Path) -> None:
    """Write both models, fitted on bare numbers, as `linear.joblib` and `forest.joblib`."""
    import joblib
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    rows = random.normal(size=(2000, 30))
    truth = (rows[:, 0] + rows[:, 1] ** 2 + random.normal(size=2000) > 1).astype(int)
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, truth), folder / "linear.joblib")
    joblib.dump(RandomForestClassifier(100, random_state=0).fit(rows, truth), folder / "forest.joblib")
    np.save(folder / "rows.npy", rows[:200])


def ours(folder: Path, port: int) -> Server:
    """Our gateway over a workspace with both models deployed, a token needed, the log on."""
    import joblib
    import numpy as np
    import pandas as pd

    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.registry import package
    from mlops_tui.workbench import Workbench

    workspace = Workspace.create(folder / "project")
    sample = pd.DataFrame(np.load(folder / "rows.npy"), columns=COLUMNS)
    with Workbench(workspace, actor="bench") as bench:
        for name in MODELS:
            estimator = joblib.load(folder / f"{name}.joblib")
            package.save(folder / name, estimator, sample=sample, task="classification", target="y")
            bench.registry.register(name, folder / name)
            bench.serving.deploy(name, f"{name}/1")
        _, secret = bench.serving.tokens.create("bench")
    command = [sys.executable, "-m", "mlops_tui.web.inference", "--workspace", str(workspace.root), "--port", str(port)]
    headers = {"authorization": f"Bearer {secret}"}
    body = json.dumps(TENSOR).encode()
    requests = {name: (port, f"/v2/models/{name}/infer", body, headers) for name in MODELS}
    return Server("ours", requests, lambda: [_run(command, folder, "ours")])


def mlserver(folder: Path, port: int, venv: Path) -> Server:
    home = folder / "mlserver"
    for name in MODELS:
        (home / name).mkdir(parents=True)
        uri = str(folder / f"{name}.joblib")
        settings = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": uri}}
        (home / name / "model-settings.json").write_text(json.dumps(settings))
    more = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "parallel_workers": 0, "debug": False}
    (home / "settings.json").write_text(json.dumps(more))
    body = json.dumps({**TENSOR, "outputs": [{"name": "predict_proba"}]}).encode()
    requests = {name: (port, f"/v2/models/{name}/infer", body, {}) for name in MODELS}
    return Server(
        "MLServer", requests, lambda: [_run([str(venv / "bin/mlserver"), "start", str(home)], folder, "mlserver")]
    )


def mlflow(folder: Path, port: int, venv: Path) -> Server:
    def start() -> list[subprocess.Popen[bytes]]:
        started = []
        for place, name in enumerate(MODELS):
            model = folder / f"mlflow-{name}"
            words = [str(venv / "bin/python"), "-c", MLFLOW, str(folder / f"{name}.joblib"), str(model)]
            subprocess.run(words, check=True, cwd=folder, capture_output=True)
            words = [str(venv / "bin/mlflow"), "models", "serve", "-m", str(model), "-p", str(port + place)]
            words += ["--env-manager", "local", "--workers", "1"]
            started.append(_run(words, folder, f"mlflow-{name}", {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}))
        return started

    body = json.dumps(SPLIT).encode()
    requests = {name: (port + place, "/invocations", body, {}) for place, name in enumerate(MODELS)}
    return Server("MLflow", requests, start)


def fastapi(folder: Path, port: int, venv: Path) -> Server:
    def start() -> list[subprocess.Popen[bytes]]:
        python = str(venv / "bin/python")
        return [
            _run([python, "-c", FASTAPI, str(folder / f"{name}.joblib"), str(port + place)], folder, f"fastapi-{name}")
            for place, name in enumerate(MODELS)
        ]

    requests = {name: (port + place, "/predict", ROWS, {}) for place, name in enumerate(MODELS)}
    return Server("FastAPI", requests, start)


def bentoml(folder: Path, port: int, venv: Path) -> Server:
    def start() -> list[subprocess.Popen[bytes]]:
        home = folder / "bentoml"
        home.mkdir(exist_ok=True)
        (home / "service.py").write_text(BENTOML)
        words = [str(venv / "bin/bentoml"), "serve", "service:Model"]
        found = []
        for place, name in enumerate(MODELS):
            more = {"BENCH_MODEL": str(folder / f"{name}.joblib"), "BENTOML_DO_NOT_TRACK": "true"}
            found.append(_run([*words, "--port", str(port + place)], home, f"bentoml-{name}", more))
        return found

    requests = {name: (port + place, "/predict", ROWS, {}) for place, name in enumerate(MODELS)}
    return Server("BentoML", requests, start)


PEERS = {"mlserver": mlserver, "mlflow": mlflow, "fastapi": fastapi, "bentoml": bentoml}


def _run(command: list[str], folder: Path, name: str, more: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        **(more or {}),
    }
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
