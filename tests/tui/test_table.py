"""The virtual table: only visible rows read and formatted, keys, marks, columns, and lines painted only when they change."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.strip import Strip

from mlops_tui.tui.lines import Span
from mlops_tui.tui.state import Failure
from mlops_tui.tui.widgets.columns import Arrangement, Column
from mlops_tui.tui.widgets.rows import Batch, Listed, Pages, Rows
from mlops_tui.tui.widgets.table import VirtualTable


def column(title: str, rank: int = 1, *, grow: bool = False) -> Column:
    return Column(title, lambda one, now: str(one), rank=rank, grow=grow)


class Counting:
    """100,000 rows that count how often they are asked for."""

    count = 100_000

    def __init__(self) -> None:
        self.asked: set[int] = set()

    def cells(self, index: int) -> tuple[Span, ...]:
        self.asked.add(index)
        return ((f"row {index} [bold]", "text"), (str(index), "muted"))


class Table(VirtualTable):
    """A table that notes which lines it paints."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.lines.append(y)
        return super().render_line(y)


class Host(App[None]):
    """A table alone."""

    def __init__(self, rows: Any, columns: tuple[Column, ...] = (column("name", grow=True), column("at"))) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.opened: list[int] = []
        self.failed: list[Failure] = []
        self.said: list[str] = []

    def compose(self) -> ComposeResult:
        yield Table()

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def on_mount(self) -> None:
        self.table.show(self.columns, self.rows)

    def on_virtual_table_opened(self, message: VirtualTable.Opened) -> None:
        self.opened.append(message.index)

    def on_virtual_table_failed(self, message: VirtualTable.Failed) -> None:
        self.failed.append(message.failure)

    def on_virtual_table_marked(self, message: VirtualTable.Marked) -> None:
        self.said.append(message.said)

    def text(self) -> str:
        return "\n".join(self.table.render_line(y).text.rstrip() for y in range(self.table.size.height))


async def settle(pilot: Any) -> None:
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


async def test_a_hundred_thousand_rows_format_only_what_is_on_screen() -> None:
    rows = Counting()
    async with Host(rows).run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(VirtualTable)
        assert len(rows.asked) < 200
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


# -- only what changes is painted --------------------------------------------------------------------------------------


def listed(values: list[str]) -> Listed:
    columns = (column("name", grow=True),)
    return Listed(values, columns, 0)


async def test_an_update_paints_only_the_lines_that_changed() -> None:
    values = [f"row {number}" for number in range(50)]
    app = Host(listed(values), listed(values).columns)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.lines.clear()
        values[4] = "row 4 has changed"
        new = listed(values)
        app.table.show(app.columns, new, cursor=0)
        await pilot.pause()
        assert app.table.lines == [5]  # one below the header


async def test_moving_paints_the_row_left_and_the_row_reached() -> None:
    app = Host(Counting())
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.lines.clear()
        await pilot.press("j")
        await pilot.pause()
        assert sorted(set(app.table.lines)) == [1, 2]


# -- rows of a store ---------------------------------------------------------------------------------------------------


class Store:
    """A million records that note which windows were read."""

    def __init__(self, count: int = 1_000_000, *, total: bool = True, broken: bool = False) -> None:
        self.count, self.total, self.broken = count, total, broken
        self.windows: list[int] = []

    def read(self, offset: int, limit: int) -> Batch | Failure:
        self.windows.append(offset)
        if self.broken:
            return Failure("The disk is away.")
        records = [f"record {number}" for number in range(offset, min(offset + limit, self.count))]
        return Batch(records, self.count if self.total else None)


def paged(store: Store) -> Host:
    columns = (column("name", grow=True),)
    return Host(Pages(columns, store.read, 0), columns)


async def test_a_million_rows_are_read_by_window() -> None:
    store = Store()
    app = paged(store)
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        assert "record 0" in app.text()
        await pilot.press("G")
        await settle(pilot)
        assert "record 999999" in app.text()
        assert store.windows == [0, 999_800, 999_600]  # and the page before: somebody scrolls


async def test_pages_passed_while_one_is_read_are_not_read() -> None:
    store = Store()
    app = paged(store)
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        for place in range(1000, 500_000, 1000):
            app.table.move_to(place)
        await settle(pilot)
        assert len(store.windows) <= 6  # those beside the last place among them
        assert "record 499000" in app.text()


async def test_without_a_total_the_count_says_that_there_are_more() -> None:
    store = Store(450, total=False)
    app = paged(store)
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        assert app.rows.said == ">200"
        await pilot.press("G")
        await settle(pilot)
        assert app.rows.said == ">400"
        await pilot.press("G")
        await settle(pilot)
        await pilot.press("G")
        await settle(pilot)
        assert app.rows.said == "450"
        assert app.table.cursor == 449


async def test_a_store_that_fails_is_said_and_asked_only_once() -> None:
    store = Store(broken=True)
    app = paged(store)
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        assert [one.message for one in app.failed] == ["The disk is away."]
        assert len(store.windows) == 1


def test_only_the_pages_used_last_are_kept() -> None:
    store = Store()
    pages = Pages((column("name"),), store.read, 0, page=10, kept=3)
    for number in range(5):
        batch = pages.fetch(number)
        assert isinstance(batch, Batch)
        pages.take(number, batch)
    assert pages.record(5) is None
    assert pages.record(45) == "record 45"
    assert pages.missing(0, 5) == 0


# -- marks -------------------------------------------------------------------------------------------------------------


async def test_space_marks_and_goes_on_and_marks_stay_with_their_rows() -> None:
    app = paged(Store(100))
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        app.table.mark()
        app.table.mark()
        assert app.table.marks.keys == ["record 0", "record 1"]
        assert app.table.cursor == 2
        await pilot.pause()
        assert app.text().splitlines()[1].startswith("◆record 0")
        app.table.move_to(0)
        app.table.mark()
        assert app.table.marks.keys == ["record 1"]
        assert app.table.clear_marks()
        assert not app.table.clear_marks()


async def test_a_range_may_go_over_rows_that_were_never_on_screen() -> None:
    app = paged(Store(5000))
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        app.table.move_to(10)
        app.table.mark_range()
        app.table.move_to(3000)
        app.table.mark_range()
        await settle(pilot)
        assert len(app.table.marks) == 2991
        assert app.table.marks.keys[-1] == "record 3000"


async def test_all_rows_are_marked_up_to_a_limit_that_is_said() -> None:
    app = paged(Store(50_000))
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        app.table.mark_all()
        await settle(pilot)
        assert len(app.table.marks) == 10_000
        assert "first 10,000" in app.said[-1]


# -- columns -----------------------------------------------------------------------------------------------------------


WIDE = tuple(Column(f"c{at}", lambda one, now, at=at: f"value {at} of {one}", rank=at + 1) for at in range(20))


async def test_the_first_column_stays_when_the_column_cursor_leaves_the_screen() -> None:
    app = Host(Listed(["x"], WIDE, 0), WIDE)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        assert "value 19" not in app.text()
        for _ in range(19):
            app.table.move_column(1)
        await pilot.pause()
        head, row = app.text().splitlines()[:2]
        assert head.startswith("◂c0")
        assert "value 0 of x" in row
        assert "value 19 of x" in row


async def test_hidden_columns_are_gone_and_the_order_is_the_users() -> None:
    app = Host(Listed(["x"], WIDE, 0), WIDE)
    async with app.run_test(size=(60, 20)) as pilot:
        app.table.rearrange(Arrangement(("c3", "c1"), frozenset({"c0"})))
        await pilot.pause()
        assert app.text().split()[:3] == ["c3", "c1", "c2"]


async def test_the_chooser_hides_moves_and_keeps() -> None:
    app = Host(Listed(["x"], WIDE[:3], 0), WIDE[:3])
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.choose_columns()
        await pilot.pause()
        await pilot.press("space", "J", "enter")
        await pilot.pause()
        assert app.table.arrangement == Arrangement(("c0", "c2", "c1"), frozenset({"c0"}))
        assert [app.table.columns[at].title for at in app.table.shown] == ["c2", "c1"]


async def test_a_chooser_left_by_escape_changes_nothing() -> None:
    app = Host(Listed(["x"], WIDE[:3], 0), WIDE[:3])
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.choose_columns()
        await pilot.pause()
        await pilot.press("space", "escape")
        await pilot.pause()
        assert app.table.arrangement == Arrangement()


def test_plain_rows_have_no_records_and_count_as_exact() -> None:
    assert Rows().said == "0"
    assert Rows().record(0) is None
