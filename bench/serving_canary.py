"""A canary seen for real over HTTP: a version that fails twice as often is rolled back, one that fails as often is promoted.

    python bench/serving_canary.py [--rate 0.01] [--share 10] [--clients 8] [--most 200000]

A gateway, two versions of a model that fails for a share of its rows, keep-alive clients, and the rollout stepped every two
seconds as the daemon does it. Prints the answers of both versions until the decision, the evidence, and whether a request was
refused or lost meanwhile. The first rollout has twice the errors, the second one as many as what serves.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pandas as pd
from serving import free_ports, stop
from serving_chaos import until

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry import package
from mlops_tui.domains.serving.rollout import Rollout, RolloutState, Rules
from mlops_tui.workbench import Workbench

KINDS = 10_000
LOOK_S = 2.0
ENDED = (RolloutState.PROMOTED, RolloutState.ROLLED_BACK, RolloutState.CANCELLED)


class Failing:
    """Doubles x, but for the first `failing` of every 10,000 kinds of rows it has no answer."""

    def __init__(self, failing: int) -> None:
        self.failing = failing

    def predict(self, rows: pd.DataFrame) -> list[float]:
        if (rows["x"] % KINDS < self.failing).any():
            raise RuntimeError("no answer for this kind of row")
        return (rows["x"] * 2).to_numpy()


class Clients:
    """Ask on kept-alive connections until told to stop; `seen` counts (version, status), `lost` what was not answered."""

    def __init__(self, port: int, count: int) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self.lost: list[str] = []
        self._port, self._over = port, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,), daemon=True) for seed in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, seed: int) -> None:
        rows, headers = random.Random(seed), {"content-type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._over.is_set():
            tensor = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [float(rows.randrange(KINDS))]}
            try:
                connection.request("POST", "/v2/models/shop/infer", json.dumps({"inputs": [tensor]}), headers)
                reply = connection.getresponse()
                body = json.loads(reply.read())
                self.seen[str(body.get("model_version", "")), reply.status] += 1
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()

    def halt(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=0.01, help="how often the version that serves fails")
    parser.add_argument("--share", type=float, default=10.0, help="percent of the traffic that the canary has")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--most", type=int, default=200_000, help="requests after which it is given up")
    given = parser.parse_args()
    failing = round(given.rate * KINDS)
    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace.create(Path(name) / "project")
        port = free_ports(1)[0]
        with Workbench(workspace, actor="bench") as bench:
            for times in (1, 2, 1):
                folder = Path(name) / f"version-{len(list(Path(name).iterdir()))}"
                sample = pd.DataFrame({"x": [KINDS - 1.0, KINDS - 2.0]})
                own = sys.modules[__name__]
                package.save(
                    folder, Failing(failing * times), sample=sample, task="regression", target="y", modules=[own]
                )
                bench.registry.register("shop", folder)
            bench.serving.deploy("shop", "shop/1")
            command = [sys.executable, "-m", "mlops_tui.web.inference", "--workspace", str(workspace.root)]
            gateway = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
            try:
                until(lambda: bench.serving.get("shop").state == "ready", 120)
                for version in (2, 3):
                    tell(bench, version, roll_out(bench, port, version, given), given)
            finally:
                stop(gateway)


def roll_out(bench: Workbench, port: int, version: int, given: argparse.Namespace) -> tuple[Rollout, Clients, float]:
    """Carry one rollout to its end under traffic."""
    rules = Rules.of(bake_s=LOOK_S, min_requests=1000, margin=given.rate / 2)
    clients, begun = Clients(port, given.clients), time.monotonic()
    bench.serving.rollouts.start("shop", f"shop/{version}", [given.share], rules=rules, to="")
    one = bench.serving.rollouts.list("shop", limit=1)[0]
    while one.state not in ENDED and sum(clients.seen.values()) < given.most:
        time.sleep(LOOK_S)
        bench.serving.rollouts.step()
        one = bench.serving.rollouts.get(one.id)
    took = time.monotonic() - begun
    clients.halt()
    if one.state not in ENDED:
        one = bench.serving.rollouts.abort("shop", "given up")
    return one, clients, took


def tell(bench: Workbench, version: int, found: tuple[Rollout, Clients, float], given: argparse.Namespace) -> None:
    one, clients, took = found
    more = "twice as many errors" if version == 2 else "as many errors"
    requests = sum(clients.seen.values())
    print(f"shop/{version}, {more}: {one.state} after {took:.0f} s and {requests:,} requests ({one.reason})")
    for item in one.evidence:
        print(
            f"  {item.kind}: canary {item.canary_failed} of {item.canary:,}, others {item.stable_failed} of {item.stable:,}, "
            f"evidence {item.e_value:.1f} of {len(one.evidence) / one.rules.alpha:g}"
        )
    refused = sum(count for (_, status), count in clients.seen.items() if status not in (200, 500))
    print(
        f"  requests lost or refused: {len(clients.lost) + refused}; now {bench.serving.get('shop').versions}",
        flush=True,
    )


if __name__ == "__main__":
    main()
