"""Which columns fit, how wide they are, and what scrolls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlops_tui.tui.widgets.columns import GAP, Arrangement, Column, fit_columns, spread


def column(title: str, rank: int = 1, *, grow: bool = False) -> Column:
    return Column(title, lambda one, now: str(one), rank=rank, grow=grow)


def test_columns_leave_by_rank_when_the_table_is_narrow() -> None:
    columns = (column("a", grow=True), column("b", 3), column("c", 2))
    assert list(fit_columns(columns, [10, 10, 10], 40)) == [0, 1, 2]
    assert list(fit_columns(columns, [10, 10, 10], 25)) == [0, 2]
    assert list(fit_columns(columns, [10, 10, 10], 12)) == [0]


def test_what_is_left_over_goes_to_the_growing_column() -> None:
    assert fit_columns((column("a", grow=True), column("b")), [5, 5], 40) == {0: 33, 1: 5}


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 4)), min_size=1, max_size=8), st.integers(40, 200))
def test_columns_always_fit(specs: list[tuple[int, int]], room: int) -> None:
    columns = tuple(column(str(at), rank) for at, (_, rank) in enumerate(specs))
    widths = fit_columns(columns, [width for width, _ in specs], room)
    assert sum(widths.values()) + GAP * (len(widths) - 1) <= max(room, 6 * len(widths))
    assert widths


@given(st.lists(st.integers(1, 60), min_size=2, max_size=30), st.integers(30, 200), st.integers(0, 29))
def test_the_column_under_the_cursor_and_the_first_one_are_always_on_screen(
    wanted: list[int], room: int, at: int
) -> None:
    at %= len(wanted)
    columns = tuple(column(str(index), index + 1) for index in range(len(wanted)))
    found = spread(columns, range(len(wanted)), wanted, room, at)
    assert at in found.widths
    assert 0 in found.widths
    assert found.before + len(found.widths) + found.after == len(wanted)
    assert sum(found.widths.values()) + GAP * (len(found.widths) - 1) <= room


def test_an_arrangement_orders_hides_and_never_leaves_nothing() -> None:
    columns = (column("a"), column("b"), column("c"))
    assert Arrangement(("c",)).apply(columns) == [2, 0, 1]
    assert Arrangement(("gone", "b"), frozenset({"a"})).apply(columns) == [1, 2]
    assert Arrangement((), frozenset({"a", "b", "c"})).apply(columns) == [0]
