"""Charts: numbers in, lines out."""

from __future__ import annotations

import math

import pytest

from mlops_tui.tui.charts import scale
from mlops_tui.tui.charts.braille import Canvas
from mlops_tui.tui.charts.line import Series, draw
from mlops_tui.tui.charts.small import bars, histogram_pair, meter, sparkline
from mlops_tui.tui.lines import plain, width


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 7.5), (1e-6, 2e-6), (0.0, 12345.0)])
def test_ticks_are_round_numbers_inside_the_limits(low: float, high: float) -> None:
    found = scale.ticks(low, high, 5)
    assert 1 <= len(found) <= 6
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    step = found[1] - found[0]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5, 10)


def test_limits_of_flat_or_missing_values_are_widened() -> None:
    assert scale.limits([5.0, 5.0]) == (4.5, 5.5)
    assert scale.limits([]) == (0.0, 1.0)
    assert scale.limits([math.nan, math.inf, 2.0, 4.0]) == (2.0, 4.0)


def test_a_spike_among_thousands_of_points_survives_in_its_column() -> None:
    ys = [0.0] * 5000
    ys[2500] = 9.0
    found = scale.columns(list(range(5000)), ys, 10, 0, 4999)
    assert found[5] == (0.0, 9.0)


def test_two_dots_of_one_cell_make_one_glyph() -> None:
    canvas = Canvas(1, 1)
    canvas.dot(0, 0, "s1")
    canvas.dot(1, 3, "s1")
    canvas.dot(99, 99, "s1")
    assert canvas.lines() == [((chr(0x2800 + 0x01 + 0x80), "s1"),)]


def test_a_rising_line_goes_from_bottom_left_to_top_right() -> None:
    lines = draw([Series("loss", (0.0, 1.0, 2.0), (0.0, 1.0, 2.0))], 30, 8)
    rows = [plain(one) for one in lines]
    assert len(rows) == 8
    body = rows[:6]
    assert max(index for index, glyph in enumerate(body[0]) if ord(glyph) >= 0x2800) > 25
    assert min(index for index, glyph in enumerate(body[-1]) if ord(glyph) >= 0x2800) < 6
    assert "loss 2" in rows[-1]


def test_a_gap_in_the_values_stays_open() -> None:
    nan = math.nan
    whole = draw([Series("a", tuple(map(float, range(9))), (1.0,) * 9)], 40, 6, low=0, high=2)
    torn = draw(
        [Series("a", tuple(map(float, range(9))), (1.0, 1.0, 1.0, nan, nan, nan, 1.0, 1.0, 1.0))], 40, 6, low=0, high=2
    )

    def dots(lines: list[tuple[tuple[str, str], ...]]) -> int:
        return sum(glyph > "⠀" for one in lines for glyph in plain(one) if "⠀" <= glyph <= "⣿")

    assert dots(torn) < dots(whole) * 0.8


def test_a_chart_without_points_says_so_in_its_height() -> None:
    assert [plain(one) for one in draw([Series("a", (), ())], 20, 3)] == ["no points yet", "", ""]


@pytest.mark.parametrize("cells", [16, 33, 79, 200])
def test_no_chart_line_is_wider_than_asked(cells: int) -> None:
    series = [Series(f"long name of series {number}", (0.0, 5.0), (number, 1e6)) for number in range(6)]
    assert all(width(one) <= cells for one in draw(series, cells, 10))


def test_a_sparkline_scales_to_its_range_and_keeps_gaps() -> None:
    assert sparkline([0, 1, 2, 3], 4)[0] == "▁▃▆█"
    assert sparkline([1, math.nan, 1], 3)[0] == "▁ ▁"
    assert sparkline([], 3)[0] == "   "
    assert len(sparkline(range(1000), 7)[0]) == 7


@pytest.mark.parametrize(
    ("share", "text", "role"),
    [(0.0, "····", "good"), (0.5, "██··", "good"), (0.8, "███▎", "warn"), (1.0, "████", "bad")],
)
def test_a_meter_says_how_much_by_length_and_how_bad_by_role(share: float, text: str, role: str) -> None:
    line = meter(share, 4)
    assert plain(line) == text
    assert line[0][1] == role


def test_an_unknown_share_is_a_dash_not_a_zero() -> None:
    assert plain(meter(None, 3)) == "───"


def test_bars_fill_the_width_by_the_longest() -> None:
    rows = [plain(one) for one in bars([("a", 1), ("b", 2)], 30)]
    assert abs(rows[0].count("█") * 2 - rows[1].count("█")) <= 1
    assert bars([], 30) == []


def test_two_histograms_share_one_scale() -> None:
    first, second = (plain(one) for one in histogram_pair([10, 0, 0, 0], [1, 1, 1, 1], 30))
    assert "█" in first
    assert "█" not in second
    assert "▂" in second
