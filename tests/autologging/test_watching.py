"""Estimators that log themselves."""

from __future__ import annotations

import inspect
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate  # noqa: F401 - found by name below
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import mlops_tui as mlops
from mlops_tui import sdk
from mlops_tui.autologging import estimators, watching


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))
    mlops.autolog(experiment="auto")
    yield
    mlops.autolog(disable=True)
    watching._complaints.clear()
    assert sdk.active._latest == []


@pytest.fixture
def rooms(workspace):
    with mlops.open(actor="reader") as bench:
        yield bench


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(120, 3)), columns=["a", "b", "c"])
    return X, (X["a"] + 0.2 * X["b"] > 0).astype(int).rename("left")


def only_run(rooms):
    (run,) = rooms.experiments.runs("auto", parent="")
    return run


def test_a_pipeline_logs_params_of_all_steps_metrics_plots_and_its_model(rooms, rows):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
    assert model.fit(*rows) is model
    run = only_run(rooms)
    assert (run.state, run.name, run.tags["estimator"]) == ("finished", "Pipeline", "Pipeline")
    params = rooms.experiments.params(run.id)
    assert params["logisticregression__C"] == "0.5"
    assert params["standardscaler__with_mean"] == "True"
    assert params["logisticregression"] == "LogisticRegression"
    metrics = {key: metric.value for key, metric in rooms.experiments.metrics(run.id).items()}
    assert metrics["training_accuracy"] == pytest.approx(model.score(*rows))
    assert {"training_f1", "training_log_loss", "training_roc_auc"} <= set(metrics)
    read = lambda name: json.loads(rooms.experiments.artifact_file(run.id, name).read_text())  # noqa: E731
    assert np.sum(read("confusion_matrix.json")["matrix"]) == len(rows[0])
    assert read("roc_curve.json")["1"]["tpr"][-1] == 1.0
    assert next(iter(read("importance.json"))) == "a"
    signature = read("model/signature.json")
    assert [item["name"] for item in signature["inputs"]] == ["a", "b", "c"]
    assert (signature["target"], signature["task"]) == ("left", "classification")


def test_a_search_logs_its_candidates_as_child_runs(rooms, rows):
    search = GridSearchCV(LogisticRegression(), {"C": [0.01, 0.1, 1.0]}, cv=3).fit(*rows)
    run = only_run(rooms)
    children = rooms.experiments.runs("auto", parent=run.id)
    assert len(children) == 3
    scores = {
        rooms.experiments.params(child.id)["C"]: rooms.experiments.metrics(child.id)["mean_test_score"].value
        for child in children
    }
    assert scores == {
        str(p["C"]): s for p, s in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True)
    }
    assert rooms.experiments.metrics(run.id)["best_cv_score"].value == search.best_score_
    assert rooms.experiments.params(run.id)["best_C"] == str(search.best_params_["C"])
    assert "model/model.joblib" in {item.path for item in rooms.experiments.artifacts(run.id)}


def test_only_the_best_candidates_become_runs_when_there_are_many(rooms, rows):
    mlops.autolog(experiment="auto", max_children=1)
    search = GridSearchCV(LogisticRegression(), {"C": [1e-6, 1.0]}, cv=2).fit(*rows)
    (child,) = rooms.experiments.runs("auto", parent=only_run(rooms).id)
    assert rooms.experiments.params(child.id) == {"C": str(search.best_params_["C"])}


@pytest.mark.parametrize("function", ["cross_validate", "cross_val_score"])
def test_cross_validation_logs_its_folds_as_child_runs(rooms, rows, function):
    # Imported before autolog: the name in this module was exchanged too.
    globals()[function](LogisticRegression(), *rows, cv=4)
    run = only_run(rooms)
    folds = [rooms.experiments.metrics(child.id)["test_score"].value for child in rooms.experiments.runs(parent=run.id)]
    assert len(folds) == 4
    assert rooms.experiments.metrics(run.id)["mean_test_score"].value == pytest.approx(np.mean(folds))


def test_fits_inside_another_fit_are_not_logged_even_in_threads(rooms, rows):
    VotingClassifier([("f", RandomForestClassifier(5, n_jobs=2)), ("t", DecisionTreeClassifier())]).fit(*rows)
    assert only_run(rooms).name == "VotingClassifier"


@pytest.mark.filterwarnings("ignore:Stochastic")
def test_curves_the_estimator_noted_are_metrics_by_step(rooms, rows):
    MLPClassifier((4,), max_iter=5, early_stopping=True, random_state=0).fit(*rows)
    run = only_run(rooms)
    assert len(rooms.experiments.history(run.id, "loss_curve")) == 5
    assert len(rooms.experiments.history(run.id, "validation_scores")) == 5


def test_everything_goes_into_the_run_that_is_open(rooms, rows):
    with mlops.start_run(experiment="mine") as run:
        LinearRegression().fit(*rows)
    assert rooms.experiments.metrics(run.id)["training_r2"].value < 1
    assert [item.name for item in rooms.experiments.list()] == ["mine"]


def test_clusters_log_their_model(rooms, rows):
    KMeans(2, n_init=1).fit(rows[0])
    assert "model/model.joblib" in {item.path for item in rooms.experiments.artifacts(only_run(rooms).id)}


def test_a_fit_that_raises_still_raises_and_marks_its_run_failed(rooms):
    with pytest.raises(ValueError, match="NaN"):
        LogisticRegression().fit([[np.nan], [1.0]], [0, 1])
    assert "ValueError" in only_run(rooms).error
    assert only_run(rooms).state == "failed"


def test_trouble_with_logging_never_reaches_fit(rooms, rows, monkeypatch, capsys):
    monkeypatch.setattr(estimators, "training_metrics", lambda *a: 1 / 0)
    LogisticRegression().fit(*rows)
    run = only_run(rooms)
    assert run.state == "finished"
    assert "division by zero" in capsys.readouterr().err
    assert "model/model.joblib" in {item.path for item in rooms.experiments.artifacts(run.id)}


def test_without_a_workspace_fit_goes_on(rows, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(tmp_path / "nowhere"))
    assert LogisticRegression().fit(*rows).n_features_in_ == 3
    assert "autolog left something out" in capsys.readouterr().err


def test_random_numbers_of_the_script_are_the_same_with_and_without(rows):
    np.random.seed(1)
    LogisticRegression().fit(*rows)
    with_it = np.random.random()
    np.random.seed(1)
    mlops.autolog(disable=True)
    LogisticRegression().fit(*rows)
    assert np.random.random() == with_it


def test_a_class_defined_later_logs_itself_and_disabling_undoes_all(rooms, rows):
    class Later(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return np.zeros(len(X), int)

    Later().fit(*rows)
    assert only_run(rooms).name == "Later"
    fit = vars(LogisticRegression)["fit"]
    mlops.autolog(disable=True)
    assert not hasattr(Later.fit, "mlops_original")
    assert vars(LogisticRegression)["fit"] is fit.mlops_original
    Later().fit(*rows)
    LogisticRegression().fit(*rows)
    assert len(rooms.experiments.runs("auto")) == 1


def test_a_wrapped_estimator_keeps_its_signature_and_can_be_cloned_and_pickled(rows):
    assert list(inspect.signature(LogisticRegression.fit).parameters) == ["self", "X", "y", "sample_weight"]
    model = clone(LogisticRegression(C=3)).fit(*rows)
    assert pickle.loads(pickle.dumps(model)).predict(rows[0]).tolist() == model.predict(rows[0]).tolist()


def test_a_fitted_estimator_becomes_a_version_when_asked(rooms, rows):
    mlops.autolog(experiment="auto", register="churn")
    LogisticRegression().fit(*rows)
    assert rooms.registry.version("churn/1").run_id == only_run(rooms).id
