"""Going places: back, forward, last view, jump letters, maximised panes, the ladder of escapes, two ctrl+c."""

from __future__ import annotations

from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui import themes
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.preferences import Preferences
from mlops_tui.tui.widgets.help import About, Help
from mlops_tui.tui.widgets.jump import Jump

from .conftest import Open, desk_of, press, settle, source_of, text_of


async def test_back_and_forward_go_through_desks_and_parts(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        app = pilot.app
        assert isinstance(app, MlopsApp)
        await press(pilot, "right", "6", "7")
        seen = []
        for key in ("less_than_sign", "less_than_sign", "less_than_sign", "less_than_sign"):
            await press(pilot, key)
            seen.append((app.place.desk, app.place.section))
        assert seen == [
            ("serving", "deployments"),
            ("registry", "versions"),
            ("registry", "models"),
            ("registry", "models"),
        ]
        await press(pilot, "greater_than_sign", "greater_than_sign")
        assert app.place.desk == "serving"


async def test_minus_swaps_the_last_two_views(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "6", "minus")
        assert pilot.app.current_mode == "registry"
        await press(pilot, "minus")
        assert pilot.app.current_mode == "serving"


async def test_escape_climbs_out_of_what_is_open_and_then_goes_back_but_never_quits(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "serving") as pilot:
        await press(pilot, "4", "enter", "question_mark")
        assert isinstance(pilot.app.screen, Help)
        await press(pilot, "escape")
        assert desk_of(pilot).has_class("-open")
        await press(pilot, "escape")
        assert not desk_of(pilot).has_class("-open")
        await press(pilot, "escape")
        assert pilot.app.current_mode == "serving"
        await press(pilot, "escape", "escape")
        assert pilot.app.is_running


async def test_jump_letters_lie_on_parts_and_panes_and_lead_there(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (160, 45)) as pilot:
        await press(pilot, "ctrl+o")
        assert isinstance(pilot.app.screen, Jump)
        assert " a " in text_of(pilot)
        await press(pilot, "s")
        assert desk_of(pilot).section.id == "versions"
        detail = desk_of(pilot).query_one("#detail")
        await press(pilot, "ctrl+o")
        assert isinstance(pilot.app.screen, Jump)
        await press(pilot, next(key for key, (_, _, go) in pilot.app.screen._targets.items() if go == detail.focus))
        assert pilot.app.focused is detail
        await press(pilot, "ctrl+o", "escape")
        assert not isinstance(pilot.app.screen, Jump)


async def test_under_a_short_list_in_a_narrow_window_its_detail_stands_until_it_has_the_window(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "registry", (80, 24)) as pilot:
        desk = desk_of(pilot)
        table, detail = desk.query_one("#table"), desk.query_one("#detail")
        assert pilot.app.focused is table
        assert table.region.bottom <= detail.region.y
        assert detail.region.bottom == 23
        await press(pilot, "enter")
        assert not desk.query_one("#list").display
        assert detail.region.y < 4
        await press(pilot, "escape", "z")
        assert not detail.display
        assert table.region.bottom == 23
        await press(pilot, "z")
        await pilot.resize_terminal(120, 24)
        await press(pilot)
        assert detail.region.y == table.region.y  # side by side
        await pilot.resize_terminal(60, 16)
        await press(pilot)
        assert not detail.display


async def test_a_list_that_fills_the_window_keeps_it(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "serving", (80, 24)) as pilot:
        await press(pilot, "right_square_bracket")
        desk = desk_of(pilot)
        assert desk.table.rows.count == 12
        assert not desk.query_one("#detail").display


async def test_z_gives_the_window_to_a_pane_and_takes_it_back(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (160, 45)) as pilot:
        desk = desk_of(pilot)
        await press(pilot, "z")
        assert not desk.query_one("#detail").display
        await press(pilot, "escape", "tab", "z")
        assert not desk.query_one("#list").display
        await press(pilot, "z")
        assert desk.query_one("#list").display


async def test_z_on_the_overview_shows_one_panel(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "overview", (100, 30)) as pilot:
        await press(pilot, "tab", "z")
        seen = text_of(pilot)
        assert "Deployments" in seen
        assert "Storage" not in seen
        await press(pilot, "escape")
        assert "Storage" in text_of(pilot)


async def test_the_way_here_is_on_screen(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (120, 30)) as pilot:
        assert "Registry > Models > hire" in text_of(pilot)
        await press(pilot, "o", "right")
        assert "Registry" in text_of(pilot)


async def test_the_footer_names_at_most_eight_keys(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (200, 30)) as pilot:
        for key in "12345678":
            await press(pilot, key)
            from mlops_tui.tui.screens import chrome

            desk = desk_of(pilot)
            for section in desk.SECTIONS:
                assert len(chrome.footer(desk.ID, section, desk.situation, 200)) <= chrome.MOST_KEYS


async def test_help_is_searched_by_typing(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (100, 40)) as pilot:
        await press(pilot, "question_mark", *"champion")
        seen = text_of(pilot)
        assert "Roll the champion back" in seen
        assert "Next theme" not in seen
        await press(pilot, *"zzz")
        assert "No key has to do with" in text_of(pilot)


async def test_f1_says_what_the_pane_is_and_what_its_figures_mean(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring", (100, 40)) as pilot:
        await press(pilot, "f1")
        assert isinstance(pilot.app.screen, About)
        assert "Population stability index" in text_of(pilot)
        await press(pilot, "f1")
        assert not isinstance(pilot.app.screen, About)


async def test_ctrl_c_quits_only_when_pressed_twice(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "ctrl+c")
        assert pilot.app.is_running
        assert "Press ctrl+c again" in text_of(pilot)
        await pilot.press("ctrl+c")
        await pilot.pause(0.3)
        assert not pilot.app.is_running


async def test_the_theme_is_remembered_and_a_theme_that_is_gone_is_the_first(filled: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "state" / "tui.json"
    app = MlopsApp(source_of(filled), project="bikes", watch=False, preferences=Preferences.read(path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "T", "T")
        chosen = app.theme
    kept = Preferences.read(path)
    assert kept.theme == chosen == themes.names()[2]
    assert kept.visits == {"bikes": app.source.now()}
    assert themes.known("gone") == themes.first()


def test_preferences_survive_a_broken_file_and_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "tui.json"
    path.write_text("{not json")
    found = Preferences.read(path)
    assert (found.theme, found.visits) == ("", {})
    Preferences(tmp_path / "tui.json" / "x").remember(theme="mlops-light")
