"""The event loop is never held up: everything is read elsewhere, and what a key costs does not grow with the rows.

Figures for 100,000 runs and a million rows come from bench/stalls.py; here is what they rest on.
"""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from textual.pilot import Pilot

from bench.terminal.bulk import long_table, many_runs
from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.screens import frame
from mlops_tui.tui.state import Source, release_collector
from mlops_tui.tui.widgets.rows import Listed, Pages

from .conftest import Open, desk_of, press
from .filling import NOW

RUNS, ROWS = 3_000, 20_000
MOST = 1_200
"""Rows one key may have drawn: a few pictures of 30, and two samples of 100 that widths are taken from."""


class Loop:
    """What the thread of the event loop does: reads of the workspace (there must be none) and rows it formats."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._thread = threading.get_ident()
        self.reads = self.reads_elsewhere = self.rows = 0
        fetch = Source.fetch

        def fetched(source: Source, work: Any) -> Any:
            if threading.get_ident() == self._thread:
                self.reads += 1
            else:
                self.reads_elsewhere += 1
            return fetch(source, work)

        patch.setattr(Source, "fetch", fetched)
        for kind in (Pages, Listed):
            patch.setattr(kind, "cells", self._counted(kind.cells))

    def _counted(self, cells: Any) -> Any:
        def counted(rows: Any, index: int) -> Any:
            self.rows += 1
            return cells(rows, index)

        return counted

    async def most(self, pilot: Pilot[Any], *keys: str) -> int:
        """Rows formatted for the one of these keys that had the most to do."""
        most = 0
        for key in keys:
            before = self.rows
            await press(pilot, key)
            most = max(most, self.rows - before)
        return most


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


async def test_many_runs_are_read_apart_from_the_loop_and_a_key_costs_what_is_on_screen(
    open_app: Open, tmp_path: Any, loop: Loop
) -> None:
    workspace = Workspace.create(tmp_path / "big")
    many_runs(workspace, RUNS, NOW)
    async with open_app(workspace, "experiments", (120, 36)) as pilot:
        desk = desk_of(pilot)
        assert desk.table.rows.count == RUNS
        moving = await loop.most(pilot, "G", "pageup", "g", "pagedown", "s", "full_stop", "full_stop", "full_stop", "s")
        assert desk.here.asked is not None
        assert desk.here.asked.order == "metric:auc"
        typing = await loop.most(pilot, "slash", *"auc>0.9", "enter")
        assert 50 < desk.table.rows.count < 1000
    assert loop.reads_elsewhere > 0
    assert loop.reads == 0
    assert 0 < max(moving, typing) < MOST


async def test_a_long_table_is_read_apart_from_the_loop_and_a_key_costs_what_is_on_screen(
    open_app: Open, tmp_path: Any, loop: Loop
) -> None:
    workspace = Workspace.create(tmp_path / "big")
    long_table(workspace, ROWS)
    async with open_app(workspace, "features", (120, 36)) as pilot:
        await press(pilot, "right_square_bracket", "right_square_bracket")
        desk = desk_of(pilot)
        assert desk.table.rows.said == "20,000"
        moving = await loop.most(pilot, "G", "pageup", "g", "pagedown", "full_stop", "full_stop", "s", "comma")
        assert desk.table.rows.record(desk.table.cursor) is not None
    assert loop.reads_elsewhere > 0
    assert loop.reads == 0
    assert 0 < moving < MOST


async def test_what_a_desk_is_made_of_is_kept_from_the_collector(
    open_app: Open, blank: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MlopsApp, "spares_collector", True)
    monkeypatch.setattr(frame, "SETTLED_S", 0.01)
    before = gc.get_freeze_count()
    try:
        async with open_app(blank, "registry") as pilot:
            while gc.get_freeze_count() <= before + 10_000:
                await pilot.pause(0.01)
    finally:
        release_collector()
    assert gc.get_freeze_count() == 0
