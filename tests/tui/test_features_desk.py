"""The features desk: versions, tables online and away, checks, lookups. Rows: test_feature_rows.py; SQL: test_sql_console.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.features.derived_records import SkewColumn, SkewReport
from mlops_tui.tui.screens import lookup
from mlops_tui.tui.screens.lookup import Lookup
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, source_of, text_of, until
from .filling import NOW


def change(workspace: Workspace, work: Callable[[Workbench], Any]) -> None:
    with Workbench(workspace, actor="ben", now=lambda: NOW) as bench:
        work(bench)


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
