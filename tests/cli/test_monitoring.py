"""`mlops monitors` and `mlops alerts` over the real registry, prediction log and labels: no fakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression

from mlops_tui.cli.app import cli
from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry import package
from mlops_tui.domains.serving.log import PREDICTIONS, prediction_record
from mlops_tui.workbench import Workbench

Mlops = Callable[..., Result]


@pytest.fixture
def mlops(workspace: Workspace) -> Mlops:
    def run(*arguments: Any) -> Result:
        return CliRunner().invoke(cli, ["--workspace", str(workspace.project), *map(str, arguments)])

    return run


class City:
    """A deployed classifier `churn` and a person who asks it and later says what was true."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.bench = Workbench(workspace, actor="tester")
        self.random = np.random.default_rng(9)
        frame, truth = self.people(2000)
        self.model = LogisticRegression().fit(frame, truth)
        package.save(
            folder,
            self.model,
            sample=frame.head(50),
            task="classification",
            target="left",
            reference=frame,
            truth=truth,
        )
        self.bench.registry.register("churn", folder)
        self.bench.serving.deploy("churn", "churn/1")
        self.writer = SegmentWriter(workspace.segments, PREDICTIONS)

    def people(self, rows: int, shift: float = 0.0) -> tuple[pd.DataFrame, Any]:
        frame = pd.DataFrame(
            {"age": self.random.normal(40, 10, rows) + shift, "visits": self.random.poisson(3, rows).astype("int64")}
        )
        chance = 1 / (1 + np.exp(-(frame["age"] - 40) / 5 + frame["visits"] - 3))
        return frame, np.where(self.random.uniform(size=rows) < chance, "left", "stayed")

    def ask(self, rows: int, shift: float = 0.0, *, wrong: bool = False, label: bool = True) -> None:
        frame, truth = self.people(rows, shift)
        at = now_ms()
        ids = [new_prediction_id(at) for _ in range(rows)]
        answers = self.model.predict(frame).tolist()
        record = prediction_record(
            ids=ids,
            at=at,
            deployment="churn",
            model="churn",
            version=1,
            latency_ms=3.0,
            columns={name: frame[name].tolist() for name in frame},
            prediction=answers,
            score=self.model.predict_proba(frame)[:, 1].tolist(),
        )
        self.writer.append(record)
        if wrong:
            truth = np.where(np.asarray(answers) == "left", "stayed", "left")
        if label:
            self.bench.serving.feedback([{"id": each, "label": str(y)} for each, y in zip(ids, truth, strict=True)])


@pytest.fixture
def city(workspace: Workspace, tmp_path: Path) -> Any:
    made = City(workspace, tmp_path / "model")
    yield made
    made.writer.close()
    made.bench.close()


def test_an_empty_workspace_says_what_comes_next(mlops: Mlops) -> None:
    result = mlops("monitors", "list")
    assert result.exit_code == 0
    assert "mlops deployments create" in result.stderr
    assert json.loads(mlops("monitors", "list", "--json").stdout) == []
    assert mlops("alerts", "list").stderr == "No alerts.\n"


def test_a_calm_deployment_is_ok_with_metrics_of_its_labels(mlops: Mlops, city: City) -> None:
    city.ask(400)
    result = mlops("monitors", "run", "churn", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["verdict"], report["rows"], report["version"]) == ("ok", 400, 1)
    assert {column["name"] for column in report["features"]} == {"age", "visits"}
    found = report["performance"]
    assert found["metric"] == "accuracy"
    assert found["value"] == pytest.approx(found["baseline"], abs=0.06)
    assert {"accuracy", "f1", "roc_auc", "log_loss"} == set(found["metrics"])
    assert set(found["label_shares"]) == {"left", "stayed"}


def test_drift_exits_with_one_and_becomes_an_alert_a_person_can_work_with(mlops: Mlops, city: City) -> None:
    for _ in range(2):
        city.ask(300, shift=15, label=False)
        result = mlops("monitors", "run", "churn")
        assert result.exit_code == 1
        assert "DRIFT" in result.stdout
    column = mlops("monitors", "column", "churn", "age")
    assert "rank shift" in column.stdout
    assert "at most 1.00%" in column.stderr
    found = json.loads(mlops("monitors", "column", "churn", "age", "--json").stdout)
    assert found["drifted"] is True
    assert found["rank_shift"] > found["rank_threshold"]
    assert isinstance(mlops("monitors", "column", "churn", "agee").exception, NotFound)
    told = mlops("monitors", "apart", "churn", "--json")  # nothing came before, so against the package's sample rows
    assert (told.exit_code, isinstance(told.exception, InvalidInput)) == (1, True)
    assert "needs 60" in str(told.exception)
    alerts = json.loads(mlops("alerts", "list", "--json").stdout)
    assert [(alert["rule"], alert["subject"], alert["severity"]) for alert in alerts] == [("drift", "churn", "warning")]
    assert "age" in alerts[0]["title"]
    assert mlops("alerts", "ack", 1, "--why", "mine").exit_code == 0
    assert mlops("alerts", "silence", 1, "--for", "4h").exit_code == 0
    assert json.loads(mlops("alerts", "show", 1, "--json").stdout)["state"] == "silenced"
    assert mlops("alerts", "resolve", "--rule", "drift", "--subject", "churn", "--why", "retrained").exit_code == 0
    assert mlops("alerts", "list").stdout == ""
    assert "drift" not in mlops("alerts", "list", "--all").stderr
    assert isinstance(mlops("alerts", "ack", 1).exception, NotAllowed)


def test_wrong_answers_are_a_critical_alert(mlops: Mlops, city: City) -> None:
    city.ask(400, wrong=True)
    assert mlops("monitors", "run", "churn").exit_code == 1
    alert = json.loads(mlops("alerts", "list", "--json").stdout)[0]
    assert (alert["rule"], alert["severity"]) == ("performance", "critical")
    assert alert["facts"]["concept_drift"] is True


def test_show_has_settings_report_and_history(mlops: Mlops, city: City) -> None:
    assert "Not checked yet" in mlops("monitors", "show", "churn").stderr
    city.ask(300)
    mlops("monitors", "run", "--all")
    shown = mlops("monitors", "show", "churn")
    assert "age" in shown.stdout
    assert "accuracy" in shown.stdout
    document = json.loads(mlops("monitors", "show", "churn", "--json").stdout)
    assert document["monitor"]["deployment"] == "churn"
    assert document["report"]["verdict"] == "ok"
    assert len(document["history"]) == 1


def test_settings_pause_and_removal(mlops: Mlops, city: City) -> None:
    assert json.loads(mlops("monitors", "add", "churn", "--min-rows", 50, "--json").stdout)["min_rows"] == 50
    assert isinstance(mlops("monitors", "add", "churn", "--alpha", 7).exception, InvalidInput)
    assert mlops("monitors", "pause", "churn").exit_code == 0
    assert json.loads(mlops("monitors", "list", "--json").stdout)[0]["state"] == "paused"
    assert mlops("monitors", "resume", "churn").exit_code == 0
    assert isinstance(mlops("monitors", "remove", "churn").exception, NotAllowed)
    assert mlops("monitors", "remove", "churn", "--yes", "--why", "done").exit_code == 0
    assert isinstance(mlops("monitors", "show", "churn").exception, NotFound)


def test_mistakes_are_usage_or_kinds_of_error(mlops: Mlops) -> None:
    assert mlops("monitors", "run").exit_code == 2
    assert isinstance(mlops("monitors", "run", "nothing").exception, NotFound)
    assert isinstance(mlops("alerts", "show", 9).exception, NotFound)
    assert isinstance(mlops("alerts", "resolve").exception, InvalidInput)
    assert mlops("alerts", "silence", 9).exit_code == 2


@pytest.mark.slow
def test_lists_and_the_question_whether_a_check_is_due_load_nothing_heavy(workspace: Workspace, city: City) -> None:
    import subprocess

    city.ask(300)
    city.bench.serving.compact()
    script = (
        "import sys; from pathlib import Path; from mlops_tui.workbench import open_workbench;"
        "bench = open_workbench(Path(sys.argv[1])); bench.monitoring.due(); bench.monitoring.list();"
        "bench.alerts.list(); bench.hardware.series(); bench.monitoring.reports('churn');"
        "heavy = {'pandas', 'numpy', 'duckdb', 'river', 'sklearn', 'pyarrow', 'sqlite_utils', 'psutil'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    for _ in range(2):  # the first opener may have to migrate
        done = subprocess.run(
            [sys.executable, "-c", script, str(workspace.project)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert done.stdout.strip() == "[]"


def test_performance_shows_labels_beside_estimates_and_late_labels_count(mlops: Mlops, city: City) -> None:
    assert "nothing that could be measured" in mlops("monitors", "performance", "churn").stderr
    city.ask(300)
    city.ask(300, label=False)
    shown = mlops("monitors", "performance", "churn").stdout
    assert "AUC" in shown
    assert "cannot see concept drift" in shown
    document = json.loads(mlops("monitors", "performance", "churn", "--json").stdout)
    assert document["whole"]["labels"]["labelled"] == 300
    assert {one["name"] for one in document["whole"]["estimates"]} >= {"accuracy", "f1", "roc_auc"}
    (late,) = [one["value"] for one in document["whole"]["metrics"] if one["name"] == "accuracy"]
    (guess,) = [one["value"] for one in document["whole"]["estimates"] if one["name"] == "accuracy"]
    assert guess == pytest.approx(late, abs=0.08)
    city.ask(300)
    document = json.loads(mlops("monitors", "performance", "churn", "--json").stdout)
    assert document["whole"]["labels"]["labelled"] == 600


def test_a_label_that_comes_again_with_another_value_is_counted_once_and_said(mlops: Mlops, city: City) -> None:
    city.ask(100)
    rows = city.bench.serving.labelled("churn")
    first = [{"id": name, "label": "left", "at": now_ms() + 1000} for name in rows["id"][:10]]
    city.bench.serving.feedback(first)
    labels = json.loads(mlops("monitors", "performance", "churn", "--json").stdout)["whole"]["labels"]
    earlier = json.loads(mlops("monitors", "performance", "churn", "--version", "1", "--json").stdout)
    assert earlier["whole"]["labels"] == labels
    assert (labels["labelled"], labels["repeated"]) == (100, 10)
    assert labels["contradicted"] == int((rows["label"][:10] != "left").sum())


def test_fairness_needs_a_sensitive_input_and_compares_its_groups(mlops: Mlops, city: City) -> None:
    city.ask(400)
    assert "--sensitive" in mlops("monitors", "fairness", "churn").stderr
    wrong = mlops("monitors", "add", "churn", "--sensitive", "agee").exception
    assert isinstance(wrong, InvalidInput)
    assert "age" in wrong.hint
    assert mlops("monitors", "add", "churn", "--sensitive", "age", "--group-rows", 20).exit_code == 0
    shown = mlops("monitors", "fairness", "churn").stdout
    assert "selection rate" in shown
    document = json.loads(mlops("monitors", "fairness", "churn", "--json").stdout)
    (gap,) = [one for one in document["gaps"] if one["measure"] == "selection"]
    assert gap["low"] > 0.2  # who is older leaves more often here
    assert len(document["groups"]) == 4
    rule = mlops("alerts", "rules", "add", "unfair", "--series", "monitor.selection_gap_low", "--of", "churn",
                 "--above", "0.2", "--for", "1m")  # fmt: skip
    assert rule.exit_code == 0, rule.output
    from mlops_tui import rules

    (judged,) = city.bench.alerts.rules.list()
    assert rules.values(city.bench, judged, 0)[-1][1] == pytest.approx(gap["low"])
    assert mlops("monitors", "add", "churn", "--sensitive", "").exit_code == 0
    assert "--sensitive" in mlops("monitors", "fairness", "churn").stderr


@pytest.mark.usefixtures("asked_here")
def test_a_drift_is_explained_and_everything_goes_into_one_file(mlops: Mlops, city: City, tmp_path: Path) -> None:
    mlops("monitors", "add", "churn", "--need", 1, "--of", 1)
    city.ask(300)
    mlops("monitors", "run", "churn")
    assert "No input moved" in mlops("monitors", "explain", "churn").stdout
    city.ask(300, shift=15, label=False)
    mlops("monitors", "run", "churn")
    shown = mlops("monitors", "explain", "churn").stdout
    assert "mean rose from" in shown
    assert "of answers are" in shown
    found = json.loads(mlops("monitors", "explain", "churn", "--json").stdout)
    assert [one["name"] for one in found["moved"]] == ["age"]
    effect = found["moved"][0]["effect"]
    assert abs(effect["now"] - effect["without"]) > 0.1
    out = tmp_path / "churn.html"
    assert mlops("monitors", "report", "churn", "--out", out).exit_code == 0
    page = out.read_text()
    assert "<svg" in page
    assert "age" in page
    assert mlops("monitors", "report", "churn", "--out", out).exception is not None
    story = tmp_path / "story.md"
    assert mlops("alerts", "story", 1, "--out", story).exit_code == 0
    assert "## What moved" in story.read_text()
    assert isinstance(mlops("monitors", "report", "churn", "--out", tmp_path / "x.pdf").exception, InvalidInput)
    assert isinstance(mlops("monitors", "explain", "churn", "--report", 99).exception, NotFound)
