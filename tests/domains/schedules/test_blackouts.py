from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench
from tests.domains.schedules.fakes import HOUR, finish_all

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp() * 1000)


def walls(schedules: Schedules, since: str, until: str) -> list[tuple[str, str]]:
    return [
        tuple(datetime.fromtimestamp(ms / 1000, BERLIN).strftime("%d %H:%M") for ms in (one.begin, one.end))  # type: ignore[misc]
        for one in schedules.blackout_windows(at(since), at(until))
    ]


def test_weekdays_and_hours_lie_on_the_wall_clock_also_over_midnight_and_in_the_nights_of_the_change(
    schedules: Schedules,
) -> None:
    schedules.add_blackout("office", weekdays="mon-fri", hours="08:00-18:00", timezone="Europe/Berlin")
    assert walls(schedules, "2026-11-20T12:00", "2026-11-24T09:00") == [
        ("20 08:00", "20 18:00"),
        ("23 08:00", "23 18:00"),
        ("24 08:00", "24 18:00"),
    ]
    schedules.remove_blackout("office")
    schedules.add_blackout("night", hours="22:00-06:00", timezone="Europe/Berlin")
    assert walls(schedules, "2026-10-24T23:00", "2026-10-25T01:00") == [("24 22:00", "25 06:00")]
    (window,) = schedules.blackout_windows(at("2026-10-24T23:00"), at("2026-10-25T01:00"))
    assert window.end - window.begin == 9 * HOUR
    assert walls(schedules, "2026-03-29T05:00", "2026-03-29T07:00") == [("28 22:00", "29 06:00")]


def test_a_line_with_a_length_and_a_single_span(schedules: Schedules) -> None:
    schedules.add_blackout("weekend", cron="0 18 * * 5", span_s=60 * 3600, timezone="Europe/Berlin")
    schedules.add_blackout(
        "holidays", begins_at=at("2026-12-24T00:00"), ends_at=at("2027-01-02T00:00"), timezone="Europe/Berlin"
    )
    assert (
        walls(schedules, "2026-12-20T00:00", "2026-12-25T12:00")
        == [
            ("18 18:00", "21 06:00"),
            ("24 00:00", "02 00:00"),
            ("25 18:00", "28 06:00"),
        ][:2]
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"cron": "0 18 * * 5"},
        {"cron": "0 18 * * 5", "span_s": -1},
        {"cron": "@every 1h", "span_s": 60},
        {"cron": "0 18 * * 5", "span_s": 60, "begins_at": 1, "ends_at": 2},
        {"hours": "8-18"},
        {"hours": "08:00-25:00"},
        {"weekdays": "mon-funday"},
        {"weekdays": "mon", "cron": "0 1 * * *", "span_s": 60},
        {"begins_at": 5, "ends_at": 5},
        {"begins_at": 5},
        {"hours": "08:00-18:00", "timezone": "Mars/Base"},
        {"hours": "08:00-18:00", "then": "explode"},
    ],
)
def test_times_that_cannot_be_are_refused_and_nothing_is_written(
    schedules: Schedules, workbench: Workbench, wrong: dict
) -> None:
    with pytest.raises(InvalidInput):
        schedules.add_blackout("x", **wrong)
    assert schedules.blackouts() == []
    assert workbench.audit.list(kind="blackout") == []


def test_names_are_unique_known_and_audited(schedules: Schedules, workbench: Workbench) -> None:
    schedules.add_blackout("night", hours="22:00-06:00", why="backups")
    with pytest.raises(AlreadyExists):
        schedules.add_blackout("night", hours="22:00-06:00")
    with pytest.raises(NotFound, match="nobody"):
        schedules.add_blackout("x", hours="22:00-06:00", only=["nobody"])
    with pytest.raises(NotFound):
        schedules.remove_blackout("nigt")
    schedules.remove_blackout("night", "not needed")
    removed, added = workbench.audit.list(kind="blackout")
    assert (added.verb, added.why, added.after["cron"], added.after["span_s"]) == (
        "add",
        "backups",
        "0 22 * * *",
        28800.0,
    )
    assert (removed.verb, removed.why, removed.before) == ("remove", "not needed", added.after)


def test_a_slot_in_a_blackout_is_skipped_with_its_name_and_the_next_one_runs(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly")
    schedules.add("free", "churn", "@hourly")
    due = schedules.next("hourly", 2)
    schedules.add_blackout("freeze", begins_at=due[0] - 1, ends_at=due[0] + 1, only=["hourly"], why="audit")
    clock.now = due[0] + 60_000  # a moment late: what counts is when it was due
    assert {fire.schedule: fire.state for fire in schedules.tick()} == {"hourly": "skipped", "free": "queued"}
    assert schedules.fires("hourly")[0].reason.startswith("Blackout 'freeze' until ")
    assert "(audit)" in schedules.fires("hourly")[0].reason
    finish_all(workbench)
    clock.now = due[1]
    assert {fire.state for fire in schedules.tick()} == {"queued"}


def test_a_slot_that_waits_for_the_end_of_a_blackout_runs_then_once(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly")
    due = schedules.next("hourly", 1)[0]
    schedules.add_blackout("freeze", begins_at=due - 1, ends_at=due + HOUR // 2, then="wait")
    clock.now = due
    assert schedules.tick() == []
    assert "Blackout 'freeze'" in schedules.fires("hourly")[0].reason
    assert "Blackout 'freeze'" in schedules.get("hourly").waits
    clock.now = due + HOUR // 2
    (fire,) = schedules.tick()
    assert (fire.state, fire.due_at) == ("queued", due)
    assert len(workbench.jobs.list()) == 1


def test_an_event_in_a_blackout_is_not_lost(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("retrain", "churn", kind="performance")
    schedules.add_blackout("freeze", begins_at=clock.now - 1, ends_at=clock.now + HOUR)
    workbench.alerts.raise_alert("performance", "churn-api", title="AUC fell")
    assert schedules.evaluate() == []
    assert "Blackout 'freeze'" in schedules.get("retrain").waits
    clock.advance(HOUR)
    assert [fire.state for fire in schedules.evaluate()] == ["queued"]
