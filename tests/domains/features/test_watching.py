"""Folders that are watched: when a file counts as complete, what becomes of it, and that nothing comes twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_tui import job as child
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features import service
from mlops_tui.domains.jobs.records import JobState

HEAD = "id,size\n"


@pytest.fixture
def folder(workspace):
    made = workspace.project / "in"
    made.mkdir()
    return made


@pytest.fixture
def watched(workbench, folder):
    workbench.features.create("shops", ["id"])
    workbench.features.watch("shops", folder)
    return workbench.features


@pytest.fixture
def look(workbench, clock):
    """One look after the watch's pause: names of the files the daemon would hand to a job."""

    def step():
        clock.advance(5_000)
        return [Path(path).name for _, files in workbench.features.watch_due() for path in files]

    return step


def take(workbench):
    """What the daemon's job does with what is due now."""
    outcomes = []
    for watch, files in workbench.features.watch_due():
        job = workbench.jobs.submit("watch", "t", {"watch": watch.id, "files": files}, internal=True, name=watch.table)
        outcomes.append(child._watch(workbench, job, lambda *given: None))
    return outcomes


def test_a_file_is_taken_in_when_two_looks_saw_it_alike(watched, workbench, folder, look, clock):
    (folder / "a.csv").write_text(HEAD + "1,10\n")
    assert look() == []
    (folder / "a.csv").write_text(HEAD + "1,10\n2,20\n")  # still being written
    assert look() == []
    assert look() == ["a.csv"]
    clock.advance(5_000)
    assert take(workbench) == [{"files": 1, "refused": 0}]
    assert watched.get("shops").rows == 2
    assert look() == []
    (file,) = watched.watched_files(watched.watches("shops")[0])
    assert (file.state, file.version, watched.snapshot("shops").message) == ("taken", 1, "a.csv")


def test_nothing_is_looked_at_before_its_time(watched, folder, clock, workbench):
    (folder / "a.csv").write_text(HEAD + "1,10\n")
    clock.advance(5_000)
    workbench.features.watch_due()
    clock.advance(4_999)
    assert workbench.features.watch_due() == []
    clock.advance(1)
    assert len(workbench.features.watch_due()) == 1


def test_a_file_given_twice_or_touched_comes_once(watched, workbench, folder, clock):
    (folder / "a.csv").write_text(HEAD + "1,10\n")
    watch = watched.watches("shops")[0]
    path = str(folder / "a.csv")
    assert [one.state for one in watched.take_watched(watch.id, [path])] == ["taken"]
    assert watched.take_watched(watch.id, [path]) == []  # a job that ran twice
    os.utime(path, ns=(1, 1))
    assert [one.state for one in watched.take_watched(watch.id, [path])] == ["known"]
    assert watched.get("shops").rows == 1


def test_a_job_killed_between_the_commit_and_its_note_doubles_nothing(watched, workbench, folder, monkeypatch):
    (folder / "a.csv").write_text(HEAD + "1,10\n")
    watch, path = watched.watches("shops")[0], str(folder / "a.csv")
    monkeypatch.setattr(type(watched._watches), "put", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        watched.take_watched(watch.id, [path])
    monkeypatch.undo()
    assert [one.state for one in watched.take_watched(watch.id, [path])] == ["known"]
    assert watched.get("shops").rows == 1


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_look(watched, folder, monkeypatch):
    (folder / "a.csv").write_text(HEAD + "1,10\n")
    watch, path = watched.watches("shops")[0], folder / "a.csv"
    seen = service.stamp_of(path)
    changed = (seen[0], seen[1] + 1)
    answers = iter([seen, seen, seen, changed])
    monkeypatch.setattr(service, "stamp_of", lambda file: next(answers, changed))
    assert watched.take_watched(watch.id, [str(path)]) == []
    monkeypatch.undo()
    assert (watched.get("shops").rows, watched.watched_files(watch)) == (0, [])
    assert [one.state for one in watched.take_watched(watch.id, [str(path)])] == ["taken"]


def test_a_file_that_cannot_be_read_is_an_alert_until_it_can(watched, workbench, folder, look, clock):
    (folder / "a.csv").write_text("id,,\n1,2,3\n")
    look()
    clock.advance(5_000)
    assert take(workbench) == [{"files": 1, "refused": 1}]
    (alert,) = workbench.alerts.list(state="open")
    assert (alert.rule, alert.subject) == ("watch", "shops/a.csv")
    assert "has no name" in alert.detail
    assert look() == []  # as it is it was dealt with
    assert watched.watches("shops")[0].refused == 1
    (folder / "a.csv").write_text(HEAD + "1,10\n")
    look()
    clock.advance(5_000)
    assert take(workbench) == [{"files": 1, "refused": 0}]
    assert workbench.alerts.list(state="open") == []


def test_broken_rows_are_set_aside_and_the_others_come(watched, folder):
    (folder / "a.csv").write_text(HEAD + "1,10\n,20\n")
    watched.take_watched(watched.watches("shops")[0].id, [str(folder / "a.csv")])
    assert (watched.get("shops").rows, len(watched.quarantine("shops"))) == (1, 1)


def test_a_pattern_leaves_other_files_alone(watched, workbench, folder, look):
    watched.unwatch("shops")
    watched.watch("shops", f"{folder}/new-*.csv", every="5s")
    (folder / "new-1.csv").write_text(HEAD + "1,10\n")
    (folder / "old-1.csv").write_text(HEAD + "1,10\n")
    look()
    assert look() == ["new-1.csv"]


def test_a_folder_that_went_is_no_error(watched, folder, look):
    folder.rmdir()
    assert look() == []


def test_what_cannot_be_watched_is_told(watched, workspace, folder):
    (folder / "a.csv").write_text(HEAD)
    with pytest.raises(NotFound, match="no folder"):
        watched.watch("shops", folder / "nowhere")
    with pytest.raises(NotFound, match="no feature table"):
        watched.watch("shop", folder)
    with pytest.raises(InvalidInput, match="is a file"):
        watched.watch("shops", folder / "a.csv")
    with pytest.raises(InvalidInput, match="once a second"):
        watched.watch("shops", folder, every=10)
    with pytest.raises(InvalidInput, match="own folder"):
        watched.watch("shops", workspace.root)


def test_watching_is_audited_and_ends(watched, workbench, folder):
    watched.watch("shops", folder, every="1m")
    assert [(one.every_ms, one.created_by) for one in watched.watches()] == [(60_000, "tester")]
    assert [one.place for one in watched.unwatch("shops", folder)] == [str(folder)]
    assert watched.watches("shops") == []
    assert [entry.verb for entry in workbench.audit.list(kind="feature table")][:2] == ["unwatch", "watch"]
    with pytest.raises(NotFound, match="watches nothing"):
        watched.unwatch("shops")


def test_a_removed_table_takes_its_watches_along(watched, workbench, folder):
    watched.remove("shops")
    assert watched.watches() == []


def test_the_daemon_hands_new_files_and_pushes_to_jobs_and_rests_after_a_failure(workspace, folder, monkeypatch):
    import logging

    from mlops_tui.daemon.loop import Daemon

    daemon = Daemon(workspace, logging.getLogger("test"))
    bench = daemon._bench
    now = bench.context.now()
    monkeypatch.setattr(bench.context, "now", lambda: now)
    watch = bench.features.create("shops", ["id"]) and bench.features.watch("shops", folder)
    monkeypatch.setattr(bench.features, "watch_due", lambda: [(watch, ["a.csv"])])
    monkeypatch.setattr(bench.features, "flush_due", lambda: ["shops"])
    for _ in range(2):  # what is queued is not queued again
        daemon._features()
    jobs = bench.jobs.list(internal=True)
    assert sorted((job.kind, job.name) for job in jobs) == [("flush", ""), ("watch", "shops")]
    for job in bench.jobs.claim(2, internal=True):
        bench.jobs.finish(job.id, job.attempt, JobState.FAILED, error="disk full")
    daemon._features()
    assert len(bench.jobs.list(internal=True)) == 2
    now += 60_000
    daemon._features()
    assert len(bench.jobs.list(internal=True)) == 4
    bench.close()
