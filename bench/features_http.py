"""Lookups over HTTP: the gateway against `feast serve`, as CPU milliseconds of the server per request, in one run.

    MLOPS_BENCH_PEERS=~/peers/bin/python OMP_NUM_THREADS=1 python bench/features_http.py

100,000 entities of five features are online on both sides; both are asked over one kept connection, and the answers compared.
Without MLOPS_BENCH_PEERS (an environment with feast) only the gateway is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

PEERS = os.environ.get("MLOPS_BENCH_PEERS", "")
ENTITIES = 100_000
ROUNDS, CALLS = 3, {1: 600, 100: 100}


def cpu_of(pid: int) -> float:
    """CPU seconds of a process group so far."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            if int(words[2]) == pid:
                total += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return total


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def served(command: list[str], port: int, path: str, cwd: Path) -> Iterator[int]:
    """The process group of a server that answers on `path`."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(1200):
            assert process.poll() is None, f"{command[:3]} ended"
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", path)
                if connection.getresponse().status < 500:
                    break
            time.sleep(0.1)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def asked(port: int, path: str, body: Callable[[int], dict[str, Any]], calls: int) -> dict[str, Any]:
    """The last answer of many calls over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found: dict[str, Any] = {}
    for call in range(calls):
        connection.request("POST", path, json.dumps(body(call)), {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text[:300]
        found = json.loads(text)
    connection.close()
    return found


def per_request(pid: int, port: int, path: str, body: Callable[[int], dict[str, Any]], calls: int) -> tuple[float, Any]:
    """CPU milliseconds of the server per request, and the last answer."""
    asked(port, path, body, 20)
    spent, answer = [], None
    for _ in range(ROUNDS):
        before = cpu_of(pid)
        answer = asked(port, path, body, calls)
        spent.append((cpu_of(pid) - before) / calls * 1000)
    return statistics.median(spent), answer


def keys(call: int, count: int) -> list[int]:
    return [(call * 7919 + k * 13) % ENTITIES for k in range(count)]


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frame = pd.DataFrame(
            {"customer_id": range(ENTITIES), **{f"f{n}": [n + k / 7 for k in range(ENTITIES)] for n in range(5)}}
        )
        frame["at"] = pd.Timestamp.now("UTC").floor("s")
        frame.astype({"at": "datetime64[us, UTC]"}).to_parquet(folder / "customers.parquet")
        workspace = Workspace.create(folder / "project")
        with Workbench(workspace, actor="bench") as bench:
            bench.features.create("customers", ["customer_id"], time="at", ttl="30d")
            bench.features.ingest("customers", folder / "customers.parquet")
            bench.features.materialize("customers")
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "mlops_tui.web.inference",
            "--workspace",
            str(workspace.root),
            "--port",
            str(port),
        ]
        ours: dict[int, tuple[float, Any]] = {}
        with served(command, port, "/health/live", folder) as pid:
            for count, calls in CALLS.items():
                ours[count] = per_request(
                    pid, port, "/v1/features/customers/lookup",
                    lambda call, count=count: {"rows": [{"customer_id": key} for key in keys(call, count)]}, calls,
                )  # fmt: skip
        theirs = feast(folder) if PEERS else {}
        for count, (spent, answer) in ours.items():
            print(f"{count:>3} entities   ours {spent:6.3f} CPU ms a request", end="")
            if count in theirs:
                other, their = theirs[count]
                print(f"   feast serve {other:6.3f} CPU ms   {other / spent:5.1f} x ours", end="")
                same(answer, their, count)
            print()


def same(ours: dict[str, Any], theirs: dict[str, Any], count: int) -> None:
    """Feature f1 of every entity is the same on both sides."""
    rows = ours.get("rows") or ours.get("results") or []
    mine = [row["values"]["f1"] if "values" in row else row["f1"] for row in rows]
    at = theirs["metadata"]["feature_names"].index("f1")
    assert len(mine) == count
    assert all(abs(a - b) < 1e-9 for a, b in zip(mine, theirs["results"][at]["values"], strict=True))


def feast(folder: Path) -> dict[int, tuple[float, Any]]:
    """The same of `feast serve`, one worker as it starts by default."""
    script = str(Path(__file__).with_name("features_peers.py"))
    done = subprocess.run(
        [PEERS, script, "lookups", str(folder)], capture_output=True, text=True, check=False, cwd=folder
    )
    if done.returncode:
        print(f"feast: skipped: {done.stderr.strip().splitlines()[-1][:160]}")
        return {}
    said = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"feast in one process: 1 entity {said['1']:,.0f} CPU us, 100 entities {said['100']:,.0f} CPU us,"
          f" {ENTITIES / said['materialize']:,.0f} entities materialised per CPU s")  # fmt: skip
    port = free_port()
    binary = str(Path(PEERS).parent / "feast")
    found = {}
    with served(
        [binary, "serve", "-p", str(port), "--no-access-log", "--max-requests", "0"], port, "/health", folder / "repo"
    ) as pid:
        for count, calls in CALLS.items():
            found[count] = per_request(
                pid, port, "/get-online-features",
                lambda call, count=count: {
                    "features": [f"customers:f{n}" for n in range(5)],
                    "entities": {"customer_id": keys(call, count)},
                }, calls,
            )  # fmt: skip
    return found


if __name__ == "__main__":
    main()
