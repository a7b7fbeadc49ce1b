"""The copy menu: what it offers, and that Y copies the same of another row."""

from __future__ import annotations

import json

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.widgets.copying import CopyMenu, offers

from .conftest import Open, desk_of, press, settle, text_of


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the application put on the clipboard."""
    texts: list[str] = []
    monkeypatch.setattr(MlopsApp, "copy", lambda self, text: texts.append(text))
    return texts


async def test_the_menu_offers_id_command_json_and_tsv(open_app: Open, filled: Workspace, copied: list[str]) -> None:
    async with open_app(filled, "registry", (120, 30)) as pilot:
        await press(pilot, "right", "y")
        assert isinstance(pilot.app.screen, CopyMenu)
        seen = text_of(pilot)
        assert "mlops models show hire/3" in seen
        await press(pilot, "c", "y", "o", "y", "t")
        command, as_json, tsv = copied
        assert command == "mlops models show hire/3"
        row = json.loads(as_json)
        assert (row["model"], row["version"]) == ("hire", 3)
        assert row["created_at"].endswith("Z")
        heads, cells = tsv.splitlines()
        assert heads.split("\t")[0] == "Model"
        assert cells.split("\t")[:2] == ["hire", "v3"]


async def test_capital_y_copies_the_same_of_another_row(open_app: Open, filled: Workspace, copied: list[str]) -> None:
    async with open_app(filled, "registry", (120, 30)) as pilot:
        await press(pilot, "right", "Y", "y", "c", "j", "Y")
        assert copied == ["hire/3", "mlops models show hire/3", "mlops models show hire/2"]


async def test_a_path_is_looked_up(open_app: Open, filled: Workspace, copied: list[str]) -> None:
    async with open_app(filled, "pipelines", (120, 30)) as pilot:
        await press(pilot, "y", "p")
        await settle(pilot)
        assert copied == [str(filled.pipelines / f"{desk_of(pilot).record.name}.toml")]


@pytest.mark.parametrize(
    "desk", ["features", "experiments", "registry", "pipelines", "serving", "monitoring", "system"]
)
async def test_every_list_offers_something(open_app: Open, filled: Workspace, desk: str) -> None:
    async with open_app(filled, desk, (120, 30)) as pilot:
        screen = desk_of(pilot)
        for section in screen.SECTIONS:
            screen.go(section.id)
            await settle(pilot)
            if screen.record is not None:
                found = {one.title: one.text for one in offers(screen)}
                assert found["id"]
                json.loads(found["row as JSON"] or "")
