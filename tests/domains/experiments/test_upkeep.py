"""Deleting and restoring, words about runs, points that move to Parquet, files that are freed."""

from __future__ import annotations

import math
import os
import signal

import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.lake import Lake
from mlops_tui.domains.experiments import archiving
from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.points_store import PointsStore
from mlops_tui.domains.experiments.records import MAX_NOTE
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench

VALUES = {"loss": [(0, 3.0), (1, math.nan), (5, math.inf), (9, 1.0)], "auc": [(0, 0.5), (3, 0.75)]}


@pytest.fixture
def rooms(workbench):
    return workbench.experiments


@pytest.fixture
def log(workbench, workspace):
    """Log a run as its process would; its id."""

    def make(experiment="churn", *, ends=True, content="", values=VALUES):
        run = workbench.experiments.start(experiment)
        writer = RunWriter(workspace, run.id)
        for name, points in values.items():
            writer.metrics([(name, step, value) for step, value in points], at=1000)
        if content:
            RunFiles(workspace, writer).keep_bytes(content.encode(), "a.txt")
        if ends:
            workbench.experiments.take_in()
            workbench.experiments.finish(run.id)
            writer.close()
        workbench.experiments.take_in()
        return run.id

    return make


# -- deleting ----------------------------------------------------------------------------------------------------------


def test_a_deleted_run_is_in_no_list_until_it_is_restored(rooms, log, workbench):
    one, two = log(), log()
    rooms.delete_run(one, why="wrong data")
    rooms.delete_run(one)
    assert [run.id for run in rooms.runs()] == [run.id for run in rooms.runs(query="churn")] == [two]
    assert [run.id for run in rooms.runs(deleted=True)] == [one]
    assert rooms.run(one).deleted_at is not None
    assert rooms.history(one, "auc")[-1].value == 0.75
    rooms.restore_run(one)
    assert {run.id for run in rooms.runs()} == {one, two}
    assert [entry.verb for entry in workbench.audit.list(name=one, kind="run")][:2] == ["restore", "delete"]
    with pytest.raises(NotAllowed, match="still running"):
        rooms.delete_run(log(ends=False))


def test_runs_deleted_long_ago_go_for_good_with_files_nobody_else_names(rooms, log, clock, workbench):
    one, two, three = log(content="mine"), log(content="shared"), log(content="shared")
    held = log(content="registered")
    shas = {run_id: rooms.artifacts(run_id)[0].sha for run_id in (one, two, three, held)}
    for run_id in (one, two, held):
        rooms.delete_run(run_id)
    assert rooms.collect(older_than_ms=1000, dry_run=True).runs == ()
    clock.advance(1001)
    assert set(rooms.collect(older_than_ms=1000, dry_run=True).runs) == {one, two, held}
    young = rooms.collect(older_than_ms=1000, hold=[shas[held]])
    assert (set(young.runs), young.files) == ({one, two, held}, 0), "stored within the last hour"
    found = rooms.collect(older_than_ms=1000, min_age_ms=0)
    assert (found.runs, found.files, found.bytes) == ((), 1, 4)
    store = workbench.context.artifacts
    assert [store.has(sha) for sha in (shas[one], shas[three], shas[held])] == [False, True, True]
    with pytest.raises(NotFound):
        rooms.run(one)
    assert rooms.artifact_file(three, "a.txt").read_text() == "shared"


def test_content_that_is_stored_again_is_young_again(rooms, log, workbench):
    gone = log(content="same")
    sha = rooms.artifacts(gone)[0].sha
    store = workbench.context.artifacts
    os.utime(store.path(sha), (0, 0))
    rooms.remove_run(gone)
    assert store.put_bytes(b"same") == sha  # another process, which will name it in a moment
    assert rooms.collect(older_than_ms=0).files == 0
    assert store.has(sha)
    os.utime(store.path(sha), (0, 0))
    assert rooms.collect(older_than_ms=0).files == 1


# -- words -------------------------------------------------------------------------------------------------------------


def test_many_runs_are_tagged_at_once_or_not_at_all(rooms, log):
    ids = [log(), log(), log()]
    assert rooms.tag_many(ids, {"team": "growth", "old": None}) == 3
    assert rooms.tag_many(ids, {"team": "growth"}) == 0
    assert rooms.tag_many(ids[:1], {"team": None, "stage": "dev"}) == 1
    assert [rooms.run(run_id).tags for run_id in ids] == [{"stage": "dev"}, {"team": "growth"}, {"team": "growth"}]
    for tags in ({"": "x"}, {"k" * 251: "x"}, {"a\nb": "x"}, {"k": "x" * 8001}):
        with pytest.raises(InvalidInput):
            rooms.tag_many(ids, {"good": "1", **tags})
    with pytest.raises(NotFound):
        rooms.tag_many([ids[0], "0123456789abcdef"], {"good": "1"})
    assert "good" not in rooms.run(ids[0]).tags


def test_notes_are_long_and_in_markdown(rooms, log):
    run_id, text = log(), "# Why\n" + "x" * 20_000
    assert rooms.note(run_id, text).tags["note"] == text
    assert rooms.note_experiment("churn", text).description == text
    assert rooms.note_experiment("churn", " ").description == ""
    for call in (rooms.note, rooms.note_experiment):
        with pytest.raises(InvalidInput):
            call(run_id if call == rooms.note else "churn", "x" * (MAX_NOTE + 1))


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "\x07"])
def test_a_run_is_renamed_but_not_to_anything(rooms, log, name):
    run_id = log()
    assert rooms.rename_run(run_id, " Größe 🎉 ").name == "Größe 🎉"
    with pytest.raises(InvalidInput, match="cannot name a run"):
        rooms.rename_run(run_id, name)


def test_sizes_count_points_and_each_content_once(rooms, log, clock):
    log(content="12345")
    log(content="12345")
    log("other", content="1")
    clock.advance(1)
    rooms.archive(older_than_ms=0)
    log("other")
    sizes = {one.name: one for one in rooms.sizes()}
    assert (sizes["churn"].runs, sizes["churn"].points, sizes["churn"].archived, sizes["churn"].bytes) == (2, 12, 12, 5)
    assert (sizes["other"].runs, sizes["other"].points, sizes["other"].archived) == (2, 12, 6)


def test_runs_are_ordered_by_a_parameter(rooms, log, workspace):
    ids = {}
    for rate in (0.1, 10, 2):
        ids[rate] = log(ends=False)
        writer = RunWriter(workspace, ids[rate])
        writer.params({"rate": rate})
        writer.close()
    rooms.take_in()
    none = log()
    assert [run.id for run in rooms.runs(order="param:rate")] == [ids[0.1], ids[2], ids[10], none]
    assert [run.id for run in rooms.runs(order="-param:rate", query="churn", limit=2)] == [ids[10], ids[2]]
    with pytest.raises(InvalidInput, match="sorted by 'param:rat'"):
        rooms.runs(order="param:rat")
    assert (rooms.param_keys("churn"), rooms.metric_keys("churn")) == (["rate"], ["auc", "loss"])


# -- points in Parquet -------------------------------------------------------------------------------------------------


def seen(rooms, run_id):
    """Everything that can be read of the points of a run, NaN made comparable."""
    told = {name: [(p.step, p.ts, str(p.value)) for p in rooms.history(run_id, name)] for name in ("auc", "loss")}
    told["tail"] = [(p.step, str(p.value)) for p in rooms.history(run_id, "loss", after=1, limit=1)]
    told["page"] = [(step, str(value)) for step, _, value in rooms.remote.runs.history(run_id, "loss", 3, 1)]
    told["latest"] = {name: (str(m.value), m.count) for name, m in rooms.metrics(run_id).items()}
    return told


def test_points_of_an_ended_run_read_the_same_from_parquet(rooms, log, clock, workspace, workbench):
    one, running = log(), log(ends=False)
    before = seen(rooms, one)
    clock.advance(10)
    assert (rooms.archive(older_than_ms=1000).runs, rooms.archive(older_than_ms=0).points) == (0, 6)
    assert seen(rooms, one) == before
    assert workbench.context.metrics.value("SELECT count(*) FROM metric") == 6, "those of the running one"
    assert len(list((workspace.lake / "metrics").glob("*.parquet"))) == 1
    assert rooms.archive(older_than_ms=0).runs == 0
    assert len(rooms.history(one, "loss", most=2)) <= 3
    assert rooms.history(running, "auc")
    assert rooms.health(one).run_id == one


def test_whoever_adds_to_an_archived_run_brings_its_points_back(rooms, log, clock, workspace, workbench):
    one, two = log(), log()
    clock.advance(10)
    rooms.archive(older_than_ms=0)
    writer = RunWriter(workspace, one)
    writer.metrics([("loss", 9, 7.0), ("loss", 12, 0.5)])
    writer.close()
    rooms.take_in()
    assert [(p.step, p.value) for p in rooms.history(one, "loss")][-2:] == [(9, 7.0), (12, 0.5)]
    assert rooms.metrics(one)["loss"].count == 5
    rooms.remote.runs.log(two, [("auc", 0.9, 1000, 3), ("auc", 0.9, 2000, 4)], {}, {})
    assert [p.step for p in rooms.history(two, "auc")] == [0, 3, 4]
    assert [v for _, _, v in rooms.remote.runs.history(two, "auc", 10, 0)] == [0.5, 0.75, 0.9, 0.9]
    assert workbench.context.metrics.value("SELECT count(*) FROM metric_archive") == 0


def test_a_file_goes_when_the_last_run_in_it_is_removed_but_not_at_once(rooms, log, clock, workspace, monkeypatch):
    one, two = log(), log()
    clock.advance(10)
    rooms.archive(older_than_ms=0)
    file = next((workspace.lake / "metrics").glob("*.parquet"))
    rooms.remove_run(one)
    assert rooms.archive(older_than_ms=0).removed_files == 0
    assert seen(rooms, two)["latest"]
    rooms.remove_run(two)
    assert rooms.archive(older_than_ms=0).removed_files == 0, "a writer may be about to name it"
    os.utime(file, (0, 0))
    assert rooms.archive(older_than_ms=0).removed_files == 1


def test_a_run_that_changes_while_it_is_archived_stays_for_the_next_time(rooms, log, clock, workbench, monkeypatch):
    one = log()
    clock.advance(10)
    real = PointsStore.pages

    def and_then_somebody_logs(self, number, run_id):
        yield from real(self, number, run_id)
        with workbench.context.metrics.write() as tx:
            tx.execute("UPDATE run_seen SET seen_at = seen_at + 1")
            tx.execute("UPDATE metric SET value = 42 WHERE step = 9")

    monkeypatch.setattr(PointsStore, "pages", and_then_somebody_logs)
    assert rooms.archive(older_than_ms=0).runs == 0
    assert rooms.history(one, "loss")[-1].value == 42
    monkeypatch.undo()
    assert rooms.archive(older_than_ms=0).runs == 1
    assert rooms.history(one, "loss")[-1].value == 42


@pytest.mark.parametrize("moment", ["staged", "published", "moved"])
def test_a_process_killed_while_it_archives_loses_and_doubles_nothing(rooms, log, clock, workspace, moment):
    ids = [log() for _ in range(3)]
    before = {run_id: seen(rooms, run_id) for run_id in ids}
    now = clock.now + 10
    child = os.fork()
    if child == 0:

        def die(*args, **kwargs):
            os.kill(os.getpid(), signal.SIGKILL)

        publish = Lake.publish
        if moment == "staged":
            Lake.publish = die
        elif moment == "published":
            Lake.publish = lambda *args: (publish(*args), die())
        else:
            PointsStore.move = die
        with Workbench(workspace, now=lambda: now) as bench:
            bench.experiments.archive(older_than_ms=0)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert {run_id: seen(rooms, run_id) for run_id in ids} == before
    clock.now = now
    assert rooms.archive(older_than_ms=0).runs == 3
    assert {run_id: seen(rooms, run_id) for run_id in ids} == before
    for file in (workspace.lake / "metrics").glob("*.parquet"):
        os.utime(file, (0, 0))
    assert rooms.archive(older_than_ms=0).removed_files == (moment != "staged")
    assert {run_id: seen(rooms, run_id) for run_id in ids} == before


def test_many_runs_go_into_several_files(rooms, log, clock, monkeypatch):
    monkeypatch.setattr(archiving, "FILE_POINTS", 10)
    ids = [log() for _ in range(5)]
    clock.advance(10)
    found = rooms.archive(older_than_ms=0)
    assert (found.runs, found.points, found.files) == (5, 30, 3)
    assert all(seen(rooms, run_id)["latest"]["loss"] == ("1.0", 4) for run_id in ids)


def test_archiving_is_due_once_an_hour_and_only_when_there_is_something(rooms, log, clock):
    assert not rooms.archive_due()
    log()
    clock.advance(31 * 24 * 3_600_000)
    assert rooms.archive_due()
    assert not rooms.archive_due()
    clock.advance(3_600_001)
    assert rooms.archive_due()
    rooms.archive()
    clock.advance(3_600_001)
    assert not rooms.archive_due()


def test_a_run_of_many_points_is_archived_page_by_page(rooms, log, clock, monkeypatch):
    monkeypatch.setattr("mlops_tui.domains.experiments.points_store._PAGE", 7)
    monkeypatch.setattr(archiving, "_GROUP", 20)
    run_id = log(values={"loss": [(step, step / 7) for step in range(50)], "auc": [(step, 1.0) for step in range(14)]})
    clock.advance(10)
    assert rooms.archive(older_than_ms=0).points == 64
    points = rooms.history(run_id, "loss")
    assert [point.step for point in points] == list(range(50))
    assert points[-1].value == 7.0
    assert len(rooms.history(run_id, "auc")) == 14
