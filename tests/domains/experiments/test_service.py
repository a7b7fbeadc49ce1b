"""Runs from start to removal, asked and listed through the service."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter


def log(workbench: Any, experiment: str = "churn", metrics: dict[str, float] | None = None, **params: Any) -> str:
    """A finished run with its numbers taken in; its id."""
    run = workbench.experiments.start(experiment)
    writer = RunWriter(workbench.workspace, run.id)
    writer.params(params)
    for key, value in (metrics or {}).items():
        writer.metrics([(key, None, value)])
    writer.finish(RunState.FINISHED)
    workbench.experiments.take_in()
    return run.id


def test_a_started_run_is_there_with_where_it_came_from(workbench, clock):
    run = workbench.experiments.start("churn", name="first", tags={"team": "growth"}, source="train.py")
    assert (run.experiment, run.name, run.state, run.tags) == ("churn", "first", RunState.RUNNING, {"team": "growth"})
    assert run.started_at == clock.now
    assert run.user == "tester"
    assert run.source == "train.py"
    assert run.python.startswith("3.")
    assert run.command


def test_starting_and_ending_a_run_is_audited(workbench):
    run = workbench.experiments.start("churn")
    workbench.experiments.finish(run.id, "failed", "ValueError: no")
    noted = [(entry.verb, entry.kind, entry.name) for entry in workbench.audit.list()]
    assert noted == [("end", "run", run.id), ("start", "run", run.id), ("create", "experiment", "churn")]
    assert workbench.experiments.run(run.id).error == "ValueError: no"


def test_a_run_cannot_end_as_running_or_as_something_else(workbench):
    run = workbench.experiments.start("churn")
    for state in ("running", "done"):
        with pytest.raises(InvalidInput, match="cannot end as"):
            workbench.experiments.finish(run.id, state)
    assert workbench.experiments.run(run.id).state is RunState.RUNNING


def test_a_run_is_found_by_the_beginning_of_its_id(workbench):
    run = workbench.experiments.start("churn")
    assert workbench.experiments.run(run.id[:6]).id == run.id
    with pytest.raises(NotFound):
        workbench.experiments.run("0000000000000000" if run.id[0] != "0" else "ffffffffffffffff")
    with pytest.raises(InvalidInput, match="not the id of a run"):
        workbench.experiments.run("%' OR 1=1")


def test_a_beginning_that_several_runs_share_is_refused_with_the_choice(workbench):
    ids = [workbench.experiments.start("churn").id for _ in range(17)]
    shared = next(first for first in "0123456789abcdef" if sum(run_id.startswith(first) for run_id in ids) > 1)
    with pytest.raises(InvalidInput, match="Several runs") as caught:
        workbench.experiments.run(shared)
    assert "Which one?" in caught.value.hint


def test_parameters_are_text_and_keep_their_last_value(workbench):
    run_id = log(workbench, depth=6, rate=0.1, layers=[1, 2])
    writer = RunWriter(workbench.workspace, run_id)
    writer.params({"depth": 7})
    writer.close()
    workbench.experiments.take_in()
    assert workbench.experiments.params(run_id) == {"depth": "7", "rate": "0.1", "layers": "[1, 2]"}


def test_nan_and_infinities_are_kept_and_leave_the_range_honest(workbench):
    run = workbench.experiments.start("churn")
    writer = RunWriter(workbench.workspace, run.id)
    writer.metrics(
        [("loss", step, value) for step, value in enumerate([2.0, math.nan, -math.inf, math.inf, 1.0, math.nan])]
    )
    writer.close()
    workbench.experiments.take_in()
    values = [point.value for point in workbench.experiments.history(run.id, "loss")]
    assert values[0] == 2.0
    assert math.isnan(values[1])
    assert values[2:5] == [-math.inf, math.inf, 1.0]
    latest = workbench.experiments.metrics(run.id)["loss"]
    assert math.isnan(latest.value)
    assert (latest.step, latest.min, latest.max, latest.count) == (5, -math.inf, math.inf, 6)


def test_only_nan_has_no_range(workbench):
    run_id = log(workbench, metrics={"loss": math.nan})
    latest = workbench.experiments.metrics(run_id)["loss"]
    assert (latest.min, latest.max, latest.count) == (None, None, 1)


def test_steps_in_any_order_and_twice_keep_the_last_write_and_a_true_summary(workbench):
    run = workbench.experiments.start("churn")
    writer = RunWriter(workbench.workspace, run.id)
    for step, value in [(5, 50.0), (1, 1000.0), (3, 30.0)]:
        writer.metrics([("loss", step, value)])
    workbench.experiments.take_in()
    writer.metrics([("loss", 1, 10.0)])  # overwrites the maximum in a later intake
    writer.metrics([("loss", 0, 5.0), ("loss", 0, 7.0)])
    writer.close()
    workbench.experiments.take_in()
    points = workbench.experiments.history(run.id, "loss")
    assert [(point.step, point.value) for point in points] == [(0, 7.0), (1, 10.0), (3, 30.0), (5, 50.0)]
    latest = workbench.experiments.metrics(run.id)["loss"]
    assert (latest.value, latest.step, latest.min, latest.max, latest.count) == (50.0, 5, 7.0, 50.0, 4)


def test_a_new_lower_step_that_comes_later_is_not_the_latest(workbench):
    run = workbench.experiments.start("churn")
    writer = RunWriter(workbench.workspace, run.id)
    for step, value in [(5, 50.0), (4, 90.0)]:
        writer.metrics([("loss", step, value)])
        workbench.experiments.take_in()
    writer.close()
    latest = workbench.experiments.metrics(run.id)["loss"]
    assert (latest.value, latest.step, latest.max, latest.count) == (50.0, 5, 90.0, 2)


def test_history_goes_on_after_a_step_and_names_the_metrics_there_are(workbench):
    run = workbench.experiments.start("churn")
    writer = RunWriter(workbench.workspace, run.id)
    for value in range(10):
        writer.metrics([("loss", None, value)])
    writer.close()
    workbench.experiments.take_in()
    assert [point.step for point in workbench.experiments.history(run.id, "loss", after=6)] == [7, 8, 9]
    assert [point.step for point in workbench.experiments.history(run.id, "loss", limit=2)] == [0, 1]
    assert workbench.experiments.history(run.id, "loss", after=9) == []
    with pytest.raises(NotFound) as caught:
        workbench.experiments.history(run.id, "los")
    assert caught.value.hint == "Did you mean 'loss'?"


def test_runs_are_listed_newest_first_and_filtered(workbench, clock):
    first = workbench.experiments.start("churn").id
    clock.advance(1000)
    second = workbench.experiments.start("fraud").id
    clock.advance(1000)
    third = workbench.experiments.start("churn").id
    workbench.experiments.finish(first)
    assert [run.id for run in workbench.experiments.runs()] == [third, second, first]
    assert [run.id for run in workbench.experiments.runs("churn")] == [third, first]
    assert [run.id for run in workbench.experiments.runs("churn", state="running")] == [third]
    assert [run.id for run in workbench.experiments.runs(order="started_at", limit=1, offset=1)] == [second]


def test_runs_are_ranked_by_a_metric_with_nan_and_missing_last(workbench, clock):
    values = {"low": 0.1, "high": 0.9, "nan": math.nan, "none": None, "middle": 0.5}
    ids = {}
    for name, value in values.items():
        clock.advance(1000)
        ids[log(workbench, metrics={} if value is None else {"auc": value})] = name
    assert [ids[run.id] for run in workbench.experiments.runs(order="-auc")] == ["high", "middle", "low", "none", "nan"]
    assert [ids[run.id] for run in workbench.experiments.runs("churn", order="auc", limit=2)] == ["low", "middle"]
    for size in (1, 2, 3):
        pages = [workbench.experiments.runs(order="-auc", limit=size, offset=offset) for offset in range(0, 5, size)]
        assert [ids[run.id] for page in pages for run in page] == ["high", "middle", "low", "none", "nan"]


def test_an_unknown_order_state_or_experiment_is_refused_with_the_nearest_name(workbench):
    log(workbench, metrics={"auc": 0.5})
    with pytest.raises(InvalidInput) as caught:
        workbench.experiments.runs(order="-aucc")
    assert caught.value.hint == "Did you mean 'auc'?"
    with pytest.raises(InvalidInput, match="no state"):
        workbench.experiments.runs(state="dead")
    with pytest.raises(NotFound) as missing:
        workbench.experiments.runs("chrn")
    assert missing.value.hint == "Did you mean 'churn'?"


def test_latest_values_of_some_runs_come_in_one_question(workbench):
    one, two, three = log(workbench, metrics={"auc": 0.5}), log(workbench, metrics={"auc": 0.7}), log(workbench)
    assert workbench.experiments.latest("auc", [one, two, three]) == {one: 0.5, two: 0.7}


def test_a_comparison_lines_up_what_runs_have(workbench):
    one, two = (
        log(workbench, metrics={"auc": 0.5}, depth=3, seed=1),
        log(workbench, metrics={"auc": 0.7, "f1": 0.6}, depth=4, seed=1),
    )
    compared = workbench.experiments.compare([one, two[:10]])
    assert compared.params == {"depth": ("3", "4"), "seed": ("1", "1")}
    assert compared.metrics == {"auc": (0.5, 0.7), "f1": (None, 0.6)}
    assert compared.differing == ("depth",)
    with pytest.raises(InvalidInput, match="at least two"):
        workbench.experiments.compare([one, one])


def test_a_run_of_a_vanished_process_is_marked_crashed_when_last_seen(workbench, clock):
    facts = dataclasses.replace(workbench.experiments.describe("churn"), pid=2**22 + 1, process_started=1)
    writer = RunWriter(workbench.workspace, facts.id)
    writer.start(facts)
    writer.metrics([("loss", 1, 0.5)], at=clock.now + 5000)
    workbench.experiments.take_in()
    clock.advance(3_600_000)
    alive = workbench.experiments.start("churn")
    assert [run.id for run in workbench.experiments.sweep()] == [facts.id]
    crashed = workbench.experiments.run(facts.id)
    assert (crashed.state, crashed.ended_at, crashed.duration) == (RunState.CRASHED, facts.started_at + 5000, 5000)
    assert workbench.experiments.run(alive.id).state is RunState.RUNNING
    assert workbench.experiments.sweep() == []


def test_a_dead_run_that_said_its_last_word_is_not_called_crashed(workbench):
    facts = dataclasses.replace(workbench.experiments.describe("churn"), pid=2**22 + 1, process_started=1)
    writer = RunWriter(workbench.workspace, facts.id)
    writer.start(facts)
    workbench.experiments.take_in()
    writer.finish(RunState.FINISHED)
    assert workbench.experiments.sweep() == []
    assert workbench.experiments.run(facts.id).state is RunState.FINISHED


def test_last_words_written_during_the_sweep_are_heard(workbench, monkeypatch):
    facts = dataclasses.replace(workbench.experiments.describe("churn"), pid=2**22 + 1, process_started=1)
    writer = RunWriter(workbench.workspace, facts.id)
    writer.start(facts)
    look = workbench.experiments._dead

    def finish_meanwhile():
        if workbench.experiments.list():  # the second look: the run is known, ends, and its process with it
            writer.finish(RunState.FINISHED)
        return look()

    monkeypatch.setattr(workbench.experiments, "_dead", finish_meanwhile)
    assert workbench.experiments.sweep() == []
    assert workbench.experiments.run(facts.id).state is RunState.FINISHED


def test_a_resumed_run_runs_again_under_its_new_process(workbench):
    run_id = log(workbench)
    again = workbench.experiments.describe("churn", resume=workbench.experiments.run(run_id))
    writer = RunWriter(workbench.workspace, run_id)
    writer.start(again)
    workbench.experiments.take_in()
    run = workbench.experiments.run(run_id)
    assert (run.state, run.ended_at) == (RunState.RUNNING, None)
    writer.finish(RunState.FINISHED)
    workbench.experiments.take_in()
    assert workbench.experiments.run(run_id).state is RunState.FINISHED


def test_a_removed_run_is_gone_with_its_numbers_and_stays_gone(workbench):
    run_id = log(workbench, metrics={"auc": 0.5}, depth=3)
    late = RunWriter(workbench.workspace, run_id)
    late.metrics([("auc", 1, 0.9)])
    late.tags({"late": "yes"})
    workbench.experiments.remove_run(run_id, why="a mistake")
    workbench.experiments.take_in()
    with pytest.raises(NotFound):
        workbench.experiments.run(run_id)
    for table in ("metric", "metric_latest", "param", "run_seen"):
        assert workbench.context.metrics.value(f"SELECT count(*) FROM {table}") == 0
    assert workbench.audit.list()[0].why == "a mistake"
    late.close()


def test_the_number_of_a_removed_run_is_not_given_to_another(workbench):
    run_id = log(workbench, metrics={"auc": 0.5})
    number = workbench.context.catalog.value("SELECT number FROM run")
    workbench.experiments.remove_run(run_id)
    log(workbench)
    assert workbench.context.catalog.value("SELECT number FROM run") > number


def test_a_removal_cut_short_is_completed_by_the_next_sweep(workbench, monkeypatch):
    run_id = log(workbench, metrics={"auc": 0.5})
    monkeypatch.setattr(workbench.experiments, "_forget", lambda numbers: None)
    workbench.experiments.remove_run(run_id)
    monkeypatch.undo()
    assert workbench.context.metrics.value("SELECT count(*) FROM metric") == 1
    workbench.experiments.sweep()
    assert workbench.context.metrics.value("SELECT count(*) FROM metric") == 0


def test_what_still_runs_cannot_be_removed(workbench):
    run = workbench.experiments.start("churn")
    with pytest.raises(NotAllowed, match="still running"):
        workbench.experiments.remove_run(run.id)
    with pytest.raises(NotAllowed, match="still running"):
        workbench.experiments.remove("churn")
    assert workbench.experiments.run(run.id).id == run.id


def test_an_experiment_is_renamed_and_removed_with_its_runs(workbench):
    log(workbench)
    log(workbench)
    log(workbench, "fraud")
    assert workbench.experiments.rename("churn", "leavers").runs == 2
    with pytest.raises(AlreadyExists):
        workbench.experiments.rename("leavers", "fraud")
    with pytest.raises(InvalidInput):
        workbench.experiments.rename("leavers", "no/slash")
    assert workbench.experiments.remove("leavers") == 2
    assert [item.name for item in workbench.experiments.list()] == ["fraud"]


def test_experiments_are_counted(workbench, clock):
    log(workbench)
    clock.advance(1000)
    workbench.experiments.start("fraud")
    listed = workbench.experiments.list()
    assert [(item.name, item.runs, item.running) for item in listed] == [("fraud", 1, 1), ("churn", 1, 0)]
    assert listed[0].last_started_at == clock.now


def test_a_note_is_a_tag_and_can_be_taken_away(workbench):
    run_id = log(workbench)
    assert workbench.experiments.note(run_id, "seed was wrong").tags == {"note": "seed was wrong"}
    assert workbench.experiments.note(run_id, "").tags == {}
    with pytest.raises(InvalidInput):
        workbench.experiments.tag(run_id, "k", "x" * 8001)


def test_an_unknown_parent_is_refused(workbench):
    with pytest.raises(NotFound):
        workbench.experiments.start("churn", parent="abc")
    assert workbench.experiments.list() == []
