"""The features desk: rows with the profile of a column, values by frequency, versions, checks, lookups, the SQL console."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.features.derived_records import SkewColumn, SkewReport
from mlops_tui.domains.features.profile_records import ColumnProfile, Profile
from mlops_tui.tui.blocks import text_of as blocks_text
from mlops_tui.tui.screens import column_profile, lookup, profiled
from mlops_tui.tui.screens.lookup import Lookup
from mlops_tui.tui.screens.sheet import Sheet
from mlops_tui.tui.screens.sql_console import SqlConsole
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, source_of, text_of
from .filling import NOW


def change(workspace: Workspace, work: Callable[[Workbench], Any]) -> None:
    with Workbench(workspace, actor="ben", now=lambda: NOW) as bench:
        work(bench)


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Wait for what a worker brings about, however busy the machine is."""
    for _ in range(200):
        if holds():
            return
        await settle(pilot)
        await pilot.pause(0.02)
    pytest.fail("it did not come about")


async def rows_of(pilot: Pilot[Any], table: str) -> Any:
    desk = desk_of(pilot)
    desk.go("tables", table)
    await settle(pilot)
    desk.go("rows")
    await settle(pilot)
    return desk


# -- rows and the profile beside them --------------------------------------------------------------------------------------


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


# -- versions ----------------------------------------------------------------------------------------------------------------


async def test_two_versions_are_compared_and_an_old_one_is_restored_and_taken_back(
    open_app: Open, filled: Workspace
) -> None:
    rows = [{"station": n, "docks": 40 + n} for n in range(9)]
    change(filled, lambda bench: bench.features.ingest("stations", rows, mode="replace", message="after the works"))
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("snapshots", "stations@2")
        await settle(pilot)
        await press(pilot, "c")
        seen = text_of(pilot)
        assert "stations@1 and stations@2" in seen
        assert "rows 5 to 9 (+4)" in seen
        assert "▲ drifted" in seen
        assert "docks @2" in seen  # both versions of the column over each other
        assert "docks @1" in seen
        await press(pilot, "escape")
        desk.go("snapshots", "stations@1")
        await settle(pilot)
        await press(pilot, "b")
        assert "stations@2 stays in the history" in text_of(pilot)
        await press(pilot, "tab", "enter")
        await until(pilot, lambda: source_of(filled).fetch(lambda bench: bench.features.get("stations").rows) == 5)
        await press(pilot, "u", "tab", "enter")
        await until(pilot, lambda: source_of(filled).fetch(lambda bench: bench.features.get("stations").rows) == 9)


async def test_the_newest_version_is_not_restored_and_versions_of_two_tables_are_not_compared(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("snapshots", "stations@1")
        await settle(pilot)
        await press(pilot, "b")
        assert "is the newest version already" in text_of(pilot)
        await press(pilot, "asterisk", "c")
        assert "Mark two versions of one table" in text_of(pilot)


# -- online, away and back -------------------------------------------------------------------------------------------------


async def test_a_table_is_brought_online_compared_with_what_was_served_removed_and_brought_back(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("tables", "stations")
        await settle(pilot)
        await press(pilot, "t")
        await until(pilot, lambda: "is online: 5 entities" in text_of(pilot))

        def asked(bench: Workbench) -> None:
            bench.features.log_lookups("stations", 1.0)
            bench.features.lookup("stations", [{"station": 1}])

        change(filled, asked)
        await press(pilot, "K")
        await until(pilot, lambda: "1 answers" in text_of(pilot))
        assert "✓ agrees" in text_of(pilot)
        await press(pilot, "escape", "d")
        assert "Remove stations?" in text_of(pilot)
        await press(pilot, "shift+tab", *"stations", "enter")
        await until(pilot, lambda: [one.name for one in desk.here.records] == ["hours"])
        await press(pilot, "u", "tab", "enter")
        await until(pilot, lambda: [one.name for one in desk.here.records] == ["hours", "stations"])


async def test_answers_of_a_deployment_are_compared_with_the_join_or_it_is_said_why_not(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = SkewColumn("docks", 3, 1, 1 / 3, 4.0, ({"row": {"station": 1}, "at": NOW, "served": 15, "offline": 11},))
    async with open_app(filled, "serving", (160, 45)) as pilot:
        desk_of(pilot).go("deployments", "bikes")
        await press(pilot, "K")
        await until(pilot, lambda: "served and joined" in text_of(pilot))
        await until(pilot, lambda: "Nothing says which tables" in text_of(pilot) or "which entity" in text_of(pilot))
        await press(pilot, "escape")
        report = SkewReport("deployment:bikes", 3, NOW, NOW, 0.0, "fail", (column,), 2, ("hour",))
        monkeypatch.setattr(Workbench, "skew", lambda self, name: report)
        await press(pilot, "K")
        await until(pilot, lambda: "▲ differs" in text_of(pilot))
        seen = text_of(pilot)
        assert "2 of unknown entities left out; of no table: hour" in seen
        assert "station=1" in seen
        assert "15, joined 11" in seen


async def test_what_would_be_collected_is_said_before_it_is_asked(open_app: Open, filled: Workspace) -> None:
    change(filled, lambda bench: bench.features.ingest("stations", [{"station": 1, "docks": 1}], mode="replace"))
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk_of(pilot).go("tables", "stations")
        await settle(pilot)
        await press(pilot, "X", "1", "enter")
        await until(pilot, lambda: "Collect?" in text_of(pilot))
        assert "stations@1" in text_of(pilot)
        assert "would go" in text_of(pilot)
        await press(pilot, "tab", "enter")
        await until(
            pilot,
            lambda: source_of(filled).fetch(lambda bench: bench.features.snapshot("stations@1").expired_at) is not None,
        )


async def test_a_read_only_session_writes_no_profile(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (130, 45), read_only=True) as pilot:
        await rows_of(pilot, "hours")
        await until(pilot, lambda: "Distinct   5" in text_of(pilot))
    assert source_of(filled).fetch(lambda bench: bench.features.kept_profile("hours")) is None


# -- checks ------------------------------------------------------------------------------------------------------------------


async def test_checks_run_from_the_desk_and_the_rows_that_fail_are_opened(open_app: Open, filled: Workspace) -> None:
    change(
        filled, lambda bench: bench.features.add_checks("hours", ["range column=temp high=20 severity=warn name=cool"])
    )
    async with open_app(filled, "features", (130, 40)) as pilot:
        desk = desk_of(pilot)
        desk.go("tables", "hours")
        await settle(pilot)
        assert desk.record.verdict == ""
        await press(pilot, "r")
        await until(pilot, lambda: desk.record.verdict == "warning")
        desk.go("checks")
        await settle(pilot)
        assert desk.record.result.name == "cool"
        assert "Rows that fail" in text_of(pilot)
        await press(pilot, "o")
        assert "130 of 130 rows" in text_of(pilot)
        await press(pilot, "escape", "G", "o")
        assert "no row fails it" in text_of(pilot)


async def test_rows_set_aside_are_listed_with_their_reason(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (130, 36)) as pilot:
        desk = desk_of(pilot)
        desk.go("aside")
        await settle(pilot)
        assert desk.table.rows.count == 1
        assert "not a time" in text_of(pilot)


# -- lookups -----------------------------------------------------------------------------------------------------------------


async def test_an_entity_is_looked_up_online_and_offline_at_once(open_app: Open, filled: Workspace) -> None:
    change(filled, lambda bench: bench.features.materialize("stations"))
    change(filled, lambda bench: bench.features.push("stations", [{"station": 2, "docks": 99}]))
    async with open_app(filled, "features", (120, 36)) as pilot:
        desk_of(pilot).go("tables", "stations")
        await settle(pilot)
        await press(pilot, "l")
        assert isinstance(pilot.app.screen, Lookup)
        await press(pilot, "2", "enter")
        seen = text_of(pilot)
        assert "✓ ok" in seen
        assert "docks    ≠  99      12" in seen
        await press(pilot, "backspace", "x", "enter")
        assert "station is 'x', not a number." in text_of(pilot)


@pytest.mark.parametrize("text", ["", "1 2", "a=1 b=2 c=3", "'1", "c=1"])
def test_keys_that_do_not_fit_are_refused_with_the_form_they_have(workbench: Workbench, text: str) -> None:
    table = workbench.features.create("pairs", ["a", "b"])
    with pytest.raises(Exception, match=r"pairs is looked up by a, b|A quote is not closed") as caught:
        lookup.typed(text if text != "1 2" else "1", table)
    assert caught.value.hint == "Write a=VALUE b=VALUE"
    assert lookup.typed("b=2 a='x y'", table) == {"a": "x y", "b": "2"}


# -- SQL ---------------------------------------------------------------------------------------------------------------------


async def console(pilot: Pilot[Any], text: str) -> SqlConsole:
    await press(pilot, "Q")
    screen = pilot.app.screen
    assert isinstance(screen, SqlConsole)
    screen.editor.put(text, len(text))
    return screen


async def test_a_query_is_completed_run_and_its_rows_saved(open_app: Open, filled: Workspace, tmp_path: Path) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        screen = await console(pilot, "SELECT station, count(*) AS n FROM ho")
        await press(pilot, "tab")
        assert screen.editor.text.endswith("FROM hours")
        screen.editor.put(screen.editor.text + " GROUP BY 1 ORDER BY 1", 0)
        await press(pilot, "enter")
        seen = text_of(pilot)
        assert "5 rows in" in seen
        assert screen.table.rows.record(4) == (4, 80)
        path = tmp_path / "out.csv"
        await press(pilot, "ctrl+s")
        pilot.app.screen.query_one("#f-file", Input).value = str(path)
        await press(pilot, "enter")
        await until(pilot, lambda: "5 rows are in" in text_of(pilot))
        assert path.read_text(encoding="utf-8").count("\n") == 6
        await press(pilot, "shift+tab", "enter")
        assert "column 1 of 2" in text_of(pilot)
        await press(pilot, "escape", "escape", "escape")
        assert not isinstance(pilot.app.screen, SqlConsole)


async def test_a_mistake_is_shown_below_with_a_caret_and_what_was_run_comes_back(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        screen = await console(pilot, "SELECT hirez FROM hours")
        await press(pilot, "enter")
        seen = text_of(pilot).splitlines()
        at = next(
            number for number, line in enumerate(seen) if line.strip() == "SELECT hirez FROM hours" and number > 3
        )
        assert seen[at + 1].index("^") == seen[at].index("hirez")
        screen.editor.put("DELETE FROM hours", 0)
        await press(pilot, "enter")
        assert "Only SELECT is allowed" in text_of(pilot)
        await press(pilot, "up", "up")
        assert screen.editor.text == "SELECT hirez FROM hours"
        await press(pilot, "escape")
        screen = await console(pilot, "")
        await press(pilot, "up")
        assert screen.editor.text == "DELETE FROM hours"


def test_a_mistake_far_to_the_right_is_in_sight() -> None:
    from mlops_tui.tui.screens.sql_console import _window

    code = "SELECT " + ", ".join(f"column_{n}" for n in range(20)) + " FORM t"
    at = code.index("FORM")
    seen, marks = _window((code, " " * at + "^^^^"), 60)
    assert len(seen) <= 60
    assert seen[marks.index("^") :].startswith("FORM")
    assert _window(("SELECT x", "       ^"), 60) == ("SELECT x", "       ^")


async def test_escape_stops_a_query_that_runs_and_only_then_closes(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "features", (120, 36)) as pilot:
        screen = await console(
            pilot, "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range * b.range = 7"
        )
        await pilot.press("enter")
        while screen._stop is None:
            await pilot.pause(0.01)
        while "was cancelled" not in text_of(pilot):
            await pilot.press("escape")
            await pilot.pause(0.02)
        assert pilot.app.screen is screen
        await press(pilot, "escape")
        assert pilot.app.screen is not screen


# -- a column as blocks --------------------------------------------------------------------------------------------------------


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


async def test_a_sheet_sorts_copies_and_says_what_went_wrong(open_app: Open, filled: Workspace) -> None:
    def fails(bench: Workbench) -> Any:
        raise ValueError("no such thing")

    async with open_app(filled, "features") as pilot:
        await pilot.app.push_screen(Sheet(source_of(filled), "Broken", fails))
        await settle(pilot)
        assert "✗ ValueError: no such thing" in text_of(pilot)
        await press(pilot, "s", "y", "escape")
        assert not isinstance(pilot.app.screen, Sheet)
