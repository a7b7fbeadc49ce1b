"""10,000 alerts in a minute: what raising and telling them costs, how many messages go out, and that none is lost.

python bench/alerts_storm.py [ALERTS]

One channel answers 500 to its first three messages, one hangs, one takes everything. Ends with code 1 when an alert is lost or a
channel gets more messages an hour than it takes.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.alerts import sending
from mlops_tui.workbench import Workbench

LOOK_S = 2.0  # as the daemon looks


class Hook(BaseHTTPRequestHandler):
    got: ClassVar[dict[str, list[bytes]]] = {"/good": [], "/bad": [], "/slow": []}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got[self.path].append(body)
        if self.path == "/slow":
            time.sleep(60)
        self.send_response(500 if self.path == "/bad" and len(self.got["/bad"]) <= 3 else 200)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


def main(alerts: int) -> int:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sending.PATIENCE_S = 3.0
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "storm")
        bench = Workbench(workspace, actor="storm")
        for name in ("good", "bad", "slow"):
            bench.alerts.telling.add(name, "webhook", f"http://127.0.0.1:{server.server_port}/{name}")
        stop, spent = threading.Event(), []

        def tell() -> None:
            teller = Workbench(workspace, actor="daemon")
            while not stop.wait(LOOK_S):
                began = time.thread_time()
                if teller.alerts.telling.due():
                    teller.alerts.telling.deliver()
                spent.append(time.thread_time() - began)
            teller.close()

        thread = threading.Thread(target=tell)
        thread.start()
        began, cpu = time.monotonic(), time.thread_time()
        for number in range(alerts):
            bench.alerts.raise_alert(
                "job_failed", f"job-{number % (alerts // 2)}", title=f"Job {number} failed", detail="x" * 200
            )
        raised, cpu = time.monotonic() - began, time.thread_time() - cpu
        quiet = time.monotonic() + 90
        while time.monotonic() < quiet and not _all_told(bench, alerts // 2):
            time.sleep(1)
        stop.set()
        thread.join()
        kept = bench.alerts.list("open", limit=alerts)
        told = sum(json.loads(body)["alerts_in_all"] for body in Hook.got["/good"])
        sizes = [len(body) for body in Hook.got["/good"]]
        bench.close()
    print(f"raised   {alerts:,} in {raised:.0f} s, {1000 * cpu / alerts:.2f} ms of CPU each")
    print(f"kept     {len(kept):,} alerts, counted {sum(one.count for one in kept):,} times")
    print(f"told     {told:,} alerts in {len(sizes)} messages, the largest {max(sizes, default=0) / 1000:.0f} kB")
    print(
        f"tries    {len(Hook.got['/bad'])} at the channel that answers 500, {len(Hook.got['/slow'])} at the one that hangs"
    )
    print(
        f"looks    {len(spent)}, {1000 * sum(spent) / max(1, len(spent)):.0f} ms of CPU each, the dearest {1000 * max(spent):.0f} ms"
    )
    whole = len(kept) == alerts // 2 and sum(one.count for one in kept) == alerts and told == alerts // 2
    return 0 if whole and len(sizes) <= 20 else 1


def _all_told(bench: Workbench, wanted: int) -> bool:
    found = bench.alerts.telling.deliveries(channel="good", limit=100)
    return sum(len(one.alerts) for one in found if one.state == "sent") >= wanted


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
