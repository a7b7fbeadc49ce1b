"""Saved views: the command line's, opened by name, made from the filter on screen, removed and undone."""

from __future__ import annotations

from mlops_tui.core.views import Views
from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.rules import READ_ONLY

from .conftest import Open, desk_of, press, settle, text_of


async def test_the_palette_opens_a_view_of_any_list(open_app: Open, filled: Workspace) -> None:
    Views(filled).save("runs", "broken", "state:failed")
    async with open_app(filled, "overview", (120, 36)) as pilot:
        await press(pilot, "colon", *"view broken")
        assert "view broken of runs" in text_of(pilot)
        await press(pilot, "enter")
        desk = desk_of(pilot)
        assert (desk.ID, desk.section.id, desk.here.filter) == ("experiments", "runs", "state:failed")
        assert desk.table.rows.count == 1
        await press(pilot, "minus")
        assert desk_of(pilot).ID == "overview"


async def test_w_offers_the_views_of_this_list_and_d_removes_one_which_u_brings_back(
    open_app: Open, filled: Workspace
) -> None:
    views = Views(filled)
    views.save("jobs", "lost", "state:failed title~compact")
    views.save("runs", "of-another-list", "x")
    async with open_app(filled, "system") as pilot:
        await press(pilot, "right_square_bracket", "w")
        assert "of-another-list" not in text_of(pilot)
        await press(pilot, "enter")
        assert [desk_of(pilot).table.rows.count, desk_of(pilot).here.filter] == [1, "state:failed title~compact"]
        await press(pilot, "w", "d")
        assert views.list("jobs") == {}
        await press(pilot, "u", "tab", "enter")
        assert views.list("jobs") == {"lost": "state:failed title~compact"}


async def test_the_filter_is_kept_as_a_view_with_its_command_line(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "W")
        assert "There is no filter to save" in text_of(pilot)
        await press(pilot, "slash", *"versions>=3 alias:champion", "enter", "W", *"big")
        assert "mlops models list 'versions>=3 alias:champion' --save-view big" in text_of(pilot)
        await press(pilot, "enter")
        assert Views(filled).list("models") == {"big": "versions>=3 alias:champion"}
        assert desk_of(pilot).table.rows.count == 1
        await press(pilot, "u", "tab", "enter")
        assert Views(filled).list("models") == {}


async def test_a_view_this_list_cannot_read_is_opened_with_its_mistake(open_app: Open, filled: Workspace) -> None:
    Views(filled).save("alerts", "odd", "nosuch:1")
    async with open_app(filled, "monitoring") as pilot:
        await press(pilot, "w", "enter")
        await settle(pilot)
        assert "There is no field 'nosuch' here." in text_of(pilot)
        assert desk_of(pilot).table.rows.count > 0


async def test_a_list_without_views_and_a_read_only_session_say_why(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system", read_only=True) as pilot:
        await press(pilot, "left_square_bracket", "w")
        assert desk_of(pilot).section.id == "audit"
        assert "Views are saved of feature tables, runs" in text_of(pilot)
        await press(pilot, "left_square_bracket", "slash", *"compact", "enter", "W")
        assert READ_ONLY in text_of(pilot)
