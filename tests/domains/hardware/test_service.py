"""Hardware history: three rings that stay flat, and readings that never need a GPU."""

from __future__ import annotations

import os
import struct
from typing import Any

import pytest

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.core.db import Database
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.hardware.records import Driver, Gpu, GpuState, Limits, Reading
from mlops_tui.domains.hardware.ring_store import Rings
from mlops_tui.domains.hardware.service import Hardware
from mlops_tui.domains.hardware.store import TIERS, m001_rings
from mlops_tui.workbench import Workbench

GIB = 1 << 30


def reading(at: int, cpu: float = 50.0, gpus: tuple[Gpu, ...] = ()) -> Reading:
    return Reading(
        at=at,
        cpu=cpu,
        per_cpu=(cpu,),
        load=(1.0, 1.0, 1.0),
        memory_used=GIB,
        memory_total=4 * GIB,
        swap_used=0,
        swap_total=0,
        disk_used=1,
        disk_total=2,
        disk_read=None,
        disk_write=1.0,
        net_in=2.0,
        net_out=3.0,
        limits=Limits(cpus=2, cpus_allowed=2),
        driver=Driver.NO_DRIVER,
        gpus=gpus,
    )


@pytest.fixture
def hardware(workbench: Workbench) -> Hardware:
    return workbench.hardware


def record(hardware: Hardware, clock: Any, seconds: int, cpu: Any = lambda second: 50.0) -> None:
    for second in range(seconds):
        clock.advance(1000)
        hardware.record(reading(clock.now, cpu(second)))
    hardware.flush()


def rows(workbench: Workbench) -> list[int]:
    return [workbench.context.telemetry.value(f"SELECT count(*) FROM {tier.table}") for tier in TIERS]


def test_readings_reach_the_disk_together_after_the_flush_time(
    hardware: Hardware, workbench: Workbench, clock: Any
) -> None:
    for _ in range(10):
        clock.advance(1000)
        hardware.record(reading(clock.now))
    assert rows(workbench)[0] == 0
    clock.advance(1000)
    hardware.record(reading(clock.now))
    assert rows(workbench)[0] == 11


def test_a_peak_of_one_second_survives_in_every_tier(hardware: Hardware, clock: Any) -> None:
    clock.now = clock.now // 60_000 * 60_000
    start = clock.now
    record(hardware, clock, 300, lambda second: 100.0 if second == 130 else 10.0)
    for points in (300, 30, 5):
        history = hardware.history("cpu", start, clock.now + 1, points)
        assert len(history) <= points
        assert max(high for _, _, _, high in history) == 100.0
        assert min(low for _, low, _, _ in history) == 10.0
        assert all(low <= mean <= high for _, low, mean, high in history)


def test_history_reaches_up_to_the_newest_reading_even_from_a_coarse_tier(hardware: Hardware, clock: Any) -> None:
    clock.now = clock.now // 60_000 * 60_000
    start = clock.now
    record(hardware, clock, 125)
    assert hardware.history("cpu", start - 3_600_000, clock.now + 1, 10)[-1][0] >= start + 120_000
    assert hardware.history("cpu", start, clock.now + 1, 2)[-1][1:] == (50.0, 50.0, 50.0)


def test_the_rings_stay_flat_and_keep_their_ages(hardware: Hardware, workbench: Workbench, clock: Any) -> None:
    def fill(days: int) -> list[int]:
        for step in range(days * 24 * 30):
            clock.advance(120_000)
            hardware.record(reading(clock.now))
            if step % 30 == 0:
                hardware.flush()
        hardware.flush()
        return rows(workbench)

    three = fill(3)
    assert three[0] <= 2 * 30 + 30  # two hours and at most one between two flushes
    assert three[1] <= 24 * 30 + 30
    size = workbench.workspace.telemetry_db.stat().st_size
    four = fill(1)
    assert four[:2] == [pytest.approx(count, abs=30) for count in three[:2]]
    assert four[2:] == [pytest.approx(count * 4 / 3, rel=0.02) for count in three[2:]]
    assert workbench.workspace.telemetry_db.stat().st_size < size + 24 * 60 * 200


def test_old_rows_leave_the_rings(hardware: Hardware, workbench: Workbench, clock: Any) -> None:
    record(hardware, clock, 120)
    clock.advance(31 * 24 * 3_600_000)
    record(hardware, clock, 1)
    assert rows(workbench) == [1, 0, 0, 1]  # the coarsest stays for 90 days
    clock.advance(60 * 24 * 3_600_000)
    record(hardware, clock, 1)
    assert rows(workbench) == [1, 0, 0, 1]


def test_what_was_recorded_before_rows_had_subjects_is_there_after(workspace: Workspace) -> None:
    database = Database(workspace.telemetry_db, durability="normal")
    database.migrate("hardware", [m001_rings])
    with database.write() as tx:
        tx.execute("INSERT INTO hardware_layout VALUES (1, '[\"cpu\"]')")
        tx.execute("INSERT INTO hardware_60s VALUES (60000, 1, ?)", (struct.pack("<3f", 1, 2, 3),))
    database.close()
    bench = Workbench(workspace, actor="tester", now=lambda: 240_000)
    assert bench.hardware.history("cpu", 0, 120_000, 1) == [(60_000, 1.0, 2.0, 3.0)]
    bench.close()


# -- what runs on the machine -----------------------------------------------------------------------------------------------


def test_a_subject_has_its_own_series_and_history(hardware: Hardware, clock: Any) -> None:
    clock.now = clock.now // 60_000 * 60_000
    start = clock.now
    for second in range(0, 120, 10):
        clock.advance(10_000)
        samples = [("deployment churn", clock.now, {"cpu_percent": float(second), "gpu_percent": None})]
        hardware.record_loads([*samples, ("job 7", clock.now, {"cpu_percent": 100.0})])
    assert hardware.loads() == ["deployment churn", "job 7"]
    assert hardware.loads("job") == ["job 7"]
    assert hardware.load_series("deployment churn") == ["cpu_percent", "gpu_percent"]
    assert hardware.load("deployment churn") == {"cpu_percent": 110.0}
    assert hardware.load_history("deployment churn", "cpu_percent", start, start + 180_000, 3) == [
        (start, 0.0, 20.0, 40.0),
        (start + 60_000, 50.0, 75.0, 100.0),
        (start + 120_000, 110.0, 110.0, 110.0),
    ]
    assert hardware.load_history("job 7", "cpu_percent", start, clock.now + 1)[0][1:] == (100.0, 100.0, 100.0)
    with pytest.raises(NotFound, match="cpu"):
        hardware.load_history("job 7", "cpu")


def test_old_values_are_not_the_newest_and_subjects_without_any_are_gone(hardware: Hardware, clock: Any) -> None:
    hardware.record_loads([("job 7", clock.now, {"cpu_percent": 1.0})])
    clock.advance(61_000)
    assert hardware.load("job 7") == {}
    assert hardware.load("job 8") == {}
    clock.advance(91 * 24 * 3_600_000)
    hardware.record_loads([("job 9", clock.now, {"cpu_percent": 1.0})])
    assert hardware.loads() == ["job 9"]


def test_a_run_of_a_few_seconds_is_there_after_60_days(hardware: Hardware, clock: Any) -> None:
    begun = clock.now
    hardware.record_loads([("run short", begun, {"cpu_percent": 70.0})])
    for pause in (20 * MINUTE, HOUR, HOUR, 4 * HOUR, 3 * DAY, 20 * DAY, 36 * DAY):
        clock.advance(pause)
        hardware.record_loads([("deployment churn", clock.now, {"cpu_percent": 1.0})])
    found = hardware.load_history("run short", "cpu_percent", begun - DAY, begun + DAY, 100)
    assert [(low, mean, high) for _, low, mean, high in found] == [(70.0, 70.0, 70.0)]


def test_what_ran_since_then_is_found_also_long_ago(hardware: Hardware, clock: Any) -> None:
    begun = clock.now
    for subject, pause in (("run old", 5 * HOUR), ("run new", 0)):
        hardware.record_loads([(subject, clock.now, {"cpu_percent": 1.0})])
        clock.advance(pause)
    hardware.record_loads([("deployment churn", clock.now, {"cpu_percent": 1.0})])
    assert hardware.ran(clock.now - HOUR, 9) == ["deployment churn", "run new"]
    assert hardware.ran(begun - MINUTE, 9) == ["deployment churn", "run new", "run old"]
    assert hardware.ran(begun - MINUTE, 2) == ["deployment churn", "run new"]


def test_a_clock_put_back_two_hours_loses_no_history_and_shows_nothing_of_the_future(
    hardware: Hardware, workbench: Workbench, clock: Any
) -> None:
    record(hardware, clock, 130, lambda second: 90.0)
    ahead = clock.now
    clock.advance(-2 * HOUR)
    again = Rings(workbench.context.telemetry, "hardware", TIERS)  # as after a restart
    assert again.latest("", clock.now) is None
    assert hardware.latest() == {}
    begun = clock.now
    record(hardware, clock, 200, lambda second: 10.0)
    assert hardware.latest()["cpu"] == 10.0
    coarse = workbench.context.telemetry.read(
        f"SELECT ts FROM {TIERS[2].table} WHERE ts BETWEEN ? AND ?", (begun, clock.now)
    )
    assert len(coarse) >= 2
    clock.advance(2 * HOUR)
    record(hardware, clock, 130, lambda second: 50.0)
    assert clock.now > ahead
    assert [round(mean) for _, _, mean, _ in hardware.history("cpu", begun - MINUTE, begun + 5 * MINUTE, 3)] != []


def test_how_long_series_are_kept_is_a_setting(workspace: Workspace, clock: Any) -> None:
    workspace.settings_file.write_text("[retention]\nseries_days = 2\n", encoding="utf-8")
    bench = Workbench(workspace, actor="tester", now=clock)
    bench.hardware.record_loads([("job 7", clock.now, {"cpu_percent": 1.0})])
    clock.advance(3 * 24 * 3_600_000)
    bench.hardware.record_loads([("job 9", clock.now, {"cpu_percent": 1.0})])
    assert bench.hardware.loads() == ["job 9"]
    bench.close()


def test_a_write_that_fails_leaves_nothing_that_later_writes_build_on(
    hardware: Hardware, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Rings, "_trim", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hardware.record_loads([("job 7", clock.now, {"cpu_percent": 1.0})])
    hardware.record_loads([("job 8", clock.now, {"cpu_percent": 2.0})])
    hardware.record_loads([("job 7", clock.now, {"cpu_percent": 1.0})])
    assert hardware.loads() == ["job 7", "job 8"]
    assert (hardware.load("job 7"), hardware.load("job 8")) == ({"cpu_percent": 1.0}, {"cpu_percent": 2.0})


def test_missing_figures_are_left_out_and_a_gpu_may_appear_later(hardware: Hardware, clock: Any) -> None:
    clock.now = clock.now // 60_000 * 60_000
    start = clock.now
    record(hardware, clock, 30)
    gpu = Gpu(0, "GPU", GpuState.OK, utilization=70.0, memory_used=GIB, memory_total=2 * GIB, power=None)
    for _ in range(30):
        clock.advance(1000)
        hardware.record(reading(clock.now, gpus=(gpu,)))
    hardware.flush()
    assert hardware.history("disk_read", start, clock.now) == []
    assert hardware.history("gpu0_power", start, clock.now) == []
    assert {point[1:] for point in hardware.history("gpu0_memory", start, clock.now + 1)} == {(50.0, 50.0, 50.0)}
    assert len(hardware.history("gpu0_utilization", start, clock.now + 1)) == 30
    assert len(hardware.history("cpu", start, clock.now + 1)) == 60


def test_what_one_process_recorded_another_reads(hardware: Hardware, workbench: Workbench, clock: Any) -> None:
    record(hardware, clock, 20)
    other = Workbench(workbench.workspace, actor="other", now=clock)
    assert len(other.hardware.history("cpu", points=3600)) == 20
    other.close()


def test_wrong_questions_are_answered_in_words(hardware: Hardware, clock: Any) -> None:
    assert hardware.history("cpu") == []
    record(hardware, clock, 3)
    with pytest.raises(NotFound) as caught:
        hardware.history("cpuu")
    assert "cpu" in caught.value.hint
    with pytest.raises(InvalidInput, match="empty"):
        hardware.history("cpu", clock.now, clock.now)


def test_this_machine_can_be_read(hardware: Hardware) -> None:
    now = hardware.read()
    assert now.memory_total > now.memory_used > 0
    assert 0 <= now.cpu <= 100
    assert len(now.per_cpu) == now.limits.cpus
    assert 0 < now.limits.usable_cpus <= now.limits.cpus
    assert now.net_in is None or now.net_in >= 0


def test_processes_include_this_one_and_top_users_come_first(hardware: Hardware) -> None:
    found = hardware.processes()
    assert os.getpid() in {process.pid for process in found}
    assert [process.cpu for process in found] == sorted((process.cpu for process in found), reverse=True)
    memory = hardware.top(2).memory
    assert len(memory) == 2
    assert memory[0].memory >= memory[1].memory
