"""The desk Experiments over 100,000 runs and 10,000,000 points, from a pseudo-terminal: seconds and CPU until it is filled.

python bench/desk.py [FOLDER]   (a folder is kept and used again: making it takes a minute)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.runs import fill
from bench.terminal.pty_session import Session
from bench.tui import application
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench

RUNS, LONG, STEPS = 100_000, 1_000, 1_000
"""All runs have ten parameters and ten metrics; the newest `LONG` have `STEPS` points of each metric."""
TRIES = 7
NEWEST = f"net-{RUNS}".encode()


def workspace(folder: Path) -> Path:
    """The project, made unless it is there."""
    project = folder / "big"
    if project.is_dir():
        return project
    with Workbench(Workspace.create(project), actor="bench") as bench:
        fill(bench, RUNS, "big")
        with bench.context.metrics.write() as tx:
            keys = [row[0] for row in tx.execute("SELECT id FROM key WHERE name LIKE 'm%' ORDER BY name")]
            for run in range(RUNS - LONG + 1, RUNS + 1):
                points = (
                    (run, key, step, run * 1000 + step, (run * 7919 + key * 31 + step) % 1000 / step)
                    for key in keys
                    for step in range(1, STEPS + 1)
                )
                tx.executemany("INSERT INTO metric VALUES (?, ?, ?, ?, ?)", points)
            tx.execute("UPDATE metric_latest SET count = ?1, step = ?1 WHERE run > ?2", (STEPS, RUNS - LONG))
    return project


def opened(project: Path) -> tuple[float, float]:
    """Seconds from the start of the program until the newest run stands in the table, and CPU seconds by then."""
    with application(project, "experiments") as session:
        at = session.until(NEWEST)
        assert at is not None, session.seen
        return at, session.cpu()


def answered(session: Session, keys: str, found: bytes | Callable[[bytes], bool]) -> float:
    """Seconds from keys until what they bring."""
    before, since = session.written, session.now
    session.type(keys)
    at = session.until(found, after=before)
    assert at is not None, session.seen[before:]
    session.quiet(0.3)
    return at - since


def stays_live(project: Path) -> None:
    """What a user does there, and a run that starts elsewhere meanwhile."""
    with application(project, "experiments") as session:
        session.until(NEWEST)
        session.quiet(0.8)
        show("page down", answered(session, "\x1b[6~", lambda seen: b"net-999" in seen))
        show("to the oldest run", answered(session, "G", b"net-1\x1b"))
        show("back to the newest", answered(session, "g", NEWEST))
        for query, brings in (
            ("experiment:big", NEWEST),
            ("metrics.m1>=0.9 params.p3<20", b"net-99"),
            ("net-777", b"net-77799"),
        ):
            session.type("/")
            session.quiet(0.3)
            show(f"query {query}", answered(session, f"{query}\r", brings))
            session.type("/")
            session.quiet(0.3)
            session.type("\x15\r")
            session.quiet(0.8)
        since = session.now
        with Workbench(Workspace.find(project), actor="bench") as bench:
            before = session.written
            run = bench.experiments.start("big", name="a new one")
            show("a run started elsewhere", (session.until(b"a new one", after=before) or session.now) - since)
            bench.experiments.finish(run.id)
            bench.experiments.remove_run(run.id)
        session.quiet(0.8)
        load(session, "idle", lambda: time.sleep(5))
        load(session, "while a run logs 1,000 points a second", lambda: logged(project, 5))


def logged(project: Path, seconds: int) -> None:
    """A run of the experiment logs ten metrics a hundred times a second, taken in as the daemon does."""
    with Workbench(Workspace.find(project), actor="bench") as bench:
        run = bench.experiments.start("big", name="at work")
        writer = RunWriter(bench.workspace, run.id)
        for turn in range(seconds * 4):
            for step in range(turn * 25, turn * 25 + 25):
                writer.metrics([(f"m{at}", step, step * 0.5) for at in range(10)])
            bench.experiments.take_in()
            time.sleep(0.25)
        writer.finish(RunState.FINISHED)
        bench.experiments.take_in()
        bench.experiments.remove_run(run.id)


def load(session: Session, name: str, during: Callable[[], object]) -> None:
    """Share of a core that the program takes."""
    cpu, since = session.cpu(), session.now
    during()
    print(f"  {name:48} {(session.cpu() - cpu) / (session.now - since) * 100:8.2f} % of a core", flush=True)


def show(name: str, seconds: float) -> None:
    print(f"  {name:48} {seconds * 1000:8.0f} ms", flush=True)


def main(folder: Path) -> None:
    project = workspace(folder)
    size = sum(one.stat().st_size for one in project.rglob("*") if one.is_file())
    print(f"{RUNS:,} runs, {LONG * STEPS * 10:,} points, {size / 1e9:.1f} GB; {TRIES} tries")
    opened(project)
    tries = [opened(project) for _ in range(TRIES)]
    for name, values in (("open, wall", [one for one, _ in tries]), ("open, CPU", [one for _, one in tries])):
        show(f"{name}, median", statistics.median(values))
        show(f"{name}, worst", max(values))
    stays_live(project)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
