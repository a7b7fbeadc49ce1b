from __future__ import annotations

import numpy as np
import pytest

from mlops_tui.domains.pipelines.criteria import Threshold
from mlops_tui.domains.pipelines.thresholds import choose

TRUTH = np.array([0, 0, 0, 0, 1, 0, 1, 1, 1, 1], dtype=float)
SAID = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.6, 0.9])


def rates(threshold):
    said = threshold <= SAID
    hits = (said & (TRUTH == 1)).sum()
    return hits / max(1, said.sum()), hits / (TRUTH == 1).sum()


def test_f1_is_as_good_as_the_best_of_all_thresholds():
    chosen, why = choose(Threshold(by="f1"), TRUTH, SAID)
    worth = [2 * p * r / (p + r) for t in SAID for p, r in [rates(t)] if p + r]
    precision, recall = rates(chosen)
    assert 2 * precision * recall / (precision + recall) == pytest.approx(max(worth))
    assert "by f1 on 10 rows" in why


def test_precision_is_kept_and_recall_is_the_most_then():
    chosen, _ = choose(Threshold(by="precision", at_least=0.95), TRUTH, SAID)
    assert rates(chosen) == (1.0, 0.8)


def test_recall_is_kept_and_precision_is_the_most_then():
    chosen, _ = choose(Threshold(by="recall", at_least=0.95), TRUTH, SAID)
    assert rates(chosen) == (pytest.approx(5 / 6), 1.0)


def test_a_dear_miss_lowers_the_threshold_and_a_dear_alarm_raises_it():
    eager, why = choose(Threshold(by="cost", false_negative=10), TRUTH, SAID)
    careful, _ = choose(Threshold(by="cost", false_positive=10), TRUTH, SAID)
    assert eager < 0.25 < 0.3 < careful
    assert "cost 1" in why


def test_a_bound_that_nothing_reaches_leaves_a_half_and_says_so():
    chosen, why = choose(Threshold(by="precision", at_least=0.9), 1 - TRUTH, SAID)
    assert chosen == 0.5
    assert "no threshold reaches precision 0.9" in why


def test_a_fixed_threshold_is_taken_as_it_is():
    assert choose(Threshold(by="fixed", value=0.7), TRUTH, SAID)[0] == 0.7
