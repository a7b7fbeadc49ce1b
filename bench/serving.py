"""CPU per request and requests per second of our gateway, beside a plain server that holds the same model in its own process.

    python bench/serving.py [--seconds 5] [--clients 8]

Both answer the same JSON body with the same pipeline (30 numbers, scaler and logistic regression). The plain server is FastAPI if
it is installed, else uvicorn with the smallest ASGI application; it logs nothing, ours logs every prediction before it
answers. On a busy machine trust the CPU column: it is what the server's process tree used, divided by its answers.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROW = {f"f{place}": place / 10 for place in range(30)}
BODY = json.dumps({"dataframe_records": [ROW]}).encode()

PLAIN = """
import json, sys, joblib, pandas as pd, uvicorn
model = joblib.load(sys.argv[1])
def predict(records): return model.predict(pd.DataFrame(records)).tolist(), model.predict_proba(pd.DataFrame(records)).tolist()
async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive(); body += message.get("body", b""); more = message.get("more_body", False)
    found, _ = predict(json.loads(body)["dataframe_records"])
    data = json.dumps({"predictions": found}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": data})
if sys.argv[3] == "fastapi":
    from fastapi import FastAPI
    app = FastAPI()
    @app.post("/{path:path}")
    def answer(path: str, body: dict): return {"predictions": predict(body["dataframe_records"])[0]}
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", lifespan="off")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=8)
    given = parser.parse_args()
    plain = "fastapi" if importlib.util.find_spec("fastapi") else "plain ASGI"
    with tempfile.TemporaryDirectory() as folder:
        root, model = prepare(Path(folder))
        port = free_port()
        gateway = [sys.executable, "-m", "mlops_tui.web.inference", "--workspace", str(root), "--port", str(port)]
        print(
            f"{'server':<12} {'clients':>7} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us/req':>11} {'RSS MiB':>8}"
        )
        for name, command, at in (
            ("ours", gateway, port),
            (plain, [sys.executable, "-c", PLAIN, str(model), str(port + 1), plain], port + 1),
        ):
            measure(name, command, at, given.seconds, (1, given.clients))


def prepare(folder: Path) -> tuple[Path, Path]:
    """Register and deploy the model; the workspace and the bare model file."""
    import joblib
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.registry import package
    from mlops_tui.workbench import Workbench

    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(500, 30)), columns=list(ROW))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows["f0"] > 0)
    joblib.dump(model, folder / "model.joblib")
    package.save(folder / "package", model, sample=rows, task="classification", target="y")
    workspace = Workspace.create(folder / "project")
    with Workbench(workspace, actor="bench") as bench:
        bench.registry.register("bench", folder / "package")
        bench.serving.deploy("bench", "bench/1")
    return workspace.root, folder / "model.joblib"


def measure(name: str, command: list[str], port: int, seconds: float, clients: tuple[int, ...]) -> None:
    """Start a server, load it with each number of clients, print a line each."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    server = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + 120
        while not answers(port):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for count in clients:
            before = cpu_seconds(server.pid)
            latencies = load(port, count, seconds)
            used = cpu_seconds(server.pid) - before
            latencies.sort()
            done = len(latencies)
            print(
                f"{name:<12} {count:>7} {done / seconds:>8.0f} {latencies[done // 2] * 1000:>8.2f} "
                f"{latencies[int(done * 0.99)] * 1000:>8.2f} {used / done * 1e6:>11.0f} {rss_mib(server.pid):>8.0f}"
            )
    finally:
        server.terminate()
        server.wait()


def load(port: int, clients: int, seconds: float) -> list[float]:
    """Seconds per answered request of kept-alive clients in a process of their own."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import serving; serving.client_main()"
    words = [sys.executable, "-c", code, str(port), str(clients), str(seconds)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


def client_main() -> None:
    port, clients, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    latencies: list[float] = []
    until = time.monotonic() + seconds

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.monotonic() < until:
            begun = time.perf_counter()
            connection.request("POST", "/deployments/bench/invocations", BODY, {"content-type": "application/json"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            latencies.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(latencies))


def answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", "/deployments/bench/invocations", BODY, {"content-type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    import psutil

    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def cpu_seconds(pid: int) -> float:
    import psutil

    return sum(sum(psutil.Process(one).cpu_times()[:2]) for one in tree(pid))


def rss_mib(pid: int) -> float:
    """Proportional set size, since forked workers share pages."""
    import psutil

    return sum(psutil.Process(one).memory_full_info().pss for one in tree(pid)) / 2**20


if __name__ == "__main__":
    main()
