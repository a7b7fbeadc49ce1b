"""Right and wrong answers of a canary and of the others, once labels come."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.evidence import Counts
from mlops_tui.domains.serving.labels import bound_of, count
from mlops_tui.domains.serving.log import PREDICTIONS, prediction_record
from mlops_tui.domains.serving.rollout import RolloutState, Rules


def frame(rows):
    return pd.DataFrame(rows, columns=["version", "prediction", "label", "known_at"])


def test_classes_are_right_when_they_are_the_same():
    rows = frame([(1, 0, 0, 10), (1, 1, 0, 20), (2, "a", "a", 30), (2, "a", "b", 40), (2, 1, 0, 5)])
    assert count(rows, 2, 5, None) == (Counts(2, 1, 2, 1), 40)
    assert count(rows, 2, 40, None) == (Counts(0, 0, 0, 0), 40)


def test_numbers_are_wrong_beyond_the_bound():
    rows = frame([(1, 10.0, 12.0, 1), (2, 10.0, 15.0, 2), (2, 10.0, 9.0, 3)])
    assert count(rows, 2, 0, 3.0) == (Counts(2, 1, 1, 0), 3)


def test_the_bound_is_what_four_in_five_stay_under():
    assert bound_of(frame([(1, 0.0, float(error), 1) for error in range(101)])) == pytest.approx(80.0)
    assert bound_of(frame([(1, 0.0, 1.0, 1)] * 49)) is None


def test_wrong_answers_of_a_canary_bring_the_old_version_back(workbench, register, clock):
    for _ in range(2):
        register("churn")
    serving = workbench.serving
    serving.deploy("live", "churn/1")
    serving.rollouts.start("live", "churn/2", [50], rules=Rules(bake_s=3600))
    writer = SegmentWriter(workbench.workspace.segments, PREDICTIONS)
    rows = []
    for version, label in ((1, 1), (2, 0)):
        ids = [new_prediction_id(clock.now) for _ in range(60)]
        columns = {"age": [30.5] * 60, "visits": [2] * 60, "plan": ["pro"] * 60}
        writer.append(
            prediction_record(
                ids=ids, at=clock.now, deployment="live", model="churn", version=version, latency_ms=1.0, columns=columns,
                prediction=[1] * 60, score=[0.75] * 60, request_id="r",
            )
        )  # fmt: skip
        rows += [{"id": name, "label": label, "at": clock.now} for name in ids]
    serving.feedback(rows)
    assert serving.rollouts.step() == []
    serving.compact()
    assert serving.rollouts.take_labels() == 0  # counted by the compaction, and once
    (done,) = serving.rollouts.step()
    assert done.state is RolloutState.ROLLED_BACK
    assert done.reason.startswith("wrong answers: 60 of 60 (100.00%) against 0 of 60")


def test_labels_sent_again_and_again_or_from_a_clock_that_is_ahead_count_once_each(workbench, register, clock):
    for _ in range(2):
        register("churn")
    serving = workbench.serving
    serving.deploy("live", "churn/1")
    serving.rollouts.start("live", "churn/2", [50], rules=Rules(bake_s=3600))
    ids = {version: [new_prediction_id(clock.now) for _ in range(10)] for version in (1, 2)}
    writer = SegmentWriter(workbench.workspace.segments, PREDICTIONS)
    for version, mine in ids.items():
        writer.append(
            prediction_record(
                ids=mine, at=clock.now, deployment="live", model="churn", version=version, latency_ms=1.0,
                columns={"age": [30.5] * 10, "visits": [2] * 10, "plan": ["pro"] * 10}, prediction=[1] * 10,
            )
        )  # fmt: skip
    writer.close()

    def send(version, first, last, label, ahead=0):
        clock.advance(1000)
        serving.feedback([{"id": name, "label": label, "at": clock.now + ahead} for name in ids[version][first:last]])
        return serving.rollouts.take_labels()

    assert send(2, 0, 5, 0, ahead=10**12) == 5  # a year 2055
    assert send(2, 0, 5, 0) == 0  # the same once more
    assert send(2, 0, 5, 1) == 0  # and contradicted
    assert send(2, 5, 10, 1) == 5
    assert send(1, 0, 10, 1) == 10
    _, judgement = serving.rollouts.current("live")
    wrong = next(one for one in judgement.evidence if one.kind == "wrong answers")
    assert serving.prediction(ids[2][0]).label == 1  # a correction counts, whatever the clock of who was wrong
    assert (wrong.canary, wrong.canary_failed, wrong.stable, wrong.stable_failed) == (10, 5, 10, 0)
