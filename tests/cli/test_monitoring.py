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
