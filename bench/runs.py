"""Finding runs: 5,000 and 100,000 of them with 10 parameters and 10 metrics each. CPU of the calling process, the median of 7.

python bench/runs.py
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench

POINTS = 100_000
QUERIES = (
    "metrics.m1>=0.9",
    "metrics.m1>=0.9 params.p3<20",
    "team",
    "net-999",
    "tag.team=t9",
    "name~net-77",
    "state:failed",
)


def fill(bench: Workbench, count: int, name: str) -> None:
    """Runs as they are in the tables."""
    bench.experiments.list()
    with bench.context.catalog.write() as tx:
        one = "INSERT INTO experiment(name, created_at, created_by) VALUES (?, 1, '') RETURNING id"
        experiment = tx.execute(one, (name,)).fetchone()[0]
        first = tx.execute("SELECT coalesce(max(number), 0) + 1 FROM run").fetchone()[0]
        numbers = range(first, first + count)
        tx.executemany(
            """INSERT INTO run(id, experiment_id, name, state, started_at, ended_at, user, host, source, command, python,
                git_commit, git_branch, git_dirty, parent, pid, process_started, boot)
            VALUES (?, ?, ?, 'finished', ?, ?, 'ana', '', 'train.py', '', '3.11', '', '', 0, '', 1, 1, '')""",
            ((f"{n:016x}", experiment, f"net-{n}", n * 1000, n * 1000 + 500) for n in numbers),
        )
        tx.executemany("INSERT INTO run_tag VALUES (?, 'team', ?)", ((n, f"t{n % 3}") for n in numbers))
    with bench.context.metrics.write() as tx:
        keys = [f"{kind}{at}" for kind in "mp" for at in range(10)]
        tx.executemany("INSERT INTO key(name) VALUES (?) ON CONFLICT DO NOTHING", [(key,) for key in keys])
        ids = dict(map(tuple, tx.execute("SELECT name, id FROM key").fetchall()))
        for at in range(10):
            metrics = ((n, ids[f"m{at}"], (n * 7919 + at) % count / count) for n in numbers)
            tx.executemany("INSERT INTO metric_latest VALUES (?, ?, 9, 9, ?, 0, 1, 10)", metrics)
            tx.executemany(
                "INSERT INTO param VALUES (?, ?, ?, ?)", ((n, ids[f"p{at}"], str(n % 97), n % 97) for n in numbers)
            )
        tx.executemany("INSERT INTO run_seen VALUES (?, ?)", ((n, n) for n in numbers))


def timed(name: str, call: Callable[[], object]) -> None:
    each = []
    for _ in range(7):
        began = time.process_time()
        call()
        each.append((time.process_time() - began) * 1000)
    print(f"  {name:48} median {statistics.median(each):8.1f} ms   worst {max(each):8.1f} ms CPU")


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Workbench(Workspace.create(Path(folder) / "p"), actor="bench") as bench,
    ):
        rooms = bench.experiments
        fill(bench, 5_000, "five")
        timed("top 1,000 of 5,000 by a metric", lambda: rooms.runs("five", order="-m3", limit=1000))
        run = rooms.start("curve")
        writer = RunWriter(bench.workspace, run.id)
        writer.metrics([("loss", step, step * 0.5) for step in range(POINTS)])
        writer.finish(RunState.FINISHED)
        rooms.take_in()
        timed(f"history of {POINTS:,} points", lambda: rooms.history(run.id, "loss"))
        timed(f"2,000 of {POINTS:,} points", lambda: rooms.history(run.id, "loss", most=2000))
        timed(f"health of a run of {POINTS:,} points", lambda: rooms.health(run.id))
        fill(bench, 100_000, "big")
        timed("100,000 runs: newest 50", lambda: rooms.runs(limit=50))
        timed("100,000 runs: best 50 by a metric", lambda: rooms.runs("big", order="-m1", limit=50))
        timed("100,000 runs: 50 by a parameter", lambda: rooms.runs("big", order="-param:p1", limit=50))
        for query in QUERIES:
            timed(f"100,000 runs: {query}", lambda query=query: rooms.runs(query=query, limit=50))  # type: ignore[misc]
        time.sleep(0.01)
        moved = rooms.archive(older_than_ms=0)
        print(f"  {moved.points:,} points in Parquet")
        timed(f"history of {POINTS:,} points from Parquet", lambda: rooms.history(run.id, "loss"))


if __name__ == "__main__":
    main()
