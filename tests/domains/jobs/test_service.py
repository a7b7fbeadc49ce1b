from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, Unavailable
from mlops_tui.domains.jobs.records import LEASE_MS, MAX_STARTS, Job, JobState, pause_ms
from mlops_tui.domains.jobs.service import Jobs
from mlops_tui.workbench import Workbench


@pytest.fixture
def jobs(workbench: Workbench) -> Jobs:
    return workbench.jobs


def submit(jobs: Jobs, **options: object) -> Job:
    return jobs.submit("command", "A test", {"command": ["true"]}, **options)  # type: ignore[arg-type]


def started(jobs: Jobs, **options: object) -> Job:
    """A job that this very process pretends to work on."""
    submit(jobs, **options)
    (job,) = jobs.claim()
    assert jobs.begin(job.id, job.attempt, processes.identity())
    return jobs.get(job.id)


def exited(jobs: Jobs, job: Job, reason: str, code: int | None = None, signal: int | None = None) -> None:
    """What a shim leaves behind."""
    folder = jobs.folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pid.json").write_text(
        json.dumps({"shim": {"pid": 2**22 + 1, "started": 1, "boot": "x"}, "mark": "none"})
    )
    record = {"code": code, "signal": signal, "started_at": 1, "ended_at": 2, "reason": reason, "peak_bytes": 0}
    (folder / "exit.json").write_text(json.dumps(record))


def test_a_key_used_before_gives_the_job_of_before(jobs: Jobs) -> None:
    first = submit(jobs, key="schedule:1:x")
    assert submit(jobs, key="schedule:1:x").id == first.id
    assert submit(jobs).id != first.id
    (job, _) = jobs.claim(5)
    jobs.begin(job.id, 1, processes.identity())
    jobs.finish(job.id, 1, "succeeded")
    assert submit(jobs, key="schedule:1:x").state is JobState.SUCCEEDED


def test_a_job_waits_for_what_it_needs_and_is_not_overtaken_by_one_that_wants_the_same(workspace) -> None:
    workspace.settings_file.write_text("[daemon]\nlimits = { gpu = 2, licence = 1 }\n")
    with Workbench(workspace, actor="tester") as bench:
        jobs = bench.jobs
        first = submit(jobs, needs={"gpu": 1})
        both = submit(jobs, needs={"gpu": 2})
        small = submit(jobs, needs={"gpu": 1})
        other = submit(jobs, needs={"licence": 1})
        free = submit(jobs)
        assert [job.id for job in jobs.claim(10)] == [first.id, other.id, free.id]
        assert jobs.waits({"gpu": 2}) == f"Waits for 2 gpu of 2, held by job {first.id} (A test)."
        assert jobs.waits({"gpu": 1}) == ""
        jobs.begin(first.id, 1, processes.identity())
        jobs.finish(first.id, 1, "succeeded")
        assert [job.id for job in jobs.claim(10)] == [both.id]
        assert jobs.get(small.id).state is JobState.QUEUED


@pytest.fixture
def launched(monkeypatch) -> list[int]:
    """Ids of jobs whose child would have been started."""
    ids: list[int] = []
    monkeypatch.setattr(Jobs, "launch", lambda self, job, fork=None: ids.append(job.id))
    return ids


def test_a_job_started_by_hand_waits_like_any_other_and_says_for_what(jobs: Jobs, launched: list[int]) -> None:
    holder = started(jobs, needs={"gpu": 1})
    mine = submit(jobs, needs={"gpu": 1})
    assert jobs.run_here(mine).state is JobState.QUEUED
    assert jobs.held_up(mine) == f"Waits for 1 gpu of 1, held by job {holder.id} (A test)."
    jobs.finish(holder.id, 1, "succeeded")
    assert jobs.held_up(mine) == ""
    assert jobs.run_here(mine).state is JobState.CLAIMED
    assert launched == [mine.id]


def test_what_a_dead_job_held_is_free_for_one_started_by_hand(jobs: Jobs, launched: list[int]) -> None:
    dead = started(jobs, needs={"gpu": 1})
    exited(jobs, dead, "lost")
    assert jobs.run_here(submit(jobs, needs={"gpu": 1})).state is JobState.CLAIMED
    assert jobs.get(dead.id).state is JobState.LOST


def test_a_person_may_start_a_job_over_what_it_waits_for_and_the_trail_says_so(
    jobs: Jobs, workbench: Workbench, launched: list[int]
) -> None:
    holder = started(jobs, needs={"gpu": 1})
    mine = submit(jobs, needs={"gpu": 1})
    assert jobs.start(mine.id).state is JobState.CLAIMED
    (entry,) = [one for one in workbench.audit.list() if one.verb == "start"]
    assert entry.name == str(mine.id)
    assert f"held by job {holder.id}" in entry.after["over"]
    with pytest.raises(NotAllowed, match="is claimed"):
        jobs.start(mine.id)


def test_waiting_for_a_job_starts_it_when_its_needs_are_free_and_tells_once(
    jobs: Jobs, monkeypatch, launched: list[int]
) -> None:
    holder = started(jobs, needs={"gpu": 1})
    mine = submit(jobs, needs={"gpu": 1})
    told: list[str] = []
    naps = iter([lambda: None, lambda: jobs.finish(holder.id, 1, "succeeded"), lambda: jobs.cancel(mine.id)])
    monkeypatch.setattr("mlops_tui.domains.jobs.starting.time.sleep", lambda _: next(naps)())
    jobs.wait(mine.id, start=True, told=told.append)
    assert told == [f"Waits for 1 gpu of 1, held by job {holder.id} (A test)."]
    assert launched == [mine.id]


def test_a_job_waits_for_its_turn_where_as_many_run_as_may(jobs: Jobs) -> None:
    for _ in range(2):
        assert jobs.turn() == ""
        started(jobs)
    assert jobs.turn() == "Waits for its turn: as many jobs run as [daemon] max_jobs = 2 allows."


def test_more_than_there_is_is_refused_and_processors_are_what_there_is(jobs: Jobs) -> None:
    with pytest.raises(InvalidInput, match="needs 2 gpu, and the workspace has 1") as refused:
        submit(jobs, needs={"gpu": 2})
    assert "limits = { gpu = 2 }" in refused.value.hint
    assert jobs.list() == []
    assert submit(jobs, needs={"cpu": 10_000}).needs["cpu"] < 10_000


def test_the_highest_priority_goes_first_and_then_the_oldest(jobs: Jobs) -> None:
    ids = [submit(jobs, priority=priority).id for priority in (0, 5, 5, -1)]
    assert [job.id for job in jobs.claim(4)] == sorted(ids, key=lambda one: [1, 0, 0, 2][ids.index(one)])


def test_an_internal_job_gives_its_key_back_when_it_ends(jobs: Jobs) -> None:
    first = started(jobs, key="compact", internal=True)
    assert submit(jobs, key="compact", internal=True).id == first.id
    jobs.finish(first.id, 1, "succeeded")
    assert submit(jobs, key="compact", internal=True).id != first.id


def test_impossible_limits_are_refused(jobs: Jobs) -> None:
    for wrong in ({"retries": -1}, {"timeout_s": 0}, {"memory_bytes": -5}):
        with pytest.raises(InvalidInput):
            submit(jobs, **wrong)


def test_each_lane_is_claimed_by_itself_and_no_job_twice(jobs: Jobs) -> None:
    long, upkeep = submit(jobs), submit(jobs, internal=True)
    assert [job.id for job in jobs.claim(5, internal=True)] == [upkeep.id]
    assert [job.id for job in jobs.claim(5, internal=False)] == [long.id]
    assert jobs.claim(5) == []
    assert jobs.active(internal=True) == 1


def test_only_the_current_attempt_may_begin_and_only_once(jobs: Jobs) -> None:
    submit(jobs)
    (job,) = jobs.claim()
    me = processes.identity()
    assert not jobs.begin(job.id, 2, me)
    assert jobs.begin(job.id, 1, me)
    assert not jobs.begin(job.id, 1, me)


def test_an_attempt_is_finished_once_and_noted_in_the_audit_trail_once(jobs: Jobs, workbench: Workbench) -> None:
    job = started(jobs)
    assert jobs.finish(job.id, 1, "succeeded", result={"rows": 3})
    assert not jobs.finish(job.id, 1, "failed", error="late")
    assert not jobs.finish(job.id, 7, "failed", error="never was")
    ended = jobs.get(job.id)
    assert (ended.state, ended.result, ended.error) == (JobState.SUCCEEDED, {"rows": 3}, "")
    assert [attempt.attempt for attempt in jobs.attempts(job.id)] == [1]
    verbs = [entry.verb for entry in workbench.audit.list(kind="job", name=str(job.id))]
    assert verbs == ["finish", "submit"]


def test_progress_is_the_last_word(jobs: Jobs) -> None:
    job = started(jobs)
    jobs.progress(job.id, 1, 10, "load")
    jobs.progress(job.id, 4, None, "train")
    progress = jobs.get(job.id).progress
    assert (progress.done, progress.total, progress.note) == (4, None, "train")


def test_a_failure_is_tried_again_after_a_growing_pause(jobs: Jobs, clock) -> None:
    job = started(jobs, retries=2)
    for failures in (1, 2):
        jobs.finish(job.id, failures, "failed", error="no luck")
        assert jobs.get(job.id).state is JobState.QUEUED
        clock.advance(pause_ms(failures) - 1)
        assert jobs.claim() == []
        clock.advance(1)
        (again,) = jobs.claim()
        assert again.attempt == failures + 1
        assert jobs.begin(job.id, again.attempt, processes.identity())
    jobs.finish(job.id, 3, "failed", error="no luck")
    assert jobs.get(job.id).state is JobState.FAILED
    assert [attempt.state for attempt in jobs.attempts(job.id)] == ["failed"] * 3
    assert [pause_ms(n) for n in (1, 2, 3, 20)] == [5_000, 10_000, 20_000, 300_000]


def test_a_time_limit_is_not_tried_again(jobs: Jobs) -> None:
    job = started(jobs, retries=3, timeout_s=7200)
    exited(jobs, job, "timeout", signal=9)
    assert [job.id for job in jobs.recover()] == [job.id]
    ended = jobs.get(job.id)
    assert (ended.state, ended.error) == (JobState.FAILED, "Stopped: it ran longer than its time limit of 2 h.")


@pytest.mark.parametrize(
    ("reason", "code", "signal", "state"),
    [
        ("exited", 0, None, "failed"),
        ("exited", 143, None, "cancelled"),
        ("signalled", None, 11, "failed"),
        ("memory", None, 9, "failed"),
        ("cancelled", None, 15, "cancelled"),
        ("lost", None, None, "lost"),
    ],
)
def test_the_exit_record_speaks_for_a_child_that_could_not(
    jobs: Jobs, reason: str, code: int | None, signal: int | None, state: str
) -> None:
    job = started(jobs, memory_bytes=1000)
    exited(jobs, job, reason, code, signal)
    jobs.recover()
    assert jobs.recover() == []
    ended = jobs.get(job.id)
    assert ended.state == state
    assert ended.error
    assert len(jobs.attempts(job.id)) == 1


def test_a_claim_that_never_became_a_process_goes_back_when_its_lease_is_over(jobs: Jobs, clock) -> None:
    job = submit(jobs)
    for attempt in range(1, MAX_STARTS + 1):
        (claimed,) = jobs.claim()
        assert claimed.attempt == attempt
        assert jobs.recover() == []
        clock.advance(LEASE_MS + 1)
        assert [job.id for job in jobs.recover()] == [job.id]
    assert jobs.get(job.id).state is JobState.LOST
    assert jobs.claim() == []


def test_a_claim_whose_owner_died_goes_back_at_once(jobs: Jobs, monkeypatch) -> None:
    job = submit(jobs)
    with monkeypatch.context() as patch:
        patch.setattr(processes, "identity", lambda: processes.Identity(2**22 + 1, 1, "gone"))
        jobs.claim()
    assert [job.id for job in jobs.recover()] == [job.id]
    assert not jobs.begin(job.id, 1, processes.identity())
    (again,) = jobs.claim()
    assert (again.id, again.attempt) == (job.id, 2)


def test_waiting_and_starting_jobs_are_cancelled_at_once(jobs: Jobs) -> None:
    waiting = submit(jobs)
    assert jobs.cancel(waiting.id, "a mistake").error == "Cancelled: a mistake"
    submit(jobs)
    (starting,) = jobs.claim()
    assert jobs.cancel(starting.id).state is JobState.CANCELLED
    assert not jobs.begin(starting.id, 1, processes.identity())
    with pytest.raises(NotAllowed, match="was cancelled"):
        jobs.cancel(starting.id)


def test_retry_takes_a_failed_job_up_again_and_nothing_else(jobs: Jobs) -> None:
    job = started(jobs)
    with pytest.raises(NotAllowed):
        jobs.retry(job.id)
    jobs.finish(job.id, 1, "failed", error="x")
    assert jobs.retry(job.id).state is JobState.QUEUED
    (again,) = jobs.claim()
    assert (again.id, again.attempt, again.error) == (job.id, 2, "")


def test_unknown_jobs_and_states_are_named(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        jobs.get(99)
    with pytest.raises(InvalidInput, match="'sleeping'"):
        jobs.list(state="sleeping")


def test_old_jobs_are_forgotten_with_their_folders(jobs: Jobs, clock) -> None:
    kept, upkeep = started(jobs), started(jobs, internal=True)
    for job in (kept, upkeep):
        exited(jobs, job, "exited", 0)
        jobs.finish(job.id, 1, "succeeded")
    clock.advance(7 * 3_600_000)
    assert jobs.prune() == 1
    assert not jobs.folder(upkeep).exists()
    assert jobs.folder(kept).exists()
    assert [job.id for job in jobs.list(internal=None)] == [kept.id]


def test_run_here_does_the_work_without_a_daemon(jobs: Jobs, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'done')!r}, 'a').write('x'); print('worked')"
    job = jobs.submit("command", "Touch", {"command": [sys.executable, "-c", code]})
    jobs.run_here(job)
    assert jobs.wait(job.id, 30).state is JobState.SUCCEEDED
    assert (tmp_path / "done").read_text() == "x"
    assert "worked" in jobs.log_path(job.id).read_text()


def test_an_unknown_kind_fails_with_a_clear_error(jobs: Jobs) -> None:
    job = jobs.run_here(jobs.submit("dance", "Dance", {}))
    ended = jobs.wait(job.id, 30)
    assert ended.state is JobState.FAILED
    assert "jobs of kind 'dance'" in ended.error


def test_cancel_ends_a_running_child_and_wait_has_a_limit(jobs: Jobs) -> None:
    job = jobs.run_here(jobs.submit("command", "Sleep", {"command": ["sleep", "60"]}))
    with pytest.raises(Unavailable, match="has not ended"):
        jobs.wait(job.id, 0)
    deadline = time.monotonic() + 30
    while jobs.get(job.id).state is not JobState.RUNNING and time.monotonic() < deadline:
        time.sleep(0.02)
    ended = jobs.cancel(job.id, "changed my mind")
    assert (ended.state, ended.error) == (JobState.CANCELLED, "Cancelled: changed my mind")
    child = processes.child_identity(jobs.folder(ended))
    assert child is not None
    assert not processes.is_alive(child)
    assert len(jobs.attempts(job.id)) == 1
