"""Engines: what is compiled answers what scikit-learn answers, odd rows too; what does not agree is never chosen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.engines import choosing, reference
from mlops_tui.domains.registry.engines.exact import ExactEngine
from mlops_tui.domains.registry.engines.preparing import Uncompiled

RANDOM = np.random.default_rng(5)
ROWS = 120
NUMBERS = pd.DataFrame(RANDOM.normal(size=(ROWS, 4)), columns=["a", "b", "c", "d"])
MIXED = NUMBERS.assign(n=RANDOM.integers(0, 9, ROWS), plan=RANDOM.choice(["x", "y", "z"], ROWS))
HOLES = MIXED.assign(a=MIXED["a"].where(RANDOM.random(ROWS) > 0.2), plan=MIXED["plan"].where(RANDOM.random(ROWS) > 0.2))
YES = (NUMBERS["a"] + NUMBERS["b"] ** 2 > 0.8).astype(int)
THREE = pd.qcut(NUMBERS["a"] + NUMBERS["c"], 3, labels=["low", "mid", "top"]).astype(str)
REAL = NUMBERS["a"] * 3 + NUMBERS["b"]
NAMES = [*NUMBERS.columns, "n"]


def beside(numeric: Any, plans: Any) -> Any:
    return ColumnTransformer([("numbers", numeric, NAMES), ("plans", plans, ["plan"])])


COMPILED = {
    "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), NUMBERS, YES),
    "logistic of three": (make_pipeline(RobustScaler(), LogisticRegression()), NUMBERS, THREE),
    "ridge": (make_pipeline(MinMaxScaler(), Ridge()), NUMBERS, REAL),
    "logarithms": (
        TransformedTargetRegressor(HistGradientBoostingRegressor(max_iter=8), func=np.log1p, inverse_func=np.expm1),
        NUMBERS,
        REAL.abs(),
    ),
    "svc": (LinearSVC(), NUMBERS, THREE),
    "forest": (RandomForestClassifier(12, random_state=0), NUMBERS, THREE),
    "extra trees": (ExtraTreesRegressor(12, random_state=0), NUMBERS, REAL),
    "boosting": (GradientBoostingClassifier(n_estimators=8), NUMBERS, THREE),
    "boosting of two": (GradientBoostingClassifier(n_estimators=8), NUMBERS, YES),
    "histogram with holes": (
        make_pipeline(
            beside("passthrough", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
            HistGradientBoostingClassifier(max_iter=8),
        ),
        HOLES.assign(plan=MIXED["plan"]),
        YES,
    ),
    "one hot": (
        make_pipeline(beside(StandardScaler(), OneHotEncoder(handle_unknown="ignore")), LogisticRegression()),
        MIXED,
        YES,
    ),
    "imputed": (
        make_pipeline(
            beside(
                make_pipeline(SimpleImputer(), StandardScaler()),
                make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
            ),
            RandomForestClassifier(5, random_state=0),
        ),
        HOLES,
        YES,
    ),
}


def described(estimator: Any, rows: pd.DataFrame, task: str = "classification") -> dict[str, Any]:
    return package.describe(estimator, rows, task=task, target="y")


@pytest.mark.parametrize("name", COMPILED)
def test_the_fast_path_answers_what_scikit_learn_answers(name: str) -> None:
    estimator, rows, truth = COMPILED[name]
    estimator.fit(rows, truth)
    shape = described(estimator, rows)
    frame = reference.FrameEngine(estimator, shape, rows)
    exact = ExactEngine(frame, shape, rows)
    columns = reference.columns_of(rows)
    for count in (1, 3, ROWS):  # few rows go down the flat trees, many through each tree's own code
        some = {column: values[:count] for column, values in columns.items()}
        predicted, wide = exact.answer(some, count)
        expected, probabilities = frame.answer(some, count)
        assert predicted == (expected if isinstance(expected[0], str | int) else pytest.approx(expected, rel=1e-12))
        assert (wide is None) == (probabilities is None)
        if wide is not None:
            np.testing.assert_allclose(wide, probabilities, rtol=0, atol=1e-12)


def test_the_quickest_that_agrees_is_chosen_and_every_trial_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = {"frame": 900.0, "arrays": 200.0, "exact": 10.0}
    monkeypatch.setattr(choosing, "_microseconds", lambda engine, columns, rows: speed[engine.name])
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, YES)
    engine, choice = choosing.choose(estimator, described(estimator, NUMBERS), NUMBERS)
    assert (engine.name, choice.engine, choice.forced) == ("exact", "exact", False)
    assert {trial.engine: trial.us_one for trial in choice.trials} == speed


def test_an_engine_that_answers_otherwise_is_refused_with_the_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, YES)
    shape = described(estimator, NUMBERS)
    honest = ExactEngine.answer

    def liar(self: ExactEngine, columns: reference.Columns, rows: int) -> reference.Answers:
        predicted, wide = honest(self, columns, rows)
        return [1 - predicted[0], *predicted[1:]], wide

    monkeypatch.setattr(ExactEngine, "answer", liar)
    engine, choice = choosing.choose(estimator, shape, NUMBERS)
    assert engine.name != "exact"
    refused = next(trial for trial in choice.trials if trial.engine == "exact")
    assert (refused.agrees, refused.flipped > 0, refused.us_one) == (False, True, 0.0)
    with pytest.raises(InvalidInput, match="answers the stored rows otherwise"):
        choosing.choose(estimator, shape, NUMBERS, only="exact")
    fallen, note = choosing.open_engine("exact", estimator, shape, NUMBERS)
    assert (fallen.name, "exact is not used here" in note) == ("frame", True)


def test_rows_it_is_not_sure_of_are_answered_or_refused_by_scikit_learn() -> None:
    estimator, rows, truth = COMPILED["one hot"]
    estimator.fit(rows, truth)
    shape = described(estimator, rows)
    exact = ExactEngine(reference.FrameEngine(estimator, shape, rows), shape, rows)
    golden = reference.columns_of(rows.head(1))
    with pytest.raises(ValueError, match="NaN"):
        exact.answer({**golden, "a": [None]}, 1)
    assert exact.answer({**golden, "plan": ["never seen"]}, 1)[0][0] in {0, 1}


@pytest.mark.parametrize("estimator", [KMeans(2, n_init=1), IsolationForest(n_estimators=5)])
def test_what_is_not_compiled_is_asked_with_arrays(estimator: Any) -> None:
    estimator.fit(NUMBERS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine, choice = choosing.choose(estimator, described(estimator, NUMBERS, "clustering"), NUMBERS)
    assert {trial.engine for trial in choice.trials if trial.agrees} == {"frame", "arrays"}
    assert engine.name in {"frame", "arrays"}


def test_a_model_of_ones_own_is_asked_as_it_was_written() -> None:
    class Own:
        def predict(self, rows: pd.DataFrame) -> Any:
            return (rows["a"] > 0).to_numpy()

    engine, choice = choosing.choose(Own(), described(Own(), NUMBERS), NUMBERS)
    assert (engine.name, len(choice.trials)) == ("frame", 1)
    assert engine.answer({"a": [1.0], "b": [0.0], "c": [0.0], "d": [0.0]}, 1) == ([True], None)


def test_text_goes_to_a_vectorizer_as_texts() -> None:
    texts = pd.DataFrame({"said": ["good work", "bad luck", "good day", "bad work"] * 5})
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts["said"], [1, 0, 1, 0] * 5)
    shape = described(model, texts)
    engine, _ = choosing.choose(model, shape, texts)
    assert engine.answer({"said": ["good", "bad day"]}, 2)[0] == [1, 0]


def test_a_subclass_of_a_known_class_is_not_compiled() -> None:
    class Shifted(StandardScaler):
        def transform(self, X: Any, copy: Any = None) -> Any:
            return super().transform(X) + 1

    estimator = make_pipeline(Shifted(), Ridge()).fit(NUMBERS, REAL)
    shape = described(estimator, NUMBERS, "regression")
    with pytest.raises(Uncompiled):
        ExactEngine(reference.FrameEngine(estimator, shape, NUMBERS), shape, NUMBERS)
