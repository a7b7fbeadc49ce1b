"""The machine on screen: a GPU that is lost, and every reason why there is none, are states beside the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.hardware.records import Driver, Gpu, GpuState, Reading
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens.hardware import Machine, draw_machine, meters

from .conftest import READING, Open, settle, text_of

WELL = Gpu(0, "A100", GpuState.OK, utilization=55.0, memory_used=2**33, memory_total=2**35, temperature=61.0)
LOST = Gpu(1, "GPU 1", GpuState.LOST)


def drawn(reading: Reading) -> str:
    return "\n".join(plain(one) for one in draw_machine(Machine((reading,)), 80, 40))


def test_a_lost_gpu_is_named_beside_the_one_that_works() -> None:
    text = drawn(dataclasses.replace(READING, driver=Driver.OK, gpus=(WELL, LOST)))
    assert "✗ lost: GPU 1" in text
    assert "55%" in text
    assert "42%" in text  # the processor goes on


@pytest.mark.parametrize("driver", [one for one in Driver if one is not Driver.OK])
def test_why_there_is_no_gpu_is_said(driver: Driver) -> None:
    assert f"none: {driver}" in drawn(dataclasses.replace(READING, driver=driver))


async def test_a_gpu_that_falls_off_while_it_is_watched_changes_its_line(open_app: Open, filled: Workspace) -> None:
    async def sampled(pilot: Any, second: Gpu) -> str:
        reading = dataclasses.replace(READING, driver=Driver.OK, gpus=(WELL, second))
        pilot.app.post_message(MlopsApp.Sampled((reading,)))
        await settle(pilot)
        return text_of(pilot)

    async with open_app(filled, "system", (100, 30)) as pilot:
        assert "✗" not in await sampled(pilot, dataclasses.replace(WELL, index=1, name="A100"))
        assert "✗ lost: GPU 1" in await sampled(pilot, LOST)


def test_what_matters_of_a_meter_stays_in_a_narrow_pane() -> None:
    narrow = [plain(one) for one in meters(READING, 38)]
    assert [one.split("%")[1].strip() for one in narrow] == ["load 1.50", "of 16.0 GB", "of 500 GB"]
    assert "6.0 GB of 16.0 GB" in plain(meters(READING, 80)[1])
