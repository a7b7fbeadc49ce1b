"""Linear models as formulas: the same answers as the engine they were read off, nothing where that is not sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from mlops_tui.domains.registry.engines.exact import ExactEngine
from mlops_tui.domains.registry.engines.formula import Formula
from mlops_tui.domains.registry.engines.reading import formula_of
from mlops_tui.domains.registry.engines.reference import FrameEngine, columns_of

RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame({"a": RANDOM.normal(size=60), "far": 1e9 + RANDOM.normal(size=60), "n": RANDOM.integers(0, 5, 60)})
TWO = (ROWS["a"] + ROWS["n"] > 2).astype(int)
THREE = ROWS["n"].map({0: "low", 1: "low", 2: "middle", 3: "high", 4: "high"})


def formula(model: Any, truth: Any, rows: pd.DataFrame = ROWS) -> tuple[Formula | None, FrameEngine]:
    model.fit(rows, truth)
    outputs = [{"name": "prediction"}, *([{"name": "probabilities"}] if hasattr(model, "predict_proba") else [])]
    described = {"inputs": [{"name": name} for name in rows.columns], "outputs": outputs, "frame": True}
    reference = FrameEngine(model, described, rows)
    return formula_of(ExactEngine(reference, described, rows), model, described, rows), reference


@pytest.mark.parametrize(
    ("model", "truth"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), TWO),
        (make_pipeline(StandardScaler(), LogisticRegression()), THREE),
        (make_pipeline(SimpleImputer(), RobustScaler(), MaxAbsScaler(), LogisticRegression()), THREE),
        (make_pipeline(MinMaxScaler(), LinearRegression()), ROWS["a"] * 3 + ROWS["n"]),
        (make_pipeline(StandardScaler(), RidgeClassifier()), THREE),
    ],
)
def test_a_formula_answers_as_scikit_learn_does(model: Any, truth: Any) -> None:
    found, reference = formula(model, truth)
    assert found is not None
    columns = columns_of(ROWS)
    predicted, wide = found.answer(columns, len(ROWS)) or ([], [])
    expected, probabilities = reference.answer(columns, len(ROWS))
    if isinstance(expected[0], float):
        np.testing.assert_allclose(predicted, expected, rtol=1e-9)
    else:
        assert predicted == expected
    assert (wide is None) == (probabilities is None)
    if probabilities is not None:
        np.testing.assert_allclose(wide, probabilities, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(PCA(2), LogisticRegression()),
        make_pipeline(MinMaxScaler(clip=True), LogisticRegression()),
        RandomForestClassifier(3),
    ],
)
def test_models_that_are_more_than_sums_have_none(model: Any) -> None:
    assert formula(model, TWO)[0] is None


def test_an_engine_that_somebody_forced_is_asked() -> None:
    model = LinearRegression().fit(ROWS, TWO)
    described = {"inputs": [{"name": name} for name in ROWS], "outputs": [{"name": "prediction"}], "frame": True}
    assert formula_of(FrameEngine(model, described, ROWS), model, described, ROWS) is None


@pytest.mark.parametrize("value", [None, 1e308])
def test_rows_it_is_not_sure_of_are_declined(value: Any) -> None:
    found = Formula([], [[10.0, 1.0]], [0.0])
    assert found.answer({"a": [1.0], "b": [2.0]}, 1) == ([12.0], None)
    assert found.answer({"a": [1.0, value], "b": [2.0, 3.0]}, 2) is None
