"""Every desk, empty and filled: what it shows, its keys, its ladder of escapes, and what a broken room does to it."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry.service import Registry
from mlops_tui.tui import actions
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.state import Versions

from .conftest import Open, desk_of, press, settle, text_of

DESKS = [name for name, _, _ in actions.DESKS]


@pytest.mark.parametrize("desk", DESKS[1:])
async def test_an_empty_desk_names_the_command_that_fills_it(open_app: Open, blank: Workspace, desk: str) -> None:
    async with open_app(blank, desk) as pilot:
        screen = desk_of(pilot)
        for section in screen.SECTIONS:
            screen.go(section.id)
            await settle(pilot)
            if section.empty is not None and section.id not in ("audit", "processes"):  # something always runs
                seen = " ".join(text_of(pilot).split())
                assert " ".join(section.empty.command.split())[:40] in seen
                assert section.empty.command.startswith("mlops ")


@pytest.mark.parametrize("desk", DESKS)
async def test_a_filled_desk_works_in_a_small_terminal_without_an_error(
    open_app: Open, filled: Workspace, desk: str
) -> None:
    async with open_app(filled, desk, (60, 16)) as pilot:
        screen = desk_of(pilot)
        for section in screen.SECTIONS:
            screen.go(section.id)
            await settle(pilot)
            await press(pilot, "j", "k")
            seen = text_of(pilot)
            assert "✗ " not in seen.replace("✗ failed", "").replace("✗ critical", "").replace(
                "✗ broken.toml", ""
            ).replace("✗ missed", ""), seen
            if section.detail is not None and screen.memory[section.id].records:
                await press(pilot, "enter")
                assert str(screen.memory[section.id].detail_of)
                await press(pilot, "escape")


async def test_digits_go_to_desks_and_minus_goes_back(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled) as pilot:
        for key, desk in enumerate(DESKS, 1):
            await press(pilot, str(key))
            assert pilot.app.current_mode == desk
        await press(pilot, "3", "minus")
        assert pilot.app.current_mode == "system"


async def test_the_filter_narrows_the_list_and_escape_climbs_down_but_never_quits(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "experiments") as pilot:
        desk = desk_of(pilot)
        await press(pilot, "slash", *"state:fin")
        assert desk.visible_count == 2
        await press(pilot, "enter")
        assert desk.here.filter == "state:fin"
        await press(pilot, "enter")
        assert desk_of(pilot).ID == "run"
        await press(pilot, "escape")
        assert desk_of(pilot) is desk
        await press(pilot, "escape")
        assert desk.here.filter == ""
        assert desk.visible_count == 4
        await press(pilot, "escape", "escape")
        assert pilot.app.is_running


async def test_a_filter_that_hides_everything_says_so(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments") as pilot:
        await press(pilot, "slash", *"zzz")
        assert "Nothing matches “zzz”" in text_of(pilot)


async def test_sorting_goes_through_the_columns_and_turns_round(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "experiments") as pilot:
        desk = desk_of(pilot)
        rows = desk.table.rows
        names = [rows.record(index).name for index in range(rows.count)]
        await press(pilot, "s", "S")
        rows = desk.table.rows
        assert [rows.record(index).name for index in range(rows.count)] == sorted(names, reverse=True)
        assert "Run↓" in text_of(pilot)


async def test_enter_twice_opens_what_is_inside_and_escape_comes_back(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (160, 45)) as pilot:
        desk = desk_of(pilot)
        await press(pilot, "enter", "enter")
        assert desk.section.id == "versions"
        assert desk.visible_count == 3
        await press(pilot, "escape")
        assert desk.section.id == "models"


async def test_the_cursor_stays_on_its_object_when_rows_are_added_above(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring") as pilot:
        desk = desk_of(pilot)
        await press(pilot, "j")
        chosen = desk.here.selected
        app = pilot.app
        assert isinstance(app, MlopsApp)
        app.source.fetch(lambda bench: bench.alerts.raise_alert("drift", "other", title="A new one"))
        app.post_message(MlopsApp.Changed(Versions(2, 1, 1, True)))
        await settle(pilot)
        assert desk.here.selected == chosen
        assert str(desk.record.id) == chosen
        assert "A new one" in text_of(pilot)


async def test_a_room_that_fails_is_an_error_in_place_and_r_tries_again(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Registry) -> list[object]:
        raise Unavailable("The disk is away.", hint="Mount it.")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "models", broken)
        async with open_app(filled, "registry") as pilot:
            seen = text_of(pilot)
            assert "✗ The disk is away." in seen
            assert "Mount it." in seen
            patch.undo()
            await press(pilot, "R")
            assert "hire" in text_of(pilot)


async def test_an_unexpected_error_is_shown_and_its_traceback_kept_in_the_log(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "models", lambda self: 1 / 0)
    async with open_app(filled, "registry") as pilot:
        assert "ZeroDivisionError" in text_of(pilot)
        assert "1 / 0" in (filled.logs / "tui.log").read_text()
        await press(pilot, "1")
        assert "Newest changes" in text_of(pilot)


async def test_one_broken_room_leaves_the_other_panels_of_the_overview_alive(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_tui.domains.serving.service import Serving

    monkeypatch.setattr(Serving, "list", lambda self: 1 / 0)
    async with open_app(filled, "overview", (160, 45)) as pilot:
        seen = text_of(pilot)
        assert "ZeroDivisionError" in seen
        assert "Temperature has moved" in seen


async def test_without_a_daemon_a_banner_says_how_to_start_it(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "serving", daemon=False) as pilot:
        assert "mlops daemon start" in text_of(pilot)
        await press(pilot, "j", "t")
        assert "The daemon is not running" in text_of(pilot)


async def test_user_text_is_drawn_as_it_is_not_as_markup(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring") as pilot:
        assert "Errors of [bikes] grew by a third" in text_of(pilot)


async def test_help_lists_the_keys_of_this_part_with_commands_and_reasons(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "serving", (120, 50), daemon=False) as pilot:
        await press(pilot, "j", "question_mark")
        seen = text_of(pilot)
        assert "mlops deployments stop trial" in seen
        assert "It is stopped already." in seen
        assert "Command palette" in seen
        await press(pilot, "escape")
        assert "Command palette" not in text_of(pilot)


async def test_a_terminal_below_40x10_is_told_so(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (38, 9)) as pilot:
        assert "Too small: needs 40x10." in text_of(pilot)
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "hire" in text_of(pilot)


@pytest.mark.parametrize(
    ("key", "typed", "place"),
    [("colon", "model hire", ("registry", "models")), ("ctrl+p", "maint", ("monitoring", "maintenance"))],
)
async def test_the_palette_finds_objects_and_parts_of_desks_and_opens_them(
    open_app: Open, filled: Workspace, key: str, typed: str, place: tuple[str, str]
) -> None:
    async with open_app(filled, "overview", (120, 40)) as pilot:
        await press(pilot, key)
        await press(pilot, *typed)
        await press(pilot, "enter", "enter")
        assert (pilot.app.current_mode, desk_of(pilot).section.id) == place


async def test_enter_on_the_overview_opens_the_object(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "overview") as pilot:
        await press(pilot, "tab", "enter")
        assert pilot.app.current_mode == "serving"
        assert str(desk_of(pilot).record.name) == "bikes"


async def test_themes_go_round_and_every_one_draws(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        for _ in range(5):
            await press(pilot, "T")
            assert "hire" in text_of(pilot)


async def test_q_quits_and_says_that_the_daemon_goes_on(open_app: Open, blank: Workspace) -> None:
    async with open_app(blank) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert not pilot.app.is_running
        assert "go on" in str(pilot.app._exit_renderables)
