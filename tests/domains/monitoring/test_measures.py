"""Measures against scikit-learn, and their intervals against their promise: how often they hold the truth."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics

from mlops_tui.domains.monitoring import intervals
from mlops_tui.domains.monitoring.measures import Task, errors, measures

NUMBERS, BINARY = Task(False), Task(True, ("no", "yes"))


def values(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    return {one.name: one.value for one in measures(rows, task)}


def numbers(random: np.random.Generator, rows: int) -> pd.DataFrame:
    truth = random.gamma(2, 10, rows)
    said = np.clip(truth + random.normal(0, 3, rows), 0, None)
    return pd.DataFrame({"prediction": said, "label": truth, "score": np.nan})


def answers(random: np.random.Generator, rows: int) -> pd.DataFrame:
    score = random.beta(1.2, 1.6, rows)
    label = np.where(random.uniform(size=rows) < score, "yes", "no")
    return pd.DataFrame({"prediction": np.where(score >= 0.5, "yes", "no"), "label": label, "score": score})


def test_measures_of_numbers_agree_with_scikit_learn() -> None:
    rows = numbers(np.random.default_rng(1), 400)
    truth, said, found = rows["label"], rows["prediction"], values(rows, NUMBERS)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, said))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, said))
    assert found["rmsle"] == pytest.approx(metrics.root_mean_squared_log_error(truth, said))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, said))
    assert found["bias"] == pytest.approx((said - truth).mean())


def test_measures_of_two_classes_agree_with_scikit_learn() -> None:
    rows = answers(np.random.default_rng(2), 400).round({"score": 2})
    true, said, score = rows["label"] == "yes", rows["prediction"] == "yes", rows["score"]
    found = values(rows, BINARY)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, said))
    assert found["precision"] == pytest.approx(metrics.precision_score(true, said))
    assert found["recall"] == pytest.approx(metrics.recall_score(true, said))
    assert found["f1"] == pytest.approx(metrics.f1_score(true, said))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(true, score))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(true, score.clip(1e-15, 1 - 1e-15)))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(true, score))
    bins = np.minimum((score * 10).astype(int), 9)
    gaps = [abs((score - true)[bins == each].sum()) for each in range(10)]
    assert found["ece"] == pytest.approx(sum(gaps) / 400)


def test_measures_of_more_classes_are_means_over_them() -> None:
    random = np.random.default_rng(3)
    label = random.choice(["a", "b", "c"], 300)
    said = np.where(random.uniform(size=300) < 0.7, label, "b")
    rows = pd.DataFrame({"prediction": said, "label": label, "score": 0.7})
    found = values(rows, Task(True, ("a", "b", "c")))
    assert found["precision"] == pytest.approx(metrics.precision_score(label, said, average="macro"))
    assert found["recall"] == pytest.approx(metrics.recall_score(label, said, average="macro"))
    assert found["f1"] == pytest.approx(metrics.f1_score(label, said, average="macro"))
    assert "roc_auc" not in found


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random, rounds = np.random.default_rng(4), 40
    whole = {**values(answers(random, 200_000), BINARY), **values(numbers(random, 200_000), NUMBERS)}
    missed: Counter[str] = Counter()
    for _ in range(rounds):
        for one in [*measures(answers(random, 250), BINARY), *measures(numbers(random, 250), NUMBERS)]:
            assert one.low is not None
            assert one.high is not None
            missed[one.name] += not one.low <= whole[one.name] <= one.high
    # At most so many would be missed in all but one of a thousand honest runs, were each interval a 94 % one.
    allowed = stats.binom.ppf(0.999, rounds, 0.06)
    assert {name: count for name, count in missed.items() if count > allowed} == {}


def test_delong_is_the_variance_of_the_area_over_samples() -> None:
    random = np.random.default_rng(5)
    found = [intervals.delong(random.normal(1, 1, 60), random.normal(0, 1, 80)) for _ in range(300)]
    areas, said = np.array(found).T
    assert said.mean() == pytest.approx(areas.std(), rel=0.15)


def test_odd_rows_are_left_out_or_leave_measures_out() -> None:
    rows = pd.DataFrame({"prediction": [1.0, None, "x", 3.0], "label": [1.0, 2.0, 3.0, None], "score": None})
    (mae,) = [one for one in measures(rows, NUMBERS) if one.name == "mae"]
    assert (mae.rows, mae.low) == (1, None)
    assert list(errors(rows, NUMBERS).index) == [0]
    classes = pd.DataFrame({"prediction": [1, 1.0, True], "label": ["1", 1, None], "score": [0.4, 7.0, 0.1]})
    assert values(classes, Task(True, ("0", "1"))) == {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1}
    assert measures(rows.head(0), NUMBERS) == []
    assert measures(rows.head(0), BINARY) == []


def test_wilson_is_that_of_a_table_and_bounded() -> None:
    assert intervals.wilson(9, 10) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    assert intervals.wilson(0, 10)[0] == 0
    assert intervals.wilson(0, 0) == (0, 1)
    assert math.isnan(intervals.error_of_mean(np.array([1.0])))


def test_labels_beyond_what_can_be_squared_are_left_out() -> None:
    rows = pd.DataFrame({"prediction": [1.0, 2.0, 3.0, 1e300], "label": [1.5, 1e308, -1e200, 4.0], "score": None})
    found = {one.name: one.value for one in measures(rows, Task(False))}
    assert (found["mae"], found["rmse"]) == (0.5, 0.5)
    assert errors(rows, Task(False)).tolist() == [0.5]


def test_a_rare_class_nobody_named_has_no_certain_f1() -> None:
    rows = pd.DataFrame({"prediction": ["no"] * 100, "label": ["yes"] * 4 + ["no"] * 96, "score": 0.05})
    (f1,) = [one for one in measures(rows, BINARY) if one.name == "f1"]
    assert f1.value == f1.low == 0
    assert f1.high is not None
    assert 0.1 < f1.high < 0.7
