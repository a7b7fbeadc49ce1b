"""Queries and saved views on the lists, as typed."""

from __future__ import annotations

import json

import pytest

from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter

LISTS = ["runs", "models", "features", "jobs", "alerts", "deployments"]


@pytest.fixture
def runs(workbench):
    """Three runs; by name the AUC."""
    for name, auc in (("low", 0.1), ("mid", 0.5), ("high", 0.9)):
        run = workbench.experiments.start("churn", name=name, tags={"draft": ""} if name == "mid" else {})
        writer = RunWriter(workbench.workspace, run.id)
        writer.metrics([("auc", None, auc)])
        writer.finish(RunState.FAILED if name == "low" else RunState.FINISHED)


def names(answer):
    code, out, _ = answer
    assert code == 0
    return sorted(row["name"] for row in json.loads(out))


def test_runs_are_listed_by_a_query(mlops, runs):
    assert names(mlops("runs", "list", "metrics.auc>=0.5 -draft", "--json")) == ["high"]
    assert names(mlops("runs", "list", "metrics.auc>=0.5", "not", "draft", "--json")) == ["high"]
    assert names(mlops("runs", "list", "--json", "--", "-draft")) == ["high", "low"]
    assert names(mlops("runs", "list", "state:failed | draft", "--state", "finished", "--json")) == ["mid"]
    code, out, _ = mlops("runs", "list", "metrics.auc>0", "--sort", "-auc")
    assert [line.split()[2] for line in out.splitlines()[1:]] == ["high", "mid", "low"]
    code, out, err = mlops("runs", "list", "nowhere")
    assert (code, out, err) == (0, "", "Nothing meets the query.\n")


@pytest.mark.parametrize("noun", LISTS)
def test_a_mistake_is_shown_with_a_caret_on_every_list(mlops, noun):
    code, out, err = mlops(noun, "list", "a | craeted>", "--json")
    assert (code, out) == (5, "")
    assert "\na | craeted>\n    ^^^^^^^^\n" in err
    code, _, err = mlops(noun, "list", "nosuch:1")
    assert code == 5
    assert "\nnosuch:1\n^^^^^^\nHint: " in err
    assert json.loads(mlops(noun, "list", "something", "--json")[1]) == []


def test_views_are_saved_used_narrowed_and_removed(mlops, runs):
    code, out, err = mlops("runs", "list", "metrics.auc>0.8 | state:failed", "--save-view", "extremes")
    assert (code, len(out.splitlines())) == (0, 3)
    assert "mlops runs list --view extremes" in err
    assert names(mlops("runs", "list", "--view", "extremes", "--json")) == ["high", "low"]
    assert names(mlops("runs", "list", "--view", "extremes", "low | mid", "--json")) == ["low"]
    assert mlops("runs", "list", "--view", "extreme")[0] == 3
    assert mlops("jobs", "list", "--view", "extremes")[0] == 3
    assert mlops("runs", "list", "--remove-view", "extremes")[0] == 0
    assert mlops("runs", "list", "--view", "extremes")[0] == 3


def test_what_cannot_be_read_is_not_saved(mlops, workspace):
    assert mlops("runs", "list", "stat:x", "--save-view", "bad")[0] == 5
    assert mlops("runs", "list", "--save-view", "empty")[0] == 2
    assert mlops("runs", "list", "x", "--save-view", "../x")[0] == 5
    assert not (workspace.root / "views.toml").exists()


def test_alerts_jobs_and_tables_are_listed_by_a_query(mlops, workbench):
    alert = workbench.alerts.raise_alert("drift", "churn", severity="critical", title="Inputs moved")
    workbench.alerts.raise_alert("latency", "fraud", title="Slow answers")
    assert [row["id"] for row in json.loads(mlops("alerts", "list", "severity:critical moved", "--json")[1])] == [
        alert.id
    ]
    workbench.alerts.resolve(alert.id)
    assert json.loads(mlops("alerts", "list", "rule:drift", "--json")[1]) == []
    assert [row["id"] for row in json.loads(mlops("alerts", "list", "is:resolved", "--json")[1])] == [alert.id]
    job = workbench.jobs.submit("command", "Nightly training", {"command": ["true"]})
    workbench.jobs.submit("command", "Other", {"command": ["true"]})
    assert [row["id"] for row in json.loads(mlops("jobs", "list", "nightly state:queued", "--json")[1])] == [job.id]
    assert json.loads(mlops("jobs", "list", "command", "--limit", "1", "--json")[1])[0]["id"] == job.id + 1
    workbench.features.create("orders", ["customer_id"], description="What was bought")
    workbench.features.create("customers", ["customer_id"])
    assert [row["name"] for row in json.loads(mlops("features", "list", "bought key:customer_id", "--json")[1])] == [
        "orders"
    ]
