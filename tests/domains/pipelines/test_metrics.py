from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_tui.domains.pipelines.metrics import score, scores
from mlops_tui.domains.pipelines.records import CLASSIFICATION_METRICS, REGRESSION_METRICS


def classes(count, labels, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, labels, count).astype(float)
    answer = generator.dirichlet(np.ones(labels), count).round(2)  # rounded: ties
    answer[np.arange(count), truth.astype(int)] += 0.3
    return truth, answer / answer.sum(axis=1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [2, 4])
def test_classification_metrics_equal_those_of_scikit_learn(labels):
    from sklearn import metrics as theirs

    truth, answer = classes(500, labels)
    said = answer.argmax(axis=1)
    average = "binary" if labels == 2 else "macro"
    expected = {
        "accuracy": theirs.accuracy_score(truth, said),
        "precision": theirs.precision_score(truth, said, average=average),
        "recall": theirs.recall_score(truth, said, average=average),
        "f1": theirs.f1_score(truth, said, average=average),
        "log_loss": theirs.log_loss(truth, answer),
        "roc_auc": theirs.roc_auc_score(truth, answer[:, 1] if labels == 2 else answer, multi_class="ovr"),
        "brier": theirs.brier_score_loss(truth, answer, scale_by_half=labels == 2),
    }
    assert scores(list(CLASSIFICATION_METRICS), truth, answer) == pytest.approx(expected)


@pytest.mark.slow
def test_regression_metrics_equal_those_of_scikit_learn():
    from sklearn import metrics as theirs

    generator = np.random.default_rng(0)
    truth = generator.lognormal(size=300)
    answer = truth * generator.lognormal(sigma=0.3, size=300)
    expected = {
        "rmse": theirs.root_mean_squared_error(truth, answer),
        "mae": theirs.mean_absolute_error(truth, answer),
        "rmsle": theirs.root_mean_squared_log_error(truth, answer),
        "r2": theirs.r2_score(truth, answer),
    }
    assert scores(list(REGRESSION_METRICS), truth, answer) == pytest.approx(expected)


def test_a_prediction_below_zero_counts_as_zero_in_rmsle_and_a_truth_below_zero_is_nan():
    assert score("rmsle", np.array([0.0, 1.0]), np.array([-3.0, 1.0])) == 0
    assert math.isnan(score("rmsle", np.array([-1.0]), np.array([1.0])))


def test_a_metric_of_one_class_or_of_no_rows_is_nan():
    assert math.isnan(score("roc_auc", np.ones(3), np.full((3, 2), 0.5)))
    assert math.isnan(score("rmse", np.array([]), np.array([])))
    assert math.isnan(score("r2", np.ones(3), np.ones(3)))
