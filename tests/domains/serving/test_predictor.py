"""Batches: shared calls, rows that fit their types, a bad request that fails alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.registry.engines.reference import FrameEngine, likeliest_labels, one_thread
from mlops_tui.domains.serving.predictor import (
    MAX_BATCH_ROWS,
    Predictor,
    batches,
    golden_request,
    one_line,
)
from mlops_tui.domains.serving.wire import Ask

SAMPLE = pd.DataFrame(
    {
        "x": [1.0, 2.0],
        "n": [1, 2],
        "c": pd.Series(["a", "b"], dtype="category"),
        "on": [True, False],
        "at": pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True),
    }
)
DESCRIBED = {
    "inputs": [{"name": name, "type": "?"} for name in SAMPLE.columns],
    "outputs": [{"name": "prediction", "type": "float64"}],
    "frame": True,
}


class Adder:
    """Doubles x; remembers what it was asked; refuses 13 as bad rows, dies of 99."""

    def __init__(self) -> None:
        self.calls: list[pd.DataFrame] = []

    def predict(self, rows: pd.DataFrame) -> Any:
        self.calls.append(rows)
        if (rows["x"] == 13).any():
            raise ValueError("13 is unlucky. Read the manual.")
        if (rows["x"] == 99).any():
            raise RuntimeError("broken inside")
        return rows["x"].to_numpy() * 2

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        return np.column_stack([rows["x"], 1 - rows["x"]])


def ask(number: int, *xs: float | None, alone: bool = False, **changes: list[Any]) -> Ask:
    count = len(xs)
    columns = {
        "x": list(xs),
        "n": [1] * count,
        "c": ["a"] * count,
        "on": [True] * count,
        "at": ["2026-01-01T00:00:00Z"] * count,
    }
    return Ask(number, count, {**columns, **changes}, alone)


@pytest.fixture
def adder() -> Adder:
    return Adder()


@pytest.fixture
def predictor(adder: Adder) -> Predictor:
    return Predictor(FrameEngine(adder, DESCRIBED, SAMPLE))


def test_what_arrived_together_is_one_call_and_each_gets_its_rows(predictor: Predictor, adder: Adder) -> None:
    answers = predictor.answer([ask(5, 1.0, 2.0), ask(6, 3.0)])
    assert [(answer.id, answer.prediction) for answer in answers] == [(5, [2.0, 4.0]), (6, [6.0])]
    assert len(adder.calls) == 1


def test_rows_have_the_types_of_training(predictor: Predictor, adder: Adder) -> None:
    predictor.answer([ask(1, 1.0)])
    assert adder.calls[0].dtypes.to_dict() == SAMPLE.dtypes.to_dict()


def test_nulls_become_missing_values(predictor: Predictor, adder: Adder) -> None:
    answer = predictor.answer([ask(1, None, n=[None], c=[None], on=[None], at=[None])])[0]
    assert not answer.error
    assert adder.calls[0].isna().all(axis=None)


def test_an_unknown_category_is_missing_not_an_error(predictor: Predictor, adder: Adder) -> None:
    assert not predictor.answer([ask(1, 1.0, c=["zzz"])])[0].error


def test_a_bad_request_fails_alone(predictor: Predictor) -> None:
    answers = predictor.answer([ask(1, 1.0), ask(2, 13.0), ask(3, 99.0), ask(4, 2.0)])
    assert [answer.blame for answer in answers] == ["", "input", "model", ""]
    assert answers[1].error == "13 is unlucky"
    assert [answers[0].prediction, answers[3].prediction] == [[2.0], [4.0]]


def test_a_lonely_request_is_never_batched(predictor: Predictor, adder: Adder) -> None:
    predictor.answer([ask(1, 1.0), ask(2, 2.0, alone=True), ask(3, 3.0)])
    assert [len(call) for call in adder.calls] == [1, 1, 1]


def test_batches_are_bounded() -> None:
    asks = [Ask(number, MAX_BATCH_ROWS // 2, {}) for number in range(5)]
    assert [len(batch) for batch in batches(asks)] == [2, 2, 1]
    assert [len(batch) for batch in batches([Ask(1, MAX_BATCH_ROWS * 3, {}), Ask(2, 1, {})])] == [1, 1]


def test_probabilities_come_along_when_the_signature_has_them(adder: Adder) -> None:
    described = {**DESCRIBED, "outputs": [*DESCRIBED["outputs"], {"name": "probabilities", "type": "float64"}]}
    answers = Predictor(FrameEngine(adder, described, SAMPLE)).answer([ask(1, 0.25), ask(2, 0.5)])
    assert [answer.probabilities for answer in answers] == [[[0.25, 0.75]], [[0.5, 0.5]]]


def test_a_model_that_answers_too_few_rows_is_at_fault(predictor: Predictor, adder: Adder) -> None:
    adder.predict = lambda rows: [1.0]  # type: ignore[method-assign]
    answer = predictor.answer([ask(1, 1.0, 2.0)])[0]
    assert answer.blame == "model"
    assert "1 predictions for 2 rows" in answer.error


def test_the_golden_request_is_the_first_sample_row_as_a_client_would_send_it() -> None:
    assert golden_request(SAMPLE) == {
        "x": [1.0],
        "n": [1],
        "c": ["a"],
        "on": [True],
        "at": ["2026-01-01T00:00:00+00:00"],
    }
    assert golden_request(pd.DataFrame({"x": [float("nan")]})) == {"x": [None]}


def test_threads_inside_an_estimator_are_switched_off() -> None:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.pipeline import make_pipeline

    forest = make_pipeline(RandomForestRegressor(n_jobs=-1))
    one_thread(forest)
    assert forest[0].n_jobs == 1


def test_errors_are_one_sentence() -> None:
    assert one_line(ValueError("First.\nSecond line. Third")) == "First"
    assert one_line(KeyError()) == "KeyError"


def test_labels_are_read_off_the_probabilities_only_where_that_is_the_same() -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = pd.DataFrame({"x": np.linspace(-1, 1, 50)})
    truth = np.where(rows["x"] > 0.1, "yes", "no")
    model = make_pipeline(LogisticRegression()).fit(rows, truth)
    assert list(likeliest_labels(model, rows)) == ["no", "yes"]
    assert likeliest_labels(DummyClassifier().fit(rows, truth), rows) is None
    described = {
        "inputs": [{"name": "x", "type": "float64"}],
        "outputs": [{"name": "prediction", "type": "string"}, {"name": "probabilities", "type": "float64"}],
        "frame": True,
    }
    answer = Predictor(FrameEngine(model, described, rows)).answer([Ask(1, 50, {"x": rows["x"].tolist()})])[0]
    assert answer.prediction == model.predict(rows).tolist()
    assert answer.probabilities == model.predict_proba(rows).tolist()


def test_one_missing_number_among_floats_is_nan() -> None:
    sample = pd.DataFrame({"x": [1.0], "y": [2.0]})
    described = {**DESCRIBED, "inputs": [{"name": "x", "type": "float64"}, {"name": "y", "type": "float64"}]}
    adder = Adder()
    Predictor(FrameEngine(adder, described, sample)).answer([Ask(1, 2, {"x": [1, None], "y": [3, 4.5]})])
    expected = pd.DataFrame({"x": [1.0, np.nan], "y": [3.0, 4.5]})
    pd.testing.assert_frame_equal(adder.calls[0], expected)
