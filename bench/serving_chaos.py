"""What breaks under load: versions swapped, workers and gateways killed with -9, while clients go on asking.

    python bench/serving_chaos.py [--swaps 100] [--workers 20] [--gateways 100] [--deployments 20]

Prints the requests made and failed, the predictions acknowledged and missing from the log, and what an idle deployment costs.
"""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
from serving import answers, free_ports, stop, tree
from serving_servers import MODELS, TENSOR, Server, ours, train

from mlops_tui.core import segments
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.log import PREDICTIONS
from mlops_tui.workbench import Workbench

CLIENTS = 8


class Clients(threading.Thread):
    """Ask for one model until told to stop; `acknowledged` prediction ids and `failures`. Losing the gateway is no failure."""

    def __init__(self, server: Server, model: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.failures: list[str] = []
        self.stopped = threading.Event()
        port, path, self._body, self._headers = server.requests[model]
        self._url = f"http://127.0.0.1:{port}{path}"

    def run(self) -> None:
        threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self) -> None:
        headers = {"content-type": "application/json", **self._headers}
        while not self.stopped.is_set():
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(self._url, self._body, headers), timeout=60
                ) as reply:
                    self.acknowledged += json.load(reply)["parameters"]["prediction_ids"]
            except urllib.error.HTTPError as error:
                self.failures.append(f"{error.code} {error.read()[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                if not self.stopped.is_set():
                    self.failures.append(repr(error))

    def halt(self) -> None:
        self.stopped.set()
        self.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--gateways", type=int, default=100)
    parser.add_argument("--deployments", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder)
        server = ours(folder, free_ports(1)[0])
        workspace = Workspace.find(folder / "project")
        with Workbench(workspace, actor="bench") as bench:
            bench.registry.register("linear", folder / "linear")
        if given.swaps or given.workers:
            disturb(server, workspace, given.swaps, given.workers)
        if given.gateways:
            kill_gateways(server, workspace, given.gateways)
        if given.deployments:
            weigh(server, workspace, given.deployments)


def disturb(server: Server, workspace: Workspace, swaps: int, kills: int) -> None:
    server.processes = server.start()
    try:
        up(server)
        clients = Clients(server, "linear")
        clients.start()
        with Workbench(workspace, actor="bench") as bench:
            for number in range(swaps):
                version = 2 - number % 2
                bench.serving.deploy("linear", f"linear/{version}")
                until(functools.partial(settled, bench, version), 60)
            print(
                f"{swaps} swaps: {len(clients.acknowledged)} requests answered, {len(clients.failures)} failed",
                flush=True,
            )
            for _ in range(kills):
                before = bench.serving.get("linear").versions[0].pid
                os.kill(int(before or 0), signal.SIGKILL)
                until(functools.partial(another, bench, before), 60)
        clients.halt()
        print(
            f"and {kills} workers killed: {len(clients.acknowledged)} answered, {len(clients.failures)} failed {clients.failures[:3]}"
        )
    finally:
        stop(server.processes[0])


def another(bench: Workbench, pid: int | None) -> bool:
    return bench.serving.get("linear").versions[0].pid not in {None, pid}


def settled(bench: Workbench, version: int) -> bool:
    found = bench.serving.get("linear")
    return found.state == "ready" and [route.version for route in found.versions] == [version]


def kill_gateways(server: Server, workspace: Workspace, kills: int) -> None:
    acknowledged: set[str] = set()
    for number in range(kills):
        server.processes = server.start()
        try:
            up(server)
        except AssertionError:  # how far it came is worth knowing too
            stop(server.processes[0])
            print(f"gateway {number + 1} did not start", flush=True)
            kills = number
            break
        clients = Clients(server, "linear")
        clients.start()
        time.sleep(0.5)
        family = tree(server.processes[0].pid)
        clients.stopped.set()  # what fails from here on was never acknowledged
        os.kill(family[0], signal.SIGKILL)
        server.processes[0].wait()
        clients.join()
        acknowledged.update(clients.acknowledged)
        until(functools.partial(gone, family[1:]), 30)
    logged = {
        name
        for path in segments.segments(workspace.segments, PREDICTIONS)
        for record, _ in segments.read(path)
        for name in record["ids"]
    }
    print(
        f"{kills} gateways killed: {len(acknowledged)} acknowledged, {len(acknowledged - logged)} missing from the log",
        flush=True,
    )


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


def weigh(server: Server, workspace: Workspace, count: int) -> None:
    """Private memory of idle deployments: of each worker, and of all processes shared out."""
    with Workbench(workspace, actor="bench") as bench:
        package = workspace.project.parent
        for number in range(count):
            name = f"{MODELS[number % 2]}-{number}"
            bench.registry.register(name, package / MODELS[number % 2])
            bench.serving.deploy(name, f"{name}/1")
    server.processes = server.start()
    try:
        up(server)
        with Workbench(workspace, actor="bench") as bench:
            until(lambda: all(one.state == "ready" for one in bench.serving.list()), 180)
            port, _, _, headers = server.requests["linear"]
            for one in bench.serving.list():
                assert answers(port, f"/v2/models/{one.name}/infer", json.dumps(TENSOR).encode(), headers)
            pids = {route.pid for one in bench.serving.list() for route in one.versions}
        family = [psutil.Process(pid).memory_full_info() for pid in tree(server.processes[0].pid)]
        workers = [psutil.Process(pid).memory_full_info() for pid in pids if pid]
        private = sorted(info.uss / 2**20 for info in workers)
        pss = sum(info.pss for info in family) / 2**20
        middle, most = private[len(private) // 2], private[-1]
        print(f"{len(workers)} idle deployments: {middle:.1f} MiB private each (most {most:.1f}),", end=" ")
        print(f"{pss:.0f} MiB for all processes together, {pss / len(workers):.1f} per deployment")
    finally:
        stop(server.processes[0])


def up(server: Server) -> None:
    until(
        lambda: all(answers(port, path, body, headers) for port, path, body, headers in server.requests.values()), 300
    )


def until(true, seconds: float) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
