"""The text of every part of every desk in two sizes (three desks in four), empty and filled, compared exactly."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui import actions
from mlops_tui.tui.screens import panels

from .conftest import Open, desk_of, settle
from .test_alerting_desk import watched
from .test_monitoring_desk import drifted


@pytest.fixture(autouse=True)
def _still_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes on disk are not the same twice."""
    monkeypatch.setattr(panels, "_bytes", lambda paths: 5_000_000)
    monkeypatch.setattr(panels.shutil, "disk_usage", lambda path: SimpleNamespace(total=2**40, free=2**39, used=2**39))


SIZES = [(80, 24), (160, 45)]


OTHER_SIZES = [(60, 16), (200, 60)]
BY_DESK = [(desk, size) for desk, _, _ in actions.DESKS for size in SIZES] + [
    (desk, size) for desk in ("overview", "experiments", "features") for size in OTHER_SIZES
]


@pytest.mark.parametrize(
    ("desk", "size"), BY_DESK, ids=lambda one: one if isinstance(one, str) else f"{one[0]}x{one[1]}"
)
async def test_filled(
    open_app: Open, filled: Workspace, snapshot: Callable[[Pilot[Any], str], None], desk: str, size: tuple[int, int]
) -> None:
    if desk == "monitoring":
        drifted(filled)
        watched(filled)
    async with open_app(filled, desk, size) as pilot:
        sections = desk_of(pilot).SECTIONS if desk != "overview" else desk_of(pilot).SECTIONS[:1]
        for section in sections:
            desk_of(pilot).go(section.id)
            await settle(pilot)
            snapshot(pilot, f"{desk}-{section.id}-{size[0]}x{size[1]}")


@pytest.mark.parametrize("desk", [name for name, _, _ in actions.DESKS])
async def test_empty(open_app: Open, blank: Workspace, snapshot: Callable[[Pilot[Any], str], None], desk: str) -> None:
    async with open_app(blank, desk, (80, 24), daemon=False) as pilot:
        snapshot(pilot, f"{desk}-empty-80x24")
