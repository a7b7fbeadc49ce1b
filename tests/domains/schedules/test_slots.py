"""When slots come: jitter, clocks that are set, suspended machines, and the nights that are longer or shorter."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.schedules import slots
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench
from tests.domains.schedules.fakes import HOUR, FakeFeatures, FakePipelines, another, finish_all

MINUTE = 60_000
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


def live(schedules: Schedules, workbench: Workbench, clock, until: int, step: int) -> None:
    """A daemon that looks every `step` ms, whose jobs end at once."""
    while clock.now < until:
        clock.advance(step)
        schedules.tick()
        finish_all(workbench)


def test_jitter_moves_each_slot_by_its_own_part_the_same_in_every_process_and_changes_no_name(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, features: FakeFeatures
) -> None:
    plain = schedules.add("plain", "churn", "@hourly")
    spread = schedules.add("spread", "churn", "@hourly", jitter_s=600)
    times, moved = schedules.next("plain", 48), schedules.next("spread", 48)
    late = [b - a for a, b in zip(times, moved, strict=True)]
    assert all(0 <= one < 600_000 for one in late)
    assert len(set(late)) > 40
    assert another(workbench, pipelines, features).next("spread", 48) == moved
    assert [one.key for one in islice(slots.after(plain, times[0] - 1), 48)] == [
        one.key for one in islice(slots.after(spread, moved[0] - 1), 48)
    ]
    back = [one.due_at for one in islice(slots.before(spread, moved[-1] + 1), 48)]
    assert back == moved[::-1]


def test_a_jitter_longer_than_the_gap_is_refused_with_the_longest_there_may_be(schedules: Schedules) -> None:
    with pytest.raises(InvalidInput, match="longer than the shortest time") as refused:
        schedules.add("x", "churn", "0,10 3 * * *", jitter_s=601)
    assert "600 s" in refused.value.hint
    assert schedules.list() == []


def test_every_spread_slot_runs_once_at_its_own_moment(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("spread", "churn", "*/10 * * * *", overlap="queue", jitter_s=600)
    wanted = schedules.next("spread", 12)
    live(schedules, workbench, clock, wanted[-1] + MINUTE, 30_000)
    fires = [fire for fire in schedules.fires("spread") if fire.due_at <= wanted[-1]]
    assert sorted(fire.due_at for fire in fires) == wanted
    assert len({fire.job_id for fire in fires}) == 12


def test_a_clock_that_is_set_back_fires_nothing_twice_and_goes_on_from_where_it_is(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly", missed="all", overlap="queue")
    start = clock.now
    live(schedules, workbench, clock, start + 3 * HOUR, MINUTE)
    clock.now = start + HOUR  # set back by two hours
    live(schedules, workbench, clock, start + 6 * HOUR, MINUTE)
    ran = Counter((job.cause or {})["slot"] for job in workbench.jobs.list(limit=100))
    assert len(ran) == 6
    assert set(ran.values()) == {1}


def test_a_clock_that_was_a_year_ahead_for_a_moment_does_not_silence_a_schedule_for_a_year(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, features: FakeFeatures, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly")
    start = clock.now
    schedules.tick()
    clock.now = start + 365 * 24 * HOUR
    schedules.tick()
    finish_all(workbench)
    clock.now = start + 5 * MINUTE
    for room in (schedules, another(workbench, pipelines, features)):  # the one that saw it, and one started later
        room.tick()
        assert schedules.next("hourly", 1)[0] <= start + HOUR
    live(schedules, workbench, clock, start + 3 * HOUR, MINUTE)
    near = schedules.fires("hourly", until=start + 3 * HOUR)
    assert [fire.state for fire in near] == ["queued"] * 3


@pytest.mark.parametrize(("missed", "ran"), [("all", 8), ("latest", 1), ("skip", 0)])
def test_a_machine_that_slept_treats_its_slots_by_the_missed_policy(
    schedules: Schedules, workbench: Workbench, clock, missed: str, ran: int
) -> None:
    schedules.add("hourly", "churn", "@hourly", missed=missed, overlap="queue", grace_s=60)
    schedules.tick()
    clock.now = schedules.next("hourly", 8)[-1] + 30 * MINUTE
    for _ in range(9):
        schedules.tick()
        finish_all(workbench)
    assert len(workbench.jobs.list()) == ran
    assert len(schedules.fires("hourly")) == 8
    assert all(fire.reason for fire in schedules.fires("hourly"))


@pytest.mark.parametrize(
    ("night", "line", "walls"),
    [
        ("2026-03-29", "30 2 * * *", ["03:30"]),  # 02:30 does not come
        ("2026-03-29", "*/30 * * * *", ["01:30", "03:00", "03:30"]),
        ("2026-10-25", "30 2 * * *", ["02:30"]),  # 02:30 comes twice
        ("2026-10-25", "*/30 * * * *", ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]),
    ],
)
def test_both_nights_of_the_change_live_through_a_daemon(
    schedules: Schedules, workbench: Workbench, clock, night: str, line: str, walls: list[str]
) -> None:
    clock.now = at(f"{night}T01:15")
    schedules.add("x", "churn", line, "Europe/Berlin", overlap="queue")
    live(schedules, workbench, clock, at(f"{night}T03:45"), 5 * MINUTE)
    fires = sorted(schedules.fires("x"), key=lambda fire: fire.due_at)
    assert [datetime.fromtimestamp(fire.due_at / 1000, BERLIN).strftime("%H:%M") for fire in fires] == walls
    assert len({fire.job_id for fire in fires}) == len(walls)


def test_one_that_catches_up_and_one_that_cannot_tell_its_slots_hold_up_nobody(
    schedules: Schedules, workbench: Workbench, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.add("busy", "churn", "@every 1m", missed="all", overlap="queue")
    schedules.add("lost", "churn", "@hourly", "Europe/Berlin")
    schedules.add("good", "churn", "@hourly")
    with workbench.context.catalog.write() as tx:
        tx.execute("UPDATE schedule SET timezone = 'Gone/Away' WHERE name = 'lost'")
    monkeypatch.setattr(slots, "CATCH_UP", 50)
    clock.advance(3 * HOUR)
    assert {fire.schedule for fire in schedules.tick() if fire.job_id} == {"busy", "good"}
    assert len(schedules.fires("busy", 1000)) == 50
    (alert,) = workbench.alerts.list(rule="schedule")
    assert alert.subject == "lost"
    assert "no time zone 'Gone/Away'" in schedules.upcoming()[-1].reason
    schedules.tick()
    assert len(schedules.fires("busy", 1000)) == 100
