"""The filter line: the query language over what a list shows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from textual.widgets import Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.filtering import Completion, Typed, fields_of, said
from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens import cells
from mlops_tui.tui.widgets.bar import Bar

from .conftest import Open, desk_of, press, settle, text_of

NOW = 1_760_000_000_000
HOUR = 3_600_000


@dataclass
class Run:
    name: str = "boost-3"
    state: str = "running"
    rows: int | None = 1500
    size: int = 2_000_000
    begun: int = NOW - 2 * HOUR
    ended: int | None = NOW - HOUR


COLUMNS = (
    cells.text("Run", lambda one: one.name),
    cells.status("State", lambda one: one.state),
    cells.count("Rows", lambda one: one.rows),
    cells.byte_size("Size", lambda one: one.size),
    cells.when("Last run", lambda one: one.begun),
    cells.lasted("Took", lambda one: one.begun, lambda one: one.ended),
)


def taken(*texts: str) -> Typed:
    typed = Typed()
    for text in texts:
        typed.take(text, fields_of(COLUMNS, NOW, lambda: [Run(), Run("forest", "failed")]), NOW)
    return typed


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("BOOST", True),
        ("boost running", True),
        ("boost failed", False),
        ("failed | running", True),
        ("-failed", True),
        ("-running", False),
        ("state:running", True),
        ("state~run", True),
        ("state:boost", False),
        ("run~boost", True),
        ("rows>1000", True),
        ("rows>1500", False),
        ("size<=2MB", True),
        ("last_run>3h", True),
        ("last<1h", True),
        ("took=1h", True),
        ("boost-3", True),
        ('"2 h ago"', True),
    ],
)
def test_every_column_can_be_asked(text: str, holds: bool) -> None:
    typed = taken(text)
    assert typed.problem is None
    assert typed.select([Run()], NOW) == ([Run()] if holds else [])


@pytest.mark.parametrize("wrong", ["rows>x", "state:", "nosuch:1", "(", '"boost'])
def test_the_last_good_answer_stays_while_the_query_is_wrong(wrong: str) -> None:
    typed = taken("forest", wrong)
    assert typed.problem is not None
    assert typed.good == "forest"
    assert typed.select([Run(), Run("forest")], NOW) == [Run("forest")]
    assert taken("forest", wrong, "boost").problem is None


def test_the_caret_stands_below_the_mistake_with_the_message_beside_it() -> None:
    shown = plain(said(taken("a nosuch:1"), 200))
    assert shown.startswith("   ^^^^^^ There is no field 'nosuch' here.")
    far = plain(said(taken("a " * 60 + "nosuch:1"), 80))
    assert far.strip().startswith("✗ There is no field")


def test_completion_goes_round_and_keeps_what_stands_around_it() -> None:
    fields = fields_of(COLUMNS, NOW, lambda: [Run(), Run("forest", "failed")])
    offers = Completion.of("boost state: x", 12, fields)
    assert offers.next() == ("boost state:failed x", 18)
    assert offers.next() == ("boost state:running x", 19)
    assert offers.next()[0] == "boost state:failed x"
    assert "state:failed" in plain(offers.shown())
    assert "Nothing" in plain(Completion.of("zzz:", 4, fields).shown())


async def test_a_mistake_is_shown_below_the_line_while_the_rows_stay(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments") as pilot:
        desk = desk_of(pilot)
        await press(pilot, "slash", *"state:finished")
        await settle(pilot)
        assert desk.visible_count == 2
        await press(pilot, *" (")
        assert desk.visible_count == 2
        assert "to look for is missing" in text_of(pilot)
        desk.query_one("#filter", Input).value = "state:finished nosuch:1"
        await settle(pilot)
        assert desk.visible_count == 2
        assert "There is no field 'nosuch' here." in text_of(pilot)
        marks = next(line for line in text_of(pilot).splitlines() if "^^^" in line)
        typed = [line for line in text_of(pilot).splitlines() if "nosuch:1" in line][-1]
        assert marks.index("^") == typed.index("nosuch")
        await press(pilot, "enter")
        assert desk.query_one("#filter").display, "a filter that cannot be read is not kept"
        await press(pilot, "end", *["backspace"] * 9, "enter")
        assert not desk.query_one("#wrong", Bar).display
        assert desk.here.filter == "state:finished"
        await press(pilot, "escape")
        assert desk.visible_count == 4


async def test_tab_completes_fields_keys_and_values(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments") as pilot:
        desk = desk_of(pilot)
        await press(pilot, "slash")
        await settle(pilot)
        await press(pilot, *"sta", "tab")
        box = desk.query_one("#filter", Input)
        assert box.value == "state:"
        assert pilot.app.focused is box
        await press(pilot, *"fa", "tab", "space", *"params.", "tab")
        assert box.value.startswith("state:failed params.")
        first = box.value
        await press(pilot, "tab")
        assert box.value != first
        await press(pilot, "escape")
        assert desk.here.filter == ""


async def test_a_list_in_memory_is_filtered_by_its_columns(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        desk = desk_of(pilot)
        everything = desk.visible_count
        assert everything
        await press(pilot, "slash", *"-zzz versions>0")
        assert desk.visible_count == everything
        await press(pilot, *" zzz")
        assert "Nothing matches" in text_of(pilot)
