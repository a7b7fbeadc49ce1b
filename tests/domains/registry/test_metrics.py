from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_tui.domains.pipelines.records import CLASSIFICATION_METRICS, REGRESSION_METRICS
from mlops_tui.domains.registry.metrics import bins_of, decided, score, scores


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
        "average_precision": theirs.average_precision_score(
            truth if labels == 2 else np.eye(labels)[truth.astype(int)], answer[:, 1] if labels == 2 else answer
        ),
        "balanced_accuracy": theirs.balanced_accuracy_score(truth, said),
    }
    ours = scores([name for name in CLASSIFICATION_METRICS if name != "ece"], truth, answer)
    assert ours == pytest.approx(expected)


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
        "mape": theirs.mean_absolute_percentage_error(truth, answer),
        "median_ae": theirs.median_absolute_error(truth, answer),
    }
    assert scores(list(REGRESSION_METRICS), truth, answer) == pytest.approx(expected)


def test_a_prediction_below_zero_counts_as_zero_in_rmsle_and_a_truth_below_zero_is_nan():
    assert score("rmsle", np.array([0.0, 1.0]), np.array([-3.0, 1.0])) == 0
    assert math.isnan(score("rmsle", np.array([-1.0]), np.array([1.0])))


def test_a_metric_of_one_class_or_of_no_rows_is_nan():
    assert math.isnan(score("roc_auc", np.ones(3), np.full((3, 2), 0.5)))
    assert math.isnan(score("rmse", np.array([]), np.array([])))
    assert math.isnan(score("r2", np.ones(3), np.ones(3)))


def test_the_calibration_error_is_the_gap_of_each_bin_weighted_by_its_rows():
    said = np.array([0.15, 0.15, 0.85, 0.85, 0.85, 0.85])
    truth = np.array([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    answer = np.column_stack([1 - said, said])
    assert score("ece", truth, answer) == pytest.approx((2 * 0.35 + 4 * 0.10) / 6)
    low, high = bins_of(answer, truth, 10)
    assert (low["low"], low["rows"], low["said"], low["true"]) == (0.1, 2, pytest.approx(0.15), 0.5)
    assert (high["rows"], high["true"]) == (4, 0.75)


def test_a_threshold_changes_the_metrics_of_labels_and_no_other():
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    said = np.array([0.1, 0.3, 0.4, 0.9])
    answer = np.column_stack([1 - said, said])
    assert score("recall", truth, decided("recall", answer, 0.35)) == 1.0
    assert score("recall", truth, decided("recall", answer, 0.5)) == 0.5
    assert decided("brier", answer, 0.35) is answer
