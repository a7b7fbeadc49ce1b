"""The SQL console and the sheet a query is shown on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.screens.sheet import Sheet
from mlops_tui.tui.screens.sql_console import SqlConsole
from mlops_tui.tui.screens.sql_parts import window
from mlops_tui.workbench import Workbench

from .conftest import Open, press, settle, source_of, text_of, until


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
    code = "SELECT " + ", ".join(f"column_{n}" for n in range(20)) + " FORM t"
    at = code.index("FORM")
    seen, marks = window((code, " " * at + "^^^^"), 60)
    assert len(seen) <= 60
    assert seen[marks.index("^") :].startswith("FORM")
    assert window(("SELECT x", "       ^"), 60) == ("SELECT x", "       ^")


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


async def test_a_sheet_sorts_copies_and_says_what_went_wrong(open_app: Open, filled: Workspace) -> None:
    def fails(bench: Workbench) -> Any:
        raise ValueError("no such thing")

    async with open_app(filled, "features") as pilot:
        await pilot.app.push_screen(Sheet(source_of(filled), "Broken", fails))
        await settle(pilot)
        assert "✗ ValueError: no such thing" in text_of(pilot)
        await press(pilot, "s", "y", "escape")
        assert not isinstance(pilot.app.screen, Sheet)
