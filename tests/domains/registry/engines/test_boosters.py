"""XGBoost, LightGBM and ONNX graphs as engines: they answer as the library does, and are refused where they do not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.engines import converting
from mlops_tui.domains.registry.engines.choosing import choose
from mlops_tui.domains.registry.engines.exact import ExactEngine
from mlops_tui.domains.registry.engines.reference import FrameEngine, columns_of
from mlops_tui.domains.registry.exports import onnx


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame({"first one": generator.normal(size=150), "b": generator.normal(size=150) * 5})


def of(library: str, kind: str, **changes: Any) -> Any:
    module = pytest.importorskip(library)
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    return getattr(module, ("XGB" if library == "xgboost" else "LGBM") + kind)(n_estimators=12, **quiet, **changes)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("task", ["two labels", "three labels", "numbers"])
def test_few_and_many_rows_are_answered_as_by_the_library_and_missing_values_too(
    rows: pd.DataFrame, library: str, task: str
) -> None:
    total = rows["first one"] + rows["b"] / 5
    truth = (
        total if task == "numbers" else (total > 0).astype(int) + ((total > 1).astype(int) if "three" in task else 0)
    )
    holes = rows.mask(np.random.default_rng(1).random(rows.shape) < 0.1)
    model = of(library, "Regressor" if task == "numbers" else "Classifier").fit(holes, truth)
    kind = "regression" if task == "numbers" else "classification"
    described = package.describe(model, holes, task=kind, target="y")
    _, choice = choose(model, described, holes, more=rows)
    exact = next(trial for trial in choice.trials if trial.engine == "exact")
    assert exact.agrees, exact.note
    assert exact.flipped == 0


@pytest.mark.filterwarnings("ignore::Warning")  # LightGBM's of its own next release
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_trees_past_the_best_round_and_infinite_numbers_are_the_librarys_business(
    rows: pd.DataFrame, library: str
) -> None:
    noise = np.random.default_rng(2).normal(size=150)
    stop = {"early_stopping_rounds": 2} if library == "xgboost" else {}
    model = of(library, "Regressor", learning_rate=0.9, **stop)
    if library == "lightgbm":
        callbacks = {"callbacks": [pytest.importorskip("lightgbm").early_stopping(2, verbose=False)]}
        model.fit(rows[:100], noise[:100], eval_set=[(rows[100:], noise[100:])], **callbacks)
    else:
        model.fit(rows[:100], noise[:100], eval_set=[(rows[100:], noise[100:])], verbose=False)
    described = package.describe(model, rows, task="regression", target="y")
    reference = FrameEngine(model, described, rows)
    engine, columns = ExactEngine(reference, described, rows), columns_of(rows)
    for size in (3, 100):
        part = {name: values[:size] for name, values in columns.items()}
        assert engine.answer(part, size)[0] == pytest.approx(reference.answer(part, size)[0], rel=1e-5, abs=1e-6)
    if library == "lightgbm":  # the other one refuses them
        strange = {name: [float("inf")] for name in columns}
        assert engine.answer(strange, 1) == reference.answer(strange, 1)


@pytest.mark.skipif(not all(map(find_spec, converting.NEEDS)), reason="skl2onnx and onnxruntime are not installed")
def test_a_graph_that_agrees_is_kept_and_tried_with_numbers(rows: pd.DataFrame, tmp_path: Path) -> None:
    truth = np.where(rows["b"] > 0, "high", "low")
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, truth)
    package.save(tmp_path / "p", model, sample=rows, task="classification", target="y", held_out=(rows, truth))
    assert (tmp_path / "p" / "model.onnx").exists()
    trials = package._read_json(tmp_path / "p" / "engine.json")["trials"]
    (graph,) = [trial for trial in trials if trial["engine"] == "onnx"]
    assert graph["agrees"]
    assert graph["us_one"] > 0


class _Graph:
    """A conversion that answers every row with the same."""

    name = "onnx"
    FILE = "model.onnx"
    tolerance = 1e-5

    def __init__(self, *_: Any) -> None: ...

    def answer(self, columns: dict[str, list[Any]], rows: int) -> Any:
        return [False] * rows, [[1.0, 0.0]] * rows


def test_a_graph_that_answers_otherwise_is_thrown_away_and_it_is_said(
    rows: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LogisticRegression().fit(rows, rows["b"] > 0)
    described = package.describe(model, rows, task="classification", target="y")
    monkeypatch.setattr(converting, "find_spec", lambda name: True)
    monkeypatch.setattr(onnx, "converted", lambda *_: b"a graph")
    monkeypatch.setattr("mlops_tui.domains.registry.engines.choosing.GraphEngine", _Graph)
    refused = converting.convert(model, described, rows, tmp_path)
    assert refused is not None
    assert not refused.agrees
    assert "answers the stored rows otherwise" in refused.note
    assert not (tmp_path / "model.onnx").exists()


def test_an_engine_must_agree_on_test_rows_as_well(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LogisticRegression().fit(rows, rows["b"] > 0)
    described = package.describe(model, rows, task="classification", target="y")
    right = ExactEngine.answer

    def answer(self: ExactEngine, columns: Any, count: int) -> Any:
        predicted, wide = right(self, columns, count)
        return ([not one for one in predicted] if count == 77 else predicted), wide

    monkeypatch.setattr(ExactEngine, "answer", answer)
    assert choose(model, described, rows)[1].engine == "exact"
    _, choice = choose(model, described, rows, more=rows.head(77))
    assert choice.engine != "exact"
    assert next(trial for trial in choice.trials if trial.engine == "exact").flipped == 77
