"""The tracking server: what a call of MLflow's stock client costs against ours and against MLflow's own, on this machine in one run.

    MLOPS_BENCH_MLFLOW_PYTHON=~/mlflow/bin/python python bench/tracking_http.py

That interpreter has mlflow; without it the lines about the stock client are left out, and only the answers of our server are
measured, by plain HTTP on one connection. MLflow's server runs with one worker on SQLite: its fastest setting. What is compared
survives kill -9 of the server on both sides.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

PYTHON = os.environ.get("MLOPS_BENCH_MLFLOW_PYTHON", "")
PEER_PORT = int(os.environ.get("MLOPS_BENCH_PORT", "5717"))
RUNS, POINTS = 5_000, 100_000
CLIENT = """
import json, sys, time, mlflow
from mlflow import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client, calls = MlflowClient(), int(sys.argv[2])
run = client.create_run("0").info.run_id
client.log_metric(run, "warm", 1.0)
said = {}
for name, call in {
    "log_metric": lambda i: client.log_metric(run, "loss", 0.5, step=i),
    "get_run": lambda i: client.get_run(run),
    "create_run": lambda i: client.create_run("0"),
}.items():
    n = calls if name == "log_metric" else calls // 4
    cpu, began = time.process_time(), time.perf_counter()
    for i in range(n):
        call(i)
    said[name] = [n / (time.perf_counter() - began), (time.process_time() - cpu) / n * 1000]
print(json.dumps(said))
"""


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).read()
        except OSError:
            assert process.poll() is None, "the server ended"
            time.sleep(0.02)
        else:
            return


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and its children so far."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(path.parent.name) == pid or int(words[2]) == pid:  # the process, or one of its group
            total += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return total


def resident_mb(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1000


def start(command: list[str], url: str) -> subprocess.Popen[bytes]:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(url, process)
    took = time.perf_counter() - began
    print(f"  ready after {took:.2f} s ({cpu_of(process.pid):.2f} s CPU), {resident_mb(process.pid):.0f} MB resident")
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def stock(url: str, pid: int, calls: int, cwd: str) -> dict[str, list[float]]:
    """Calls per second and CPU ms per call of the client, by kind of call."""
    before = cpu_of(pid)
    done = subprocess.run([PYTHON, "-c", CLIENT, url, str(calls)], capture_output=True, text=True, check=True, cwd=cwd)
    said: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    for name, (rate, cpu) in said.items():
        print(f"  {name:11} {rate:8,.0f}/s   client CPU {cpu:5.2f} ms a call")
    print(f"  server CPU  {(cpu_of(pid) - before) / (1.5 * calls) * 1000:.2f} ms a call, all kinds together")
    return said


def seed(workspace: Workspace) -> str:
    """5,000 runs with 10 parameters and 10 metrics each, and one with 100,000 points; that one's id."""
    with Workbench(workspace) as bench:
        remote = bench.experiments.remote
        number = remote.experiments.create("many", {})
        with bench.context.catalog.write(), bench.context.metrics.write():
            for place in range(RUNS):
                run = remote.runs.create(number, started_at=place + 1, tags={"team": "growth"}).id
                metrics = [(f"m{i}", (place * 7919 + i) % 10_007 / 10_007, place + 1, 0) for i in range(10)]
                remote.runs.log(run, metrics, {f"p{i}": str(place % (i + 2)) for i in range(10)}, {})
            last = remote.runs.create(0, started_at=1, tags={}).id
            remote.runs.log(last, [("loss", 1 / (step + 1), step + 1, step) for step in range(POINTS)], {}, {})
        assert remote.experiments.get(number).id == number
        return f"{number} {last}"


def timed(name: str, call: Callable[[], object], times: int, pid: int) -> None:
    each, before = [], cpu_of(pid)
    for _ in range(times):
        began = time.perf_counter()
        call()
        each.append((time.perf_counter() - began) * 1000)
    cpu = (cpu_of(pid) - before) / times * 1000
    print(f"  {name:46} p50 {statistics.median(each):8.2f} ms   worst {max(each):8.2f} ms   server CPU {cpu:7.2f} ms")


def answers(port: int, pid: int, experiment: str, run: str) -> None:
    """What our server takes to answer, to the last byte, on one kept-alive connection."""
    line = http.client.HTTPConnection("127.0.0.1", port)

    def ask(method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body)
        line.request(method, f"/api/2.0/mlflow/{path}", data, {"Content-Type": "application/json"})
        answer = line.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        return dict(json.loads(text))

    small = str(ask("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"])  # type: ignore[index]
    step = iter(range(10**6))
    point = {"run_id": small, "key": "loss", "value": 0.5, "timestamp": 1}
    timed("log-metric", lambda: ask("POST", "runs/log-metric", {**point, "step": next(step)}), 3000, pid)
    batch = {"run_id": small, "metrics": [{"key": f"b{i}", "value": 1, "timestamp": 1, "step": 0} for i in range(1000)]}
    timed("log-batch of 1,000 metrics", lambda: ask("POST", "runs/log-batch", batch), 10, pid)
    timed("runs/get of a run with 1,001 metrics", lambda: ask("GET", f"runs/get?run_id={small}"), 50, pid)
    other = str(ask("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"])  # type: ignore[index]
    timed("runs/get of a small run", lambda: ask("GET", f"runs/get?run_id={other}"), 500, pid)
    timed("runs/create", lambda: ask("POST", "runs/create", {"experiment_id": "0"}), 300, pid)
    top = {"experiment_ids": [experiment], "max_results": 1000, "order_by": ["metrics.m3 DESC"]}
    timed(f"top 1,000 of {RUNS:,} runs by a metric", lambda: ask("POST", "runs/search", top), 10, pid)
    timed(f"top 100 of {RUNS:,}", lambda: ask("POST", "runs/search", {**top, "max_results": 100}), 20, pid)
    both = {"experiment_ids": [experiment], "filter": "metrics.m3 > 0.9 and params.p0 = '1'", "max_results": 100}
    timed("100 by a metric and a parameter", lambda: ask("POST", "runs/search", both), 20, pid)

    def pages() -> None:
        token, seen = "", 0
        while True:
            found = ask("GET", f"metrics/get-history?run_id={run}&metric_key=loss&max_results=25000&page_token={token}")
            seen += len(found["metrics"])  # type: ignore[arg-type]
            token = str(found.get("next_page_token", ""))
            if not token:
                assert seen == POINTS
                return

    timed(f"history of {POINTS:,} points in 4 pages", pages, 5, pid)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "ours")
        experiment, run = seed(workspace).split()
        print("mlops serve tracking")
        port = PEER_PORT + 1
        command = [
            sys.executable,
            "-m",
            "mlops_tui.web.tracking",
            "--workspace",
            str(workspace.root),
            "--port",
            str(port),
        ]
        process = start(command, f"http://127.0.0.1:{port}")
        answers(port, process.pid, experiment, run)
        if not PYTHON:
            stop(process)
            print("mlflow's client and server: name an interpreter that has them in MLOPS_BENCH_MLFLOW_PYTHON")
            return
        print("the stock client against mlops serve tracking")
        ours = stock(f"http://127.0.0.1:{port}", process.pid, 2000, folder)
        print(f"  {resident_mb(process.pid):.0f} MB resident in the end")
        stop(process)
        print("the stock client against mlflow server, one worker, SQLite")
        os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
        place = [f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"]
        flags = ["--workers", "1", "--port", str(PEER_PORT), "--backend-store-uri", *place]
        process = start([PYTHON, "-m", "mlflow", "server", *flags], f"http://127.0.0.1:{PEER_PORT}")
        theirs = stock(f"http://127.0.0.1:{PEER_PORT}", process.pid, 400, folder)
        stop(process)
        print("ratio  " + "   ".join(f"{name} {ours[name][0] / theirs[name][0]:.1f}x" for name in ours))


if __name__ == "__main__":
    main()
