"""The machine on screen: a GPU that is lost, and every reason why there is none, are states beside the rest."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.hardware.parts import (
    Detail,
    Disk,
    FileSystem,
    Memory,
    Network,
    Parts,
    Pressure,
    Times,
    Trace,
)
from mlops_tui.domains.hardware.probes import Probe
from mlops_tui.domains.hardware.records import (
    Driver,
    Fact,
    Gpu,
    GpuProcess,
    GpuState,
    Limits,
    Mig,
    Process,
    Reading,
    Sensor,
)
from mlops_tui.domains.hardware.service import Hardware
from mlops_tui.telemetry import owners
from mlops_tui.tui.app import MlopsApp
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.charts.series import Series, continued, recorded
from mlops_tui.tui.lines import plain
from mlops_tui.tui.screens.hardware import Machine, draw_machine, meters
from mlops_tui.tui.screens.machine_processes import branches, parents, traced
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
    assert [one.split("%")[1].strip() for one in narrow] == ["load 1.50", "of 17.2 GB", "of 537 GB"]
    assert "6.4 GB of 17.2 GB" in plain(meters(READING, 80)[1])


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
        await press(pilot, "h")
        assert "mlops hardware kill 700 --signal stop --tree" in text_of(pilot)
        await press(pilot, "tab", "enter")
        await settle(pilot)
        await press(pilot, "i")
        assert "most programs save and end." in text_of(pilot)  # toasts lie over the rest
        assert sent[2:] == [(700, "stop", {"whole": True})]


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
    used = GpuProcess(700, None, utilization=31.0, encoder=7.0, decoder=0.0)
    monkeypatch.setattr(Probe, "on_gpus", lambda self: {700: {0: used}})
    async with open_app(filled, "system", (160, 45)) as pilot:
        desk_of(pilot).go("gpus", "0")
        await settle(pilot)
        seen = text_of(pilot)
        assert "compute+graphics" in seen
        assert "hidden" in seen
        assert seen.count("not supported") >= 2  # of the list and of the facts
        assert "encoder 7 %" in seen
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


def running(pid: int, depth: int, cpu: float = 1.0) -> Process:
    return Process(pid, f"p{pid}", "ana", cpu, 100, None, NOW, f"p{pid} -x", depth=depth)


TREE = (running(1, 0), running(2, 1, 10.0), running(3, 2, 20.0), running(4, 1), running(5, 0))


def test_what_is_folded_is_added_to_the_row_it_is_folded_into() -> None:
    rows = branches(TREE, {"2"}, False)
    assert [(one.pid, one.below, one.cpu, one.memory) for one in rows] == [
        (1, 0, 1.0, 100), (2, 1, 30.0, 200), (4, 0, 1.0, 100), (5, 0, 1.0, 100),
    ]  # fmt: skip
    assert [(one.pid, one.below) for one in branches(TREE, {"1", "2", "gone"}, False)] == [(1, 3), (5, 0)]
    assert [one.depth for one in branches(TREE, {"1"}, True)] == [0] * 5  # a filter or an order takes the tree apart
    assert (parents(TREE), parents(TREE, 1)) == ({"1", "2"}, {"2"})


async def test_branches_fold_an_order_shows_them_flat_and_an_environment_hides_what_looks_secret(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Detail(1, environment={"API_KEY": "(hidden)", "LANG": "C"})
    monkeypatch.setattr(Hardware, "closely", lambda self, pid, environment=False: shown if environment else Detail(pid))
    async with open_app(filled, "system", (120, 30)) as pilot:
        desk_of(pilot).go("processes", "1")
        await settle(pilot)
        await press(pilot, "f")
        assert "▸ systemd +1" in text_of(pilot)
        assert "97.1" in text_of(pilot)  # its own 0.1 and the 97 below it
        await press(pilot, "s")
        assert "▸" not in text_of(pilot).splitlines()[4]
        assert "python" in text_of(pilot)
        await press(pilot, "E")
        await settle(pilot)
        assert "API_KEY=(hidden)" in text_of(pilot)
        assert "LANG=C" in text_of(pilot)


async def test_the_stretch_of_history_goes_from_half_an_hour_to_90_days(open_app: Open, filled: Workspace) -> None:
    with Workbench(filled, actor="sampler", now=lambda: NOW) as bench:
        for age in (2, 1):
            bench.hardware.record(dataclasses.replace(READING, at=NOW - age * 1000))
        bench.hardware.flush()
    async with open_app(filled, "system", (120, 40)) as pilot:
        pilot.app.post_message(MlopsApp.Sampled((READING,)))
        await settle(pilot)
        assert "Last 30 minutes" in text_of(pilot)
        await press(pilot, "d")
        await settle(pilot)
        assert "Last 6 hours" in text_of(pilot)


def test_the_cursor_says_what_ran_then() -> None:
    at = (float(NOW - 600_000), float(NOW - 300_000), float(NOW))
    machine = Machine(
        (READING,),
        history=(Series("cpu", at, (10.0, 90.0, 20.0)),),
        others=(Series("net_in", at, (1e6, 2e6, 3e6)), Series("temperature", at, (50.0, math.nan, 52.0))),
        loads=(Series("run 3f2a", at, (0.0, 80.0, 0.0)), Series("deployment churn", at, (5.0, 6.0, 7.0))),
    )
    text = "\n".join(plain(one) for one in draw_machine(machine, 120, 30, View(cursor=at[1])))
    assert "run 3f2a 80%  deployment churn 6%" in text
    assert "net in 2.0 MB/s" in text
    assert "temperature" not in text  # nothing was kept of it then
    assert "Ran" not in "\n".join(plain(one) for one in draw_machine(machine, 120, 30))


def test_many_gpus_have_a_line_each_where_there_is_no_room_for_more() -> None:
    many = tuple(dataclasses.replace(WELL, index=at, power=250.0, power_limit=700.0) for at in range(7))
    reading = dataclasses.replace(READING, driver=Driver.OK, gpus=(*many, dataclasses.replace(LOST, index=7)))
    lines = [plain(one) for one in draw_machine(Machine((reading,)), 80, 20)]
    assert sum("55%" in one and "25%" in one and "250/700 W" in one for one in lines) == 7
    assert any("✗ lost" in one for one in lines)
    bare = dataclasses.replace(reading, gpus=tuple(Gpu(at, "Bare", GpuState.OK) for at in range(8)))
    text = "\n".join(plain(one) for one in draw_machine(Machine((bare,)), 80, 20))
    assert text.count("n/s") == 24  # use, memory and power of eight: none of it is a zero
    assert " 0%" not in text.split("GPU 0")[1].splitlines()[0]


def test_the_machine_in_detail_is_said_where_there_is_room() -> None:
    parts = Parts(
        Times(40.0, 10.0, wait=5.0), Memory(2**30, 2**20), (Disk("sda", 1e6, None, 12.0),),
        (Network("eth0", 1.0, 2.0, 3, 4, 5),), (FileSystem("/", "/dev/sda1", "ext4", 1, 4),), Pressure(io=3.0), 2400.0, 77, 2,
    )  # fmt: skip
    reading = dataclasses.replace(READING, parts=parts)
    tall = "\n".join(plain(one) for one in draw_machine(Machine((reading,)), 120, 45))
    for words in (
        "disk wait 5%",
        "77 processes",
        "Stalls",
        "disks 3%",
        "sda read 1.0 MB/s write - busy 12%",
        "faults 5",
        "/ 25% of 4 B",
    ):
        assert words in tall
    assert "stolen" not in tall  # this machine does not say
    assert "Stalls" not in "\n".join(plain(one) for one in draw_machine(Machine((reading,)), 80, 18))


def test_a_process_that_was_looked_at_is_drawn_over_time() -> None:
    trace = [Trace(NOW + at * 2000, 50.0 + at, 2**20, None, None) for at in range(5)]
    drawn = "\n".join(plain(one) for block in traced(trace) for one in block.draw(60))
    assert "cpu %" in drawn
    assert "memory MB" in drawn
    assert "gpu" not in drawn  # it is on none
    assert traced(trace[:1]) == []


def test_where_nothing_was_recorded_the_curve_is_interrupted() -> None:
    points = [(at * 10, 0.0, 1.0, 2.0) for at in (0, 1, 2, 30, 31)]
    curve = recorded("cpu", points)
    assert curve.xs == (0.0, 10.0, 20.0, 160.0, 300.0, 310.0)
    assert math.isnan(curve.ys[3])
    assert recorded("cpu", []).xs == ()


def test_what_is_read_now_is_not_joined_to_what_was_recorded_before_a_pause() -> None:
    curve = recorded("cpu", [(at * 10, 0.0, 1.0, 2.0) for at in range(3)])
    assert continued(curve, (30.0, 31.0), (5.0, 6.0)).xs == (0.0, 10.0, 20.0, 30.0, 31.0)
    later = continued(curve, (300.0, 301.0), (5.0, 6.0))
    assert later.xs == (0.0, 10.0, 20.0, 160.0, 300.0, 301.0)
    assert math.isnan(later.ys[3])
    assert continued(curve, (), ()) == curve
