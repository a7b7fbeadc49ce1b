"""The machine on screen: a GPU that is lost, and every reason why there is none, are states beside the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.hardware.probes import Probe
from mlops_tui.domains.hardware.records import Driver, Fact, Gpu, GpuProcess, GpuState, Limits, Mig, Reading, Sensor
from mlops_tui.telemetry import owners
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens.hardware import Machine, draw_machine, meters
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, text_of
from .filling import NOW, READING

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


def test_what_a_gpu_does_not_support_is_said_and_is_no_zero() -> None:
    text = drawn(dataclasses.replace(READING, driver=Driver.OK, gpus=(dataclasses.replace(WELL, utilization=None),)))
    assert "not supported: use, power, fan" in text
    assert " 0%" not in text.split("GPU 0")[1].splitlines()[0]
    bare = Gpu(0, "Grace", GpuState.OK, utilization=3.0)
    assert "its memory is not said" in drawn(dataclasses.replace(READING, driver=Driver.OK, gpus=(bare,)))


def test_parts_heat_and_limits_have_their_lines() -> None:
    part = Mig(1, "MIG 1g.10gb", memory_used=2**32, memory_total=2**33, processes=(GpuProcess(12, None),))
    gpu = dataclasses.replace(WELL, mig=(part,), throttle=("power cap",), clock_mhz=1410.0)
    limits = Limits(4, 4, 2.0, 2**31, 2**30, "cgroup v2", throttled=12.0, oom_kills=3)
    sensors = (Sensor("coretemp", "Package", 71.0, 80.0), Sensor("nvme", "Composite", 88.0, 85.0))
    text = drawn(dataclasses.replace(READING, driver=Driver.OK, gpus=(gpu,), limits=limits, sensors=sensors))
    assert "MIG 1g.10gb" in text
    assert "held back by power cap" in text
    assert "Composite 88°C" in text
    assert "12% of periods without processor time left, 3 processes ended for memory" in text


async def test_processes_are_a_tree_and_only_own_ones_can_be_ended(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(owners, "owners", lambda bench: [owners.Owner("job", "7", (700,))])
    monkeypatch.setattr(owners, "send", lambda bench, *what, **how: sent.append((*what, how)) or "Sent.")
    monkeypatch.setattr(owners, "renice", lambda bench, *what: sent.append(what) or "Nicer.")
    async with open_app(filled, "system", (120, 30)) as pilot:
        desk_of(pilot).go("processes", "1")
        await settle(pilot)
        assert "  python" in text_of(pilot)
        await press(pilot, "t")
        assert "not of a run or job" in text_of(pilot)
        await press(pilot, "j", "t")
        assert "mlops hardware kill 700 --tree" in text_of(pilot)
        await press(pilot, "enter")  # Cancel has the focus
        assert sent == []
        await press(pilot, "K", "tab", "enter")
        assert sent == [(700, "kill", {"whole": True})]
        await press(pilot, "n")
        assert "mlops hardware nice 700 15" in text_of(pilot)
        await press(pilot, "enter")
        assert sent[1:] == [(700, 15)]


async def test_a_gpu_in_full_says_what_it_does_not_support(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = GpuProcess(700, None, "compute+graphics")
    facts = [
        Fact("power", "usage", None, "W", "not supported"),
        Fact("memory", "used", 2**33, "B"),
        Fact("errors", "ecc", True),
    ]
    monkeypatch.setattr(Probe, "gpus", lambda self: (Driver.OK, (dataclasses.replace(WELL, processes=(user,)), LOST)))
    monkeypatch.setattr(Probe, "facts", lambda self, index, part=None: facts)
    async with open_app(filled, "system", (160, 45)) as pilot:
        desk_of(pilot).go("gpus", "0")
        await settle(pilot)
        seen = text_of(pilot)
        assert "compute+graphics" in seen
        assert "hidden" in seen
        assert seen.count("not supported") >= 2  # of the list and of the facts
        await press(pilot, "j")
        assert "fell off the bus" in text_of(pilot)


async def test_loads_have_figures_now_and_charts_with_a_cursor(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "system", (160, 45)) as pilot:
        desk_of(pilot).go("loads", "deployment bikes")
        await settle(pilot)
        seen = text_of(pilot)
        assert "saturation" in seen
        assert "p50 / p95 / p99" in seen
        await press(pilot, "tab", "left")
        assert "deployment bikes" in text_of(pilot)


async def test_the_machine_stands_first_among_loads_with_a_day_of_everything(open_app: Open, filled: Workspace) -> None:
    with Workbench(filled, actor="sampler", now=lambda: NOW) as bench:
        for age in range(3):
            bench.hardware.record(dataclasses.replace(READING, at=NOW - age * 1000, driver=Driver.OK, gpus=(WELL,)))
        bench.hardware.flush()
    async with open_app(filled, "system", (160, 45)) as pilot:
        desk_of(pilot).go("loads")
        await settle(pilot)
        seen = text_of(pilot)
        assert "this machine" in seen.splitlines()[3]
        assert "gpu0_utilization" in seen
        assert "disk_read" in seen
