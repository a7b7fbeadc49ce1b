"""The steps as they follow one another, in this process: one definition that asks for everything there is."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed
from mlops_tui.domains.pipelines.records import STEPS, Outcome, decide
from mlops_tui.domains.pipelines.steps import gate as gate_step

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")]

DEFINITION = """
[pipeline]
name = "churn"
[data]
spine = "labels"
target = "left"
drop = ["sex"]
[split]
by = "stratified"
[model]
task = "classification"
estimator = "sklearn.linear_model.LogisticRegression"
[select]
method = "k_best"
k = 8
[tune]
method = "sobol"
trials = 3
cv = 2
[tune.space]
C = { low = 0.01, high = 10.0, log = true }
[calibrate]
method = "sigmoid"
cv = 2
[evaluate]
metrics = ["roc_auc", "recall", "ece"]
slices = ["country"]
resamples = 100
examples = 5
[evaluate.threshold]
by = "cost"
false_negative = 20
[explain]
rows = 60
repeats = 2
top = 2
points = 4
[fairness]
sensitive = ["sex"]
demographic_parity = 0.9
min_rows = 20
[[tests]]
name = "the country is nothing"
kind = "invariance"
column = "country"
values = ["de", "fr"]
within = 0.5
[[tests]]
name = "who pays late leaves"
kind = "direction"
column = "late"
change = 1.0
[[tests]]
name = "who pays late stays"
kind = "direction"
column = "late"
change = 1.0
expect = "down"
allow = 0.0
[[tests]]
name = "good in Germany"
kind = "minimum"
slice = { country = "de" }
at_least = 0.6
[[steps]]
name = "halve"
uses = "prep.py:scale"
params = { by = 0.5 }
"""


@pytest.fixture
def pipelines(workbench, monkeypatch):
    """400 customers who leave when they pay late; the fresh process of the gate is not started here."""
    generator = np.random.default_rng(0)
    late = generator.poisson(2, 400).astype(float)
    rows = pd.DataFrame(
        {
            "id": np.arange(400),
            "late": late,
            "age": np.where(np.arange(400) % 9 == 0, np.nan, generator.normal(40, 9, 400)),
            "sex": generator.choice(["f", "m"], 400),
            "country": generator.choice(["de", "fr", "it"], 400, p=[0.5, 0.3, 0.2]),
            "city": [f"city {place}" for place in generator.integers(0, 60, 400)],
            "left": np.where(generator.uniform(size=400) < 1 / (1 + np.exp(4 - 2 * late)), "yes", "no"),
        }
    )
    workbench.features.create("labels", ["id"])
    workbench.features.ingest("labels", rows)
    (workbench.workspace.project / "prep.py").write_text(
        "def scale(frame, by):\n    return frame.assign(late=frame['late'] * by)\n"
    )
    workbench.workspace.pipelines.mkdir(exist_ok=True)
    (workbench.workspace.pipelines / "churn.toml").write_text(DEFINITION)
    found = {"rows": 60, "latency_p95_ms": 1.0, "size_mb": 0.1, "same": True, "tests": {}, "error": ""}
    monkeypatch.setattr(gate_step, "_probe", lambda work: found)
    return workbench.pipelines


def done(pipelines, job):
    pipelines.execute(job.spec["run_id"], lambda done, total, note: None)
    return pipelines.run_of_job(job)


def report_of(pipelines, run, name="report.json"):
    return json.loads((pipelines.folder(run.id) / name).read_text())


def test_everything_a_definition_can_ask_for(pipelines, workbench):
    first = done(pipelines, pipelines.run("churn"))
    assert [step.name for step in first.steps] == ["load", "halve", *STEPS[1:]]
    assert [item.state for item in pipelines.trials(first.id)] == ["done"] * 3

    report = report_of(pipelines, first)
    assert report["metrics"]["roc_auc"] > 0.7
    low, high = report["intervals"]["roc_auc"]
    assert low < report["metrics"]["roc_auc"] < high
    # A miss costs twenty alarms, so hardly anyone who leaves is missed: the model says so from far below a half on.
    assert report["threshold"] < 0.4
    assert report["metrics"]["recall"] > 0.9
    matrix = np.array(report["confusion"]["matrix"])
    assert matrix.sum() == report["rows"] == 60
    assert matrix[1, 1] / matrix[1].sum() == pytest.approx(report["metrics"]["recall"])
    assert sum(row["rows"] for row in report["calibration"]["bins"]) == 60
    assert {item["level"] for item in report["slices"]} <= {"de", "fr", "it"}
    assert all(item["low"] <= item["value"] <= item["high"] for item in report["slices"])
    worst = pd.read_csv(pipelines.folder(first.id) / "examples.csv")
    assert len(worst) == 5
    assert worst["error"].is_monotonic_decreasing
    assert "sex" in worst.columns  # a column the model must not see is still there for people
    explained = report_of(pipelines, first, "explanation.json")
    assert explained["importance"][0]["column"] == "late"
    curve = explained["dependence"][0]["answers"]
    assert curve == sorted(curve)

    # One behavioural test is wrong on purpose, so the gate says no; the verdict names its number.
    checks = {check.name: check for check in first.verdict.checks}
    assert {name: check.passed for name, check in checks.items() if name.startswith("test ")} == {
        "test the country is nothing": True,
        "test who pays late leaves": True,
        "test who pays late stays": False,
        "test good in Germany": True,
    }
    assert "60 of 60 rows break it" in checks["test who pays late stays"].detail
    assert checks["fairness demographic parity sex"].passed is True
    assert (first.state, first.version) == ("blocked", "")
    workbench.experiments.take_in()
    paths = {item.path for item in workbench.experiments.artifacts(first.run_id)}
    kept = {"report.json", "pipeline.toml", "examples.csv", "explanation.json", "trials.json", "verdict.json"}
    assert paths == kept

    # A person decides otherwise: the same model, taken from the cache to the last digit, and registered.
    second = done(pipelines, pipelines.override(first.id, "the wrong test is known"))
    assert (second.state, second.version) == ("succeeded", "churn/1")
    assert second.verdict.reason.startswith("tester decided: the wrong test is known; the gate alone said blocked")
    cached = ["load", "halve", "collect", "split", "preprocess", "select", "tune", "train", "calibrate", "evaluate"]
    assert second.facts["cached"] == cached
    assert second.facts["answers"] == first.facts["answers"]
    workbench.experiments.take_in()
    assert "| demographic parity sex |" in workbench.registry.card(second.version)
    model = workbench.registry.load(second.version)
    assert model.threshold == pytest.approx(report["threshold"])
    assert "the wrong test is known" in [entry.why for entry in workbench.audit.list(kind="pipeline_run")]

    # Made again without the cache, it is the same, row by row.
    third = done(pipelines, pipelines.run_like(first.id))
    assert third.facts["like"] == {"run": first.id, "equal": True, "differences": []}
    assert third.facts["cached"] == []
    assert [step.name for step in third.steps][-1] == "evaluate"


def test_a_leak_stops_a_run_that_wants_none(pipelines, workbench):
    path = workbench.workspace.pipelines / "churn.toml"
    path.write_text(
        DEFINITION.replace('by = "stratified"', 'by = "stratified"\nleakage = "error"').replace(
            "prep.py:scale", "prep.py:leak"
        )
    )
    (workbench.workspace.project / "prep.py").write_text(
        "def leak(frame, by):\n    return frame.assign(told=frame['left'] == 'yes')\n"
    )
    job = pipelines.run("churn")
    with pytest.raises(InvalidInput, match="told alone tells the target left"):
        done(pipelines, job)
    with pytest.raises(InvalidInput, match="no scores to compare with"):
        pipelines.run_like(job.spec["run_id"])
    with pytest.raises(NotAllowed, match="nothing to override"):
        pipelines.override(job.spec["run_id"], "why not")


def test_columns_that_later_sections_name_are_looked_for_before_anything_is_trained(pipelines, workbench):
    path = workbench.workspace.pipelines / "churn.toml"
    path.write_text(
        DEFINITION.replace('sensitive = ["sex"]', 'sensitive = ["sx"]').replace('column = "late"', 'column = "lat"', 1)
    )
    with pytest.raises(
        InvalidInput, match="sensitive names 'sx', which is not there; test who pays late leaves names 'lat'"
    ):
        done(pipelines, pipelines.run("churn"))


def test_a_model_that_could_not_be_judged_needs_a_person():
    """Without a value of its main metric nothing else may bless it."""
    known = list(gate_step._measured(_judged("roc_auc"), {"roc_auc": 0.9}))
    (unknown,) = gate_step._measured(_judged("roc_auc"), {"f1": 0.0})
    assert known == []
    assert decide([unknown]) == (Outcome.NEEDS_PERSON, unknown.detail)
    assert "roc_auc cannot be computed on the 7 test rows" in unknown.detail


def _judged(primary):
    return SimpleNamespace(recipe=SimpleNamespace(primary=primary), results={"evaluate": {"rows": 7}})
