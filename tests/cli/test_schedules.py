"""`mlops schedules`, `mlops audit export` and the service's dry run, as typed."""

from __future__ import annotations

import json

import pytest

from mlops_tui.cli.schedules_slots import with_ends
from mlops_tui.core.processes import identity
from mlops_tui.domains.schedules.records import Fire, FireState


@pytest.fixture
def churn(mlops):
    assert mlops("pipelines", "new", "churn")[0] == 0
    return mlops


def rows(mlops, *arguments):
    code, out, err = mlops(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_schedule_is_added_changed_and_looked_at_slot_by_slot(churn):
    code, _, err = churn("schedules", "add", "nightly", "churn", "--cron", "0 3 * * *", "--jitter", "10m")
    assert (code, "nightly is kept. Next: " in err) == (0, True)
    assert churn("schedules", "change", "nightly", "--priority", "5", "--cooldown", "6h", "--why", "w")[0] == 0
    (one,) = rows(churn, "schedules", "list")
    assert (one["jitter_s"], one["priority"], one["cooldown_s"]) == (600.0, 5, 21600.0)
    coming = rows(churn, "schedules", "next", "nightly", "--count", "3")
    assert [slot["prospect"] for slot in coming] == ["runs"] * 3
    code, out, _ = churn("schedules", "show", "nightly")
    assert (code, "cooldown s" in out, "grace s" in out, "branch" in out) == (0, True, True, False)
    assert churn("schedules", "change", "nightly")[0] == 5
    assert churn("schedules", "change", "nightli", "--priority", "1")[0] == 3
    changes = rows(churn, "audit", "list", "--kind", "schedule", "--verb", "change")
    assert (changes[0]["before"], changes[0]["why"]) == ({"cooldown_s": 0.0, "priority": 0}, "w")


def test_conditions_alone_make_a_rule_of_conditions(churn):
    assert churn("schedules", "add", "more", "churn", "--all", "new_data:rows=500", "--all", "fresh:within=24h")[0] == 0
    (one,) = rows(churn, "schedules", "list")
    assert (one["kind"], [condition["kind"] for condition in one["all_of"]]) == ("condition", ["new_data", "fresh"])
    code, _, err = churn("schedules", "add", "x", "churn", "--any", "new_data:row=5")
    assert (code, "did you mean" in err.lower() or "rows" in err) == (5, True)


def test_a_blackout_is_kept_in_its_zone_listed_and_lifted(churn):
    churn("schedules", "add", "hourly", "churn", "--cron", "@hourly")
    code, _, err = churn("schedules", "blackout", "all-day", "--hours", "00:00-24:00", "--why", "closed")
    assert (code, "Blackout all-day is kept. First from " in err) == (0, True)
    assert {slot["prospect"] for slot in rows(churn, "schedules", "next", "hourly")} == {"skipped"}
    argument = (
        "schedules",
        "blackout",
        "once",
        "--from",
        "2099-01-01",
        "--to",
        "2099-01-02",
        "--timezone",
        "Asia/Tokyo",
    )
    assert churn(*argument)[0] == 0
    kept = {one["name"]: one for one in rows(churn, "schedules", "blackouts")}
    assert kept["once"]["begins_at"] == "2098-12-31T15:00:00Z"
    assert churn("schedules", "lift", "all-day", "--yes")[0] == 0
    assert {slot["prospect"] for slot in rows(churn, "schedules", "next", "hourly")} == {"runs"}
    assert churn("schedules", "blackout", "x", "--hours", "8-9")[0] == 5
    assert churn("schedules", "lift", "x", "--yes")[0] == 3


def test_the_past_is_planned_and_made_up_for_once(churn):
    churn("schedules", "add", "hourly", "churn", "--cron", "@hourly")
    past = ("schedules", "backfill", "hourly", "--from", "2026-01-01", "--to", "2026-01-01T03:00")
    assert [slot["state"] for slot in rows(churn, *past, "--dry-run")] == ["new"] * 3
    assert rows(churn, "schedules", "fires") == []
    assert [slot["state"] for slot in rows(churn, *past, "--yes")] == ["new"] * 3
    assert [slot["state"] for slot in rows(churn, *past, "--yes")] == ["left"] * 3
    fires = rows(churn, "schedules", "fires", "hourly")
    assert {fire["reason"].split(" by ")[0] for fire in fires} == {"Backfill"}


def test_a_fire_by_hand_that_cannot_run_says_why(churn):
    churn("schedules", "add", "hourly", "churn", "--cron", "@hourly")
    code, _, err = churn("schedules", "fire", "hourly", "--why", "look")
    assert (code, "hourly: skipped. " in err, "labels" in err) == (0, True, True)


def test_a_fire_says_what_became_of_its_job(workbench):
    jobs = [workbench.jobs.submit("pipeline", "churn", {}) for _ in range(2)]
    for job, result in zip(jobs, ({"verdict": "blocked"}, {"verdict": "blessed", "version": "churn/7"}), strict=True):
        workbench.jobs.begin(job.id, workbench.jobs.claim()[0].attempt, identity())
        workbench.jobs.finish(job.id, 1, "succeeded", result=result)
    fires = [
        Fire(1, "nightly", "churn", "s", 0, FireState.QUEUED, job_id, "due", 0)
        for job_id in (jobs[0].id, jobs[1].id, 99, None)
    ]
    assert [one["became"] for one in with_ends(workbench, fires)] == ["blocked", "churn/7, blessed", "", ""]


def test_an_exported_trail_is_verified_and_an_edit_ends_with_one(churn, tmp_path):
    churn("schedules", "add", "hourly", "churn", "--cron", "@hourly")
    file = tmp_path / "trail.csv"
    assert churn("audit", "export", str(file))[0] == 0
    assert churn("audit", "verify", str(file))[0] == 0
    file.write_text(file.read_text().replace("hourly", "yearly"))
    code, _, err = churn("audit", "verify", str(file))
    assert (code, "was altered" in err) == (1, True)


def test_the_service_is_shown_without_being_installed(mlops, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    code, out, _ = mlops("daemon", "install", "--memory", "8G", "--dry-run")
    assert (code, "MemoryMax=8G\n" in out, "systemctl --user enable" in out) == (0, True, True)
    assert not (tmp_path / "config").exists()
    assert mlops("daemon", "install", "--cpu", "two", "--dry-run")[0] == 5
