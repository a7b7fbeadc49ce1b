"""The keys of charts: what they change on screen, and that nothing else is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.blocks import Chart, Fields
from mlops_tui.tui.charts.line import Plot, Series
from mlops_tui.tui.lines import plain
from mlops_tui.tui.widgets.chart import ChartView, changed, of_blocks

from .conftest import Open, desk_of, press, text_of

LOSS = Series("loss", tuple(map(float, range(101))), tuple(100 / (1 + x) for x in range(101)),
              tuple(x * 1000.0 for x in range(101)))  # fmt: skip


class Page(App[None]):
    """A pane alone."""

    def compose(self) -> ComposeResult:
        yield ChartView(id="view")


@pytest.fixture
async def pilot() -> AsyncIterator[Pilot[None]]:
    async with Page().run_test(size=(80, 24)) as found:
        view = found.app.query_one(ChartView)
        view.show(of_blocks([Fields((("State", "running"),)), Chart(Plot((LOSS,), x_name="step"))]), of="run")
        view.focus()
        await found.pause()
        yield found


def shown(pilot: Pilot[None]) -> str:
    return "\n".join(plain(one) for one in pilot.app.query_one(ChartView).lines)


async def test_plus_comes_closer_and_minus_goes_back(pilot: Pilot[None]) -> None:
    whole = shown(pilot)
    await pilot.press("+")
    assert pilot.app.query_one(ChartView).view.left == 25.0
    assert shown(pilot) != whole
    await pilot.press("-")
    assert shown(pilot) == whole


async def test_the_cursor_goes_from_point_to_point_and_says_the_value(pilot: Pilot[None]) -> None:
    await pilot.press("left")
    assert "step 100  ● loss 0.990" in shown(pilot)
    await pilot.press("left")
    assert "step 98  ● loss 1.01" in shown(pilot)
    await pilot.press("right", "right")
    assert "step 100" in shown(pilot)


async def test_log_smooth_window_and_axis_are_named_and_reset_takes_them_back(pilot: Pilot[None]) -> None:
    whole = shown(pilot)
    await pilot.press("l", "m", "a", "w")
    found = shown(pilot)
    assert "log, by time, smooth 0.6" in text_of(pilot)
    assert "1m30s" in found
    await pilot.press("0")
    assert shown(pilot) == whole


async def test_a_paused_chart_stands_still_and_then_shows_the_newest(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(ChartView)
    await pilot.press("p")
    still = shown(pilot)
    assert "paused" in text_of(pilot)
    newer = Series("loss", (0.0, 1.0), (7.0, 8.0))
    view.show(of_blocks([Chart(Plot((newer,)))]), of="run")
    assert shown(pilot) == still
    await pilot.press("p")
    assert "loss 8" in shown(pilot)


async def test_another_object_is_looked_at_afresh(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(ChartView)
    await pilot.press("+", "left")
    view.show(of_blocks([Chart(Plot((LOSS,)))]), of="other")
    assert (view.view.left, view.view.cursor) == (None, None)


async def test_without_charts_the_keys_are_not_taken(pilot: Pilot[None]) -> None:
    view = pilot.app.query_one(ChartView)
    view.show(lambda width, height: [(("words", "text"),)])
    assert [view.check_action(name, ()) for name in ("zoom", "log", "pause", "axis")] == [False] * 4


async def test_only_the_cells_that_changed_are_painted_again(
    pilot: Pilot[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = pilot.app.query_one(ChartView)
    regions: list[Region] = []
    monkeypatch.setattr(view, "refresh", lambda *found, **options: regions.extend(found))
    grown = Series("loss", LOSS.xs, (*LOSS.ys[:-1], 30.0))
    view.show(of_blocks([Fields((("State", "running"),)), Chart(Plot((grown,), x_name="step"))]), of="run")
    assert 0 < sum(one.area for one in regions) < 160
    view.show(of_blocks([Fields((("State", "running"),)), Chart(Plot((grown,), x_name="step"))]), of="run")
    assert len(regions) <= 10


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [("abcdef", "abXdef", (2, 1)), ("abc", "abcd", (3, 1)), ("abcd", "ab", (2, 2)), ("日本語", "日X語", (2, 4))],
)
def test_a_change_is_as_wide_as_what_differs(old: str, new: str, found: tuple[int, int]) -> None:
    assert changed(((old, "text"),), ((new, "text"),)) == found


async def test_the_run_page_takes_the_keys_of_charts(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments", (160, 45)) as pilot:
        await press(pilot, "tab")
        assert "zoom" in text_of(pilot)
        await press(pilot, "left")
        assert "step 39  ● rmsle 0.153" in text_of(pilot)
        await press(pilot, "tab")
        assert desk_of(pilot).focused is desk_of(pilot).table


async def test_the_hardware_page_has_a_time_cursor(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system", (160, 45)) as pilot:
        await press(pilot, "left")
        assert "now  ● cpu 42   ▲ memory 37.5" in text_of(pilot)


async def test_keys_of_charts_are_in_help_and_palette_and_go_before_those_of_the_desk(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "experiments", (160, 45)) as pilot:
        desk = desk_of(pilot)
        assert "chart" in desk.situation.panes
        assert desk.situation.pane == ""
        await press(pilot, "question_mark")
        await press(pilot, *"logarithmic")
        assert "In charts, once tab went there" in text_of(pilot)
        await press(pilot, "escape", "colon", *"smooth the curves", "enter")
        assert desk.situation.pane == "chart"
        assert "smooth 0.6" in text_of(pilot)


async def test_the_footer_leaves_out_what_a_chart_in_focus_takes(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments", (160, 45), keys={"chart.log": ("c",)}) as pilot:
        assert "c compare" in text_of(pilot).splitlines()[-1]
        await press(pilot, "tab", "c")
        footer = text_of(pilot).splitlines()[-1]
        assert "compare" not in footer
        assert "c log" in text_of(pilot)
        assert desk_of(pilot).chart is not None
        assert desk_of(pilot).chart.view.log
