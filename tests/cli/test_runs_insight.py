"""`mlops runs health, compare, tag, note, delete, gc` and `mlops experiments best, group, importance, ...`, as typed."""

from __future__ import annotations

import json
import math

import pytest

from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.records import DataInput, RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench

ILL = [1.0] * 10 + [math.nan] * 3


@pytest.fixture
def log(workspace):
    """Log a run as its process would; its id."""

    def make(params=None, packages="numpy==1\n", **metrics):
        with Workbench(workspace, actor="ana") as bench:
            run = bench.experiments.start("churn", name="try")
        writer = RunWriter(workspace, run.id)
        writer.params(params or {})
        for name, values in metrics.items():
            values = values if isinstance(values, list) else [values]
            writer.metrics([(name, step, value) for step, value in enumerate(values)])
        RunFiles(workspace, writer).keep_bytes(packages.encode(), "environment/packages.txt")
        writer.inputs([DataInput("orders", "1", "features", "orders@1")])
        writer.finish(RunState.FINISHED)
        return run.id

    return make


def test_an_ill_run_is_told_with_exit_code_1_and_marked_in_the_list(mlops, log):
    ill, well = log(loss=ILL), log(loss=[1.0, 0.5], val_loss=[1.0, 0.6])
    code, out, _ = mlops("runs", "health", ill)
    assert code == 1
    assert "diverged  loss            10  loss is nan since step 10" in out
    code, out, err = mlops("runs", "health", well)
    assert (code, "Nothing is wrong" in err) == (0, True)
    assert "go on (patience 5)" in out
    assert json.loads(mlops("runs", "health", ill, "--json")[1])["marks"][0]["kind"] == "diverged"
    lines = mlops("runs", "list")[1].splitlines()
    assert lines[0].split()[-1] == "Health"
    assert [line.split()[-1] for line in lines[1:]] == ["-", "diverged"]
    assert mlops("runs", "list", "health:diverged")[1].count(ill) == 1
    shown = mlops("runs", "show", ill)[1]
    assert "diverged" in shown
    assert "orders@1" in shown


def test_a_comparison_shows_packages_and_data_and_prints_the_difference_of_code(mlops, log):
    one, two = log(loss=1.0), log(loss=2.0, packages="numpy==2\n")
    out = mlops("runs", "compare", one, two)[1]
    assert ["package", "numpy", "1", "2"] in [line.split() for line in out.splitlines()]
    assert ["metric", "loss", "1", "*", "2"] in [line.split() for line in out.splitlines()]
    assert "data orders" in out
    assert json.loads(mlops("runs", "compare", one, two, "--json")[1])["packages"] == {"numpy": ["1", "2"]}
    code, out, err = mlops("runs", "compare", one, two, "--diff")
    assert (code, out, "Nothing is known to differ" in err) == (0, "", True)
    assert mlops("runs", "compare", one, "--diff")[0] == 2


@pytest.mark.parametrize("over", ["step", "time", "epoch"])
def test_curves_go_over_steps_time_or_epochs(mlops, log, over):
    one, two = log(loss=[3.0, 2.0, 1.0], epoch=[0, 0, 1]), log(loss=[3.0, 2.0, 1.5], epoch=[0, 1, 1])
    assert "3" in mlops("runs", "compare", one, two, "--plot", "--over", over)[1]
    assert "min 1" in mlops("runs", "metrics", one, "-k", "loss", "--plot", "--over", over)[1]


def test_tags_go_to_many_runs(mlops, log):
    one, two = log(auc=0.5), log(auc=0.9)
    assert "1 of 1 runs changed" in mlops("runs", "tag", "--query", "metrics.auc>=0.9", "reviewed=yes")[2]
    assert "2 of 2 runs changed" in mlops("runs", "tag", one, two, "team=growth=1", "--remove", "reviewed")[2]
    assert json.loads(mlops("runs", "show", two, "--json")[1])["tags"] == {"team": "growth=1"}
    assert mlops("runs", "tag", one)[0] == 2
    assert mlops("runs", "tag", "a=b")[0] == 2
    assert mlops("runs", "tag", "--query", "metrics.auc>1", "a=b")[0] == 3


def test_notes_come_from_files_and_are_printed(mlops, log, tmp_path):
    run = log()
    page = tmp_path / "why.md"
    page.write_text("# Why\nbecause\n")
    mlops("runs", "note", run, "--file", str(page))
    assert mlops("runs", "note", run)[1] == "# Why\nbecause\n"
    assert "because" in mlops("runs", "show", run)[1]
    mlops("experiments", "note", "churn", "the *plan*")
    assert "the *plan*" in mlops("experiments", "show", "churn")[1]
    assert mlops("experiments", "note", "churn")[1] == "the *plan*\n"
    mlops("experiments", "note", "churn", "")
    assert "no note" in mlops("experiments", "note", "churn")[2]
    assert mlops("runs", "note", run, "text", "--file", str(page))[0] == 2
    assert mlops("runs", "note", run, "--file", str(tmp_path / "gone.md"))[0] == 3
    page.write_bytes(b"\xff\xfe")
    assert mlops("runs", "note", run, "--file", str(page))[0] == 3


def test_a_run_is_deleted_restored_renamed_and_removed_for_good(mlops, log):
    one, two = log(), log()
    assert "mlops runs restore" in mlops("runs", "delete", one)[2]
    assert one not in mlops("runs", "list")[1]
    assert one in mlops("runs", "list", "--deleted")[1]
    mlops("runs", "restore", one)
    mlops("runs", "rename", one, "wider")
    assert "wider" in mlops("runs", "list")[1]
    mlops("runs", "delete", one, two)
    assert "2 deleted runs would go" in mlops("runs", "gc", "--older-than", "0s", "--dry-run")[1]
    assert mlops("runs", "gc", "--older-than", "0s")[0] == 6
    assert "2 deleted runs went" in mlops("runs", "gc", "--older-than", "0s", "--yes")[1]
    assert json.loads(mlops("runs", "gc", "--json")[1])["runs"] == []
    assert "No deleted runs" in mlops("runs", "list", "--deleted")[2]
    assert mlops("runs", "gc", "--older-than", "soon")[0] == 5


def test_an_experiment_is_concluded_from(mlops, log):
    for lr in (0.1, 0.01):
        for seed in range(3):
            log({"lr": lr, "seed": seed}, auc=0.5 + lr + seed / 100)
    out = mlops("experiments", "best", "churn", "-m", "auc")[1]
    assert ["auc", "0.62"] in [line.split() for line in out.splitlines()]
    out = mlops("experiments", "group", "churn", "--by", "lr", "-m", "auc")[1]
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [["0.1", "3", "0.61"], ["0.01", "3", "0.52"]]
    found = json.loads(mlops("experiments", "group", "churn", "--by", "lr", "-m", "auc", "--json")[1])
    assert found[0]["values"] == {"lr": "0.1"}
    code, _, err = mlops("experiments", "importance", "churn", "-m", "auc")
    assert (code, "too few" in err) == (5, True)
    assert "0.1" in mlops("experiments", "scatter", "churn", "-p", "lr", "-m", "auc")[1]
    assert "auc by lr" in mlops("experiments", "scatter", "churn", "-p", "lr", "-m", "auc", "--plot")[1]
    assert mlops("runs", "list", "--sort", "-param:lr", "-n", "1")[1].split()[-1] == "0.1"
    code, _, err = mlops("experiments", "group", "churn", "--by", "rl", "-m", "auc")
    assert (code, "Known: lr, seed" in err) == (5, True)


def test_sizes_are_shown_and_points_archived(mlops, log):
    log(auc=[0.5, 0.6])
    assert json.loads(mlops("experiments", "sizes", "--json")[1])[0]["points"] == 2
    assert "0 points of 0 runs" in mlops("experiments", "archive")[1]
    assert "2 points of 1 runs moved to 1 files" in mlops("experiments", "archive", "--days", "0")[1]
    assert json.loads(mlops("experiments", "sizes", "--json")[1])[0]["archived"] == 2
