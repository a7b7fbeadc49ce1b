"""Lists of the desks over a store: order, columns, marks, what is remembered, old rows, long readings, whole values."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.core.errors import Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.service import Experiments
from mlops_tui.domains.registry.service import Registry
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.screens import loading
from mlops_tui.tui.screens.compare import CompareDesk
from mlops_tui.tui.state import Versions
from mlops_tui.tui.views import Views
from mlops_tui.tui.widgets.rows import Pages

from .conftest import Open, desk_of, press, settle, text_of


def names(desk: Any) -> list[str]:
    rows = desk.table.rows
    return [rows.record(index).name for index in range(rows.count)]


# -- order, columns, marks ---------------------------------------------------------------------------------------------


async def test_sorting_is_the_work_of_the_store_and_the_third_time_undoes_it(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments", (120, 36)) as pilot:
        desk = desk_of(pilot)
        assert isinstance(desk.table.rows, Pages)
        newest_first = names(desk)
        await press(pilot, "s")
        assert names(desk) == sorted(newest_first)
        assert "Run↑" in text_of(pilot)
        await press(pilot, "s")
        assert names(desk) == sorted(newest_first, reverse=True)
        await press(pilot, "s")
        assert names(desk) == newest_first


async def test_a_metric_is_a_column_to_sort_by(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments", (120, 36)) as pilot:
        desk = desk_of(pilot)
        await press(pilot, "full_stop", "full_stop", "full_stop", "s")
        assert desk.memory["runs"].asked == loading.Ask(order="metric:rmsle")
        values = [desk.table.rows.record(index).metrics["rmsle"] for index in range(4)]
        assert values == sorted(values)


async def test_a_column_the_store_cannot_sort_by_is_refused_with_those_it_can(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "experiments", (120, 36)) as pilot:
        await press(pilot, "full_stop", "s")
        assert "cannot sort by Experiment" in text_of(pilot)
        assert desk_of(pilot).here.sort == -1


async def test_marks_are_counted_and_escape_takes_them_away(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "right_square_bracket", "space", "v", "j", "v")
        assert "◆ 3 marked" in text_of(pilot)
        assert "◆" in text_of(pilot).splitlines()[4]
        await press(pilot, "escape")
        assert "marked" not in text_of(pilot)
        assert desk_of(pilot).section.id == "versions"


async def test_what_a_list_looks_like_is_there_in_the_next_session(
    open_app: Open, filled: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "tui-state.json"
    for session in range(2):
        async with open_app(filled, "registry") as pilot:
            desk = desk_of(pilot)
            app = pilot.app
            assert isinstance(app, MlopsApp)
            app.source.views = Views(path)
            if session == 0:
                await press(pilot, "right_square_bracket", "full_stop", "s", "s", "C", "space", "enter")
                shown = text_of(pilot).splitlines()[2]
            else:
                desk.begin()
                await settle(pilot)
                await press(pilot, "right_square_bracket")
                assert text_of(pilot).splitlines()[2] == shown
                assert "Version" not in shown.split()[:1]


# -- states ------------------------------------------------------------------------------------------------------------


async def test_rows_that_cannot_be_read_again_stay_dim_with_their_age(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Registry) -> list[object]:
        raise Unavailable("The disk is away.", hint="Mount it.")

    async with open_app(filled, "registry") as pilot:
        desk = desk_of(pilot)
        monkeypatch.setattr(Registry, "models", broken)
        await press(pilot, "R")
        seen = text_of(pilot)
        assert "✗ The disk is away.  shown as of just now  R again  e details" in seen
        assert "hire" in seen
        assert desk.table.has_class("-stale")
        await press(pilot, "e")
        assert "Traceback (most recent call last)" in text_of(pilot)
        await press(pilot, "escape")
        monkeypatch.undo()
        await press(pilot, "R")
        assert "The disk" not in text_of(pilot)
        assert not desk.table.has_class("-stale")


async def test_a_page_that_cannot_be_read_leaves_the_pages_that_were(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_app(filled, "experiments") as pilot:
        monkeypatch.setattr(Experiments, "runs", lambda *given, **more: 1 / 0)
        app = pilot.app
        app.post_message(MlopsApp.Changed(Versions(2, 2, 2, True)))
        await settle(pilot)
        seen = text_of(pilot)
        assert "✗ ZeroDivisionError" in seen
        assert "boost-0" in seen
        await press(pilot, "1")
        assert "Newest changes" in text_of(pilot)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Reading models waits for this event; patience is short."""
    go, models = threading.Event(), Registry.models

    def waits(self: Registry) -> Any:
        go.wait(20)
        return models(self)

    monkeypatch.setattr(Registry, "models", waits)
    monkeypatch.setattr(loading, "PATIENCE_S", 0.01)
    monkeypatch.setattr(loading, "SLOW_S", 0.05)
    yield go
    go.set()


async def test_a_long_reading_can_be_given_up_and_what_it_brings_is_thrown_away(
    open_app: Open, filled: Workspace, slow: threading.Event
) -> None:
    async with open_app(filled, "overview") as pilot:
        await pilot.press("4")
        await pilot.pause(0.2)
        assert "░░░░" in text_of(pilot)
        await pilot.press("escape")
        await pilot.pause(0.05)
        assert "Stopped waiting after" in text_of(pilot)
        assert pilot.app.current_mode == "registry"
        slow.set()
        await settle(pilot)
        assert "Stopped waiting after" in text_of(pilot)
        await press(pilot, "R")
        assert "hire" in text_of(pilot)


# -- rows of a feature table -------------------------------------------------------------------------------------------


async def test_the_rows_of_a_table_are_sorted_filtered_and_shown_whole(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("tables", "hours")
        await settle(pilot)
        await press(pilot, "right_square_bracket", "right_square_bracket")
        seen = text_of(pilot)
        assert "▸Rows 400" in seen
        assert "hours@1" in seen
        await press(pilot, "full_stop", "full_stop", "s", "s")
        assert desk.table.rows.record(0).values["hires"] == 16
        await press(pilot, "slash", *"temp>28", "enter")
        assert desk.table.rows.count == 26
        await press(pilot, "enter")
        assert "hires" in text_of(pilot)
        await press(pilot, "full_stop")
        assert "temp" in text_of(pilot)
        await press(pilot, "escape")
        assert desk.section.id == "rows"


async def test_any_version_of_a_table_is_opened_from_its_snapshots(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("snapshots", "stations@1")
        await settle(pilot)
        await press(pilot, "o")
        assert desk.section.id == "rows"
        assert desk.table.rows.record(0).ref == "stations@1"
        await press(pilot, "escape")
        assert desk.section.id == "snapshots"


# -- runs side by side -------------------------------------------------------------------------------------------------


async def test_marked_runs_are_compared_and_d_leaves_the_differences(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments", (120, 45)) as pilot:
        await press(pilot, "c")
        assert "Mark two to 12 runs" in text_of(pilot)
        await press(pilot, "space", "space", "c")
        seen = text_of(pilot)
        assert isinstance(pilot.app.screen, CompareDesk)
        assert "Compare 2 runs" in seen
        assert "max_depth" in seen
        assert "rate" in seen
        assert "≠" in seen
        assert "rmsle" in seen
        await press(pilot, "d")
        assert "only those are shown" in text_of(pilot)
        assert not any(line.lstrip("▌ ").startswith("rate ") for line in text_of(pilot).splitlines())
        await press(pilot, "enter")
        assert "column 1 of 2" in text_of(pilot)
        await press(pilot, "escape", "escape")
        assert not isinstance(pilot.app.screen, CompareDesk)
