"""What is worth a look first, and which labels are suspect."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.labels import scoring, suspecting
from mlops_tui.domains.labels.drawing import in_order
from mlops_tui.domains.labels.records import Measure, Order

SURE, HALF, SPREAD = [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("measure", "half"), [(Measure.MARGIN, 1.0), (Measure.ENTROPY, np.log(2) / np.log(3)), (Measure.CONFIDENCE, 0.75)]
)
def test_sure_is_0_and_all_classes_alike_is_1(measure, half):
    found = scoring.uncertainty(np.array([SURE, HALF, SPREAD]), measure)
    assert found == pytest.approx([0.0, half, 1.0], abs=1e-9)


def test_one_probability_is_least_certain_at_one_half():
    assert scoring.of_scores(np.array([0.0, 0.5, 0.75, 1.0])) == pytest.approx([0.0, 1.0, 0.5, 0.0])
    with pytest.raises(InvalidInput, match="0 to 1"):
        scoring.of_scores(np.array([0.2, 7.0]))


def test_models_that_say_opposite_things_disagree_most():
    one, other = np.array([[1.0, 0.0], [0.9, 0.1], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.9, 0.1], [0.9, 0.1]])
    opposite, alike, between = scoring.disagreement([one, other])
    assert (opposite, alike) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-9))
    assert 0 < between < 1


def test_equal_scores_come_in_the_order_of_the_seed_and_missing_ones_last():
    assert in_order(Order.RANDOM, [None] * 20, 1) == in_order(Order.RANDOM, [None] * 20, 1)
    assert in_order(Order.RANDOM, [None] * 20, 1) != in_order(Order.RANDOM, [None] * 20, 2)
    assert in_order(Order.UNCERTAINTY, [0.1, None, 0.9], 0) == [2, 0, 1]
    assert in_order(Order.GIVEN, [None] * 3, 9) == [0, 1, 2]


def test_the_confident_joint_is_that_of_a_worked_example():
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.45, 0.55]])
    # thresholds: class 0 (0.9 + 0.8 + 0.1) / 3 = 0.6, class 1 (0.8 + 0.55) / 2 = 0.675
    joint, off = suspecting.confident_joint(labels, probabilities)
    assert joint.tolist() == [[2.0, 1.0], [0.0, 1.0]]
    assert off.tolist() == [False, False, True, False, False]
    assert suspecting.margins(labels, probabilities) == pytest.approx([0.8, 0.6, -0.8, 0.6, 0.1])


def test_columns_that_say_nothing_are_left_out():
    rows = [
        {
            "id": f"id-{at}",
            "one": 1,
            "size": float(at),
            "city": "ab"[at % 2],
            "flag": at % 2 == 0,
            "text": "word " * (7 + at),
        }
        for at in range(20)
    ]
    frame = suspecting.features_of(rows)
    kinds = {name: suspecting.kind_of(frame[name]) for name in frame.columns}
    assert kinds == {"id": "", "one": "", "size": "number", "city": "name", "flag": "number", "text": "text"}
