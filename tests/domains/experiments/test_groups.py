"""Experiments as wholes: deleted, restored and collected with their runs, and what they may keep."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import NotAllowed, NotFound
from mlops_tui.core.settings import Quota, Settings
from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.records import Size
from mlops_tui.domains.experiments.spool import RunWriter


@pytest.fixture
def rooms(workbench):
    return workbench.experiments


@pytest.fixture
def ended(rooms, workspace):
    """An ended run with a point and a file of five bytes; its id."""

    def make(experiment="churn"):
        run = rooms.start(experiment)
        writer = RunWriter(workspace, run.id)
        writer.metrics([("loss", 0, 0.5)])
        RunFiles(workspace, writer).keep_bytes(b"12345", "a.txt")
        rooms.take_in()
        rooms.finish(run.id)
        writer.close()
        rooms.take_in()
        return run.id

    return make


def limited(workbench, **quota):
    workbench.context.settings = Settings(quota=Quota(**quota))


def test_a_deleted_experiment_is_in_no_list_until_it_is_restored_with_the_runs_that_went_with_it(
    rooms, ended, workbench
):
    one, two, other = ended(), ended(), ended("other")
    rooms.delete_run(one)
    rooms.delete("churn", why="tried out")
    rooms.delete("churn")
    assert [found.name for found in rooms.list()] == ["other"]
    assert [run.id for run in rooms.runs()] == [other]
    (hidden,) = rooms.deleted()
    assert (hidden.name, hidden.deleted_at is not None) == ("churn", True)
    assert (rooms.restore("churn").runs, rooms.deleted()) == (1, [])
    assert {run.id for run in rooms.runs()} == {two, other}, "what was deleted before stays so"
    assert [entry.verb for entry in workbench.audit.list(name="churn", kind="experiment")][:2] == ["restore", "delete"]


def test_an_experiment_with_a_running_run_is_not_deleted(rooms):
    rooms.start("churn")
    with pytest.raises(NotAllowed, match="still running"):
        rooms.delete("churn")
    with pytest.raises(NotFound):
        rooms.delete("nobody")
    with pytest.raises(NotFound):
        rooms.restore("nobody")


def test_no_run_starts_in_a_deleted_experiment_but_one_that_began_already_opens_it(rooms, ended, workspace):
    ended()
    facts = rooms.describe("churn")
    rooms.delete("churn")
    with pytest.raises(NotAllowed, match="'churn' is deleted") as refused:
        rooms.start("churn")
    assert "mlops experiments restore churn" in refused.value.hint
    RunWriter(workspace, facts.id).start(facts)
    rooms.take_in()
    assert [run.id for run in rooms.runs("churn")] == [facts.id]
    assert [found.name for found in rooms.list()] == ["churn"]


def test_a_deleted_experiment_is_collected_with_its_runs_models_and_files(rooms, ended, clock, workbench):
    run = ended()
    number = rooms.remote.experiments.named("churn").id
    model = rooms.remote.models.create(number, "m", run, "", {}, {})
    rooms.remote.files.keep(model.id, "weights.bin", workbench.context.artifacts.put_bytes(b"weights"), 7)
    shas = [rooms.artifacts(run)[0].sha, workbench.context.artifacts.put_bytes(b"weights")]
    rooms.delete("churn")
    clock.advance(10)
    assert rooms.collect(older_than_ms=100, dry_run=True).experiments == ()
    clock.advance(100)
    assert rooms.collect(older_than_ms=100, dry_run=True).experiments == ("churn",)
    found = rooms.collect(older_than_ms=100, min_age_ms=0)
    assert (found.runs, found.experiments, found.files) == ((run,), ("churn",), 2)
    assert not any(workbench.context.artifacts.has(sha) for sha in shas)
    assert (rooms.deleted(), rooms.start("churn").experiment) == ([], "churn")


def test_an_experiment_is_collected_only_when_no_run_of_it_is_left(rooms, ended, clock):
    run = ended()
    rooms.delete("churn")
    rooms.restore_run(run)
    clock.advance(10)
    assert rooms.collect(older_than_ms=1).experiments == ()
    assert rooms.run(run).deleted_at is None


@pytest.mark.parametrize(
    ("quota", "said"),
    [
        ({"experiment_runs": 2}, "keeps 2 runs and may keep 2"),
        ({"experiment_points": 1}, "keeps 2 points and may keep 1"),
        ({"experiment_gb": 0.000_000_001}, "GB of files and may keep"),
    ],
)
def test_no_new_run_starts_where_a_quota_is_used_up(rooms, ended, workbench, quota, said):
    ended()
    run = ended()
    limited(workbench, **quota)
    with pytest.raises(NotAllowed, match=said) as refused:
        rooms.start("churn")
    assert f"raise [quota] {next(iter(quota))}" in refused.value.hint
    with pytest.raises(NotAllowed, match=said):
        rooms.remote.runs.create(rooms.remote.experiments.named("churn").id, tags={})
    assert rooms.start("churn", parent=run).parent == run, "a part of what runs already"
    assert rooms.describe("churn", resume=rooms.run(run)).id == run
    assert rooms.start("other").experiment == "other"


def test_the_share_of_the_quota_is_that_of_the_limit_that_is_nearest(rooms, workbench):
    size = Size("churn", runs=10, points=500, archived=0, bytes=1_000_000_000)
    assert rooms.quota_used(size) is None
    limited(workbench, experiment_gb=4, experiment_points=1000)
    assert rooms.quota_used(size) == 0.5
