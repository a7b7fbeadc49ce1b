"""What users do from the desks, with the real services behind it: the change is made, said, and in the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.widgets.dialogs import Confirm
from mlops_tui.tui.widgets.log import JobLog

from .conftest import Open, desk_of, press, settle, text_of


def fetch(pilot: Pilot[Any], work: Any) -> Any:
    app = pilot.app
    assert isinstance(app, MlopsApp)
    return app.source.fetch(work)


async def test_promotion_to_production_wants_the_name_typed_and_moves_the_champion(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "registry", (100, 30)) as pilot:
        await press(pilot, "right", "p", "enter")
        assert isinstance(pilot.app.screen, Confirm)
        assert "mlops models promote hire/3 --to production" in text_of(pilot)
        yes = pilot.app.screen.query_one("#yes", Button)
        assert yes.disabled
        assert pilot.app.focused is pilot.app.screen.query_one("#cancel")
        pilot.app.screen.query_one("#typed", Input).focus()
        await press(pilot, *"hire", "enter")
        assert fetch(pilot, lambda bench: bench.registry.alias("hire", "champion")) == 3
        assert "hire/3 is production." in text_of(pilot)
        assert fetch(pilot, lambda bench: bench.audit.list(limit=3))[0].actor == "ana"


async def test_enter_on_a_confirmation_cancels(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "b", "enter")
        assert not isinstance(pilot.app.screen, Confirm)
        assert fetch(pilot, lambda bench: bench.registry.alias("hire", "champion")) == 2


async def test_rollback_returns_the_champion_to_the_version_before(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "b")
        pilot.app.screen.query_one("#typed", Input).focus()
        await press(pilot, *"hire", "enter")
        assert fetch(pilot, lambda bench: bench.registry.alias("hire", "champion")) == 1


async def test_ingest_takes_a_file_in_and_reports_rows_set_aside(
    open_app: Open, filled: Workspace, tmp_path: Path
) -> None:
    source = tmp_path / "more.csv"
    source.write_text("station,at,hires,temp\n1,2025-03-01T00:00:00Z,5,7.5\nx,never,1,2\n")
    async with open_app(filled, "features", (120, 30)) as pilot:
        await press(pilot, "i")
        assert "mlops features ingest hours FILE" in text_of(pilot)
        pilot.app.screen.query_one("#f-file", Input).value = str(source)
        await press(pilot, "enter")
        assert fetch(pilot, lambda bench: bench.features.get("hours")).latest_version == 2
        assert "hours@2: 1 rows added, 1 set aside." in text_of(pilot)


async def test_a_file_that_is_not_there_is_a_toast_with_the_hint_and_nothing_changes(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "features", (120, 30)) as pilot:
        await press(pilot, "i")
        pilot.app.screen.query_one("#f-file", Input).value = "/no/such/file.csv"
        await press(pilot, "enter")
        assert "Not done" in text_of(pilot)
        assert fetch(pilot, lambda bench: bench.features.get("hours")).latest_version == 1


async def test_a_table_is_created_from_the_dialog(open_app: Open, blank: Workspace) -> None:
    async with open_app(blank, "features", (120, 30)) as pilot:
        await press(pilot, "n", *"riders", "enter", *"rider_id", "enter", "enter", "enter")
        assert fetch(pilot, lambda bench: bench.features.get("riders")).keys == ("rider_id",)
        assert "riders" in text_of(pilot)


async def test_running_a_pipeline_queues_a_job_and_opens_its_run(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "pipelines") as pilot:
        await press(pilot, "j", "r")
        assert desk_of(pilot).section.id == "runs"
        jobs = fetch(pilot, lambda bench: bench.jobs.list(kind="pipeline"))
        assert len(jobs) == 2
        assert desk_of(pilot).record.job_id == max(job.id for job in jobs)
        assert {str(job.state) for job in jobs} == {"queued"}


async def test_a_pipeline_with_mistakes_says_why_it_cannot_run(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "pipelines") as pilot:
        await press(pilot, "r")
        assert "Its file has mistakes" in text_of(pilot)
        assert len(fetch(pilot, lambda bench: bench.jobs.list(kind="pipeline"))) == 1


async def test_a_queued_run_is_cancelled_after_a_question(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "pipelines") as pilot:
        await press(pilot, "right", "c", "right", "enter")
        assert str(fetch(pilot, lambda bench: bench.jobs.get(2)).state) == "cancelled"


async def test_the_log_of_a_job_is_followed_to_its_end(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system") as pilot:
        await press(pilot, "right_square_bracket", "G", "l")
        assert isinstance(pilot.app.screen, JobLog)
        await settle(pilot)
        seen = text_of(pilot)
        assert "line 199" in seen
        assert "disk full" in seen
        assert "✗ failed" in seen
        await press(pilot, "g")
        assert "line 0" in text_of(pilot)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, JobLog)


async def test_a_log_grows_while_it_is_watched(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system") as pilot:
        path = fetch(pilot, lambda bench: bench.jobs.log_path(2))
        await press(pilot, "right_square_bracket", "l")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("first step \x1b[31mred\n")
        await pilot.pause(0.8)
        await settle(pilot)
        assert "first step ·[31mred" in text_of(pilot)


async def test_a_failed_job_is_retried(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system") as pilot:
        await press(pilot, "right_square_bracket", "G", "t")
        assert str(fetch(pilot, lambda bench: bench.jobs.get(1)).state) == "queued"


async def test_a_check_runs_from_the_desk(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring", (120, 30)) as pilot:
        await press(pilot, "right", "r")
        await settle(pilot)
        assert "bikes: " in text_of(pilot)


async def test_a_deployment_is_stopped_started_and_rolled_back(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "serving", (120, 30)) as pilot:
        await press(pilot, "d")
        pilot.app.screen.query_one("#typed", Input).focus()
        await press(pilot, *"bikes", "enter")
        assert str(fetch(pilot, lambda bench: bench.serving.get("bikes")).wanted) == "stopped"
        await press(pilot, "t")
        assert str(fetch(pilot, lambda bench: bench.serving.get("bikes")).wanted) == "running"
        await press(pilot, "b")
        assert "Traffic moves from v2 100% to v1 100%" in text_of(pilot)
        pilot.app.screen.query_one("#typed", Input).focus()
        await press(pilot, *"bikes", "enter")
        assert [route.version for route in fetch(pilot, lambda bench: bench.serving.get("bikes")).versions] == [1]


async def test_a_schedule_is_paused_and_resumed(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "pipelines") as pilot:
        await press(pilot, "right", "right", "p")
        assert fetch(pilot, lambda bench: bench.schedules.list())[0].paused
        await press(pilot, "p")
        assert "It is paused already" in text_of(pilot)
        await press(pilot, "r")
        assert not fetch(pilot, lambda bench: bench.schedules.list())[0].paused


async def test_the_audit_chain_is_verified(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system") as pilot:
        await press(pilot, "left_square_bracket", "V")
        assert "entries fit their hashes" in text_of(pilot)


async def test_the_menu_shows_what_is_allowed_and_why_not(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "serving", (120, 30)) as pilot:
        await press(pilot, "j", "x")
        seen = text_of(pilot)
        assert "mlops deployments start trial" in seen
        assert "It is stopped already." in seen
        await press(pilot, "enter")
        assert str(fetch(pilot, lambda bench: bench.serving.get("trial")).wanted) == "running"


async def test_y_copies_the_id(open_app: Open, filled: Workspace, monkeypatch: Any) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    async with open_app(filled, "registry") as pilot:
        await press(pilot, "right", "y", "i")
        assert pilot.app.clipboard == "hire/3"
