"""The overview: what changed since the last visit, progress, storage, and that lines open their objects."""

from __future__ import annotations

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.preferences import Preferences
from mlops_tui.tui.screens import panels
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, source_of, text_of
from .filling import HOUR, MINUTE, NOW


async def test_changes_since_the_last_visit_are_counted_and_marked(filled: Workspace) -> None:
    app = MlopsApp(source_of(filled), project="bikes", watch=False,
                   preferences=Preferences(visits={"bikes": NOW - 25 * MINUTE}))  # fmt: skip
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        seen = text_of(pilot)
        assert "Since you last looked, 25 min ago:" in seen
        assert "● new" in seen


async def test_nothing_new_is_said_too(filled: Workspace) -> None:
    app = MlopsApp(source_of(filled), project="bikes", watch=False, preferences=Preferences(visits={"bikes": NOW}))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "nothing new" in text_of(pilot)


async def test_lines_open_their_objects(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "overview", (120, 40)) as pilot:
        for panel, desk in (
            ("deployed", "serving"),
            ("alerts", "monitoring"),
            ("fires", "pipelines"),
            ("storage", "system"),
        ):
            await press(pilot, "1")
            screen = desk_of(pilot)
            screen.section = screen.by_id(panel)
            screen.show_section()
            await press(pilot, "enter")
            assert pilot.app.current_mode == desk


def test_progress_is_a_bar_and_a_number(workspace: Workspace) -> None:
    assert panels._share(5, 10) == "████░░░░ 50%"
    assert panels._share(12, 10) == "████████ 100%"
    assert panels._share(1, None) == ""


def test_storage_adds_up_files_folders_and_databases_with_their_logs(filled: Workspace) -> None:
    with Workbench(filled, actor="ana") as bench:
        before = {one.title: one.words for one in panels.storage(bench)}
        (filled.logs / "deep").mkdir(parents=True, exist_ok=True)
        (filled.logs / "deep" / "x.log").write_bytes(b"x" * 5_000_000)
        after = {one.title: one.words for one in panels.storage(bench)}
    assert before["jobs and logs"] != after["jobs and logs"] == "5.0 MB"
    assert set(before) >= {"left on the disk", "feature tables", "artifacts"}


def test_the_same_change_over_and_over_is_one_row_that_opens_what_was_changed(filled: Workspace) -> None:
    with Workbench(filled, actor="ana", now=lambda: NOW + HOUR) as bench:
        for _ in range(3):
            alert = bench.alerts.list(state="open")[0]
            bench.alerts.acknowledge(alert.id)
            bench.alerts.reopen(alert.id)
        bench.serving.stop("bikes")
        bench.serving.start("bikes")
        found = panels.recent(bench)
    assert (found[0].desk, found[0].key) == ("serving", "bikes")
    assert found[0].title == "started deployment bikes"
    for verb, done in (
        ("submit", "submitted"), ("rollback", "rolled back"), ("carry on", "carried on"), ("bring back", "brought back"),
        ("retry", "retried"), ("deploy", "deployed"), ("approved", "approved"),
    ):  # fmt: skip
        assert panels.past(verb) == done


async def test_the_machine_opens_the_hardware(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "overview", (120, 40)) as pilot:
        desk_of(pilot).query_one("#machine").focus()
        await press(pilot, "enter")
        assert desk_of(pilot).section.id == "hardware"
