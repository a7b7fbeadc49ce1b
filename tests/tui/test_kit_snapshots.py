"""The table and the states of a list as text in four sizes, compared exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from mlops_tui.tui.lines import Line, state
from mlops_tui.tui.state import Failure, Versions
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.columns import Arrangement, Column
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.rows import Listed
from mlops_tui.tui.widgets.table import VirtualTable

from .conftest import settle

SIZES = [(60, 16), (80, 24), (120, 36), (200, 60)]
sized = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")

WORDS = ("finished", "failed", "running", "crashed")
COLUMNS = (
    Column("Run", lambda one, now: f"run-{one:03d} [b]{'名前' if one % 5 == 2 else 'é'}[/b]", width=24, grow=True),
    Column("State", lambda one, now: state(WORDS[one % 4]), width=12),
    *(
        Column(f"metric_{at}", lambda one, now, at=at: f"{one * at % 97 / 97:.4f}", right=True, rank=2 + at)
        for at in range(9)
    ),
    Column("Started", lambda one, now: (f"{one} min ago", "muted"), width=14),
)


class TableHost(App[None]):
    """A table of 500 runs: sorted, some marked, the column cursor on the sixth column, one hidden."""

    def compose(self) -> ComposeResult:
        yield VirtualTable()

    def on_mount(self) -> None:
        table = self.query_one(VirtualTable)
        table.sorted_by, table.reverse, table.column = 1, True, 5
        table.marks.add(["2", "3"])
        table.show(
            COLUMNS, Listed(range(500), COLUMNS, 0), cursor=4, arrangement=Arrangement((), frozenset({"metric_1"}))
        )


@sized
async def test_a_table(snapshot: Callable[[Pilot[Any], str], None], size: tuple[int, int]) -> None:
    async with TableHost().run_test(size=size) as pilot:
        await pilot.pause()
        snapshot(pilot, f"kit-table-{size[0]}x{size[1]}")


class StatesHost(App[None]):
    """Every state below each other."""

    def compose(self) -> ComposeResult:
        yield LinesView()

    def on_mount(self) -> None:
        self.query_one(LinesView).show(lambda width, height: drawn(width))


FAILURE = Failure("The table [b]hours[/b] was removed or changed meanwhile.", "Try again.", "Traceback")


def drawn(width: int) -> list[Line]:
    empty = states.Empty("No runs yet. A training script logs one.", "mlops pipelines run NAME", "r")
    return [
        *states.loading(width, columns=(20, 10, 8)),
        states.waiting(7.4),
        *empty.draw(width),
        *states.failed(FAILURE, width),
        states.stale(FAILURE, 0, 5 * 60_000),
        states.banner(Versions(down_since=0), False, 3 * 60_000),
        states.banner(Versions(lost="The disk is full."), True, 0),
        *states.nothing_matches("state:lost", width),
    ]


@sized
async def test_the_states_of_a_list(snapshot: Callable[[Pilot[Any], str], None], size: tuple[int, int]) -> None:
    async with StatesHost().run_test(size=size) as pilot:
        await settle(pilot)
        snapshot(pilot, f"kit-states-{size[0]}x{size[1]}")
