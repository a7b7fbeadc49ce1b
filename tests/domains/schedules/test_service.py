from __future__ import annotations

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.jobs.records import Job
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench
from tests.domains.schedules.fakes import HOUR, FakeFeatures, FakePipelines, FakeTable, another, finish_all

# -- rules ---------------------------------------------------------------------------------------------------------------


def test_a_schedule_knows_its_next_times(schedules: Schedules, clock) -> None:
    schedules.add("nightly", "churn", "0 3 * * *", "Europe/Berlin")
    first, second = schedules.next("nightly", 2)
    assert first > clock.now
    assert second - first == 24 * HOUR
    assert schedules.get("nightly").waits == ""
    assert schedules.first_due() == first


def test_what_cannot_be_kept_is_refused_and_nothing_is_written(schedules: Schedules, workbench: Workbench) -> None:
    for wrong in (
        {"cron": ""},
        {"cron": "61 * * * *"},
        {"timezone": "Mars/Base"},
        {"missed": "never"},
        {"overlap": "both"},
        {"cooldown_s": -1},
        {"kind": "moon"},
        {"min_rows": -1},
    ):
        with pytest.raises(InvalidInput):
            schedules.add("x", "churn", **{"cron": "0 3 * * *", **wrong})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        schedules.add("no/slash", "churn", "0 3 * * *")
    with pytest.raises(NotFound):
        schedules.add("x", "unknown", "0 3 * * *")
    assert schedules.list() == []
    assert workbench.audit.list(kind="schedule") == []


def test_names_are_unique_and_removed_ones_are_gone(schedules: Schedules) -> None:
    schedules.add("nightly", "churn", "@daily")
    with pytest.raises(AlreadyExists):
        schedules.add("nightly", "churn", "@daily")
    schedules.remove("nightly")
    with pytest.raises(NotFound):
        schedules.get("nightly")


def test_a_removed_schedule_never_shares_job_keys_with_a_later_one(schedules: Schedules) -> None:
    first = schedules.add("a", "churn", "@daily")
    schedules.remove("a")
    assert schedules.add("a", "churn", "@daily").id != first.id


# -- the clock -----------------------------------------------------------------------------------------------------------


def test_a_due_slot_gives_one_job_however_often_and_from_where_it_is_looked_at(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, features: FakeFeatures, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly")
    assert schedules.tick() == []
    clock.now = schedules.next("hourly", 1)[0]
    (fire,) = schedules.tick()
    assert (fire.state, fire.due_at) == ("queued", clock.now)
    assert another(workbench, pipelines, features).tick() == []
    assert schedules.tick() == []
    (job,) = workbench.jobs.list()
    assert job.id == fire.job_id
    assert job.cause is not None
    assert (job.cause["schedule"], job.cause["slot"]) == ("hourly", fire.slot)


def test_a_kill_between_recording_and_submitting_loses_and_doubles_nothing(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, features: FakeFeatures, clock, monkeypatch
) -> None:
    schedules.add("hourly", "churn", "@hourly")
    clock.now = schedules.next("hourly", 1)[0]

    def killed(*args: object, **kwargs: object) -> Job:
        workbench.jobs.submit("pipeline", "half done", {}, key=kwargs["key"])  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipelines, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            schedules.tick()
    assert workbench.jobs.list() == []
    assert [fire.job_id for fire in schedules.fires("hourly")] == [None]
    (fire,) = another(workbench, pipelines, features).tick()
    assert [job.id for job in workbench.jobs.list()] == [fire.job_id]
    assert len(schedules.fires("hourly")) == 1


def test_a_fire_that_forgot_its_job_finds_the_same_one_again(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly")
    clock.now = schedules.next("hourly", 1)[0]
    (fire,) = schedules.tick()
    with workbench.context.catalog.write() as tx:
        tx.execute("UPDATE fire SET job_id = NULL")
    (again,) = schedules.tick()
    assert (again.state, again.job_id) == ("queued", fire.job_id)
    assert len(workbench.jobs.list()) == 1


@pytest.mark.parametrize(
    ("missed", "grace_s", "expected"),
    [
        ("all", 0, ["queued"] * 5),
        ("latest", 0, ["queued", *["missed"] * 4]),
        ("skip", 7200, ["queued", *["missed"] * 4]),
        ("skip", 60, ["missed"] * 5),
    ],
)
def test_slots_that_passed_without_a_daemon_follow_the_missed_policy(
    schedules: Schedules, workbench: Workbench, clock, missed: str, grace_s: float, expected: list[str]
) -> None:
    schedules.add("hourly", "churn", "@hourly", missed=missed, overlap="queue", grace_s=grace_s)
    clock.now = schedules.next("hourly", 5)[-1] + HOUR // 2
    schedules.tick()
    fires = schedules.fires("hourly")
    assert [fire.state for fire in fires] == expected
    assert all(fire.reason for fire in fires if fire.state == "missed")
    assert schedules.next("hourly", 1)[0] > clock.now
    for _ in range(6):
        finish_all(workbench)
        schedules.tick()
    assert len(workbench.jobs.list()) == expected.count("queued")


def test_a_year_without_a_daemon_is_one_run_and_a_readable_list(schedules: Schedules, clock) -> None:
    schedules.add("minutely", "churn", "* * * * *")
    clock.advance(365 * 24 * HOUR)
    assert len(schedules.tick()) == 1
    assert len(schedules.fires("minutely", limit=1000)) == 100


def test_overlap_skip_names_the_job_that_still_runs(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly")
    clock.now = schedules.next("hourly", 1)[0]
    (first,) = schedules.tick()
    assert f"Job {first.job_id} has not ended" in schedules.get("hourly").waits
    clock.now = schedules.next("hourly", 1)[0]
    (second,) = schedules.tick()
    assert (second.state, second.job_id) == ("skipped", None)
    assert f"Job {first.job_id}" in second.reason
    finish_all(workbench)
    clock.now = schedules.next("hourly", 1)[0]
    assert [fire.state for fire in schedules.tick()] == ["queued"]


def test_overlap_queue_waits_for_the_earlier_job(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly", overlap="queue")
    for _ in range(2):
        clock.now = schedules.next("hourly", 1)[0]
        schedules.tick()
    assert len(workbench.jobs.list()) == 1
    finish_all(workbench)
    assert len(schedules.tick()) == 1
    assert len(workbench.jobs.list()) == 2


def test_overlap_replace_cancels_the_earlier_job(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("hourly", "churn", "@hourly", overlap="replace")
    for _ in range(2):
        clock.now = schedules.next("hourly", 1)[0]
        schedules.tick()
    newest, oldest = workbench.jobs.list()
    assert (oldest.state, newest.state) == ("cancelled", "queued")
    assert "replaced by slot" in oldest.error


def test_a_paused_schedule_does_not_fire_and_makes_nothing_up_later(schedules: Schedules, clock) -> None:
    schedules.add("hourly", "churn", "@hourly")
    assert schedules.pause("hourly").waits == "Paused."
    with pytest.raises(NotAllowed):
        schedules.pause("hourly")
    clock.advance(5 * HOUR)
    assert schedules.tick() == []
    schedules.resume("hourly")
    assert schedules.tick() == []
    assert schedules.fires("hourly") == []
    assert schedules.next("hourly", 1)[0] > clock.now


def test_a_pipeline_that_cannot_run_is_skipped_with_the_reason_and_an_alert(
    schedules: Schedules, workbench: Workbench, pipelines: FakePipelines, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly")
    pipelines.problem = "churn.toml has 2 mistakes."
    clock.now = schedules.next("hourly", 1)[0]
    (fire,) = schedules.tick()
    assert (fire.state, fire.reason) == ("skipped", "churn.toml has 2 mistakes.")
    assert workbench.alerts.open_count() == 1
    pipelines.problem = ""
    clock.now = schedules.next("hourly", 1)[0]
    schedules.tick()
    assert workbench.alerts.open_count() == 0


# -- events --------------------------------------------------------------------------------------------------------------


def test_an_alert_fires_once_and_the_reason_is_kept(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("retrain", "churn", kind="performance")
    assert schedules.evaluate() == []
    assert "No unanswered performance alert for deployment 'churn-api'" in schedules.get("retrain").waits
    workbench.alerts.raise_alert("drift", "churn-api", title="Another rule")
    workbench.alerts.raise_alert("performance", "other-api", title="Another deployment")
    assert schedules.evaluate() == []
    alert = workbench.alerts.raise_alert("performance", "churn-api", title="AUC fell to 0.71")
    (fire,) = schedules.evaluate()
    assert (fire.slot, fire.reason) == (f"alert:{alert.id}", f"Alert {alert.id}: AUC fell to 0.71")
    assert workbench.jobs.get(fire.job_id or 0).cause["alert"] == alert.id  # type: ignore[index]
    workbench.alerts.raise_alert("performance", "churn-api", title="Still low")
    assert schedules.evaluate() == []
    finish_all(workbench)
    assert "No unanswered performance alert" in schedules.get("retrain").waits


def test_an_alert_that_outlives_its_answer_fires_again_only_with_new_data(
    schedules: Schedules, workbench: Workbench, features: FakeFeatures, clock
) -> None:
    schedules.add("retrain", "churn", kind="performance")
    alert = workbench.alerts.raise_alert("performance", "churn-api", title="AUC fell")
    assert len(schedules.evaluate()) == 1
    finish_all(workbench)
    clock.advance(HOUR)
    features.tables["labels"] = FakeTable(2, 150)
    assert schedules.evaluate() == []  # nothing has said since the answer that it is still wrong
    workbench.alerts.raise_alert("performance", "churn-api", title="AUC still low")
    (fire,) = schedules.evaluate()
    assert fire.slot.startswith(f"alert:{alert.id}:labels@2")
    assert "still stands, with new data in labels@2" in fire.reason
    finish_all(workbench)
    clock.advance(HOUR)
    workbench.alerts.raise_alert("performance", "churn-api", title="AUC still low")
    assert schedules.evaluate() == []  # the same rows would give the same model


def test_a_cooldown_holds_the_next_alert_back_until_it_is_over(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("retrain", "churn", kind="drift", cooldown_s=6 * 3600)
    first = workbench.alerts.raise_alert("drift", "churn-api", title="Drift")
    assert len(schedules.evaluate()) == 1
    finish_all(workbench)
    workbench.alerts.resolve(first.id)
    workbench.alerts.raise_alert("drift", "churn-api", title="Drift again")
    clock.advance(HOUR)
    assert schedules.evaluate() == []
    assert "Cooling down until" in schedules.get("retrain").waits
    clock.advance(6 * HOUR)
    assert len(schedules.evaluate()) == 1


def test_a_silenced_alert_and_one_below_the_share_do_not_fire(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("retrain", "churn", kind="drift", min_share=0.5)
    alert = workbench.alerts.raise_alert("drift", "churn-api", title="Small", facts={"share": 0.2})
    assert schedules.evaluate() == []
    workbench.alerts.raise_alert("drift", "churn-api", title="Large", facts={"share": 0.8})
    workbench.alerts.silence(alert.id, clock.now + HOUR)
    assert schedules.evaluate() == []


def test_a_limit_per_day_holds(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("retrain", "churn", kind="drift", max_per_day=1)
    for expected in (1, 0):
        alert = workbench.alerts.raise_alert("drift", "churn-api", title="Drift")
        assert len(schedules.evaluate()) == expected
        workbench.alerts.resolve(alert.id)
        finish_all(workbench)
    assert "its limit" in schedules.get("retrain").waits


def test_new_data_fires_once_per_set_of_snapshots(
    schedules: Schedules, workbench: Workbench, features: FakeFeatures
) -> None:
    schedules.add("fresh", "churn", kind="new_data", overlap="queue", min_rows=50)
    assert schedules.get("fresh").tables == ("labels", "orders")
    assert schedules.evaluate() == []
    features.tables["orders"] = FakeTable(5, 910)
    assert schedules.evaluate() == []
    features.tables["labels"] = FakeTable(2, 200)
    (fire,) = schedules.evaluate()
    assert (fire.slot, fire.reason) == ("data:labels@2,orders@5", "New data: labels@2, orders@5")
    assert schedules.evaluate() == []


# -- pipeline files ------------------------------------------------------------------------------------------------------


def test_triggers_of_the_files_become_schedules_change_and_go(
    schedules: Schedules, pipelines: FakePipelines, clock
) -> None:
    daily = {"kind": "schedule", "cron": "0 3 * * *", "timezone": "Europe/Berlin", "cooldown": "6h"}
    pipelines.triggers_of["churn"] = [daily, {"kind": "drift"}, {"kind": "commit"}, {**daily, "cron": "@weekly"}]
    names = [schedule.name for schedule in schedules.sync()]
    assert names == ["churn-drift", "churn-schedule", "churn-schedule-2"]
    assert schedules.get("churn-schedule").cooldown_s == 6 * 3600
    schedules.pause("churn-schedule")
    pipelines.triggers_of["churn"] = [{**daily, "cron": "0 4 * * *"}]
    (left,) = schedules.sync()
    assert (left.cron, left.paused, left.next_due) == ("0 4 * * *", True, None)
    with pytest.raises(NotAllowed, match="written in the file"):
        schedules.remove("churn-schedule")


def test_a_second_sync_writes_nothing(schedules: Schedules, pipelines: FakePipelines, workbench: Workbench) -> None:
    pipelines.triggers_of["churn"] = [{"kind": "schedule", "cron": "@daily"}, {"kind": "new_data"}]
    schedules.sync()
    before = workbench.context.catalog.data_version()
    schedules.sync()
    assert workbench.context.catalog.data_version() == before


def test_a_broken_file_keeps_its_schedules_and_a_bad_trigger_alerts_once(
    schedules: Schedules, pipelines: FakePipelines, workbench: Workbench
) -> None:
    pipelines.triggers_of["churn"] = [{"kind": "schedule", "cron": "@daily"}]
    schedules.sync()
    pipelines.broken = {"churn"}
    assert [schedule.name for schedule in schedules.sync()] == ["churn-schedule"]
    pipelines.broken = set()
    pipelines.triggers_of["churn"].append({"kind": "schedule", "cron": "99 * * * *"})
    for _ in range(3):
        assert [schedule.name for schedule in schedules.sync()] == ["churn-schedule"]
    (alert,) = workbench.alerts.list()
    assert (alert.subject, alert.count) == ("churn-schedule-2", 1)


def test_a_manual_trigger_is_listed_and_never_fires(schedules: Schedules, pipelines: FakePipelines, clock) -> None:
    pipelines.triggers_of["churn"] = [{"kind": "manual"}]
    (schedule,) = schedules.sync()
    assert schedule.waits == "Runs only by hand."
    clock.advance(100 * HOUR)
    assert schedules.tick() == []
    assert schedules.evaluate() == []


# -- held back, and dry runs -------------------------------------------------------------------------------------------------


def test_an_event_that_is_held_back_is_put_down_once_with_the_reason_and_still_fires_later(
    schedules: Schedules, workbench: Workbench, clock
) -> None:
    schedules.add("retrain", "churn", kind="drift", cooldown_s=3600, max_per_day=2)
    fired = []
    for _ in range(3):
        alert = workbench.alerts.raise_alert("drift", "churn-api", title="Drift")
        fired += schedules.evaluate()
        assert schedules.evaluate() == []
        clock.advance(2 * HOUR)
        fired += schedules.evaluate()
        workbench.alerts.resolve(alert.id)
        finish_all(workbench)
    assert [fire.slot for fire in fired] == ["alert:1", "alert:2"]
    (held,) = [fire for fire in schedules.fires("retrain") if fire.slot.startswith("held:")]
    assert (held.slot, held.state, held.job_id) == ("held:alert:3", "skipped", None)
    assert held.reason == "Alert 3: Drift. Not yet: It fired 2 times in the last 24 h, its limit."
    workbench.alerts.raise_alert("drift", "churn-api", title="Drift")
    clock.advance(24 * HOUR)
    assert [fire.slot for fire in schedules.evaluate()] == ["alert:4"]


def test_a_dry_run_says_all_it_would_do_and_starts_nothing(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("retrain", "churn", kind="drift", dry_run=True)
    workbench.alerts.raise_alert("drift", "churn-api", title="Drift")
    (fire,) = schedules.evaluate()
    assert (fire.state, fire.job_id) == ("skipped", None)
    assert fire.reason == "Alert 1: Drift. Dry run: Reads labels@2. Trains."
    assert workbench.jobs.list() == []
    assert schedules.evaluate() == []
    schedules.change("retrain", dry_run=False)
    assert schedules.fire("retrain").job_id is not None


def test_a_dry_run_by_the_clock_starts_nothing_either(schedules: Schedules, workbench: Workbench, clock) -> None:
    schedules.add("nightly", "churn", "@hourly", dry_run=True)
    clock.advance(HOUR)
    (fire,) = schedules.tick()
    assert fire.state == "skipped"
    assert "Dry run: Reads labels@2." in fire.reason
    assert workbench.jobs.list() == []


def test_two_processes_that_read_the_same_file_make_one_schedule(
    schedules: Schedules, pipelines: FakePipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipelines.triggers_of["churn"] = [{"kind": "schedule", "cron": "0 3 * * *", "timezone": "UTC"}]
    look, others = schedules._events.look, [None]

    def meanwhile() -> None:
        look()
        if others:
            others.pop()
            schedules.sync()

    monkeypatch.setattr(schedules._events, "look", meanwhile)
    assert [one.name for one in schedules.sync()] == ["churn-schedule"]
