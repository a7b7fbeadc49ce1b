"""Runs out of CSV."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.transfer.csv_file import import_csv


@pytest.fixture
def take(workbench, tmp_path):
    def call(text, experiment="", name="results.csv"):
        (tmp_path / name).write_text(text)
        return import_csv(workbench, tmp_path / name, experiment, lambda *_: None)

    return call


def test_a_row_is_a_point_where_run_metric_and_value_are_named(workbench, take):
    report = take(
        "run,step,metric,value,time\nfirst,0,loss,0.9,2026-01-01\nfirst,5,loss,nan,2026-01-01T00:00:05\nfirst,,acc,1,\nsecond,0,loss,-inf,\n"
    )
    assert (report.added, report.skipped) == (2, [])
    runs = {run.name: run for run in workbench.experiments.runs("results")}
    first = runs["first"]
    assert (first.started_at, first.ended_at) == (1_767_225_600_000, 1_767_225_605_000)
    assert [(p.step, p.ts) for p in workbench.experiments.history(first.id, "loss")] == [
        (0, 1_767_225_600_000),
        (5, 1_767_225_605_000),
    ]
    assert workbench.experiments.metrics(runs["second"].id)["loss"].value == float("-inf")


def test_a_row_is_a_run_otherwise(workbench, take):
    take("run,params.lr,auc,depth,kind,state,tags.team\na,0.1,0.93,,rf,failed,x\nb,0.2,,6,svm,,\n", "churn")
    runs = {run.name: run for run in workbench.experiments.runs("churn")}
    assert (runs["a"].state, runs["a"].tags["team"]) == ("failed", "x")
    assert workbench.experiments.params(runs["a"].id) == {"kind": "rf", "lr": "0.1"}
    assert {key: one.value for key, one in workbench.experiments.metrics(runs["b"].id).items()} == {"depth": 6.0}


def test_a_second_time_adds_nothing_and_a_longer_file_adds_to_it(workbench, take):
    text = "run,metric,value\na,loss,1\n"
    take(text)
    assert take(text).unchanged == 1
    report = take(text + "a,loss,2\nb,loss,3\n")
    assert (report.added, report.updated) == (1, 1)
    assert workbench.experiments.count("") == 2


def test_a_broken_run_is_left_out_whole_with_its_line(workbench, take):
    report = take("run,metric,value\na,loss,1\nb,loss,1\nb,loss,much\nb,acc,1\n")
    assert report.skipped == [("b", "line 4: could not convert string to float: 'much'")]
    assert [run.name for run in workbench.experiments.runs("results")] == ["a"]


def test_two_rows_for_one_run_are_a_mistake_of_the_second(workbench, take):
    report = take("run,auc\na,1\na,2\n")
    assert (report.added, report.skipped) == (1, [("a", "line 3: there is a run of that name in an earlier line")])
    (run,) = workbench.experiments.runs("results")
    assert workbench.experiments.metrics(run.id)["auc"].value == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "twice: a"),
        ("a\n1,2\n", "line 2: 2 cells"),
        ('a\n"open\n', "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused(take, text, said):
    with pytest.raises(InvalidInput, match=said):
        take(text)


def test_a_state_that_is_none_is_a_reason(take):
    assert take("run,state\na,unwell\n").skipped[0][1].startswith("'unwell' is no state of a run")
