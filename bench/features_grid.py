"""The grid of a feature table of ten million rows: how soon it is there, how long the application stands still, and what a key costs.

    OMP_NUM_THREADS=1 python bench/features_grid.py [--rows 10000000] [--size 160x45] [--keep FOLDER]

The application runs in this process without a terminal. `opened` counts from the key that shows the rows to the first row on
screen; `stall` is the longest time the event loop did not turn; each key is timed until the rows it asks for are on screen.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.screens.base import Desk
from mlops_tui.tui.state import Source, release_collector
from mlops_tui.workbench import Workbench

PATIENCE_S = 30


def make(workspace: Workspace, rows: int) -> None:
    """A table `events` of 12 columns: a key, a time, six numbers, three texts, some values missing."""
    source = workspace.project / "events.parquet"
    numbers = ", ".join(
        f"CASE WHEN hash(i + {n}) % 20 > 0 THEN (hash(i * {n + 3}) % 100000) / 100.0 END AS value_{n}" for n in range(6)
    )
    texts = ", ".join(f"'word ' || (hash(i * {n + 7}) % {10 ** (n + 2)}) AS text_{n}" for n in range(3))
    with Workbench(workspace, actor="bench") as bench:
        bench.context.lake.copy_to_parquet(
            f"SELECT i AS id, TIMESTAMPTZ '2025-01-01' + to_seconds(i) AS seen_at, {numbers}, {texts}, i % 2 = 0 AS even"
            f" FROM range({rows}) r(i)",
            source,
        )
        bench.features.create("events", ["id"], time="seen_at")
        bench.features.ingest("events", source)
    source.unlink()


class Stalls:
    """The longest times the event loop did not turn, seen by a task that asks for every 5 ms, and the CPU the loop took meanwhile.

    On a machine with other work a loop that does nothing waits for the processor too: what it did itself is its CPU.
    """

    def __init__(self) -> None:
        self.worst = self.own = 0.0

    async def watch(self) -> None:
        while True:
            began, spent = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.005)
            self.worst = max(self.worst, time.perf_counter() - began - 0.005)
            self.own = max(self.own, time.thread_time() - spent)

    def take(self) -> str:
        said = f"stall {self.worst * 1000:5.0f} ms (own {self.own * 1000:3.0f} ms)"
        self.worst = self.own = 0.0
        return said


@contextlib.asynccontextmanager
async def running(workspace: Workspace, size: tuple[int, int]) -> AsyncIterator[Any]:
    app = MlopsApp(Source(lambda: Workbench(workspace, actor="bench")), project="bench", screen="features", watch=False)
    app.animation_level = "none"
    app.spares_collector = True  # as in a terminal
    async with app.run_test(size=size) as pilot:
        yield pilot


async def until_shown(desk: Desk) -> None:
    """Wait until every row on screen is in memory."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        table = desk.table
        top = table.scroll_offset.y
        last = min(top + table.body_height, table.rows.count)
        if (
            table.display
            and table.rows.count
            and all(table.rows.record(at) is not None for at in (table.cursor, max(top, last - 1)))
        ):
            return
        await asyncio.sleep(0.002)
    raise TimeoutError("the rows did not come")


async def measure(workspace: Workspace, size: tuple[int, int]) -> None:
    stalls = Stalls()
    async with running(workspace, size) as pilot:
        desk = pilot.app.screen
        await until_shown(desk)
        watcher = asyncio.create_task(stalls.watch())
        await asyncio.sleep(1.5)
        stalls.take()
        began = time.perf_counter()
        desk.go("rows")
        await asyncio.sleep(0)
        while desk.section.id != "rows" or not desk.here.loaded:
            await asyncio.sleep(0.002)
        await until_shown(desk)
        opened = time.perf_counter() - began
        print(
            f"opened in {opened * 1000:6.0f} ms   {stalls.take()}   {desk.table.rows.count:,} rows, {size[0]}x{size[1]}"
        )
        await asyncio.sleep(3)
        print(f"profile of a sample beside it       {stalls.take()}")
        for name, keys in (("page down, 60 times", ["pagedown"] * 60), ("to the end", ["G"]), ("page up, 20 times", ["pageup"] * 20),
                           ("to the beginning", ["g"]), ("row by row, 100 times", ["down"] * 100)):  # fmt: skip
            await timed(pilot, desk, stalls, name, keys)
        await arranged(pilot, desk, stalls, "sort by a number", ["full_stop", "full_stop", "s"])
        await paged(pilot, desk, stalls)
        await arranged(pilot, desk, stalls, "filter it: value_1>999", query="value_1>999")
        await arranged(pilot, desk, stalls, "only value_1>999", ["s", "s"])
        await paged(pilot, desk, stalls)
        await arranged(pilot, desk, stalls, "every row again", query="")
        await arranged(pilot, desk, stalls, "sort by a text", ["comma"] * 12 + ["full_stop"] * 10 + ["s"])
        await paged(pilot, desk, stalls)
        watcher.cancel()
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:,.0f} MB")


async def arranged(
    pilot: Any, desk: Desk, stalls: Stalls, name: str, keys: Sequence[str] = (), query: str | None = None
) -> None:
    """Time another order or filter until its first rows are on screen."""
    began = time.perf_counter()
    for key in keys:
        await pilot.press(key)
    if query is not None:
        desk.look(query)
    while desk.waited("rows") or desk.here.asked != desk.here.ask(desk.section):
        await asyncio.sleep(0.002)
    await until_shown(desk)
    took = (time.perf_counter() - began) * 1000
    sorted_by = desk.here.ask(desk.section).order or "no order"
    print(f"{name:<24}     {took:6.0f} ms   {stalls.take()}   {desk.table.rows.said} rows, {sorted_by}")


async def paged(pilot: Any, desk: Desk, stalls: Stalls) -> None:
    """Time what a person does in an order or filter: on and on, to the end, back to the beginning."""
    for name, keys in (("  page down, 60 times", ["pagedown"] * 60), ("  to its end", ["G"]), ("  page up, 20 times", ["pageup"] * 20),
                       ("  to its beginning", ["g"])):  # fmt: skip
        await timed(pilot, desk, stalls, name, keys)


async def timed(pilot: Any, desk: Desk, stalls: Stalls, name: str, keys: Sequence[str]) -> None:
    """Press keys one after the other and time each until its rows are on screen."""
    each = []
    for key in keys:
        began = time.perf_counter()
        await pilot.press(key)
        await until_shown(desk)
        each.append((time.perf_counter() - began) * 1000)
    print(f"{name:<24} p50 {statistics.median(each):6.1f} ms   worst {max(each):6.1f} ms   {stalls.take()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--size", default="160x45")
    parser.add_argument("--keep", type=Path, help="a folder for the workspace, used again the next time")
    asked = parser.parse_args()
    wide, high = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        project = (asked.keep or Path(temporary)) / "grid"
        if (project / "storage").exists():
            workspace = Workspace.find(project / "storage")
        else:
            workspace = Workspace.create(project)
            make(workspace, asked.rows)
        try:
            asyncio.run(measure(workspace, (wide, high)))
        finally:
            release_collector()


if __name__ == "__main__":
    main()
