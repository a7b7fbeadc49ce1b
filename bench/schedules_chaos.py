"""Two daemons on one workspace, killed again and again for ten minutes: every slot once, or recorded as missed by its policy.

python bench/schedules_chaos.py [MINUTES] [KILLS]

The lock that allows one daemon only is left out, so that what is tested is the tables. Each job is a real child that appends
its slot to a file. Ends with code 1 when a slot ran twice, is lost, or was dropped without a reason.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from mlops_tui.core import clock, processes
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.jobs.records import Job
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules.records import Fire, FireState
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench

SETTINGS = "[daemon]\npoll_ms = 100\nmax_jobs = 4\n[serving]\nenabled = false\n[upkeep]\ncron = ''\n"
RULES = {
    "all": ("@every 2s", {"missed": "all", "overlap": "queue"}),
    "latest": ("@every 3s", {"missed": "latest", "overlap": "queue"}),
    "skip": ("@every 5s", {"missed": "skip", "overlap": "skip", "grace_s": 1.0}),
}


class Pipelines:
    """A pipelines room whose runs write down their slot."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    def list(self) -> list[Definition]:
        return []

    def get(self, name: str) -> Definition:
        return Definition(name, "")

    def settle(self) -> list[Any]:
        return []

    def prune(self) -> int:
        return 0

    def run(self, name: str, cause: dict[str, Any], key: str | None = None) -> Job:
        line = f"{cause['schedule']} {cause['slot']}"
        command = ["sh", "-c", f"echo '{line}' >> ran.txt"]
        return self.bench.jobs.submit("command", "Write the slot", {"command": command}, key=key, cause=cause)


def be_a_daemon(root: Path) -> None:
    """The daemon's own loop, without its lock."""
    Workbench.pipelines = property(Pipelines)  # type: ignore[assignment, misc]
    from mlops_tui.daemon.loop import Daemon

    Daemon(Workspace(root), logging.getLogger("chaos")).run()


def begin(root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, __file__, "--daemon", str(root)],
        env=processes.package_environment(),
        stderr=subprocess.DEVNULL,
    )


def chaos(root: Path, minutes: float, kills: int, draw: random.Random) -> int:
    """Kill one of two daemons, or both, at random moments; how many died."""
    end = time.monotonic() + minutes * 60
    killed = 0
    daemons = [begin(root), begin(root)]
    try:
        while time.monotonic() < end:
            time.sleep(draw.uniform(0.2, 1.8) * minutes * 60 / max(kills, 1))
            victims = list(daemons) if draw.random() < 0.25 else [draw.choice(daemons)]
            for victim in victims:
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                daemons.remove(victim)
                killed += 1
            time.sleep(draw.uniform(0, 6) if len(victims) == 2 else 0)
            daemons += [begin(root) for _ in victims]
    finally:
        for one in daemons:
            one.kill()
            one.wait()
    return killed


def drain(root: Path, bench: Workbench, schedules: Schedules) -> None:
    """One daemon to the end of what was begun."""
    for name in RULES:
        schedules.pause(name)
    last = begin(root)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        open_fires = any(
            fire.state is FireState.QUEUED and fire.job_id is None
            for name in RULES
            for fire in schedules.fires(name, 100_000)
        )
        if not open_fires and not bench.jobs.pending_with("schedule:"):
            break
        time.sleep(1)
    last.terminate()
    last.wait()


def judge(name: str, every: int, fires: list[Fire], ran: Counter[str], bench: Workbench) -> list[str]:
    """What is wrong with the slots of one schedule."""
    wrong = []
    times = sorted(fire.due_at for fire in fires)
    if times != list(range(times[0], times[-1] + every, every)):
        wrong.append(f"{name}: slots are lost")
    for fire in fires:
        runs = ran.pop(f"{name} {fire.slot}", 0)
        if fire.state is FireState.QUEUED and runs != 1:
            wrong.append(f"{name} {fire.slot} ran {runs} times")
        if fire.state is not FireState.QUEUED and (runs or not fire.reason):
            wrong.append(f"{name} {fire.slot} is {fire.state} and ran {runs} times: {fire.reason}")
        if fire.job_id and sum(attempt.began for attempt in bench.jobs.attempts(fire.job_id)) != 1:
            wrong.append(f"{name} {fire.slot} began more than once")
    return wrong


def main(minutes: float = 10.0, kills: int = 30) -> int:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder))
        workspace.settings_file.write_text(SETTINGS)
        with Workbench(workspace, actor="chaos") as bench:
            rooms: list[Any] = [bench.context, bench.audit, bench.alerts, bench.jobs, Pipelines(bench), None, None]
            schedules = Schedules(*rooms)
            for name, (line, rule) in RULES.items():
                schedules.add(name, "any", line, **rule)
            killed = chaos(workspace.root, minutes, kills, random.Random(os.environ.get("CHAOS_SEED", "6")))
            drain(workspace.root, bench, schedules)
            ran = Counter((workspace.project / "ran.txt").read_text().splitlines())
            wrong: list[str] = []
            print(f"{killed} SIGKILLs of two daemons in {minutes:g} min")
            print(
                f"{'schedule':10}{'every':>8}{'slots':>8}{'ran once':>10}{'missed':>8}{'skipped':>9}{'late p50':>10}{'max':>8}"
            )
            for name, (line, _) in RULES.items():
                fires = schedules.fires(name, 100_000)
                every = clock.parse_span(line.removeprefix("@every "))
                wrong += judge(name, every, fires, ran, bench)
                state = Counter(str(fire.state) for fire in fires)
                late = sorted(
                    (bench.jobs.get(fire.job_id).created_at - fire.due_at) / 1000 for fire in fires if fire.job_id
                )
                print(
                    f"{name:10}{every / 1000:>7g}s{len(fires):>8}{state['queued']:>10}{state['missed']:>8}"
                    f"{state['skipped']:>9}{late[len(late) // 2]:>9.2f}s{late[-1]:>7.1f}s"
                )
            wrong += [f"{line} ran {count} times without a fire" for line, count in ran.items()]
            print("\n".join(wrong) or "Every slot ran exactly once or is recorded with its reason.")
            return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--daemon"]:
        be_a_daemon(Path(sys.argv[2]))
    else:
        given = sys.argv[1:]
        sys.exit(main(float(given[0]) if given else 10.0, int(given[1]) if len(given) > 1 else 30))
