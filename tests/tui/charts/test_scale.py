"""Ticks, limits and downsampling: what must hold whatever the numbers are."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_tui.tui.charts import scale, series, ticks
from mlops_tui.tui.charts.sample import buckets
from mlops_tui.tui.charts.scale import Scale, Steady
from mlops_tui.tui.charts.series import Series

NAN = math.nan
HOUR = 3_600_000.0


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 7.5), (1e-6, 2e-6), (0.0, 12345.0)])
def test_ticks_are_round_numbers_inside_the_limits(low: float, high: float) -> None:
    found = ticks.numbers(low, high, 5)
    assert 2 <= len(found) <= 6
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)
    step = found[1] - found[0]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5, 10)


@given(st.floats(-1e15, 1e15), st.floats(1e-9, 1e15), st.integers(1, 40))
def test_ticks_lie_inside_whatever_the_limits(low: float, span: float, count: int) -> None:
    high = low + span
    for tick in ticks.numbers(low, high, count):
        assert low - span * 1e-6 <= tick <= high + span * 1e-6


def test_ticks_of_a_logarithm_are_powers_of_ten_or_fill_up_between() -> None:
    assert ticks.powers(1e-6, 1.0, 4) == pytest.approx([1e-6, 1e-4, 1e-2, 1.0])
    assert ticks.powers(0.1, 1.0, 6) == pytest.approx([0.1, 0.2, 0.5, 1.0])
    assert ticks.powers(2.1, 4.9, 6) == pytest.approx([2.5, 3.0, 3.5, 4.0, 4.5])


@pytest.mark.parametrize(
    ("hours", "count", "labels"),
    [
        (1, 4, ["07:00", "07:15", "07:30", "07:45", "08:00"]),
        (24, 4, ["12:00", "18:00", "26 Oct", "06:00"]),
        (24 * 300, 4, ["Jan 2025", "Apr 2025", "Jul 2025", "Oct 2025"]),
        (24 * 4000, 4, ["2015", "2020", "2025"]),
    ],
)
def test_ticks_of_time_stand_on_local_round_times(berlin: None, hours: int, count: int, labels: list[str]) -> None:
    high = 1_761_462_000_000.0  # 2025-10-26 08:00 in Berlin, the morning summer time ended
    found = [text for _, text in ticks.TIME.labelled(high - hours * HOUR, high, count)]
    assert found == labels


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0s"), (45_000, "45s"), (90_000, "1m30s"), (5_400_000, "1h30m"), (-60_000, "-1m")]
)
def test_a_length_of_time_has_two_units_at_most(ms: float, text: str) -> None:
    assert ticks.span(ms) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1500, "1500"), (15000, "15k"), (2e6, "2M"), (0.02, "0.02"), (3e-7, "3e-7")]
)
def test_labels_are_short(value: float, text: str) -> None:
    assert ticks.number(value) == text


def test_limits_of_flat_or_missing_values_are_widened() -> None:
    assert scale.limits([5.0, 5.0]) == (4.5, 5.5)
    assert scale.limits([]) == (0.0, 1.0)
    assert scale.limits([NAN, math.inf, 2.0, 4.0]) == (2.0, 4.0)


def test_a_logarithmic_scale_without_positive_values_is_linear() -> None:
    assert scale.fitted([-1.0, 0.0], log=True) == Scale(-1.0, 0.0)
    assert scale.fitted([0.0, 1.0, 100.0], log=True) == Scale(1.0, 100.0, True)


def test_kept_limits_hold_new_values_and_let_go_when_they_are_mostly_empty() -> None:
    steady = Steady()
    first = steady.settle("a", Scale(0.3, 9.2))
    assert first == Scale(0.0, 10.0)
    assert steady.settle("a", Scale(1.0, 9.9)) is first
    assert steady.settle("a", Scale(0.0, 10.4)) == Scale(0.0, 15.0)
    assert steady.settle("a", Scale(0.0, 1.0)) == Scale(0.0, 1.0)
    assert steady.settle("b", Scale(0.0, 100.0)) == Scale(0.0, 100.0)


@given(st.floats(0, 1e13), st.floats(1, 1e9), st.integers(1, 300))
def test_a_snapped_window_covers_now_and_is_a_twelfth_ahead_at_most(now: float, span: float, columns: int) -> None:
    left, right = scale.snapped(now - span, now, columns)
    column = span / columns
    assert now - column * 1e-3 <= right <= now + column * max(1, columns // scale.PARTS) * 1.001
    assert math.isclose(right - left, span, rel_tol=1e-3, abs_tol=1e-2)


values = st.floats(-1e100, 1e100) | st.just(NAN)


@given(st.lists(st.tuples(st.floats(0, 1000), values), min_size=1), st.integers(1, 60))
def test_downsampling_keeps_both_extremes_and_both_ends(points: list[tuple[float, float]], count: int) -> None:
    points.sort(key=lambda point: point[0])
    xs, ys = [x for x, _ in points], [y for _, y in points]
    kept = [found for found in buckets(xs, ys, count, xs[0], xs[-1]) if found is not None]
    finite = [y for y in ys if math.isfinite(y)]
    assert bool(kept) == bool(finite)
    if finite:
        assert max(found.high for found in kept) == max(finite)
        assert min(found.low for found in kept) == min(finite)
        if xs[0] < xs[-1]:
            assert kept[0].first == finite[0]
            assert kept[-1].last == finite[-1]


def test_a_spike_among_thousands_of_points_survives_in_its_column() -> None:
    ys = [0.0] * 5000
    ys[2500] = 9.0
    found = buckets(list(map(float, range(5000))), ys, 10, 0, 4999)
    assert found[5] is not None
    assert (found[5].low, found[5].high) == (0.0, 9.0)


def test_a_gap_between_columns_is_told() -> None:
    found = buckets([0.0, 1.0, 2.0, 3.0], [1.0, NAN, NAN, 2.0], 4, 0, 4)
    assert [one and one.torn for one in found] == [False, None, None, True]


def test_an_average_starts_at_the_first_value_and_keeps_gaps() -> None:
    found = series.smoothed([4.0, NAN, 4.0], 0.9)
    assert found[0] == pytest.approx(4.0)
    assert math.isnan(found[1])
    assert found[2] == pytest.approx(4.0)


def test_points_out_of_order_are_sorted_and_those_without_x_left_out() -> None:
    found = series.ordered(Series("a", (2.0, NAN, 1.0), (20.0, 0.0, 10.0)))
    assert (found.xs, found.ys) == ((1.0, 2.0), (10.0, 20.0))


def test_the_value_under_a_cursor_is_that_of_the_nearest_point_in_reach() -> None:
    one = Series("a", (0.0, 10.0, 20.0), (1.0, NAN, 3.0))
    assert series.value_at(one, 18.0, 5.0) == 3.0
    assert series.value_at(one, 11.0, 5.0) is None
    assert series.value_at(one, 40.0, 5.0) is None


def test_the_next_point_is_the_nearest_of_any_curve_beyond_the_step() -> None:
    curves = [Series("a", (0.0, 5.0, 9.0), (0.0,) * 3), Series("b", (2.0, 7.0), (0.0,) * 2)]
    assert series.neighbour(curves, 2.0, 1.0) == 5.0
    assert series.neighbour(curves, 7.0, -1.0) == 5.0
    assert series.neighbour(curves, 9.0, 1.0) is None
    assert series.neighbour(curves, 0.0, -1.0) is None
