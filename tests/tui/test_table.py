"""The virtual table: columns that fit, only visible rows formatted, keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from mlops_tui.tui.lines import Span
from mlops_tui.tui.widgets.table import Column, VirtualTable, fit_columns


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
    assert sum(widths.values()) + 2 * (len(widths) - 1) <= max(room, 6 * len(widths))
    assert widths


class Counting:
    """100,000 rows that count how often they are asked for."""

    count = 100_000

    def __init__(self) -> None:
        self.asked: set[int] = set()

    def cells(self, index: int) -> tuple[Span, ...]:
        self.asked.add(index)
        return ((f"row {index} [bold]", "text"), (str(index), "muted"))


class Host(App[None]):
    """A table alone."""

    def __init__(self, rows: Any) -> None:
        super().__init__()
        self.rows = rows
        self.opened: list[int] = []

    def compose(self) -> ComposeResult:
        yield VirtualTable()

    def on_mount(self) -> None:
        self.query_one(VirtualTable).show((column("name", grow=True), column("at")), self.rows)

    def on_virtual_table_opened(self, message: VirtualTable.Opened) -> None:
        self.opened.append(message.index)


async def test_a_hundred_thousand_rows_format_only_what_is_on_screen() -> None:
    rows = Counting()
    async with Host(rows).run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(VirtualTable)
        await pilot.press("G")
        await pilot.pause()
        assert table.cursor == 99_999
        assert len(rows.asked) < 400


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        (["j", "j", "k"], 1),
        (["down"], 1),
        (["G", "k"], 99_998),
        (["G", "g"], 0),
        (["pagedown"], 19),
        (["pagedown", "pageup"], 0),
        (["k"], 0),
    ],
)
async def test_keys_of_vim_and_of_arrows_move(keys: list[str], row: int) -> None:
    async with Host(Counting()).run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        assert pilot.app.query_one(VirtualTable).cursor == row


async def test_enter_and_a_second_click_open_the_row() -> None:
    app = Host(Counting())
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        await pilot.press("j", "enter")
        await pilot.click(VirtualTable, offset=(3, 4))
        await pilot.click(VirtualTable, offset=(3, 4))
        await pilot.pause()
        assert app.opened == [1, 3]
