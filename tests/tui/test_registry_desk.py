"""What people do with versions in the terminal: the page with card and graph, differences, approval, retirement, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select, TextArea

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.registry.service import Registry
from mlops_tui.tui.screens.diff import DiffDesk
from mlops_tui.tui.screens.version import VersionDesk
from mlops_tui.tui.widgets.dialogs import Confirm
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, text_of
from .filling import NOW
from .test_doing import fetch


def as_somebody(workspace: Workspace, name: str) -> Workbench:
    return Workbench(workspace, actor=name, now=lambda: NOW)


async def fill(pilot: Pilot[Any], **values: str) -> None:
    """Put values into the form in front and press enter in it."""
    for name, value in values.items():
        field = pilot.app.screen.query_one(f"#f-{name}")
        if isinstance(field, Select):
            field.value = value
        else:
            assert isinstance(field, Input)
            field.value = value
    await pilot.pause()
    pilot.app.screen.query_one("#yes", Button).press()
    await settle(pilot)


async def agree(pilot: Pilot[Any], typed: str = "") -> None:
    """Say yes to the question in front, with a name typed where it wants one."""
    assert isinstance(pilot.app.screen, Confirm)
    if typed:
        pilot.app.screen.query_one("#typed", Input).value = typed
        await pilot.pause()
    pilot.app.screen.query_one("#yes", Button).press()
    await settle(pilot)


async def test_the_page_of_a_version_has_facts_card_graph_and_notes(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (120, 40)) as pilot:
        await press(pilot, "right", "enter")
        page = desk_of(pilot)
        assert isinstance(page, VersionDesk)
        seen = text_of(pilot)
        assert "hire/3" in seen
        assert "Champion v2" in seen  # metrics stand beside the champion's
        assert "temp" in seen
        await press(pilot, "right_square_bracket")
        assert "Purpose" in text_of(pilot)
        await press(pilot, "right_square_bracket")
        seen = text_of(pilot)
        assert "├─ run" in seen
        assert "└─ snapshot hours@1" in seen
        assert "deployment trial" in seen
        await press(pilot, "right_square_bracket", "n")
        pilot.app.screen.query_one(TextArea).text = "without the *newest* station"
        await press(pilot, "ctrl+s")
        assert "without the newest station" in text_of(pilot)
        assert "mlops models note hire/3" in pilot.app.deeds.log[-1].command  # type: ignore[attr-defined]
        await press(pilot, "escape")
        assert desk_of(pilot).ID == "registry"


async def test_enter_in_the_graph_opens_the_thing_and_escape_comes_back(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (120, 40)) as pilot:
        desk_of(pilot).go("version", "hire/2")
        await settle(pilot)
        desk_of(pilot).go("lineage")
        await settle(pilot)
        await press(pilot, "j", "enter")
        assert desk_of(pilot).ID == "run"
        assert pilot.app.current_mode == "experiments"
        await press(pilot, "escape", "less_than_sign")
        assert pilot.app.current_mode == "registry"


async def test_two_marked_versions_are_compared_and_turned_round(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (120, 40)) as pilot:
        await press(pilot, "right", "space", "space", "c")
        page = desk_of(pilot)
        assert isinstance(page, DiffDesk)
        assert page.of == "hire/3,hire/2"
        assert "▲ +0.02" in text_of(pilot)
        await press(pilot, "r")
        assert desk_of(pilot).of == "hire/2,hire/3"  # type: ignore[attr-defined]
        assert "▼ -0.02" in text_of(pilot)


async def test_a_version_is_asked_for_and_approved_by_somebody_else(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "registry", (120, 40)) as pilot:
        await press(pilot, "A")
        await fill(pilot, count="1")
        assert fetch(pilot, lambda bench: bench.registry.approvals.needed("hire")) == 1
        await press(pilot, "right", "a")
        await fill(pilot, why="two points better")
        await press(pilot, "right")
        assert "▲ open" in text_of(pilot)
        await press(pilot, "d")
        await fill(pilot, say="approve", why="mine")
        assert "another person has to approve" in text_of(pilot)
        with as_somebody(filled, "bob") as bench:
            bench.registry.approvals.refuse(bench.registry.version("hire/3"), "worse at night")
        await press(pilot, "R", "enter")
        seen = text_of(pilot)
        assert "refused: 0 of 1 agreed" in seen
        assert "worse at night" in seen


async def test_an_approval_with_promotion_wants_the_name_typed(open_app: Open, filled: Workspace) -> None:
    with as_somebody(filled, "bob") as bench:
        bench.registry.approvals.require("hire", 1)
        run = bench.experiments.runs("hire")[-1]
        bench.registry.register("hire", filled.project / "package-3", run_id=run.id)
        bench.registry.approvals.ask(bench.registry.version("hire/4"), "please")
    async with open_app(filled, "registry", (120, 40)) as pilot:
        await press(pilot, "right", "right", "d")
        await fill(pilot, say="approve and promote", why="looked at the slices")
        assert "  Approvals: 0 of 1  " in text_of(pilot)  # on a line of its own
        await agree(pilot, "hire")
        assert fetch(pilot, lambda bench: bench.registry.alias("hire", "champion")) == 4


async def test_what_is_done_on_the_page_is_done_and_what_cannot_be_says_why(
    open_app: Open, filled: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Health("package", True, "whole"), Health("answers", False, "gave no answer")]
    monkeypatch.setattr(Registry, "health", lambda self, ref: found)
    async with open_app(filled, "registry", (120, 40)) as pilot:
        desk_of(pilot).go("maturity")
        await settle(pilot)
        assert "level 0 of 2" in text_of(pilot)
        desk_of(pilot).go("version", "hire/3")
        await settle(pilot)
        await press(pilot, "D")
        await fill(pilot, text="Bikes of the next hour")
        assert "Bikes of the next hour" in text_of(pilot)
        await press(pilot, "u")
        await agree(pilot)
        assert fetch(pilot, lambda bench: bench.registry.version("hire/3")).description == ""
        await press(pilot, "t")
        await fill(pilot, other="hire/nope")
        assert "no model reference" in text_of(pilot)
        await press(pilot, "t")
        await fill(pilot, other="hire@champion")
        assert "change nothing" in text_of(pilot)
        await agree(pilot)
        assert str(fetch(pilot, lambda bench: bench.registry.version("hire/3")).stage) == "None"  # `trial` serves it
        assert "has traffic" in text_of(pilot)
        await press(pilot, "h")
        seen = text_of(pilot)
        assert "hire/3 could not serve: answers." in seen
        assert "gave no answer" in seen
        await press(pilot, "E")
        await fill(pilot, format="mlflow", to=str(tmp_path / "out"))
        assert "The stored rows of package cannot be read" in text_of(pilot)
        assert list(tmp_path.glob("*out*")) == []


async def test_pictures(open_app: Open, filled: Workspace, snapshot: Any) -> None:
    async with open_app(filled, "registry", (80, 24)) as pilot:
        desk_of(pilot).go("version", "hire/3")
        await settle(pilot)
        for width, height in ((80, 24), (160, 45)):
            await pilot.resize_terminal(width, height)
            for part in ("summary", "card", "lineage"):
                desk_of(pilot).go(part)
                await settle(pilot)
                snapshot(pilot, f"version-{part}-{width}x{height}")
        await press(pilot, "c")
        snapshot(pilot, "diff-160x45")
