"""Metrics against scikit-learn, intervals against their promise, the error stream against river itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from river.drift import ADWIN
from sklearn import metrics

from mlops_tui.domains.monitoring import concept, performance
from mlops_tui.domains.monitoring.monitors import Detector


def test_regression_metrics_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(1)
    truth = random.gamma(2, 10, 500)
    predicted = np.clip(truth + random.normal(0, 3, 500), 0, None)
    judged = performance.judge(
        pd.DataFrame({"prediction": predicted, "label": truth, "score": np.nan}), classification=False
    )
    assert judged.metrics["mae"] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert judged.metrics["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert judged.metrics["rmsle"] == pytest.approx(metrics.root_mean_squared_log_error(truth, predicted))
    assert judged.metrics["r2"] == pytest.approx(metrics.r2_score(truth, predicted))


def test_classification_metrics_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(2)
    score = np.round(random.uniform(size=400), 2)
    truth = np.where(random.uniform(size=400) < score, "yes", "no")
    predicted = np.where(score > 0.5, "yes", "no")
    rows = pd.DataFrame({"prediction": predicted, "label": truth, "score": score})
    found = performance.judge(rows, classification=True, labels=["no", "yes"]).metrics
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, predicted, pos_label="yes"))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth == "yes", score))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth == "yes", np.clip(score, 1e-15, 1 - 1e-15)))


def test_many_classes_have_a_mean_f1_and_no_score_metrics() -> None:
    truth, predicted = ["a", "b", "c", "a"], ["a", "b", "a", "a"]
    rows = pd.DataFrame({"prediction": predicted, "label": truth, "score": [0.9] * 4})
    found = performance.judge(rows, classification=True, labels=["a", "b", "c"]).metrics
    assert set(found) == {"accuracy", "f1"}
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))


def test_labels_of_other_types_mean_the_same_class() -> None:
    rows = pd.DataFrame({"prediction": [1, 0, 1], "label": pd.Series(["1", 0.0, True], dtype=object), "score": np.nan})
    judged = performance.judge(rows, classification=True, labels=[0, 1])
    assert judged.errors.tolist() == [0.0, 0.0, 1.0]


def test_labels_that_are_no_numbers_are_left_out() -> None:
    rows = pd.DataFrame({"prediction": [1.0, 2.0], "label": pd.Series(["x", 3.0], dtype=object), "score": np.nan})
    judged = performance.judge(rows, classification=False)
    assert (judged.errors.tolist(), judged.usable.tolist()) == ([1.0], [False, True])


@pytest.mark.parametrize("classification", [True, False])
def test_the_interval_holds_the_truth_as_often_as_it_says(classification: bool) -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        errors = (random.uniform(size=200) < 0.1).astype(float) if classification else random.exponential(2.0, 200)
        low, high = performance.interval(errors, classification=classification)
        held += low <= (0.1 if classification else 2.0) <= high
    assert held >= 965


def test_the_stream_in_pieces_is_river_in_one_go() -> None:
    random = np.random.default_rng(4)
    values = np.clip(np.concatenate([random.exponential(0.2, 3000), random.exponential(0.4, 3000)]), 0, 1)
    adwin, alarms = ADWIN(), []
    for place, value in enumerate(values.astype(np.float32)):
        adwin.update(float(value))
        if adwin.drift_detected:
            alarms.append(place)
    detector = Detector(1)
    for start in range(0, len(values), 37):
        piece = values[start : start + 37]
        detector = concept.watch(detector, piece.tolist(), list(range(start, start + len(piece))))
    assert alarms
    assert detector.concept_at == alarms[0]
    assert 3000 <= alarms[0] < 3500
    assert len(detector.errors) // 4 == len(values) - 1 - alarms[-1]


def test_an_error_that_falls_is_no_alarm_and_is_learned() -> None:
    better = [1.0, 0.0] * 500 + [0.0] * 1000
    assert concept.watch(Detector(1), better, [0] * 2000).concept_at is None


def test_a_quiet_stream_of_ten_thousand_errors_does_not_alarm() -> None:
    random = np.random.default_rng(5)
    for _ in range(5):
        errors = (random.uniform(size=10_000) < 0.2).astype(float).tolist()
        assert concept.watch(Detector(1), errors, [0] * 10_000).concept_at is None


def test_an_alarm_ends_when_errors_are_back() -> None:
    alarmed = Detector(1, b"", concept_at=5, before=0.2)
    assert concept.calmed(alarmed, [0.2] * 50, 0.1).concept_at is None
    assert concept.calmed(alarmed, [0.3] * 50, 0.1).concept_at == 5


@pytest.mark.parametrize("classification", [True, False])
def test_few_labels_tell_a_large_change_and_seldom_cry(classification: bool) -> None:
    random = np.random.default_rng(6)

    def errors(rows: int, level: float) -> list[float]:
        if classification:
            return (random.uniform(size=rows) < level).astype(float).tolist()
        return np.clip(random.exponential(level, rows), 0, 1).tolist()

    cried, delays = 0, []
    for _ in range(100):
        reference = errors(600, 0.1)
        cried += concept.bet((), errors(200, 0.1), reference, classification=classification)[1] is not None
        state, early = concept.bet((), errors(20, 0.1), reference, classification=classification)
        _, late = concept.bet(state, errors(150, 0.35), reference, classification=classification)
        delays.append(150 if early is not None or late is None else late)
    assert cried <= 4  # one in a hundred is promised: five of a hundred would be seen once in 300 honest runs
    assert np.median(delays) < 60


def test_bets_in_pieces_are_bets_in_one_go_and_need_a_reference() -> None:
    random = np.random.default_rng(7)
    errors = (random.uniform(size=300) < 0.2).astype(float).tolist()
    reference = errors[:100]
    whole, _ = concept.bet((), errors, reference, classification=True)
    state: tuple[float, ...] = ()
    for start in range(0, 300, 7):
        state, _ = concept.bet(state, errors[start : start + 7], reference, classification=True)
    assert state == pytest.approx(whole)
    assert whole[0] == 100  # begun anew after two hundred
    assert concept.bet((), errors, errors[:10], classification=True) == ((), None)


def test_page_hinkley_watches_sizes_of_errors_as_river_does() -> None:
    from river.drift import PageHinkley

    random = np.random.default_rng(8)
    values = np.clip(np.concatenate([random.exponential(0.1, 1000), random.exponential(0.25, 1500)]), 0, 1)
    expected, alarm = PageHinkley(mode="up"), None
    for place, value in enumerate(values.astype(np.float32)):
        expected.update(float(value))
        if expected.drift_detected and alarm is None:
            alarm = place
    found = concept.watch(Detector(1), values.tolist(), list(range(2500)), classification=False)
    assert alarm is not None
    assert found.concept_at is not None
    assert 1000 <= found.concept_at <= alarm
    assert found.by in ("ADWIN", "Page-Hinkley")
