"""Logging one metric at a time: how many calls a second, and what a call costs. Run by hand: python bench/tracking.py

MLflow's SQLite store does the same beside it when mlflow is installed; otherwise its line says so. The last line is how long
after the end of the run everything could be read back. Over HTTP: bench/tracking_http.py.
"""

from __future__ import annotations

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mlops_tui as mlops
from mlops_tui.core.workspace import Workspace

CALLS = 20_000
PEER_CALLS = 1_000


def timed(log: Callable[[int], object], calls: int) -> str:
    """Calls per second, the median and the 99th percentile of one call, CPU per call of the whole process."""
    each = []
    cpu, began = time.process_time(), time.perf_counter()
    for step in range(calls):
        before = time.perf_counter()
        log(step)
        each.append(time.perf_counter() - before)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    p50, p99 = statistics.median(each) * 1e6, sorted(each)[int(0.99 * calls)] * 1e6
    return f"{calls / took:>10,.0f}/s   p50 {p50:8.1f} us   p99 {p99:8.1f} us   CPU {cpu / calls * 1e6:7.1f} us"


def ours(folder: Path) -> None:
    workspace = Workspace.create(folder / "ours")
    with mlops.start_run(experiment="bench", workspace=workspace.root) as run:
        print("mlops_tui  ", timed(lambda step: run.log_metric("loss", 0.5, step=step), CALLS))
        ended = time.perf_counter()
    with mlops.open(workspace.root) as bench:
        points = bench.experiments.history(run.id, "loss")
    assert len(points) == CALLS, f"{len(points)} of {CALLS} points"
    print(f"            all {CALLS:,} points read back {time.perf_counter() - ended:.2f} s after the last call")


def peer(folder: Path) -> None:
    if importlib.util.find_spec("mlflow") is None:
        print("mlflow      not installed, skipped (pip install mlflow)")
        return
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("bench")
    with mlflow.start_run():
        print("mlflow     ", timed(lambda step: mlflow.log_metric("loss", 0.5, step=step), PEER_CALLS))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        ours(Path(temporary))
        peer(Path(temporary))
