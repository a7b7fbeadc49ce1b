"""Logging from a training script: what a call costs beside writing a line to a log file, and beside MLflow's SQLite store.

    MLOPS_BENCH_MLFLOW_PYTHON=~/mlflow/bin/python python bench/tracking.py

That interpreter has mlflow; without it its lines are left out. What is compared survives kill -9 of the caller right after the
call returns, on all three sides. CPU is that of the whole process, with the thread that moves records into the database.
Searching 100,000 runs: bench/runs.py. Over HTTP: bench/tracking_http.py.
"""

from __future__ import annotations

import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CALLS = 20_000
PEER_CALLS = 1_000
MANY = 1_000_000
PYTHON = os.environ.get("MLOPS_BENCH_MLFLOW_PYTHON", "")
IMPORTS = "import time; t = time.process_time(); import {}; {}; print(f'{{(time.process_time() - t) * 1e3:.0f}}')"


def timed(log: Callable[[int], object], calls: int) -> tuple[float, str]:
    """Calls per second; and in words with the median and the 99th percentile of one call, CPU per call of the whole process."""
    each = []
    cpu, began = time.process_time(), time.perf_counter()
    for step in range(calls):
        before = time.perf_counter()
        log(step)
        each.append(time.perf_counter() - before)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    p50, p99 = statistics.median(each) * 1e6, sorted(each)[int(0.99 * calls)] * 1e6
    words = f"{calls / took:>10,.0f}/s   p50 {p50:8.1f} us   p99 {p99:8.1f} us   CPU {cpu / calls * 1e6:7.1f} us"
    return calls / took, words


def ours(folder: Path) -> float:
    import mlops_tui as mlops
    from mlops_tui.core.workspace import Workspace

    workspace = Workspace.create(folder / "ours")
    with mlops.start_run(experiment="bench", workspace=workspace.root) as run:
        rate, words = timed(lambda step: run.log_metric("loss", 0.5, step=step), CALLS)
        print("log_metric, mlops_tui        ", words)
        print(
            "log_metrics of 10, mlops_tui ",
            timed(lambda s: run.log_metrics(dict.fromkeys("abcdefghij", 0.5), s), CALLS // 4)[1],
        )
        ended = time.perf_counter()
    with mlops.open(workspace.root) as bench:
        points = bench.experiments.history(run.id, "loss")
        assert len(points) == CALLS, f"{len(points)} of {CALLS} points"
        print(f"  all {CALLS:,} points read back {time.perf_counter() - ended:.2f} s after the last call")
    print(
        "start_run to finish          ",
        timed(lambda step: mlops.start_run("many", workspace=workspace.root).finish(), 200)[1],
    )
    cpu = time.process_time()
    with mlops.start_run("big", workspace=workspace.root) as run:
        run.log_series("loss", range(MANY))
        called = time.process_time() - cpu
    print(
        f"log_series of {MANY:,} points   {called:.2f} s CPU in the call, {time.process_time() - cpu:.2f} s until all can be read"
    )
    return rate


def file(folder: Path) -> float:
    """What people write when they have no tracker: one line a step through the standard library."""
    log = logging.getLogger("bench")
    handler = logging.FileHandler(folder / "train.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    rate, words = timed(lambda step: log.info("step=%d loss=%r", step, 0.5), CALLS)
    print("logging to a file            ", words)
    return rate


def peer(folder: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("bench")
    with mlflow.start_run():
        rate, words = timed(lambda step: mlflow.log_metric("loss", 0.5, step=step), PEER_CALLS)
        print("log_metric, mlflow on SQLite ", words)
    print(rate)


def imports(python: str, module: str, use: str = "pass") -> str:
    """The smallest of five imports, in ms of CPU."""
    command = [python, "-c", IMPORTS.format(module, use)]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return min(
        (subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout for _ in range(5)),
        key=float,
    ).strip()


def main() -> None:
    print(f"import mlops_tui              {imports(sys.executable, 'mlops_tui')} ms CPU,"
          f" with start_run loaded {imports(sys.executable, 'mlops_tui', 'mlops_tui.start_run')} ms")  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        rate = ours(Path(temporary))
        print(f"  {rate / file(Path(temporary)):.1f}x the rate of logging to a file")
        if not PYTHON:
            print("mlflow: name an interpreter that has it in MLOPS_BENCH_MLFLOW_PYTHON")
            return
        print(f"import mlflow                 {imports(PYTHON, 'mlflow')} ms CPU")
        command = [PYTHON, __file__, "peer", temporary]
        *lines, last = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        print("\n".join(lines), f"  {rate / float(last):,.0f}x the rate of mlflow", sep="\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        peer(Path(sys.argv[2]))
    else:
        main()
