"""How long the event loop of the terminal application is held up at most, where there is much to show and much going on.

    python bench/stalls.py

100,000 runs, 10,000 open alerts, a feature table of 1,000,000 rows, a training script that logs ten metrics twenty times a
second, and somebody who types; in a pseudo-terminal of 120x40. Figures are of single callbacks of the loop: wall time, and
processor time of its thread, which is what another busy program on the machine does not touch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.terminal.bulk import long_table, many_alerts, many_runs
from bench.terminal.pty_session import Session, environment
from mlops_tui.core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
RUNS, ROWS, ALERTS = 100_000, 1_000_000, 10_000
STALL_S = 0.05
PAUSE_S = 0.4
"""After each key: what it causes is seen by itself."""

TRAINING = """
import sys, time
import mlops_tui as mlops
with mlops.start_run(experiment="live", name="training", workspace=sys.argv[1]) as run:
    print(run.id, flush=True)
    step = 0
    while True:
        run.log_metrics({f"metric_{at}": at + step % 97 / 97 for at in range(10)}, step=step)
        step += 1
        time.sleep(0.05)
"""

DOWN, PAGE = "\x1b[B", "\x1b[6~"
PHASES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("every desk for the first time", "overview", ("2", "4", "5", "6", "7", "8", "3", "1")),
    ("every desk again", "", ("2", "3", "4", "5", "6", "7", "8", "1")),
    ("100,000 runs: moving, pages, marks", "runs", (DOWN, DOWN, PAGE, PAGE, "G", "g", "j", "k", " ", " ")),
    ("100,000 runs: sorting by each column", "", (".", "s", "s", ".", "s", ".", "s", ".", "s")),
    ("100,000 runs: a query, typed", "", ("/", *"state:failed metrics.auc>0.99", "\r", "\x1b")),
    ("the run that is logging: its curves", "run/{run}", ("]", "]", "+", "l", "l", "m", "0", "z", "z")),
    (
        "10,000 alerts: moving, marks, sorting, a query",
        "alerts",
        (DOWN, PAGE, "G", "g", " ", " ", ".", "s", "s", "/", *"severity:critical", "\r", "\x1b", "\x1b"),
    ),
    ("every list of Monitoring, the form of a rule", "rules", ("n", "\x1b", *"]" * 12)),
    ("every part of System, processes sorted", "processes", (DOWN, PAGE, "G", ".", "s", "s", *"]" * 6)),
    ("1,000,000 rows: moving, pages", "features", ("]", "]", DOWN, PAGE, PAGE, "G", "g", ".", ".", ",")),
    ("1,000,000 rows: sorting, frequency", "", (".", "s", "F", "\x1b")),
)


@contextmanager
def training(workspace: Workspace) -> Iterator[str]:
    """A script that logs until the end; its run's id."""
    command = [sys.executable, "-c", TRAINING, str(workspace.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(PYTHONPATH=str(ROOT)))
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def go(session: Session, keys: tuple[str, ...]) -> None:
    """Press keys and let each be answered."""
    for key in keys:
        session.type(key)
        session.quiet(PAUSE_S, limit=1.5)


def measure(workspace: Workspace, report: Path) -> list[tuple[str, float, float]]:
    """Name, begin and end of each phase."""
    out = []
    own = {"XDG_STATE_HOME": str(workspace.root / "state"), "XDG_CONFIG_HOME": str(workspace.root / "config")}
    watched = [sys.executable, str(ROOT / "bench" / "terminal" / "watched.py"), str(report)]
    with training(workspace) as run, ExitStack() as stack:
        for name, where, keys in PHASES:
            if where:
                stack.close()
                command = [*watched, "-w", str(workspace.project), "tui", where.format(run=run)]
                session = stack.enter_context(Session(command, env=environment(PYTHONPATH=str(ROOT), **own)))
                session.quiet(1.0)
            began = time.monotonic()
            go(session, keys)
            out.append((name, began, time.monotonic()))
    return out


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "big")
        many_runs(workspace, RUNS, int(time.time() * 1000))
        many_alerts(workspace, ALERTS, int(time.time() * 1000))
        long_table(workspace, ROWS)
        report = Path(folder) / "turns.jsonl"
        phases = measure(workspace, report)
        turns = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    print(f"{'':<50}{'worst wall':>12}{'worst CPU':>12}   over {STALL_S * 1000:.0f} ms of CPU")
    for name, began, ended in phases:
        mine = [turn for turn in turns if began <= turn[0] < ended]
        wall = max((turn[1] for turn in mine), default=0.0)
        cpu = max((turn[2] for turn in mine), default=0.0)
        long = [turn for turn in mine if turn[2] > STALL_S]
        print(f"{name:<50}{wall * 1000:9.0f} ms{cpu * 1000:9.0f} ms   {len(long)}")
        for turn in long if "-v" in sys.argv else ():
            print(f"    {turn[1] * 1000:.0f} ms, {turn[2] * 1000:.0f} ms of CPU: {turn[3]}")


if __name__ == "__main__":
    main()
