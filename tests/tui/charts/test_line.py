"""Line charts as pictures: small ones exactly, any others by what must hold of every chart."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series, View, draw, extent
from mlops_tui.tui.charts.printing import to_text
from mlops_tui.tui.charts.scale import Steady
from mlops_tui.tui.lines import plain, width

NAN = math.nan
NOW = 1_760_000_000_000.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def picture(*series: Series, wide: int = 40, tall: int = 8, view: View | None = None, **options: object) -> list[str]:
    lines = draw(Plot(series, **options), wide, tall, view)  # type: ignore[arg-type]
    return to_text(lines).split("\n")


def rising(name: str = "loss", count: int = 3) -> Series:
    return Series(name, tuple(map(float, range(count))), tuple(map(float, range(count))))


def test_a_rising_line_goes_from_bottom_left_to_top_right() -> None:
    assert picture(rising(), wide=30, tall=7) == [
        "    2┤                   ⣀⣠⠴⠚⠉",
        "     │              ⢀⣀⡤⠖⠋⠁",
        "    1┤         ⢀⣀⡤⠴⠚⠉",
        "     │    ⢀⣀⡤⠖⠚⠉",
        "    0┤⣠⠴⠒⠋⠉",
        "     └0                      2",
        "● loss 2  min 0 max 2",
    ]


def test_the_same_line_in_ascii() -> None:
    assert picture(rising(), wide=24, tall=7, view=View(canvas="ascii")) == [
        "    2┤              oooo",
        "     │           oooo",
        "    1┤      oooooo",
        "     │  ooooo",
        "    0┤ooo",
        "     └0                2",
        "o loss 2  min 0 max 2",
    ]


def test_the_same_line_in_blocks() -> None:
    assert picture(rising(), wide=24, tall=7, view=View(canvas="block")) == [
        "    2┤              ▗▄▟▀",
        "     │           ▗▄▛▀",
        "    1┤       ▗▄▟▀▀",
        "     │   ▄▄▟▀▀",
        "    0┤▄▛▀▘",
        "     └0                2",
        "● loss 2  min 0 max 2",
    ]


def test_two_curves_differ_by_their_glyphs_and_share_one_legend() -> None:
    down = Series("b", (0.0, 1.0, 2.0), (2.0, 1.0, 0.0))
    assert picture(rising("a"), down, wide=44, tall=7) == [
        "    2┤⠉⠒⠒⠤⠤⣀⣀                        ⣀⣠⠤⠴⠒⠚●",
        "     │       ⠉⠉⠒▲⠤⢄⣀⡀        ⢀⣀⡤⠤⠖⠒⠋⠉⠁",
        "    1┤              ⠈⢉⣑⣲⠦⠴⢖●⡉⠉",
        "     │       ⣀⣀⣠⠤⠴⠒⠚⠉⠉      ⠈⠉⠑⠒▲⠤⢄⣀⡀",
        "    0┤⣀⡤⠤⠖⠒●⠉⠁                      ⠈⠉⠑⠒⠢⠤⢄⣀",
        "     └0                  1                 2",
        "● a 2  min 0 max 2   ▲ b 0  min 0 max 2",
    ]


def test_a_gap_in_the_values_stays_open() -> None:
    torn = Series("a", tuple(map(float, range(9))), (1.0, 1.0, 1.0, NAN, NAN, NAN, 1.0, 1.0, 1.0))
    assert picture(torn, wide=30, tall=4, low=0, high=2) == [
        "    2┤",
        "    1┤⠉⠉⠉⠉⠉⠉⠁           ⠉⠉⠉⠉⠉⠉",
        "     └0",
        "● a 1  min 1 max 1",
    ]


def test_a_cursor_says_the_value_of_every_curve_at_its_x() -> None:
    torn = Series("b", (0.0, 1.0, 2.0), (2.0, NAN, 0.0))
    found = picture(rising("a"), torn, view=View(cursor=1.0), x_name="step")
    assert found[-1] == "step 1  ● a 1   ▲ b -"
    assert sum("┊" in one for one in found) >= 4


def test_a_logarithmic_axis_has_powers_of_ten_and_leaves_out_what_has_no_logarithm() -> None:
    series = Series("lr", tuple(map(float, range(5))), (1e-4, 1e-3, 0.0, 1e-1, 1.0))
    found = picture(series, tall=12, view=View(log=True))
    assert [one.split("┤")[0].strip() for one in found if "┤" in one] == ["1", "0.1", "0.01", "0.001", "0.0001"]


def test_smoothing_shows_the_average_bright_and_the_values_dim() -> None:
    noisy = Series("a", tuple(map(float, range(40))), tuple(float(at % 2) for at in range(40)))
    lines = draw(Plot((noisy,)), 50, 10, View(smooth=0.9))
    roles = {role for one in lines[:7] for text, role in one[2:] if text.strip()}
    assert roles == {"s1", "muted"}
    assert "s1" in {role for _, role in lines[-1]}


def test_zoom_fits_the_axis_to_what_is_in_view() -> None:
    found = picture(rising("a", 100), view=View(left=10, right=20))
    assert found[0].lstrip().startswith("20┤")
    assert "10" in found[-2]


def test_by_time_the_axis_is_a_duration() -> None:
    series = Series("a", (0.0, 1.0), (1.0, 2.0), (0.0, 90_000.0))
    assert "1m" in picture(series, wide=60, view=View(by_time=True))[-2]


def test_clock_times_stand_on_round_minutes() -> None:
    series = Series("a", (NOW, NOW + 30 * 60_000), (1.0, 2.0))
    assert picture(series, wide=60, x=ticks.TIME)[-2].split() == ["└", "09:00", "09:10", "09:20"]


def live(now: float) -> list[str]:
    series = Series("cpu", tuple(NOW - age * 10_000.0 for age in range(180, 0, -1)), tuple(50.0 for _ in range(180)))
    return picture(series, low=0, high=100, window=(now - 1_800_000, now), tall=7)


def test_a_live_chart_stands_still_until_its_free_columns_are_full() -> None:
    first = live(NOW)
    step = 1_800_000 / 34 * 2
    edge = math.ceil(NOW / step) * step
    assert live(edge - 1) == first
    assert live(edge + 1) != first
    assert first[-2].rstrip().endswith("now")


def test_limits_of_a_live_chart_move_seldom() -> None:
    view = View(steady=Steady())

    def labels(top: float) -> list[str]:
        series = Series("a", (0.0, 1.0), (0.0, top))
        return [one.split("┤")[0] for one in picture(series, view=view, window=(0.0, 1.0)) if "┤" in one]

    first = labels(9.1)
    assert labels(9.9) == first
    assert labels(4.5) == first
    assert labels(1.0) != first


def test_a_chart_without_points_says_so_in_its_height() -> None:
    assert [plain(one) for one in draw(Plot((Series("a", (), ()),)), 20, 3)] == ["no points yet", "", ""]


def test_the_extent_is_that_of_all_curves_or_of_the_window() -> None:
    assert extent(Plot((rising("a", 3), rising("b", 9)))) == (0.0, 8.0)
    assert extent(Plot((rising(),), window=(5.0, 6.0))) == (5.0, 6.0)


numbers = st.floats(width=64)
series = st.builds(
    lambda name, points, times: Series(
        name, tuple(x for x, _ in points), tuple(y for _, y in points), tuple(map(float, times))
    ),
    st.text(max_size=12),
    st.lists(st.tuples(numbers, numbers), max_size=40),
    st.lists(st.integers(0, 10**13), max_size=40),
)
views = st.builds(
    View,
    left=st.none() | st.floats(-1e6, 1e6),
    right=st.none() | st.floats(-1e6, 1e6),
    cursor=st.none() | st.floats(-1e6, 1e6),
    log=st.booleans(),
    smooth=st.sampled_from([0.0, 0.6, 0.99]),
    by_time=st.booleans(),
    canvas=st.sampled_from(["braille", "block", "ascii"]),
    steady=st.none() | st.builds(Steady),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(series, max_size=6),
    st.integers(0, 130),
    st.integers(0, 30),
    views,
    st.sampled_from(["line", "scatter", "step"]),
    st.sampled_from([None, ticks.TIME, ticks.DURATION, ticks.NUMBER]),
)
def test_no_data_makes_a_chart_fail_or_leave_its_place(
    found: list[Series], wide: int, tall: int, view: View, style: str, axis: ticks.Axis | None
) -> None:
    lines = draw(Plot(tuple(found), style=style, x=axis, x_name="step"), wide, tall, view)
    assert len(lines) == tall
    assert all(width(one) <= wide for one in lines)


def test_a_curve_of_one_point_is_seen() -> None:
    drawn = [plain(one) for one in draw(Plot((Series("mae", (0.0,), (85.8,)),)), 40, 8)]
    assert sum("●" in one for one in drawn) == 2  # the point and the legend
