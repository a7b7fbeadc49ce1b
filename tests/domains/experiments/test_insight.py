"""Conclusions over runs: marks in lists, comparisons, groups, what mattered."""

from __future__ import annotations

import math
import random

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.experiments import judging
from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.importance import importance
from mlops_tui.domains.experiments.records import DataInput, RunState
from mlops_tui.domains.experiments.spool import RunWriter


@pytest.fixture
def log(workbench, workspace):
    """Log a run as its process would; its id."""

    def make(experiment="churn", *, params=None, ends=True, files=None, inputs=(), at=None, **metrics):
        run = workbench.experiments.start(experiment)
        writer = RunWriter(workspace, run.id)
        writer.params(params or {})
        for name, values in metrics.items():
            values = values if isinstance(values, list) else [values]
            for step, value in enumerate(values):
                writer.metrics([(name, step, value)], at=None if at is None else at + 1000 * step)
        for path, text in (files or {}).items():
            RunFiles(workspace, writer).keep_bytes(text.encode(), path)
        if inputs:
            writer.inputs(inputs)
        if ends:
            writer.finish(RunState.FINISHED)
        workbench.experiments.take_in()
        return run.id

    return make


NAN = [1.0] * 10 + [math.nan] * 3


def test_marks_are_in_every_list_once_a_run_ended_and_are_found_by_a_query(workbench, log):
    ill, well = log(loss=NAN), log(loss=[1.0 / (step + 1) for step in range(30)])
    rooms = workbench.experiments
    assert {run.id: run.marks for run in rooms.runs()} == {ill: ("diverged",), well: ()}
    assert [run.id for run in rooms.runs(query="health:diverged")] == [ill]
    assert [run.id for run in rooms.runs(query="-health:diverged")] == [well]


def test_a_running_run_is_judged_by_the_sweep_but_not_at_every_one(workbench, workspace, log, clock, monkeypatch):
    run_id = log(loss=[1.0], ends=False)
    rooms = workbench.experiments
    judged = []
    real = judging.remember
    monkeypatch.setattr(
        judging, "remember", lambda context, store, ids: (judged.append(ids), real(context, store, ids))
    )
    rooms.sweep()
    assert judged == [[run_id]]
    writer = RunWriter(workspace, run_id)
    writer.metrics([("loss", step, math.nan) for step in range(1, 5)])
    rooms.sweep()
    assert judged == [[run_id]]
    clock.advance(10_001)
    writer.metrics([("loss", 6, math.nan)])
    rooms.sweep()
    assert rooms.run(run_id).marks == ("diverged",)
    clock.advance(60_000)
    rooms.sweep()
    assert len(judged) == 2, "nothing came since"
    writer.close()


def test_a_running_run_that_falls_silent_is_marked_at_the_moment_of_asking(workbench, log, clock):
    run_id = log(loss=[1 / (step + 1) for step in range(20)], ends=False, at=clock.now)
    rooms = workbench.experiments
    rooms.sweep()
    clock.advance(60_000)
    assert rooms.run(run_id).marks == ()
    clock.advance(60_000)
    assert rooms.run(run_id).marks == ("silent",)
    assert [mark.kind for mark in rooms.health(run_id).marks] == ["silent"]
    assert "no point for 2 min, where one came every 1 s" in rooms.health(run_id).marks[0].detail
    rooms.finish(run_id)
    assert rooms.run(run_id).marks == ()


def test_a_run_logged_over_http_is_judged_too(workbench):
    rooms = workbench.experiments
    run_id = rooms.remote.runs.create(0, tags={}).id
    rooms.remote.runs.log(run_id, [("loss", math.nan, 1000 + step, step) for step in range(5)], {}, {})
    rooms.sweep()
    assert rooms.run(run_id).marks == ("diverged",)


def test_a_mistake_in_judging_keeps_nobody_from_logging(workbench, log, monkeypatch, caplog):
    monkeypatch.setattr(judging, "remember", lambda *args: 1 / 0)
    run_id = log(loss=NAN)
    assert workbench.experiments.run(run_id).state == "finished"
    assert "could not be judged" in caplog.text


def test_a_comparison_tells_packages_code_data_and_who_was_best(workbench, log):
    data = DataInput("orders", "1", "features", "orders@1"), DataInput("orders", "2", "features", "orders@2")
    files = {"environment/packages.txt": "numpy==2.1\npandas==2.3\n", "environment/uncommitted.diff": "+one\n"}
    one = log(loss=[3.0, 1.0], auc=0.8, files=files, inputs=data[:1])
    other = {
        "environment/packages.txt": "numpy==2.2\npandas==2.3\nscipy==1\n",
        "environment/uncommitted.diff": "+two\n",
    }
    two = log(loss=[3.0, 2.0], auc=0.9, same=1.0, files=other, inputs=data)
    found = workbench.experiments.compare([one, two])
    assert found.packages == {"numpy": ("2.1", "2.2"), "scipy": (None, "1")}
    assert found.data == {"orders": ("orders@1", "orders@1, orders@2")}
    assert found.best == {"loss": 0, "auc": 1}
    assert len(found.code) == 2
    text = workbench.experiments.code_diff(one, two)
    assert "-+one\n" in text
    assert "++two\n" in text
    assert workbench.experiments.code_diff(one, one) == ""


def test_a_damaged_list_of_packages_is_no_reason_not_to_compare(workbench, log):
    files = {"environment/packages.txt": "numpy==2.1\n"}
    one, two = log(files=files), log(files={"environment/packages.txt": "numpy==2.2\n"})
    place = workbench.experiments.artifact_file(one, "environment/packages.txt")
    place.chmod(0o600)
    place.write_text("other")
    assert workbench.experiments.compare([one, two]).packages == {"numpy": (None, "2.2")}


def test_commits_that_a_client_made_up_are_given_to_no_program(workbench, log, tmp_path, monkeypatch):
    from mlops_tui.domains.experiments import environment

    called = []
    monkeypatch.setattr(environment, "diff_between", lambda *args: called.append(args) or "diff\n")
    one, two = log(), log()
    with workbench.context.catalog.write() as tx:
        tx.execute("UPDATE run SET git_commit = '--output=/x' WHERE id = ?", (one,))
    assert "diff" not in workbench.experiments.code_diff(one, two, folder=tmp_path).replace("unified", "")
    assert called == []


def test_the_best_run_is_told_by_the_name_of_the_metric(workbench, log):
    low, high = log(loss=1.0, auc=0.5), log(loss=2.0, auc=0.9)
    log(loss=math.nan)
    rooms = workbench.experiments
    assert (rooms.best("churn", "loss").id, rooms.best("churn", "auc").id) == (low, high)
    assert rooms.best("churn", "loss", lower=False).id == high
    log("empty")
    with pytest.raises(NotFound):
        rooms.best("empty", "loss")


def test_groups_give_mean_and_spread_over_seeds_best_first(workbench, log):
    for lr in ("0.1", "0.01"):
        for seed, value in enumerate((0.8, 0.9) if lr == "0.1" else (0.6, math.nan)):
            log(params={"lr": lr, "seed": seed}, auc=value)
    log(auc=0.7)
    rooms = workbench.experiments
    found = rooms.groups("churn", ["lr"], "auc")
    assert [(one.values, one.runs, round(one.mean, 3), one.left_out) for one in found] == [
        (("0.1",), 2, 0.85, 0),
        ((None,), 1, 0.7, 0),
        (("0.01",), 1, 0.6, 1),
    ]
    assert found[0].std == pytest.approx(0.0707, abs=1e-4)
    assert found[1].std is None
    assert rooms.groups("churn", ["lr"], "auc", query="params.lr=0.1")[0].runs == 2
    for by, metric in ((["rl"], "auc"), (["lr"], "acu")):
        with pytest.raises(InvalidInput, match="No run of this experiment"):
            rooms.groups("churn", by, metric)
    assert rooms.scatter("churn", "lr", "auc") == [("0.1", 0.8), ("0.1", 0.9), ("0.01", 0.6)]


@pytest.fixture(autouse=True)
def small_forests(monkeypatch):
    """A tenth of the work finds the same."""
    for name, value in (("_TREES", 25), ("_REPEATS", 3), ("_FOLDS", 3)):
        monkeypatch.setattr(f"mlops_tui.domains.experiments.importance.{name}", value)


def rows(count, seed=0):
    rng = random.Random(seed)
    for at in range(count):
        lr, kind, noise = rng.uniform(0, 1), rng.choice("abc"), rng.uniform(0, 1)
        params = {"lr": str(lr), "kind": kind, "noise": str(noise), "out": f"run-{at}", "same": "1"}
        if at % 7:
            params["sometimes"] = "x"
        yield params, lr + {"a": 0.0, "b": 0.3, "c": 0.6}[kind] + rng.gauss(0, 0.01)


def test_the_parameters_that_matter_are_found_and_the_others_are_not():
    found = importance("auc", [*rows(80), ({}, math.nan)])
    shares = dict(found.params)
    assert found.runs == 80
    assert found.score > 0.6
    assert [name for name, _ in found.params[:2]] == ["lr", "kind"]
    assert shares["lr"] + shares["kind"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)
    assert found.skipped == ("out",)
    assert "same" not in shares
    assert found.warning == ""


def test_too_few_runs_or_nothing_that_differs_is_said():
    few = list(rows(8))
    with pytest.raises(InvalidInput, match="8 runs have a value of 'auc': too few"):
        importance("auc", few)
    with pytest.raises(InvalidInput, match="in all 12 runs"):
        importance("auc", [(params, 1.0) for params, _ in rows(12)])
    with pytest.raises(InvalidInput, match="No parameter differs"):
        importance("auc", [({"a": "1"}, float(at)) for at in range(12)])
    assert "few" in importance("auc", list(rows(16))).warning
    chance = random.Random(1)
    assert "say little" in importance("auc", [(params, chance.random()) for params, _ in rows(60)]).warning


def test_importance_reads_the_runs_of_an_experiment(workbench, log):
    for params, value in rows(14):
        log(params=params, auc=value)
    assert dict(workbench.experiments.importance("churn", "auc").params).keys() == {
        "lr",
        "kind",
        "noise",
        "sometimes",
        "out",
    } - {"out"}


def test_of_very_many_points_those_of_pairs_and_losses_are_looked_at():
    counts = {f"m{at}": 400_000 for at in range(200)} | {"loss": 400_000, "val_loss": 400_000}
    assert judging._chosen(counts) == ["loss", "val_loss"]
    assert judging._chosen({"big": 9_000_000}) == ["big"]
    assert len(judging._chosen({f"m{at}": 1 for at in range(200)})) == 100
