"""A thousand schedules: what the daemon takes while none is due, and how late they fire when many are.

python bench/schedules.py [SCHEDULES] [SECONDS]

Late is the time from a slot to its job in the queue. CPU and memory are of the daemon's process alone, with the hardware sampler and all
its other tasks.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.schedules_chaos import Pipelines
from mlops_tui.core import clock, processes
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.jobs.records import Job
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench

SETTINGS = "[serving]\nenabled = false\n[upkeep]\ncron = ''\n"
MINUTE = 60_000


class Queued(Pipelines):
    """Runs that are queued and never started, because what they need is never free: the queue is what is measured."""

    def run(self, name: str, cause: dict[str, Any], key: str | None = None) -> Job:
        return self.bench.jobs.submit(
            "command", "A run", {"command": ["true"]}, key=key, cause=cause, needs={"nothing": 1}
        )


def be_a_daemon(root: Path) -> None:
    Workbench.pipelines = property(Queued)  # type: ignore[assignment, misc]
    from mlops_tui.daemon.loop import Daemon

    Daemon(Workspace(root), logging.getLogger("bench")).run()


def begin(root: Path) -> subprocess.Popen[bytes]:
    environment = {**processes.package_environment(), "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-m", "bench.schedules", "--daemon", str(root)], env=environment)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def opened(folder: str) -> tuple[Workspace, Workbench, Schedules]:
    workspace = Workspace.create(Path(folder))
    workspace.settings_file.write_text(SETTINGS)
    bench = Workbench(workspace, actor="bench")
    rooms: list[Any] = [bench.context, bench.audit, bench.alerts, bench.jobs, Queued(bench), None, bench.features]
    holder = bench.jobs.submit("command", "Holds it", {"command": ["true"]}, needs={"nothing": 1})
    with bench.context.catalog.write() as tx:  # as if it ran, on a machine that cannot be asked
        who = processes.identity()
        values = (who.pid, who.started, who.boot, holder.id)
        tx.execute(
            "UPDATE job SET state = 'running', attempt = 1, pid = ?, pid_started = ?, boot = ? WHERE id = ?", values
        )
    return workspace, bench, Schedules(*rooms)


def idle(count: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, bench, schedules = opened(folder)
        for at in range(count):
            kind = {"cron": f"{at % 60} {at % 24} 1 1 *"} if at % 10 else {"kind": "performance", "subject": f"d{at}"}
            schedules.add(f"s{at}", "any", **kind)
        daemon = begin(workspace.root)
        try:
            time.sleep(15)
            before, began = cpu_s(daemon.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_s(daemon.pid) - before) / (time.monotonic() - began)
            print(
                f"idle, {count} schedules ({count // 10} by event): {share:.2%} of a core, {resident_mb(daemon.pid):.0f} MB"
            )
        finally:
            daemon.terminate()
            daemon.wait()
            bench.close()


def firing(count: int, seconds: float, jitter_s: float, label: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace, bench, schedules = opened(folder)
        time.sleep(60 - time.time() % 60)  # so that the first slot comes when all are there and the daemon has settled
        for at in range(count):
            schedules.add(f"s{at}", "any", "@every 1m", overlap="skip", jitter_s=jitter_s)
        daemon = begin(workspace.root)
        try:
            time.sleep(15)
            since, before, began = clock.now_ms(), cpu_s(daemon.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_s(daemon.pid) - before) / (time.monotonic() - began)
            memory, until = resident_mb(daemon.pid), clock.now_ms() - 3000
        finally:
            daemon.terminate()
            daemon.wait()
        fires = list(schedules.fires(None, 1_000_000, since=since, until=until))
        late = sorted(fire.created_at - fire.due_at for fire in fires)
        queued = sorted(bench.jobs.get(fire.job_id).created_at - fire.due_at for fire in fires if fire.job_id)
        bench.close()
        for what, times in (("recorded", late), ("in the queue", queued)):
            if times:
                p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
                print(f"{label}: {len(times)} {what}, late p50 {p50} ms, p99 {p99} ms, max {times[-1]} ms")
        print(f"{label}: {share:.1%} of a core, {memory:.0f} MB")


def main(count: int, seconds: float) -> None:
    idle(count, seconds)
    firing(count, seconds + 60, 60.0, f"{count} a minute, spread over it")
    firing(count, seconds + 60, 0.0, f"{count} at the same second")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--daemon"]:
        be_a_daemon(Path(sys.argv[2]))
    else:
        given = sys.argv[1:]
        main(int(given[0]) if given else 1000, float(given[1]) if len(given) > 1 else 60.0)
