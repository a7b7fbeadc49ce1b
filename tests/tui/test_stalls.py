"""The event loop is never held up: 100,000 runs, a million rows, and somebody who types."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.screens import frame
from mlops_tui.tui.state import release_collector

from .bulk import long_table, many_runs
from .conftest import NOW, Open, desk_of, press, settle

STALL_S = 0.05
"""CPU of the loop's own thread between two turns; wall time of a busy machine says nothing about us."""


class Watchdog:
    """Measures how long the thread of the event loop works without a turn of the loop."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Watchdog:
        self._task = asyncio.create_task(self._turn())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _turn(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            self.worst = max(self.worst, time.thread_time() - before)
            await asyncio.sleep(0.002)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """100,000 runs and a table of 1,000,000 rows."""
    workspace = Workspace.create(tmp_path_factory.mktemp("big") / "big")
    begun = time.process_time()
    many_runs(workspace, 100_000, NOW)
    assert time.process_time() - begun < 20
    long_table(workspace, 1_000_000)
    return workspace


@pytest.fixture
def spared(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The collector as in a real session; afterwards as in a test."""
    monkeypatch.setattr(MlopsApp, "spares_collector", True)
    monkeypatch.setattr(frame, "SETTLED_S", 0.2)
    gc.collect()  # what earlier tests left behind is not this session's
    yield
    release_collector()


async def through(pilot: Pilot[Any], *keys: str) -> float:
    """The longest stall while these keys are pressed and answered."""
    async with Watchdog() as dog:
        for key in keys:
            await press(pilot, key)
    return dog.worst


@pytest.mark.slow
async def test_a_hundred_thousand_runs_never_hold_up_the_loop(open_app: Open, big: Workspace, spared: None) -> None:
    async with open_app(big, "overview", (120, 36)) as pilot:
        await through(pilot, "3")  # modules are imported and style sheets read once
        desk = desk_of(pilot)
        assert desk.table.rows.count == 100_000
        worst = await through(
            pilot, "G", "pageup", "g", "pagedown", "s", "s", "full_stop", "full_stop", "full_stop", "s", "R"
        )
        assert desk.here.asked is not None
        assert desk.here.asked.order == "metric:auc"
        typed = await through(pilot, "slash", *"state:failed metrics.auc>0.99", "enter")
        await settle(pilot)
        assert 50 < desk.table.rows.count < 1000
        print(f"worst stall: moving and sorting {worst * 1000:.0f} ms, typing a query {typed * 1000:.0f} ms")
        assert max(worst, typed) < STALL_S


@pytest.mark.slow
async def test_a_million_rows_never_hold_up_the_loop(open_app: Open, big: Workspace, spared: None) -> None:
    async with open_app(big, "features", (120, 36)) as pilot:
        await through(pilot, "right_square_bracket", "right_square_bracket")
        desk = desk_of(pilot)
        assert desk.table.rows.said == "1,000,000"
        worst = await through(
            pilot, "G", "pageup", "g", "pagedown", "full_stop", "full_stop", "s", "full_stop", "comma"
        )
        assert desk.table.rows.record(desk.table.cursor) is not None
        print(f"worst stall: {worst * 1000:.0f} ms")
        assert worst < STALL_S
