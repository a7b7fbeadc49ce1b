"""What is said about slots to come, and that it is what comes."""

from __future__ import annotations

import pytest

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench
from tests.domains.schedules.fakes import HOUR, FakePipelines, finish_all

MINUTE = 60_000


def said(schedules: Schedules, name: str | None = None, n: int = 3) -> list[tuple[str, str]]:
    return [(one.prospect, one.reason) for one in schedules.upcoming(name, n)]


def run_for(workbench: Workbench, clock, ms: int) -> None:
    (job,) = workbench.jobs.claim(1)
    workbench.jobs.begin(job.id, job.attempt, processes.identity())
    clock.advance(ms)
    workbench.jobs.finish(job.id, job.attempt, "succeeded")


def test_a_free_schedule_runs_and_a_paused_one_shows_when_it_would(schedules: Schedules) -> None:
    schedules.add("hourly", "churn", "@hourly")
    times = schedules.next("hourly", 3)
    assert [one.due_at for one in schedules.upcoming("hourly", 3)] == times
    assert said(schedules, "hourly") == [("runs", "")] * 3
    schedules.pause("hourly")
    assert said(schedules, "hourly") == [("skipped", "Paused.")] * 3
    assert [one.due_at for one in schedules.upcoming("hourly", 3)] == times
    assert schedules.next("hourly", 3) == []
    with pytest.raises(NotFound):
        schedules.upcoming("hourli")


def test_blackouts_and_cooling_down_are_foreseen_slot_by_slot(schedules: Schedules, clock) -> None:
    schedules.add("hourly", "churn", "@hourly", cooldown_s=1.5 * 3600)
    due = schedules.next("hourly", 4)
    schedules.add_blackout("freeze", begins_at=due[0] - 1, ends_at=due[0] + 1)
    prospects = said(schedules, "hourly", 4)
    assert [prospect for prospect, _ in prospects] == ["skipped", "runs", "skipped", "runs"]
    assert "Blackout 'freeze'" in prospects[0][1]
    assert "Cooling down until" in prospects[2][1]
    for at in due:  # and so it comes
        clock.now = at
        schedules.tick()
    assert [fire.state for fire in schedules.fires("hourly")][::-1] == ["skipped", "queued", "skipped", "skipped"]
    # The last was foreseen to run: that the run before had not ended could not be known.


def test_a_run_that_takes_longer_than_the_gap_is_foreseen(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly")
    clock.now = schedules.next("hourly", 1)[0]
    schedules.tick()
    assert said(schedules, "hourly", 1) == [("skipped", "Job 1 may not have ended.")]
    run_for(workbench, clock, 90 * MINUTE)
    schedules.tick()  # the slot that passed meanwhile
    finish_all(workbench)
    clock.advance(HOUR)
    schedules.tick()
    prospects = said(schedules, "hourly", 2)
    assert prospects[0][0] == "skipped"
    assert "one takes about" in prospects[0][1]


def test_the_limit_of_a_day_counts_what_ran_and_what_will(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly", max_per_day=2)
    assert [prospect for prospect, _ in said(schedules, "hourly", 3)] == ["runs", "runs", "skipped"]
    for _ in range(3):
        clock.now = schedules.next("hourly", 1)[0]
        schedules.tick()
        finish_all(workbench)
    assert [fire.state for fire in schedules.fires("hourly")] == ["skipped", "queued", "queued"]
    assert "its limit" in schedules.fires("hourly")[0].reason


def test_what_a_slot_needs_and_who_holds_it_is_said(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, clock
) -> None:
    pipelines.needs = {"gpu": 1}
    schedules.add("hourly", "churn", "@hourly")
    clock.now = schedules.next("hourly", 1)[0]
    schedules.tick()
    finish_all(workbench)
    workbench.jobs.submit("command", "Somebody's", {}, needs={"gpu": 1})
    workbench.jobs.claim(1)
    (first, second) = said(schedules, "hourly", 2)
    assert first == ("waits", "As things are: waits for 1 gpu of 1, held by job 2 (Somebody's).")
    assert second[0] in ("runs", "skipped")


def test_all_schedules_together_are_sorted_by_time_with_events_at_the_end(schedules: Schedules) -> None:
    schedules.add("hourly", "churn", "@hourly")
    schedules.add("daily", "churn", "@daily")
    schedules.add("retrain", "churn", kind="drift")
    schedules.add("by-hand", "churn", kind="manual")
    found = schedules.upcoming(n=4)
    assert [one.schedule for one in found] == ["hourly"] * 4 + ["retrain"]
    times = [one.due_at for one in found[:-1]]
    assert times == sorted(times)  # type: ignore[type-var]
    assert (found[-1].due_at, found[-1].prospect) == (None, "waits")
    assert "No unanswered drift alert" in found[-1].reason


# -- priorities, by hand, backfill ---------------------------------------------------------------------------------------


def test_the_higher_priority_goes_first_and_its_job_too(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, clock
) -> None:
    schedules.add("a-low", "churn", "@hourly", priority=-5)
    schedules.add("b-high", "churn", "@hourly", priority=5)
    clock.now = schedules.next("a-low", 1)[0]
    assert [fire.schedule for fire in schedules.tick()] == ["b-high", "a-low"]
    assert [(job.cause or {})["priority"] for job in workbench.jobs.list()][::-1] == [5, -5]


def test_a_rule_fires_by_hand_whatever_holds_it_and_never_beside_itself(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly", cooldown_s=7200)
    schedules.pause("hourly")
    schedules.add_blackout("freeze", begins_at=clock.now - 1, ends_at=clock.now + HOUR)
    fire = schedules.fire("hourly", "the data was corrected")
    assert fire.job_id is not None
    assert fire.reason == "By hand, tester: the data was corrected"
    clock.advance(1000)
    second = schedules.fire("hourly")
    assert (second.job_id, second.state) == (None, "queued")
    assert f"Waits for the end of job {fire.job_id}" in second.reason
    finish_all(workbench)
    assert [one.slot for one in schedules.tick()] == [second.slot]
    assert [entry.verb for entry in workbench.audit.list(kind="schedule")][:2] == ["fire", "fire"]


def test_a_backfill_takes_each_slot_once_in_order_behind_todays_and_goes_on_where_it_stopped(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly", missed="skip", grace_s=0)
    first = schedules.next("hourly", 1)[0]
    clock.now = first + 3 * HOUR + 1000
    schedules.tick()
    assert [fire.state for fire in schedules.fires("hourly")] == ["missed"] * 4
    since, until = first - 2 * HOUR, clock.now
    plan = schedules.backfill("hourly", since, until, dry_run=True)
    assert [one.state for one in plan] == ["new"] * 2 + ["again"] * 4
    assert len(schedules.fires("hourly")) == 4
    schedules.backfill("hourly", since, until, why="the sensor was off")
    schedules.backfill("hourly", since, until)  # asked again: nothing twice
    for _ in range(3):
        schedules.tick()
        finish_all(workbench)
    assert [one.state for one in schedules.backfill("hourly", since, until, dry_run=True)] == ["left"] * 6
    assert len(schedules.tick()) == 1  # the fourth of the backfill is under way
    clock.now = schedules.next("hourly", 1)[0]
    (today,) = schedules.tick()  # does not wait for the backfill, and is not skipped because of it
    assert (today.due_at, today.state) == (clock.now, "queued")
    for _ in range(6):
        finish_all(workbench)
        schedules.tick()
    jobs = [job for job in workbench.jobs.list() if (job.cause or {}).get("origin") == "backfill"][::-1]
    assert [(job.cause or {})["due_at"] for job in jobs] == [since + at * HOUR for at in range(6)]
    (entry,) = [entry for entry in workbench.audit.list(kind="schedule") if entry.verb == "backfill"]
    assert (entry.why, entry.after["slots"]) == ("the sensor was off", 6)


def test_a_backfill_tries_failed_slots_again_only_when_asked(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly")
    due = clock.now = schedules.next("hourly", 1)[0]
    schedules.tick()
    (job,) = workbench.jobs.claim(1)
    workbench.jobs.begin(job.id, 1, processes.identity())
    workbench.jobs.finish(job.id, 1, "failed", error="no rows")
    clock.advance(1000)
    (left,) = schedules.backfill("hourly", due, due + 1)
    assert (left.state, left.job_id) == ("left", job.id)
    assert "--failed" in left.reason
    schedules.backfill("hourly", due, due + 1, failed=True)
    assert workbench.jobs.get(job.id).state == "queued"


def test_a_backfill_that_cannot_be_is_refused(schedules: Schedules, clock, monkeypatch) -> None:
    monkeypatch.setattr("mlops_tui.domains.schedules.backfill.MOST", 20)
    schedules.add("hourly", "churn", "@hourly")
    schedules.add("retrain", "churn", kind="drift")
    for name, since, until in (
        ("hourly", clock.now, clock.now - 1),
        ("hourly", clock.now - HOUR, clock.now + HOUR),
        ("hourly", clock.now - 22 * HOUR, clock.now),
        ("retrain", clock.now - HOUR, clock.now),
    ):
        with pytest.raises(InvalidInput):
            schedules.backfill(name, since, until)
    assert schedules.fires() == []
