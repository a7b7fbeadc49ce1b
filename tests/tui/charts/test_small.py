"""Canvases, histograms, heatmaps, and charts of one line, as pictures and by their properties."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_tui.tui.charts.canvas import Ascii, Blocks, Braille
from mlops_tui.tui.charts.heat import heatmap
from mlops_tui.tui.charts.histogram import histogram, shares
from mlops_tui.tui.charts.printing import to_ascii, to_text
from mlops_tui.tui.charts.small import bars, meter, sparkline
from mlops_tui.tui.lines import plain, width

NAN = math.nan


def test_two_dots_of_one_cell_make_one_glyph() -> None:
    canvas = Braille(1, 1)
    canvas.dot(0, 0, "s1")
    canvas.dot(1, 3, "s1")
    canvas.dot(99, 99, "s1")
    assert canvas.lines() == [((chr(0x2800 + 0x01 + 0x80), "s1"),)]


@pytest.mark.parametrize("kind", [Braille, Blocks, Ascii])
def test_a_stroke_is_drawn_in_any_order_and_cut_at_the_edges(kind: type[Braille]) -> None:
    first, second = kind(2, 2), kind(2, 2)
    first.stroke(1, -5, 50, "s1")
    second.stroke(1, 50, -5, "s1")
    assert first.lines() == second.lines()
    assert all(plain(one).strip() for one in first.lines())


def test_quarter_blocks_know_their_corners() -> None:
    canvas = Blocks(4, 1)
    for x, y in ((0, 0), (3, 0), (4, 1), (7, 1)):
        canvas.dot(x, y, "s1")
    assert plain(canvas.lines()[0]) == "▘▝▖▗"


def test_each_curve_has_its_own_ascii_glyph() -> None:
    canvas = Ascii(3, 1)
    for x, role in enumerate(("s1", "s2", "muted")):
        canvas.dot(x, 0, role)
    assert plain(canvas.lines()[0]) == "ox."


def test_two_distributions_over_each_other_as_outline_and_fill() -> None:
    found = to_text(histogram([0, 1, 3], 24, 7, reference=[3, 1, 0], bins=["a", "b", "c"])).split("\n")
    assert found == [
        " 75%┤⠉⠉⠉⠉⠉⠉⢹      ⢝⢝⢝⢝⢝⢝",
        "    │      ⢸      ⢕⢕⢕⢕⢕⢕",
        "    │      ⢸      ⢕⢕⢕⢕⢕⢕",
        "    │      ⢘⢖⢖⢖⢖⢖⢖⣗⢕⢕⢕⢕⢕",
        "  0%┤      ⢐⢕⢕⢕⢕⢕⢕⣗⢕⢕⢕⢕⢕",
        "    └  a      b     c",
        "▒ now   □ reference",
    ]


def test_the_same_in_ascii() -> None:
    found = to_text(histogram([0, 1, 3], 24, 7, reference=[3, 1, 0], bins=["a", "b", "c"], kind="ascii")).split("\n")
    assert found == [
        " 75%┤xxxxxxxx     oooooo",
        "    │       x     oooooo",
        "    │       x     oooooo",
        "    │       xxxxxxxooooo",
        "  0%┤       ooooooxooooo",
        "    └  a      b     c",
        "o now   x reference",
    ]


@pytest.mark.parametrize(
    ("wide", "names"),
    [(60, ["<= 0", "<= 4", "<= 8", "<= 12", "<= 16", "<= 20", "<= 24", "<= 28"]), (16, ["<= 0", "<= 29"])],
)
def test_of_names_that_do_not_all_fit_some_are_left_out(wide: int, names: list[str]) -> None:
    found = to_text(histogram([1] * 30, wide, 5, bins=[f"<= {at}" for at in range(30)])).split("\n")
    assert re.findall(r"<= \d+", found[-2]) == names


def test_bins_at_the_end_that_hold_nothing_are_left_out() -> None:
    found = to_text(histogram([1, 2, 0], 30, 5, reference=[2, 1, 0], bins=["a", "b", "(missing)"]))
    assert "(missing)" not in found


def test_shares_add_up_to_one_and_pass_over_nonsense() -> None:
    assert shares([1, NAN, -4, 3]) == [0.25, 0.0, 0.0, 0.75]
    assert shares([1e308, 1e308]) == [0.5, 0.5]
    assert shares([0, 0]) == [0.0, 0.0]


def test_nothing_to_compare_says_so_in_its_height() -> None:
    assert to_text(histogram([], 30, 3)).split("\n") == ["nothing to compare yet", "", ""]


def test_a_heatmap_in_shades_and_in_half_blocks() -> None:
    matrix = [[0.0, 1.0], [NAN, 0.5]]
    assert to_text(heatmap(matrix, 6, 2, labels=["a", "b"], kind="ascii")).split("\n") == ["a ..##", "b   ++"]
    (half,) = heatmap(matrix, 2, 1)
    assert half == (("▀", "heat1"), ("▀", "heat5/heat3"))


def test_a_sparkline_scales_to_its_range_and_keeps_gaps() -> None:
    assert sparkline([0, 1, 2, 3], 4)[0] == "▁▃▆█"
    assert sparkline([1, NAN, 1], 3)[0] == "▁ ▁"
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
    assert plain(meter(NAN, 3)) == "───"


def test_bars_fill_the_width_by_the_longest() -> None:
    rows = [plain(one) for one in bars([("a", 1), ("b", 2)], 30)]
    assert abs(rows[0].count("█") * 2 - rows[1].count("█")) <= 1
    assert bars([], 30) == []


def test_ascii_has_a_letter_for_every_cell() -> None:
    lines = [(("● a ▃█", "s1"), ("│┤└─┬ ⣿ é", "muted"))]
    (found,) = to_ascii(lines)
    assert plain(found) == "o a .#|++-+ # ?"
    assert plain(found).isascii()


def test_colour_is_written_only_when_asked_for() -> None:
    lines = [(("a", "s1"), ("▀", "heat1/heat5"))]
    assert to_text(lines) == "a▀"
    assert to_text(lines, colour=True) == "\x1b[36ma\x1b[0m\x1b[38;5;17;48;5;196m▀\x1b[0m"


numbers = st.lists(st.floats(width=64), max_size=60)


@given(numbers, numbers, st.integers(0, 80), st.integers(0, 12), st.sampled_from(["braille", "block", "ascii"]))
def test_no_distribution_leaves_its_place(now: list[float], then: list[float], wide: int, tall: int, kind: str) -> None:
    lines = histogram(now, wide, tall, reference=then, bins=["ä" * 9] * len(now), kind=kind)
    assert len(lines) == tall
    assert all(width(one) <= wide for one in lines)


@given(
    st.lists(numbers, max_size=6), st.integers(0, 60), st.integers(0, 8), st.sampled_from(["half", "shade", "ascii"])
)
def test_no_matrix_leaves_its_place(matrix: list[list[float]], wide: int, tall: int, kind: str) -> None:
    lines = heatmap(matrix, wide, tall, labels=["core"] * len(matrix), kind=kind)
    assert len(lines) == tall
    assert all(width(one) <= wide for one in lines)


@given(numbers, st.integers(0, 40))
def test_no_values_make_a_sparkline_or_bars_fail(values: list[float], wide: int) -> None:
    assert len(sparkline(values, wide)[0]) == wide
    assert all(width(one) <= wide for one in bars([("name", value) for value in values], wide))
    assert all(width(meter(value, wide)) == wide for value in values)
