from __future__ import annotations

import json
import sys

import pytest

from mlops_tui.core import processes
from mlops_tui.workbench import Workbench


@pytest.fixture
def bench(workspace):
    with Workbench(workspace, actor="tester") as bench:
        yield bench


def test_empty_lists_say_what_comes_next(mlops) -> None:
    assert "mlops pipelines run" in mlops("jobs", "list")[2]
    assert "mlops schedules add" in mlops("schedules", "list")[2]
    assert mlops("jobs", "list", "--json")[1].strip() == "[]"
    assert "mlops daemon start" in mlops("daemon", "logs")[2]


def test_jobs_are_listed_shown_and_their_logs_printed(mlops, bench) -> None:
    job = bench.jobs.submit("command", "Say it", {"command": [sys.executable, "-c", "print('said it')"]})
    assert "No daemon runs" in mlops("jobs", "list")[2]
    assert "has not written" in mlops("jobs", "logs", str(job.id))[2]
    bench.jobs.run_here(job)
    code, out, err = mlops("jobs", "logs", str(job.id), "--follow")
    assert (code, out) == (0, "said it\n")
    assert f"Job {job.id} succeeded." in err
    (row,) = json.loads(mlops("jobs", "list", "--json")[1])
    assert (row["state"], row["created_at"][-1]) == ("succeeded", "Z")
    shown = json.loads(mlops("jobs", "show", str(job.id), "--json")[1])
    assert [attempt["state"] for attempt in shown["attempts"]] == ["succeeded"]


def test_cancel_and_retry(mlops, bench) -> None:
    job = bench.jobs.submit("command", "Wait", {"command": ["true"]})
    assert mlops("jobs", "cancel", str(job.id), "--why", "a mistake")[0] == 0
    assert mlops("jobs", "cancel", str(job.id))[0] == 6
    assert mlops("jobs", "retry", str(job.id))[0] == 0
    assert bench.jobs.get(job.id).state == "queued"
    assert bench.audit.list(kind="job")[1].why == "a mistake"


def test_mistakes_have_their_exit_codes(mlops) -> None:
    assert mlops("jobs", "show", "99")[0] == 3
    assert mlops("jobs", "list", "--state", "sleeping")[0] == 5
    assert mlops("jobs", "show", "x")[0] == 2
    assert mlops("daemon", "stop")[0] == 3
    assert mlops("daemon", "status")[:2] == (1, "Not running.\n")
    assert mlops("schedules", "show", "x")[0] == 3
    assert mlops("schedules", "add", "x", "no-such-pipeline", "--cron", "@daily")[0] == 3


def test_the_trail_is_listed_and_proved(mlops, bench) -> None:
    job = bench.jobs.submit("command", "Wait", {"command": ["true"]})
    (entry,) = json.loads(mlops("audit", "list", "--kind", "job", "--json")[1])
    assert (entry["verb"], entry["name"]) == ("submit", str(job.id))
    assert "Wait" in mlops("audit", "show", str(entry["id"]))[1]
    assert "is whole" in mlops("audit", "verify")[2]
    with bench.context.catalog.write() as tx:
        tx.execute("DROP TRIGGER audit_no_update")
        tx.execute("UPDATE audit SET actor = 'somebody else'")
    assert mlops("audit", "verify")[0] == 1


@pytest.mark.e2e
def test_the_daemon_is_started_seen_and_stopped(mlops, workspace) -> None:
    workspace.settings_file.write_text("[serving]\nenabled = false\n")
    try:
        assert mlops("daemon", "start")[0] == 0
        assert mlops("daemon", "start")[0] == 4
        status = json.loads(mlops("daemon", "status", "--json")[1])
        assert status["running"]
        assert processes.identity(status["pid"])
    finally:
        code = mlops("daemon", "stop")[0]
    assert code == 0
    assert "daemon stopped" in mlops("daemon", "logs")[1]
