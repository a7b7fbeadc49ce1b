"""Text chosen with the mouse: over lists, tables and details, copied when the button is let go, and nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.widgets.selecting import between
from mlops_tui.tui.widgets.table import VirtualTable

from .conftest import Open, desk_of, settle, text_of


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put on the clipboard."""
    found: list[str] = []

    def copy(text: str, **_: object) -> str:
        found.append(text)
        return "Copied it"

    monkeypatch.setattr("mlops_tui.tui.clipboard.copy", copy)
    return found


async def drag(pilot: Pilot[Any], of: str, begin: tuple[int, int], *to: tuple[int, int], **how: bool) -> None:
    await pilot.mouse_down(of, begin, **how)
    for place in to:
        await pilot.hover(of, place)
    await pilot.mouse_up(of, to[-1] if to else begin)
    await settle(pilot)


@pytest.mark.parametrize(
    ("text", "start", "end", "found"),
    [("abcdef", 1, 3, "bc"), ("日本語", 1, 3, "日本"), ("日本語", 2, 4, "本"), ("ab", 5, 9, ""), ("ab", 0, 99, "ab")],
)
def test_cells_are_cut_by_their_width(text: str, start: int, end: int, found: str) -> None:
    assert between(text, start, end) == found


async def test_rows_of_a_list_are_chosen_from_cell_to_cell_and_copied_on_release(
    open_app: Open, filled: Workspace, copied: list[str]
) -> None:
    async with open_app(filled, "features") as pilot:
        desk = desk_of(pilot)
        await drag(pilot, "#table", (1, 1), (4, 1), (6, 2))
        assert len(copied) == 1
        first, second = copied[0].splitlines()
        assert first.startswith("hours")
        assert second == " statio"
        assert desk.table.cursor == 0
        assert not desk.has_class("-open")
        assert "Copied it" in text_of(pilot)


async def test_a_click_chooses_nothing_and_one_with_shift_or_alt_is_the_terminals(
    open_app: Open, filled: Workspace, copied: list[str]
) -> None:
    async with open_app(filled, "features") as pilot:
        await drag(pilot, "#table", (1, 1))
        await drag(pilot, "#table", (1, 1), (9, 1), shift=True)
        await drag(pilot, "#table", (1, 1), (9, 1), meta=True)
        assert copied == []
        await pilot.click("#table", (3, 2))
        assert desk_of(pilot).table.cursor == 1


async def test_what_is_chosen_stands_out_without_colour_until_a_key_or_a_click(
    open_app: Open, filled: Workspace, copied: list[str]
) -> None:
    async with open_app(filled, "features") as pilot:
        table = desk_of(pilot).query_one("#table", VirtualTable)
        await drag(pilot, "#table", (2, 1), (4, 1))
        lit = [segment.text for segment in table.render_line(1) if segment.style and segment.style.reverse]
        assert "".join(lit) == copied[0] == "our"
        await pilot.press("j")
        assert not [one for one in table.render_line(1) if one.style and one.style.reverse]


async def test_the_detail_is_chosen_by_itself_beside_the_list(
    open_app: Open, filled: Workspace, copied: list[str]
) -> None:
    async with open_app(filled, "features", (120, 30)) as pilot:
        detail = desk_of(pilot).query_one("#detail")
        await drag(pilot, "#detail", (0, 0), (30, 1))
        assert len(copied) == 1
        assert "stations" not in copied[0]
        assert copied[0].split()[0] in text_of(pilot)
        assert detail.region.x > 40


async def test_held_below_the_pane_the_content_moves_on(open_app: Open, filled: Workspace, copied: list[str]) -> None:
    async with open_app(filled, "system", (80, 14)) as pilot:
        await pilot.press("left_square_bracket")
        await settle(pilot)
        desk = desk_of(pilot)
        shown = desk.table.body_height
        assert desk.table.rows.count > shown
        await pilot.mouse_down("#table", (1, 1))
        await pilot.hover("#keys", (5, 0))
        for _ in range(200):
            if desk.table.scroll_offset.y > 2:
                break
            await pilot.pause(0.01)
        await pilot.mouse_up("#keys", (5, 0))
        await settle(pilot)
        assert len(copied[0].splitlines()) > shown
