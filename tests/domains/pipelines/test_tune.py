"""The tune step on its trial table; fitting and scoring are stood in for."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.domains.pipelines import engines
from mlops_tui.domains.pipelines.making import Range, Tune
from mlops_tui.domains.pipelines.operating import Resources
from mlops_tui.domains.pipelines.steps import tune
from mlops_tui.domains.pipelines.store import PipelinesStore
from mlops_tui.domains.pipelines.work import Work


class Killed(BaseException):
    """What a kill looks like from inside a test."""


@pytest.fixture
def work(workbench, monkeypatch):
    """A search of six settings of x, scored by rmse = x, lower is better."""
    fold = (np.arange(2), np.arange(2))
    monkeypatch.setattr(tune.fitting, "folds", lambda work, frame, count, kind: [fold] * count)
    monkeypatch.setattr(tune, "_judge", lambda work, frame, params, cut: params["x"])
    workbench.pipelines.list()  # the tables are made when the room is opened
    said, noted = [], []
    recipe = SimpleNamespace(
        primary="rmse",
        tune=Tune(method="random", trials=6, cv=2, space={"x": Range(0.0, 1.0)}),
        split=SimpleNamespace(seed=0),
        resources=Resources(),
    )
    return SimpleNamespace(
        recipe=recipe,
        study="study",
        run_id="run",
        store=PipelinesStore(workbench.context),
        context=workbench.context,
        read_frame=lambda name: None,
        seed=lambda number: None,
        say=said.append,
        note=noted.append,
        said=said,
        noted=noted,
    )


def test_the_best_setting_wins_and_every_trial_is_a_row(work):
    result = tune.run(work)
    trials = work.store.trials_of("run")
    assert [trial.number for trial in trials] == list(range(6))
    best = min((trial for trial in trials if trial.state == "done"), key=lambda trial: trial.value)
    assert (result["params"], result["value"], result["trials"]) == (best.params, best.value, 6)
    assert work.noted[-1] == f"6 of 6 trials, best rmse {best.value:.4g}"


def test_a_search_that_was_killed_goes_on_where_it_was(work, monkeypatch):
    whole = tune.run(work)
    judged = []

    def judge(work, frame, params, cut):
        if len(judged) == 5:  # in the third setting: two were judged on both folds
            raise Killed
        judged.append(params["x"])
        return params["x"]

    work.study = "killed"
    with monkeypatch.context() as patch:
        patch.setattr(tune, "_judge", judge)
        with pytest.raises(Killed):
            tune.run(work)
    assert [trial.number for trial in work.store.trials("killed")] == [0, 1]
    work.run_id = "next"  # a run that asks for the same
    work.said.clear()
    again = tune.run(work)
    assert work.said[0] == "2 of 6 trials were done by an earlier try"
    assert [trial.run for trial in work.store.trials_of("next")] == ["run"] * 2 + ["next"] * 4
    assert (again["params"], again["value"]) == (whole["params"], whole["value"])


def test_a_search_in_which_nothing_can_be_fitted_says_why(work, monkeypatch):
    def fail(work, frame, params, cut):
        raise ValueError("max_depth must be positive")

    monkeypatch.setattr(tune, "_judge", fail)
    with pytest.raises(InvalidInput, match="could be fitted: max_depth must be positive"):
        tune.run(work)
    assert {trial.state for trial in work.store.trials("study")} == {"failed"}


def test_optuna_proposes_from_the_table_and_a_killed_search_ends_as_a_whole_one_does(work, monkeypatch):
    pytest.importorskip("optuna")
    work.recipe.tune = Tune(
        method="optuna",
        trials=14,
        cv=1,
        prune=False,
        space={"x": Range(0.0, 1.0), "deep": Range(1, 9), "kind": ["a", "b"]},
    )
    whole = tune.run(work)
    trials = work.store.trials_of("run")
    assert len({str(trial.params) for trial in trials}) == 14
    late, early = ([trial.params["x"] for trial in part] for part in (trials[8:], trials[:8]))
    assert sum(late) / len(late) < sum(early) / len(early)  # it goes where it was good
    work.study = "killed"
    with work.context.catalog.write() as tx:
        for trial in trials[:10]:
            work.store.put_trial(tx, "killed", trial)
    again = tune.run(work)
    assert (again["params"], again["value"], again["trials"]) == (whole["params"], whole["value"], 14)
    assert work.store.trials("killed")[13].params == trials[13].params


def test_an_engine_changes_nothing_about_what_is_found(work, monkeypatch):
    import joblib

    here = tune.run(work)
    monkeypatch.setattr(tune.engines, "engine", lambda resources: joblib.parallel_config(backend="sequential"))
    monkeypatch.setattr(tune.engines, "portable", lambda work: work)
    work.recipe.resources, work.study = Resources(engine="dask", jobs=2), "there"
    there = tune.run(work)
    assert {**there, "study": ""} == {**here, "study": ""}
    states = [
        [(one.number, one.state, one.params, one.folds) for one in work.store.trials(name)]
        for name in ("study", "there")
    ]
    assert states[0] == states[1]


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_an_engine_that_is_not_installed_is_said_with_the_line_that_installs_it(name, monkeypatch):
    for module in ("distributed", "ray"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(Unavailable) as caught, engines.engine(Resources(engine=name)):
        raise AssertionError
    assert caught.value.hint == f"pip install 'mlops-tui[{name}]'"


@pytest.fixture
def whole_work(tmp_path):
    """A run whose note goes to this process, as it has while it searches."""
    rooms = dict.fromkeys(("recipe", "context", "features", "experiments", "registry", "serving", "store"))
    return Work("run", "", "", folder=tmp_path, code=tmp_path, note=lambda text: None, **rooms)


def test_what_goes_to_a_cluster_can_be_sent_also_where_the_engine_replaces_print(whole_work, monkeypatch):
    monkeypatch.setattr("builtins.print", lambda *_: None)  # as Ray does
    assert pickle.loads(pickle.dumps(engines.portable(whole_work))).run_id == "run"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_does_what_joblib_asks_of_it_on_workers_of_its_own(whole_work):
    joblib = pytest.importorskip("joblib")
    pytest.importorskip("ray")
    with engines.engine(Resources(engine="ray", jobs=2)):
        work = engines.portable(whole_work)
        found = joblib.Parallel(n_jobs=-1)(
            joblib.delayed(lambda work, x: (work.run_id, x * x))(work, x) for x in range(3)
        )
    assert found == [("run", 0), ("run", 1), ("run", 4)]
