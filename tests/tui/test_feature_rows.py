"""Rows of a table with the profile of a column beside them, and values by frequency."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.features.profile_records import ColumnProfile, Profile
from mlops_tui.tui.blocks import text_of as blocks_text
from mlops_tui.tui.screens import column_profile, profiled
from mlops_tui.tui.screens.sheet import Sheet

from .conftest import Open, desk_of, press, settle, source_of, text_of, until
from .filling import NOW


async def rows_of(pilot: Pilot[Any], table: str) -> Any:
    desk = desk_of(pilot)
    desk.go("tables", table)
    await settle(pilot)
    desk.go("rows")
    await settle(pilot)
    return desk


async def test_the_profile_of_the_column_is_beside_the_rows_and_follows_the_column_cursor(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features", (130, 45)) as pilot:
        await rows_of(pilot, "hours")
        await until(pilot, lambda: "Distinct   5" in text_of(pilot))
        await press(pilot, "full_stop", "full_stop")
        seen = text_of(pilot)
        assert "Distinct   17" in seen
        assert "Histogram" in seen
        assert "Counted    all rows" in seen


async def test_in_a_narrow_terminal_the_profile_is_on_a_key_and_esc_goes_back(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features") as pilot:
        desk = await rows_of(pilot, "hours")
        assert "Quantiles" not in text_of(pilot)
        await press(pilot, "I")
        assert "Least      0" in text_of(pilot)
        await press(pilot, "escape")
        assert desk.focused is desk.table


async def test_a_table_too_large_is_sampled_and_counted_whole_when_asked(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_tui.domains.features import profile

    monkeypatch.setattr(profile, "SAMPLE_ROWS", 100)
    monkeypatch.setattr(profiled, "CELLS_AT_ONCE", 100)
    async with open_app(filled, "features", (130, 45)) as pilot:
        await rows_of(pilot, "hours")
        await until(pilot, lambda: "from a sample of" in text_of(pilot))
        assert "I counts all rows." in text_of(pilot)
        await press(pilot, "I")
        await until(pilot, lambda: "Counted    all rows" in text_of(pilot))


async def test_a_filter_knows_the_columns_of_the_table_and_says_what_is_wrong_at_once(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = await rows_of(pilot, "hours")
        await press(pilot, "slash", *"hir")
        await press(pilot, "tab")
        assert desk.query_one("#filter").value == "hires>="
        await press(pilot, "1", "6")
        assert desk.table.rows.count == 23
        assert desk.table.rows.exact
        desk.query_one("#filter", Input).value += " hirez>1"
        await settle(pilot)
        assert "There is no field 'hirez' here." in text_of(pilot)
        assert desk.table.rows.count == 23


async def test_values_by_frequency_filter_the_rows(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = await rows_of(pilot, "hours")
        await press(pilot, "full_stop", "full_stop", "F")
        assert isinstance(pilot.app.screen, Sheet)
        assert "17 values in 400 rows" in text_of(pilot)
        await press(pilot, "s", "s", "enter")
        assert desk.here.filter == "hires=16"
        assert desk.table.rows.count == 23


@pytest.mark.parametrize(
    ("one", "said"), [('it\'s "b"', 'name="it\'s \\"b\\""'), (3, "name=3"), (True, "name=true"), (1.5, "name=1.5")]
)
def test_a_value_of_any_kind_becomes_a_filter(one: Any, said: str) -> None:
    from mlops_tui.tui.screens import grid
    from mlops_tui.tui.screens.feature_looks import _narrowed

    assert _narrowed("", "name", one) == said
    kind = {str: "VARCHAR", int: "BIGINT", bool: "BOOLEAN", float: "DOUBLE"}[type(one)]
    assert grid.where(said, {"name": kind}, NOW)


async def test_rows_are_of_the_version_chosen_and_not_of_one_passed_by(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("tables", "stations")
        await settle(pilot)
        await press(pilot, "right_square_bracket", "right_square_bracket")
        assert desk.table.rows.record(0).ref == "stations@1"
        desk.go("snapshots", "hours@1")
        await settle(pilot)
        await press(pilot, "right_square_bracket")
        assert desk.table.rows.record(0).ref == "hours@1"


async def test_a_read_only_session_writes_no_profile(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (130, 45), read_only=True) as pilot:
        await rows_of(pilot, "hours")
        await until(pilot, lambda: "Distinct   5" in text_of(pilot))
    assert source_of(filled).fetch(lambda bench: bench.features.kept_profile("hours")) is None


def test_a_profile_of_a_sample_gives_no_count_of_missing_values_as_exact() -> None:
    column = ColumnProfile(
        "x", "DOUBLE", 100, 25, 70, min=0.0, max=1.0, edges=(0.0, 0.5, 1.0), counts=(30, 45), warnings=("skewed",)
    )
    sampled = blocks_text(column_profile.of_column(Profile("t", 1, 0, 1000, 100, False, (column,)), "x"), 60)
    assert "Rows      1,000" in sampled
    assert "Missing   ~25.0%" in sampled
    assert "from a sample of 100 of 1,000 rows" in sampled
    assert "▲ skewed" in sampled
    whole = blocks_text(column_profile.of_column(Profile("t", 1, 0, 100, 100, True, (column,)), "x"), 60)
    assert "Missing   25 (25.0%)" in whole
    assert column_profile.of_column(Profile("t", 1, 0, 100, 100, True, (column,)), "gone")
