"""`mlops experiments` and `mlops runs`, as typed."""

from __future__ import annotations

import json
import math

import pytest

from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench


@pytest.fixture
def log(workspace):
    """Leave a run in the spool, not yet taken in; its id."""

    def make(experiment="churn", state=RunState.FINISHED, error="", **metrics):
        with Workbench(workspace, actor="ana") as bench:
            run = bench.experiments.start(experiment, name="try")
        writer = RunWriter(workspace, run.id)
        writer.params({"depth": 3, "auc": metrics.get("auc", 0)})
        writer.metrics([(key, None, value) for key, value in metrics.items()])
        RunFiles(workspace, writer).keep_bytes(b"hello", "notes/a.txt")
        if state is not RunState.RUNNING:
            writer.finish(state, error)
        else:
            writer.close()
        return run.id

    return make


def test_empty_lists_say_what_comes_next_on_stderr(mlops):
    for noun in ("experiments", "runs"):
        code, out, err = mlops(noun, "list")
        assert (code, out) == (0, "")
        assert "start_run" in err
    assert json.loads(mlops("runs", "list", "--json")[1]) == []


def test_runs_are_listed_with_what_scripts_left_behind(mlops, log):
    run_id = log(auc=0.9)
    code, out, _ = mlops("runs", "list")
    assert code == 0
    assert out.splitlines()[0].split() == ["Run", "Experiment", "Name", "State", "Started", "Took", "User"]
    assert out.splitlines()[1].split()[:4] == [run_id, "churn", "try", "finished"]


def test_runs_are_ranked_and_filtered(mlops, log):
    low, high, other = log(auc=0.1), log(auc=0.9), log("fraud", auc=0.5)
    rows = json.loads(mlops("runs", "list", "--sort", "-auc", "--json")[1])
    assert [(row["id"], row["metric"]) for row in rows] == [(high, 0.9), (other, 0.5), (low, 0.1)]
    assert rows[0]["started_at"].endswith("Z")
    rows = json.loads(
        mlops("runs", "list", "-e", "churn", "--state", "finished", "--sort", "auc", "-n", "1", "--json")[1]
    )
    assert [row["id"] for row in rows] == [low]
    assert mlops("runs", "list", "--sort", "-auc")[1].splitlines()[0].split()[-1] == "auc"


def test_a_run_is_shown_whole(mlops, log):
    run_id = log(auc=0.9, loss=math.nan)
    record = json.loads(mlops("runs", "show", run_id[:7], "--json")[1])
    assert record["params"] == {"depth": "3", "auc": "0.9"}
    assert record["metrics"]["auc"]["value"] == 0.9
    assert record["metrics"]["loss"]["value"] is None
    assert record["artifacts"][0]["path"] == "notes/a.txt"
    text = mlops("runs", "show", run_id)[1]
    assert "Parameters" in text
    assert "notes/a.txt" in text
    assert "nan" in text


def test_a_failed_run_shows_its_traceback(mlops, log):
    run_id = log(state=RunState.FAILED, error="Traceback (most recent call last):\nValueError: no\n")
    assert mlops("runs", "show", run_id)[1].endswith("Traceback (most recent call last):\nValueError: no\n")


def test_runs_are_compared(mlops, log):
    one, two = log(auc=0.5), log(auc=0.7)
    out = mlops("runs", "compare", one, two)[1]
    assert [line.split() for line in out.splitlines() if line.startswith(("metric", "param depth"))] == [
        ["param", "depth", "3", "3"],
        ["metric", "auc", "0.5", "0.7", "*"],
    ]
    assert "depth" not in mlops("runs", "compare", one, two, "--differing")[1]
    record = json.loads(mlops("runs", "compare", one, two, "--json")[1])
    assert (record["metrics"], record["differing"]) == ({"auc": [0.5, 0.7]}, ["auc"])
    assert mlops("runs", "compare", one)[0] == 5


def test_points_of_a_metric_are_printed(mlops, log):
    run_id = log(auc=0.5)
    assert json.loads(mlops("runs", "metrics", run_id, "--key", "auc", "--json")[1])[0]["value"] == 0.5
    assert mlops("runs", "metrics", run_id)[1].splitlines()[1].split()[:2] == ["auc", "0.5"]
    assert mlops("runs", "metrics", run_id, "-k", "auc", "--after", "0")[2].startswith("No points")
    assert mlops("runs", "metrics", run_id, "-k", "nope")[0] == 3


def test_an_artifact_is_copied_out_but_never_over_a_file(mlops, log, tmp_path):
    run_id = log()
    target = tmp_path / "out.txt"
    assert mlops("runs", "artifacts", run_id)[1].splitlines()[1].split()[0] == "notes/a.txt"
    assert mlops("runs", "artifacts", run_id, "--get", "notes/a.txt", "--to", str(target))[0] == 0
    assert target.read_text() == "hello"
    code, _, err = mlops("runs", "artifacts", run_id, "--get", "notes/a.txt", "--to", str(target))
    assert (code, target.read_text()) == (4, "hello")
    assert "exists already" in err
    assert mlops("runs", "artifacts", run_id, "--get", "notes/b.txt")[0] == 3
    assert mlops("runs", "artifacts", run_id, "--get", "notes/a.txt", "--to", str(tmp_path / "none" / "x"))[0] == 7
    assert mlops("runs", "artifacts", run_id, "--get", "notes/a.txt", "--to", str(tmp_path))[0] == 0
    assert (tmp_path / "a.txt").read_text() == "hello"


def test_logs_are_printed_where_there_are_some(mlops, log, workspace):
    run_id = log()
    assert mlops("runs", "logs", run_id)[0] == 3
    folder = workspace.logs / "runs" / run_id
    folder.mkdir(parents=True)
    (folder / "train.log").write_text("epoch 1\n")
    assert mlops("runs", "logs", run_id)[1] == "epoch 1\n"


def test_a_note_is_kept_and_taken_away(mlops, log):
    run_id = log()
    assert mlops("runs", "note", run_id, "seed 7")[0] == 0
    assert json.loads(mlops("runs", "show", run_id, "--json")[1])["tags"] == {"note": "seed 7"}
    mlops("runs", "note", run_id, "")
    assert json.loads(mlops("runs", "show", run_id, "--json")[1])["tags"] == {}


def test_removing_asks_first(mlops, log):
    run_id, other = log(), log()
    code, _, err = mlops("runs", "remove", run_id)
    assert code == 6
    assert "--yes" in err
    assert mlops("runs", "remove", run_id, "--yes", "--why", "wrong data")[0] == 0
    assert mlops("runs", "show", run_id)[0] == 3
    assert mlops("experiments", "remove", "churn", "-y")[0] == 0
    assert mlops("runs", "show", other)[0] == 3
    assert mlops("experiments", "show", "churn")[0] == 3


def test_a_running_run_is_not_removed(mlops, log):
    run_id = log(state=RunState.RUNNING)
    assert mlops("runs", "remove", run_id, "--yes")[0] == 6
    assert mlops("experiments", "remove", "churn", "--yes")[0] == 6


def test_experiments_are_shown_and_renamed(mlops, log):
    log()
    log("fraud")
    assert mlops("experiments", "rename", "churn", "leavers")[0] == 0
    rows = json.loads(mlops("experiments", "list", "--json")[1])
    assert {row["name"]: row["runs"] for row in rows} == {"fraud": 1, "leavers": 1}
    assert mlops("experiments", "rename", "leavers", "fraud")[0] == 4
    assert len(json.loads(mlops("experiments", "show", "leavers", "--json")[1])["newest_runs"]) == 1
    assert "try" in mlops("experiments", "show", "leavers")[1]


def test_mistakes_have_their_exit_codes(mlops, log):
    log(auc=1)
    assert mlops("runs", "show", "zzz")[0] == 5
    assert mlops("runs", "show", "0" * 16)[0] == 3
    assert mlops("runs", "list", "--sort", "nothing")[0] == 5
    assert mlops("runs", "list", "--state", "dead")[0] == 2
    code, _, err = mlops("runs", "list", "-e", "chrn")
    assert code == 3
    assert "Did you mean 'churn'?" in err


def test_a_whole_experiment_is_deleted_restored_and_collected_and_its_size_and_quota_are_shown(mlops, log, monkeypatch):
    log(loss=1.0)
    log("other")
    code, _, err = mlops("experiments", "delete", "churn", "--why", "tried out")
    assert (code, "mlops experiments restore churn" in err) == (0, True)
    assert "deleted already" in mlops("experiments", "delete", "churn")[2]
    assert [one["name"] for one in json.loads(mlops("experiments", "list", "--json")[1])] == ["other"]
    (hidden,) = json.loads(mlops("experiments", "list", "--deleted", "--json")[1])
    assert (hidden["name"], hidden["points"], hidden["bytes"]) == ("churn", 1, 5)
    assert "with 1 run." in mlops("experiments", "restore", "churn")[2]
    assert "not deleted" in mlops("experiments", "restore", "churn")[2]
    monkeypatch.setenv("MLOPS_QUOTA_EXPERIMENT_RUNS", "4")
    assert "25%" in mlops("experiments", "sizes")[1]
    mlops("experiments", "delete", "churn")
    assert mlops("runs", "gc", "--older-than", "0s", "--yes")[1].startswith("1 deleted runs and 1 experiment went")
    assert json.loads(mlops("experiments", "list", "--deleted", "--json")[1]) == []
    assert mlops("experiments", "restore", "churn")[0] == 3


def test_a_command_becomes_a_run_with_its_output_its_parameters_and_its_exit_code(mlops, workspace):
    code, _, err = mlops("runs", "start", "-e", "any", "-p", "rate=0.1", "--", "sh", "-c", "echo $MLOPS_RUN_ID; exit 4")
    (run,) = json.loads(mlops("runs", "list", "--json")[1])
    assert (code, run["state"], run["command"]) == (4, "failed", "sh -c 'echo $MLOPS_RUN_ID; exit 4'")
    assert f"mlops runs show {run['id'][:8]}" in err
    assert mlops("runs", "logs", run["id"])[1] == run["id"] + "\n"
    assert json.loads(mlops("runs", "show", run["id"], "--json")[1])["params"] == {"rate": "0.1"}
    assert mlops("runs", "start", "-p", "rate", "--", "true")[0] == 2
