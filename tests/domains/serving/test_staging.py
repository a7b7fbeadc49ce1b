"""Before its first traffic: what a version shows its worker, what a person may accept, and where it is all told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from mlops_tui.core.errors import NotAllowed, Unavailable
from mlops_tui.domains.registry import package, proof
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving import staging
from mlops_tui.domains.serving.predictor import Predictor
from mlops_tui.domains.serving.records import State, WorkerState
from mlops_tui.domains.serving.wire import Failed, Ready
from mlops_tui.domains.serving.worker import predictor_of
from mlops_tui.workbench import Workbench

GOOD = [("answers", True, "5 rows"), ("metrics", True, "as recorded")]
BAD = [("answers", True, "5 rows"), ("metrics", False, "roc_auc 0.9 recorded, 0.7 served, on 100 test rows")]
LIMITS = {"most_ms": 1e6, "most_mb": 1e6, "metrics": {}}


@pytest.fixture
def bench(workbench: Workbench, register: Callable[..., int]) -> Workbench:
    register()
    workbench.serving.deploy("churn", "churn/1")
    register()
    return workbench


def worker(version: int, checks: list[tuple[str, bool, str]]) -> WorkerState:
    state = State.READY if all(ok for _, ok, _ in checks) else State.FAILED
    return WorkerState("churn", version, state, checks=tuple(Health(*one) for one in checks))


# -- what a worker is asked to look at


def test_a_version_is_looked_at_once_and_again_with_another_engine(bench: Workbench) -> None:
    assert bench.serving.targets()["churn", 1].check == {"most_ms": 500.0, "most_mb": 2000.0, "metrics": {}}
    bench.serving.report([worker(1, GOOD)], [])
    assert bench.serving.targets()["churn", 1].check is None
    bench.registry.force_engine("churn/1", "frame")
    assert bench.serving.targets()["churn", 1].check is not None


def test_what_it_showed_is_in_the_trail_and_reported_twice_it_is_there_once(bench: Workbench) -> None:
    for _ in range(2):
        bench.serving.report([worker(1, GOOD)], [])
    (entry,) = [one for one in bench.audit.list() if one.verb == "check"]
    assert (entry.name, entry.after) == ("churn/1", {"answers": "5 rows", "metrics": "as recorded"})


def test_a_version_that_was_refused_alerts_and_is_not_deployed_again(bench: Workbench) -> None:
    bench.serving.deploy("churn", "churn/2")
    bench.serving.report([worker(2, BAD)], [])
    (alert,) = bench.alerts.list()
    assert "0.9 recorded, 0.7 served" in alert.detail
    bench.serving.rollback("churn")
    with pytest.raises(NotAllowed, match=r"0\.9 recorded, 0\.7 served"):
        bench.serving.deploy("churn", "churn/2")
    with pytest.raises(NotAllowed, match=r"0\.9 recorded, 0\.7 served"):
        bench.serving.rollouts.start("churn", "churn/2", [10])


def test_a_person_may_accept_it_and_says_why(bench: Workbench) -> None:
    bench.serving.report([worker(2, BAD)], [])
    bench.serving.checking.accept("churn/2", "the test rows were wrong")
    assert bench.serving.deploy("churn", "churn/2").versions[0].version == 2
    assert bench.serving.targets()["churn", 2].check is None
    assert [one.accepted_by for one in bench.serving.checking.of(bench.serving.get("churn"))] == ["tester"]


def test_a_version_with_other_inputs_gets_no_traffic_until_somebody_accepts_it(
    bench: Workbench, register: Callable[..., int]
) -> None:
    other = register(inputs=[{"name": "age", "type": "int64"}])
    for deploy in (
        lambda: bench.serving.deploy("churn", f"churn/{other}"),
        lambda: bench.serving.split("churn", {1: 50, other: 50}),
    ):
        with pytest.raises(NotAllowed, match="other than what serves now: age, plan, visits"):
            deploy()
    bench.serving.checking.accept(f"churn/{other}", "callers know")
    assert bench.serving.deploy("churn", f"churn/{other}").versions[0].version == other
    assert bench.serving.rollback("churn").versions[0].version == 1


# -- looking by hand


def test_looking_by_hand_lists_every_check_and_remembers_them(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = [
        Ready({}, "", GOOD),
        Failed("refused", BAD),
        Failed("it cannot be unpickled"),
        "it ended with -9",
    ]
    monkeypatch.setattr(staging, "_ask", lambda *_: said.pop(0))

    def look() -> dict[str, bool]:
        return {one.check: one.ok for one in bench.serving.checking.look(bench.serving.get("churn"), "churn/2")}

    assert look() == {"inputs": True, "answers": True, "metrics": True}
    bench.serving.deploy("churn", "churn/2")
    assert bench.serving.targets()["churn", 2].check is None
    assert look() == {"inputs": True, "answers": True, "metrics": False}
    assert look() == look() == {"inputs": True, "package": False}


# -- in the worker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"a": generator.normal(size=400), "b": generator.normal(size=400)})
    truth = np.where(rows["a"] + generator.normal(size=400) > 0, "yes", "no")
    model = LogisticRegression().fit(rows[:200], truth[:200])
    test = (rows[200:], truth[200:])
    package.save(tmp_path / "p", model, sample=rows, task="classification", target="y", held_out=test)
    return tmp_path / "p"


def looked(folder: Path, **changes: Any) -> dict[str, Health]:
    predictor: Predictor = predictor_of(folder)[0]
    return {one.check: one for one in staging.look(folder, predictor, 0, {**LIMITS, **changes})}


def test_a_package_scores_on_its_test_rows_what_was_recorded(folder: Path) -> None:
    found = looked(folder, metrics=proof.stored(folder)[2]["metrics"])  # type: ignore[index]
    assert all(one.ok for one in found.values())
    assert found["metrics"].detail.startswith("as recorded on 200 test rows: accuracy 0.")


def test_other_metrics_than_recorded_are_refused_with_both_figures(folder: Path) -> None:
    found = looked(folder, metrics={"accuracy": 0.99, "roc_auc": 0.5, "cost": 3.0})
    served = proof.stored(folder)[2]["metrics"]  # type: ignore[index]
    assert not found["metrics"].ok
    assert f"accuracy 0.99 recorded, {served['accuracy']:.6g} served" in found["metrics"].detail
    assert f"roc_auc 0.5 recorded, {served['roc_auc']:.6g} served" in staging.refusal(list(found.values()))


def test_a_model_that_answers_its_test_rows_otherwise_is_refused(folder: Path) -> None:
    model = package.load(folder)
    model.coef_ = -model.coef_
    import cloudpickle

    (folder / "model.joblib").write_bytes(cloudpickle.dumps(model))
    assert not looked(folder)["metrics"].ok


def test_a_model_that_learned_from_its_test_rows_is_compared_with_itself_only(folder: Path, tmp_path: Path) -> None:
    kept = proof.stored(folder) or pytest.fail("nothing was kept")
    rows, truth, _ = kept
    again = {"task": "classification", "target": "y", "held_out": (rows, truth), "learned": True}
    package.save(tmp_path / "again", package.load(folder), sample=rows, **again)
    assert looked(tmp_path / "again", metrics={"accuracy": 0.1})["metrics"].ok


def test_slow_and_large_versions_are_told_apart(folder: Path) -> None:
    assert [name for name, one in looked(folder, most_ms=1e-6).items() if not one.ok] == ["latency"]
    assert [name for name, one in looked(folder, most_mb=1e-6).items() if not one.ok] == ["memory"]


def test_metrics_are_compared_within_what_engines_may_differ_by() -> None:
    found: proof.Scores = {"accuracy": (0.8, 0.9), "rmse": (10.0,)}
    assert proof.apart({"accuracy": 0.9, "rmse": 10.005}, found) == {}
    assert proof.apart({"accuracy": 0.85, "rmse": 10.05}, found) == {"accuracy": (0.85, 0.8), "rmse": (10.05, 10.0)}


def test_of_many_test_rows_some_are_kept_and_rows_without_a_truth_are_not(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": np.arange(12000.0)})
    truth = np.where(rows["a"] % 2 == 0, rows["a"] * 2, np.nan)
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(rows, rows["a"] * 2)
    package.save(tmp_path / "p", model, sample=rows, task="regression", target="y", held_out=(rows, truth))
    frame, true, facts = proof.stored(tmp_path / "p") or pytest.fail("nothing was kept")
    assert (facts["rows"], facts["of"], len(frame), len(true)) == (5000, 6000, 5000, 5000)
    assert frame["a"].max() == 11998.0


# -- apart from the worker that will serve


def test_what_it_takes_to_look_is_given_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept: list[int] = []

    def look(folder: Path, predictor: Any, before: int, order: dict[str, Any]) -> list[Health]:
        kept.append(1)
        return [Health("answers", True, f"{staging.private_bytes() - before >= 0} {os.getpid() != here}")]

    here = os.getpid()
    monkeypatch.setattr(staging, "look", look)
    (found,) = staging.look_aside(tmp_path, None, 0, LIMITS)  # type: ignore[arg-type]
    assert (found.detail, kept) == ("True True", [])


def test_a_model_that_takes_its_process_down_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(staging, "look", lambda *_: os.kill(os.getpid(), 9))
    with pytest.raises(Unavailable, match="ended by signal 9"):
        staging.look_aside(tmp_path, None, 0, LIMITS)  # type: ignore[arg-type]
