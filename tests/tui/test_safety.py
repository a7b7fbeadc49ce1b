"""Read-only sessions, undo, and the command log, with the real services behind them."""

from __future__ import annotations

from textual.widgets import Button, Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.widgets.dialogs import Confirm

from .conftest import Open, desk_of, press, settle, source_of, text_of
from .test_doing import fetch


async def test_a_read_only_session_says_so_and_refuses_every_act(filled: Workspace) -> None:
    app = MlopsApp(source_of(filled), project="bikes", screen="serving", watch=False, read_only=True)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await settle(pilot)
        assert "read-only" in text_of(pilot)
        await press(pilot, "d")
        assert "This session is read-only" in text_of(pilot)
        assert not isinstance(app.screen, Confirm)
        desk_of(pilot).perform("stop", lambda bench: bench.serving.stop("bikes").name)
        await settle(pilot)
        assert str(fetch(pilot, lambda bench: bench.serving.get("bikes")).wanted) == "running"
        await press(pilot, "x")
        assert "read-only" in text_of(pilot)


async def test_a_paused_schedule_is_resumed_by_undo_after_asking(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "pipelines", (100, 30)) as pilot:
        await press(pilot, "right", "right", "u")
        assert "Nothing was done in this session" in text_of(pilot)
        await press(pilot, "p")
        name = fetch(pilot, lambda bench: bench.schedules.list())[0].name
        assert "u undoes it" in text_of(pilot)
        await press(pilot, "u")
        assert isinstance(pilot.app.screen, Confirm)
        assert f"mlops schedules resume {name}" in text_of(pilot)
        assert pilot.app.focused is pilot.app.screen.query_one("#cancel")
        pilot.app.screen.query_one("#yes", Button).focus()
        await press(pilot, "enter")
        assert not fetch(pilot, lambda bench: bench.schedules.list())[0].paused
        assert pilot.app.deeds.newest is None  # type: ignore[attr-defined]


async def test_a_promotion_is_undone_with_the_name_typed_and_the_log_has_both(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "registry", (100, 30)) as pilot:
        await press(pilot, "right", "p", "enter")
        pilot.app.screen.query_one("#typed", Input).focus()
        await press(pilot, *"hire", "enter")
        assert fetch(pilot, lambda bench: bench.registry.alias("hire", "champion")) == 3
        await press(pilot, "u")
        assert pilot.app.screen.query_one("#yes", Button).disabled
        pilot.app.screen.query_one("#typed", Input).focus()
        await press(pilot, *"hire", "enter")
        assert fetch(pilot, lambda bench: bench.registry.alias("hire", "champion")) == 2
        await press(pilot, "L")
        seen = text_of(pilot)
        assert "$ mlops models promote hire/3 --to production" in seen
        assert "$ mlops models rollback hire" in seen


async def test_a_silence_and_an_acknowledgement_are_taken_back(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring", (120, 30)) as pilot:
        alert = int(desk_of(pilot).record.id)
        await press(pilot, "a", "u")
        pilot.app.screen.query_one("#yes", Button).focus()
        await press(pilot, "enter")
        assert str(fetch(pilot, lambda bench: bench.alerts.get(alert)).state) == "open"


async def test_what_failed_is_in_the_log_and_cannot_be_undone(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system", (120, 30)) as pilot:
        desk = desk_of(pilot)
        back = desk.undo("serving.start", lambda bench: "back", name="x")
        desk.perform("break", lambda bench: str(1 / 0), command="mlops jobs retry 1", undo=back)
        await settle(pilot)
        app = pilot.app
        assert isinstance(app, MlopsApp)
        assert app.deeds.log[-1].failed
        assert app.deeds.newest is None
        await press(pilot, "L")
        assert "ZeroDivisionError" in text_of(pilot)
