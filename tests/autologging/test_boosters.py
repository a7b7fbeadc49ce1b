"""Boosters that log themselves: small stand-ins of both libraries, installed where imports find them.

They keep the parts of the contract that are used: `train` with callbacks, what callbacks are called with, what a booster can say.
"""

from __future__ import annotations

import importlib
import json
import sys

import pytest

import mlops_tui as mlops
from mlops_tui.autologging import watching

XGBOOST = """
from xgboost.training import train
from xgboost.core import Booster
"""
XGBOOST_TRAINING = """
from xgboost.core import Booster
def train(params, dtrain, num_boost_round=10, *, evals=None, evals_result=None, callbacks=None):
    if dtrain is None:
        raise TypeError("no data")
    booster, log = Booster(params), {}
    for epoch in range(num_boost_round):
        for data, name in evals or ():
            log.setdefault(name, {}).setdefault("rmse", []).append(1 / (epoch + 1))
        if any([one.after_iteration(booster, epoch, log) for one in callbacks or ()]):
            break
    booster.rounds, booster.seen = epoch + 1, callbacks
    return booster
"""
XGBOOST_CORE = """
import pathlib
class Booster:
    best_iteration = 2
    def __init__(self, params): self.params = params
    def get_score(self, importance_type): return {"a": 1.0, "b": 3.0}
    def save_model(self, path): pathlib.Path(path).write_bytes(b"booster")
"""
XGBOOST_CALLBACK = "class TrainingCallback:\n    pass\n"
LIGHTGBM = """
import collections, pathlib
Env = collections.namedtuple("Env", "iteration evaluation_result_list")
class EarlyStop(Exception): pass
class Booster:
    best_iteration = 0
    def feature_name(self): return ["a", "b"]
    def feature_importance(self, kind): return [1.0, 2.0]
    def save_model(self, path): pathlib.Path(path).write_text("tree")
def train(params, train_set, num_boost_round=100, callbacks=None):
    for iteration in range(num_boost_round):
        for one in sorted(callbacks or (), key=lambda one: getattr(one, "order", 10)):
            one(Env(iteration, [("valid", "auc", 0.5 + iteration / 10, True)]))
    return Booster()
"""


@pytest.fixture(autouse=True)
def here(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("xgboost", "lightgbm")]:
        monkeypatch.delitem(sys.modules, name)
    files = {
        "xgboost/__init__.py": XGBOOST,
        "xgboost/training.py": XGBOOST_TRAINING,
        "xgboost/core.py": XGBOOST_CORE,
        "xgboost/callback.py": XGBOOST_CALLBACK,
        "lightgbm/__init__.py": LIGHTGBM,
    }
    for name, text in files.items():
        path = tmp_path / "libraries" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "libraries"))
    importlib.invalidate_caches()
    yield
    mlops.autolog(disable=True)
    watching._complaints.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("xgboost", "lightgbm")]:
        del sys.modules[name]


@pytest.fixture
def rooms(workspace):
    with mlops.open(actor="reader") as bench:
        yield bench


def only_run(rooms):
    (run,) = rooms.experiments.runs("auto")
    return run


def test_xgboost_s_train_logs_curves_importance_and_the_model(rooms):
    mlops.autolog(experiment="auto")
    import xgboost  # imported after autolog was asked for

    booster = xgboost.train({"eta": 0.3}, "data", 4, evals=[("data", "val")])
    assert (type(booster), booster.rounds) == (xgboost.Booster, 4)
    run = only_run(rooms)
    assert (run.name, run.state, run.tags["autolog"]) == ("xgboost.train", "finished", "xgboost")
    assert rooms.experiments.params(run.id) == {"eta": "0.3", "num_boost_round": "4"}
    assert [point.value for point in rooms.experiments.history(run.id, "val-rmse")] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert rooms.experiments.metrics(run.id)["best_iteration"].value == 2
    assert list(json.loads(rooms.experiments.artifact_file(run.id, "importance.json").read_text())) == ["b", "a"]
    assert rooms.experiments.artifact_file(run.id, "model/model.ubj").read_bytes() == b"booster"


def test_lightgbm_s_train_keeps_the_user_s_callbacks(rooms):
    import lightgbm  # imported before

    mlops.autolog(experiment="auto", log_models=False)
    seen = []
    lightgbm.train(
        {"objective": "binary"}, "data", num_boost_round=3, callbacks=[lambda env: seen.append(env.iteration)]
    )
    run = only_run(rooms)
    assert seen == [0, 1, 2]
    assert [point.value for point in rooms.experiments.history(run.id, "valid-auc")] == [0.5, 0.6, 0.7]
    assert "model/model.txt" not in {one.path for one in rooms.experiments.artifacts(run.id)}


def test_what_train_raises_comes_through_and_fails_the_run(rooms):
    mlops.autolog(experiment="auto")
    import xgboost

    with pytest.raises(TypeError, match="no data"):
        xgboost.train({}, None)
    assert only_run(rooms).state == "failed"
    with pytest.raises(TypeError):
        xgboost.train()
    assert len(rooms.experiments.runs("auto")) == 1


def test_trouble_with_logging_never_reaches_the_training(rooms, monkeypatch, capsys):
    mlops.autolog(experiment="auto")
    import xgboost

    def broken(*_, **__):
        raise OSError("no space")

    for name in ("params_of", "with_curves", "log_booster"):
        monkeypatch.setattr(f"mlops_tui.autologging.boosters.{name}", broken)
    assert xgboost.train({}, "data", 2).rounds == 2
    assert "no space" in capsys.readouterr().err


def test_the_active_run_is_logged_to_and_stays_open(rooms):
    mlops.autolog(experiment="auto")
    import xgboost

    with mlops.start_run("mine") as run:
        xgboost.train({"eta": 1}, "data", 2)
        assert not run.ended
    assert rooms.experiments.params(run.id)["eta"] == "1"
    assert [one.name for one in rooms.experiments.list()] == ["mine"]


def test_disabling_puts_the_functions_back(rooms):
    import xgboost

    original = xgboost.train
    mlops.autolog(experiment="auto")
    assert xgboost.train is not original
    mlops.autolog(disable=True)
    assert xgboost.train is original
    assert xgboost.training.train is original
    import lightgbm

    assert not hasattr(lightgbm.train, "mlops_original")


def test_curves_of_estimators_are_those_of_both_libraries():
    from mlops_tui.autologging.boosters import curves_of

    one = type(
        "XGBRegressor",
        (),
        {"__module__": "xgboost.sklearn", "evals_result": lambda self: {"validation_0": {"rmse": [2, 1]}}},
    )
    none = type("XGBRegressor", (), {"__module__": "xgboost.sklearn", "evals_result": lambda self: 1 / 0})
    two = type("LGBMRegressor", (), {"__module__": "lightgbm.sklearn", "evals_result_": {"valid": {"l2": [3]}}})
    assert curves_of(one()) == {"validation_0-rmse": [2, 1]}
    assert (curves_of(none()), curves_of(two()), curves_of(object())) == ({}, {"valid-l2": [3]}, {})
