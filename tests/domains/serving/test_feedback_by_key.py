"""Labels that name no prediction: matched by key and time, also when they come first; and all labels as a feature table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.clock import DAY
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.log import PREDICTIONS, prediction_record
from mlops_tui.workbench import Workbench

Answer = Callable[..., str]


@pytest.fixture
def churn(workbench: Workbench, register: Callable[..., int]) -> Workbench:
    register("churn")
    workbench.serving.deploy("churn", "churn")
    return workbench


@pytest.fixture
def answer(churn: Workbench) -> Answer:
    writer = SegmentWriter(churn.workspace.segments, PREDICTIONS)

    def answer(age: float = 30.5, plan: str = "pro", request_id: str = "", status: int = 200) -> str:
        at = churn.context.now()
        name = new_prediction_id(at)
        columns = {"age": [age], "visits": [2], "plan": [plan]}
        writer.append(
            prediction_record(
                ids=[name], at=at, deployment="churn", model="churn", version=1, latency_ms=1.0, columns=columns,
                prediction=[1] if status == 200 else None, status=status, request_id=request_id,
            )
        )  # fmt: skip
        return name

    return answer


def by_key(label: Any, time: Any = None, **key: Any) -> dict[str, Any]:
    return {"deployment": "churn", "key": key, "label": label, **({"time": time} if time is not None else {})}


def labels(bench: Workbench) -> dict[str, Any]:
    return {row.id: row.label for row in bench.serving.predictions("churn") if row.label is not None}


def test_a_label_goes_to_the_newest_prediction_with_its_key_at_its_time(
    churn: Workbench, answer: Answer, clock: Any
) -> None:
    first, made = answer(age=7.0), clock.now
    clock.advance(1000)
    second, _other = answer(age=7.0), answer(age=8.0)
    clock.advance(1000)
    answer(age=7.0, status=500)
    churn.serving.feedback([by_key(0, age=7, plan="pro"), by_key(1, made, age="7.0")])
    assert labels(churn) == {}
    churn.serving.compact()
    assert labels(churn) == {first: 1, second: 0}
    assert churn.serving.labels_waiting("churn") == 0


def test_a_label_may_come_before_its_prediction_and_is_corrected_later(
    churn: Workbench, answer: Answer, clock: Any
) -> None:
    churn.serving.feedback([by_key(0, clock.now + 5000, request_id="order-17"), by_key(1, request_id="never")])
    assert churn.serving.labels_waiting("churn") == 2
    churn.serving.compact()
    assert churn.serving.labels_waiting("churn") == 2
    clock.advance(4000)
    name = answer(request_id="order-17")
    churn.serving.compact()
    assert labels(churn) == {name: 0}
    assert churn.serving.labels_waiting("churn") == 1
    clock.advance(1000)
    churn.serving.feedback([by_key(1, request_id="order-17")])
    churn.serving.compact()
    assert labels(churn) == {name: 1}


def test_labels_that_find_nothing_are_forgotten_with_the_predictions(churn: Workbench, clock: Any) -> None:
    churn.serving.feedback([by_key(1, request_id="never")])
    churn.serving.compact()
    clock.advance(91 * DAY)
    churn.serving.compact()
    assert churn.serving.labels_waiting("churn") == 0


@pytest.mark.parametrize(
    "row",
    [
        {"key": {"age": 1}, "label": 1},
        {"deployment": "churn", "key": {}, "label": 1},
        {"deployment": "churn", "key": 7, "label": 1},
        {"deployment": "churn", "key": {"age": None}, "label": 1},
        {"deployment": "churn", "key": {"age": [1]}, "label": 1},
        {"deployment": "churn", "key": {"agee": 1}, "label": 1},
        {"deployment": "churn", "key": {"age": 1}},
        {"deployment": "churn", "key": {"age": 1}, "label": 10**30},
        {"deployment": "churn", "key": {"age": 1}, "label": 1, "time": 10**30},
        {"deployment": "churn", "key": {"age": 1}, "label": 1, "at": "soon"},
    ],
)
def test_rows_that_cannot_be_are_refused_as_a_whole(churn: Workbench, row: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        churn.serving.feedback([by_key(1, age=1), row])
    assert churn.serving.compact() == 0
    with pytest.raises(NotFound):
        churn.serving.feedback([{**by_key(1, age=1), "deployment": "nobody"}])


def test_labels_become_rows_of_a_feature_table_each_once(churn: Workbench, answer: Answer, clock: Any) -> None:
    first, second = answer(), answer()
    with pytest.raises(NotFound):
        churn.serving.publish_labels("churn", "truth")
    churn.serving.feedback([{"id": first, "label": 1}])
    snapshot = churn.serving.publish_labels("churn", "truth")
    assert snapshot is not None
    assert snapshot.added_rows == 1
    assert churn.serving.publish_labels("churn", "truth") is None
    clock.advance(1000)
    churn.serving.feedback([{"id": first, "label": 0}, {"id": second, "label": 0}])
    again = churn.serving.publish_labels("churn", "truth")
    assert again is not None
    assert again.added_rows == 2  # the corrected one too: it is known since now
    table = churn.features.get("truth")
    assert (table.keys, table.time, table.created) == (("prediction_id",), "predicted_at", "labelled_at")
    churn.features.create("other", ["x"])
    with pytest.raises(InvalidInput):
        churn.serving.publish_labels("churn", "other")
