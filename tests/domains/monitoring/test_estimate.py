"""Performance without labels against what labels say, and what it cannot see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mlops_tui.domains.monitoring.estimate import estimates
from mlops_tui.domains.monitoring.measures import Task, measures
from mlops_tui.domains.registry import trust

BINARY, NUMBERS = Task(True, ("no", "yes")), Task(False)


def answers(random: np.random.Generator, rows: int, tilt: float = 0.0, *, flipped: bool = False) -> pd.DataFrame:
    """A model whose scores are too bold: what it says is not how often it is so."""
    chance = random.beta(2 + tilt, 2, rows)
    score = 1 / (1 + np.exp(-2.5 * np.log(chance / (1 - chance))))
    label = np.where((random.uniform(size=rows) < chance) != flipped, "yes", "no")
    return pd.DataFrame({"prediction": np.where(score >= 0.5, "yes", "no"), "label": label, "score": score})


def learned(random: np.random.Generator, rows_: int = 4000) -> dict[str, Any]:
    rows = answers(random, rows_)
    found = trust.calibration(rows["score"], rows["label"] == "yes", held_out=True)
    assert found is not None
    return found


def test_estimates_hold_what_labels_say_as_often_as_they_promise() -> None:
    random, rounds, missed = np.random.default_rng(1), 20, dict[str, int]()
    known = learned(random)
    for _ in range(rounds):
        rows = answers(random, 500, tilt=1.5)  # other inputs, same outcomes for the same inputs
        said = {one.name: one.value for one in measures(rows, BINARY)}
        for one in estimates(rows, BINARY, known):
            assert one.low is not None
            assert one.high is not None
            missed[one.name] = missed.get(one.name, 0) + (not one.low <= said[one.name] <= one.high)
    assert set(missed) == {"accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"}
    allowed = stats.binom.ppf(0.999, rounds, 0.07)
    assert {name: count for name, count in missed.items() if count > allowed} == {}


def test_what_a_few_reference_rows_leave_open_is_in_the_estimate() -> None:
    random, missed = np.random.default_rng(2), dict[str, int]()
    for _ in range(12):
        rows = answers(random, 1000)
        said = {one.name: one.value for one in measures(rows, BINARY)}
        for one in estimates(rows, BINARY, learned(random, 200)):
            assert one.low is not None
            assert one.high is not None
            missed[one.name] = missed.get(one.name, 0) + (not one.low <= said[one.name] <= one.high)
    # As many would be missed by one of a thousand estimates that hold 90 % of the time; few rows cost as much.
    assert max(missed.values()) <= stats.binom.ppf(0.999, 12, 0.1)


def test_an_estimate_cannot_see_that_outcomes_changed() -> None:
    random = np.random.default_rng(2)
    known, rows = learned(random), answers(random, 2000, flipped=True)
    (accuracy,) = [one for one in estimates(rows, BINARY, known) if one.name == "accuracy"]
    assert accuracy.value > 0.65
    assert (rows["prediction"] == rows["label"]).mean() < 0.35


def test_of_more_classes_only_the_accuracy_is_estimated() -> None:
    random = np.random.default_rng(3)
    said = random.uniform(0.4, 1, 3000)
    known = trust.calibration(said, random.uniform(size=3000) < said, held_out=True)
    rows = pd.DataFrame({"prediction": "a", "score": said[:500]})
    (found,) = estimates(rows, Task(True, ("a", "b", "c")), known)
    assert found.name == "accuracy"
    assert abs(found.value - 0.7) < 0.03


def test_errors_of_numbers_are_estimated_by_inputs_like_these() -> None:
    random = np.random.default_rng(4)

    def rows(count: int, hard: float) -> pd.DataFrame:
        kind = random.choice(["calm", "wild"], count, p=[1 - hard, hard])
        size = random.uniform(0, 10, count)
        noise = random.normal(0, np.where(kind == "wild", 8, 1) + size / 5)
        return pd.DataFrame({"input.kind": kind, "input.size": size, "prediction": size, "label": size + noise})

    reference = rows(3000, 0.1)
    frame = reference[["input.kind", "input.size"]].rename(columns=lambda name: name.removeprefix("input."))
    known = trust.loss(frame, reference["prediction"], reference["label"], held_out=True)
    missed = 0
    for _ in range(12):
        window = rows(400, 0.6)
        found = {one.name: one for one in estimates(window, NUMBERS, known)}
        true = float((window["label"] - window["prediction"]).abs().mean())
        low, high = found["mae"].low, found["mae"].high
        assert low is not None
        assert high is not None
        missed += not low <= true <= high
        assert found["rmse"].value > found["mae"].value
    assert missed <= stats.binom.ppf(0.999, 12, 0.1)


def test_nothing_is_estimated_from_nothing() -> None:
    rows = answers(np.random.default_rng(5), 100)
    assert estimates(rows, BINARY, None) == []
    assert estimates(rows.head(5), BINARY, learned(np.random.default_rng(6))) == []
    assert estimates(rows.assign(score=None), BINARY, learned(np.random.default_rng(6))) == []
    assert trust.calibration([0.5] * 10, [True] * 10, held_out=True) is None
    assert trust.learn("regression", rows, rows["score"], None, None, None, held_out=False) is None
    assert trust.learn("clustering", rows, rows["score"], rows["score"], None, None, held_out=False) is None


def test_unknown_levels_missing_values_and_missing_columns_get_the_usual_error() -> None:
    random = np.random.default_rng(7)
    frame = pd.DataFrame({"kind": random.choice(["a", None], 200), "size": random.normal(size=200)})
    known = trust.loss(frame, np.zeros(200), random.normal(size=200), held_out=True)
    rows = pd.DataFrame({"input.kind": ["new", None] * 20, "prediction": 0.0})
    found = {one.name: one.value for one in estimates(rows, NUMBERS, known)}
    assert 0.4 < found["mae"] < 1.2
