"""The prediction log: from segments to Parquet exactly once, found at every moment, joined with late labels."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.core import segments
from mlops_tui.core.clock import DAY
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving import compaction
from mlops_tui.domains.serving.log import PREDICTIONS, prediction_record
from mlops_tui.domains.serving.records import input_column, input_name
from mlops_tui.workbench import Workbench


class Traffic:
    """Writes what the gateway would."""

    def __init__(self, workbench: Workbench) -> None:
        self.bench = workbench
        self.writer = SegmentWriter(workbench.workspace.segments, PREDICTIONS)

    def answer(self, count: int = 1, *, deployment: str = "churn", version: int = 1, **changes: Any) -> list[str]:
        at = self.bench.context.now()
        ids = [new_prediction_id(at) for _ in range(count)]
        record = {
            "ids": ids,
            "at": at,
            "deployment": deployment,
            "model": "churn",
            "version": version,
            "latency_ms": 1.5,
            "columns": {"age": [30.5] * count, "visits": [2] * count, "plan": ["pro"] * count},
            "prediction": [1] * count,
            "score": [0.75] * count,
            "request_id": "r",
            **changes,
        }
        self.writer.append(prediction_record(**record))
        return ids


@pytest.fixture
def traffic(workbench: Workbench, register: Callable[..., int]) -> Traffic:
    register("churn")
    return Traffic(workbench)


def ids_of(bench: Workbench, name: str = "churn") -> list[str]:
    return [row.id for row in bench.serving.predictions(name, limit=10_000)]


def test_a_prediction_is_found_fresh_and_after_compaction_just_the_same(traffic: Traffic, workbench: Workbench) -> None:
    name = traffic.answer()[0]
    fresh = workbench.serving.prediction(name)
    assert fresh.inputs == {"age": 30.5, "visits": 2, "plan": "pro"}
    assert (fresh.prediction, fresh.score, fresh.deployment, fresh.version) == (1, 0.75, "churn", 1)
    assert workbench.serving.compact() == 1
    assert workbench.serving.prediction(name) == fresh
    with pytest.raises(NotFound):
        workbench.serving.prediction(new_prediction_id(workbench.context.now()))
    with pytest.raises(NotFound):
        workbench.serving.prediction("nonsense")


def test_compacting_twice_moves_nothing_twice(traffic: Traffic, workbench: Workbench) -> None:
    traffic.answer(3)
    assert workbench.serving.compact() == 3
    assert workbench.serving.compact() == 0
    traffic.answer(2)
    assert workbench.serving.compact() == 2
    assert len(ids_of(workbench)) == 5
    assert len(workbench.serving.prediction_files("churn")) == 2


def test_parquet_columns_are_typed_by_the_signature(traffic: Traffic, workbench: Workbench) -> None:
    import pyarrow.parquet as pq

    traffic.answer(columns={"age": [None], "visits": [None], "plan": [None]})
    workbench.serving.compact()
    schema = pq.read_schema(workbench.serving.prediction_files("churn")[0])
    types = {name: str(schema.field(name).type) for name in ("at", "prediction", "age", "visits", "plan", "_score")}
    assert types == {
        "at": "int64",
        "prediction": "int64",
        "age": "double",
        "visits": "int64",
        "plan": "string",
        "_score": "double",
    }


def test_a_compaction_that_dies_before_its_commit_changes_nothing(
    traffic: Traffic, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = traffic.answer(4)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(workbench.serving._store, "put_offsets", die)
        with pytest.raises(KeyboardInterrupt):
            workbench.serving.compact()
    assert workbench.serving.prediction_files("churn") == []
    assert sorted(ids_of(workbench)) == sorted(ids)
    assert workbench.serving.compact() == 4
    assert sorted(ids_of(workbench)) == sorted(ids)
    assert list(workbench.workspace.tmp.glob("*.parquet")) == []


def test_a_compaction_that_dies_after_its_commit_moves_nothing_twice(
    traffic: Traffic, workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.answer(4)
    monkeypatch.setattr(segments, "is_live", lambda _: False)
    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_put_away", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            workbench.serving.compact()
    assert workbench.serving.compact() == 0
    assert len(ids_of(workbench)) == 4
    assert segments.segments(workbench.workspace.segments) == []


def test_segments_of_ended_writers_are_removed_and_torn_ones_kept_aside(workbench: Workbench, traffic: Traffic) -> None:
    folder = workbench.workspace.segments
    code = (
        "import sys; from pathlib import Path; from mlops_tui.core.segments import SegmentWriter;"
        "from mlops_tui.domains.serving.log import *;"
        "SegmentWriter(Path(sys.argv[1]), PREDICTIONS).append(prediction_record(ids=[sys.argv[2]], at=1, deployment='churn',"
        "model='churn', version=1, latency_ms=1, columns={'age': [1.0]}, prediction=[1]))"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, folder, new_prediction_id(1)], check=True, env={**os.environ})
    first, second = segments.segments(folder)
    with second.open("ab") as file:
        file.write(b"torn")
    assert workbench.serving.compact() == 2
    assert not first.exists()
    assert segments.segments(folder) == []
    assert len(list(folder.glob("*.torn"))) == 1
    traffic.answer()
    workbench.serving.compact()
    assert workbench.serving._store.offsets().keys() == {path.name for path in segments.segments(folder)}


def test_the_live_segment_stays_and_its_rotated_elders_go(traffic: Traffic, workbench: Workbench) -> None:
    traffic.answer()
    traffic.writer.rotate()
    traffic.answer()
    assert workbench.serving.compact() == 2
    assert [path.name.split(".")[-2] for path in segments.segments(workbench.workspace.segments)] == ["000001"]
    traffic.answer()
    assert len(ids_of(workbench)) == 3


def test_predictions_are_newest_first_within_their_time_and_deployment(
    traffic: Traffic, workbench: Workbench, clock: Any
) -> None:
    ids = []
    for turn in range(6):
        ids += traffic.answer()
        traffic.answer(deployment="other")
        clock.advance(1000)
        if turn == 2:
            workbench.serving.compact()
    assert ids_of(workbench) == ids[::-1]
    start = clock.now - 6000
    found = workbench.serving.predictions("churn", since=start + 1000, until=start + 5000, limit=3)
    assert [row.id for row in found] == ids[4:1:-1]


def test_small_files_of_a_day_become_one_and_nothing_is_lost(
    traffic: Traffic, workbench: Workbench, clock: Any
) -> None:
    ids = []
    for _ in range(compaction.MERGE_FROM):
        ids += traffic.answer()
        workbench.serving.compact()
        clock.advance(1000)
    files = workbench.serving.prediction_files("churn")
    assert len(files) == 1
    assert sorted(ids_of(workbench)) == sorted(ids)
    on_disk = list((workbench.workspace.lake / "predictions").rglob("*.parquet"))
    assert len(on_disk) == compaction.MERGE_FROM + 1
    clock.advance(compaction.KEEP_RETIRED_MS + 2000)
    workbench.serving.compact()
    assert list((workbench.workspace.lake / "predictions").rglob("*.parquet")) == files


def test_predictions_past_their_retention_go(traffic: Traffic, workbench: Workbench, clock: Any) -> None:
    traffic.answer()
    workbench.serving.compact()
    clock.advance(91 * DAY)
    workbench.serving.compact()
    assert workbench.serving.prediction_files("churn") == []


def test_only_one_compaction_runs_at_a_time(traffic: Traffic, workbench: Workbench) -> None:
    traffic.answer()
    with compaction._only_one(workbench.workspace.run / "compact.lock") as mine:
        assert mine
        assert workbench.serving.compact() == 0
    assert workbench.serving.compact() == 1


def test_a_compaction_is_due_for_much_or_for_what_has_waited(
    traffic: Traffic, workbench: Workbench, clock: Any
) -> None:
    assert not workbench.serving.compact_due()
    traffic.answer()
    assert workbench.serving.compact_due()
    workbench.serving.compact()
    traffic.answer()
    assert not workbench.serving.compact_due()
    clock.advance(60_000)
    assert workbench.serving.compact_due()


def test_the_latest_label_counts_whenever_and_wherever_it_arrives(
    traffic: Traffic, workbench: Workbench, clock: Any
) -> None:
    serving = workbench.serving
    one, two, three = traffic.answer(3)
    clock.advance(1000)
    assert serving.feedback([{"prediction_id": one, "label": 0}, {"id": two, "label": 1}]) == 2
    serving.compact()
    clock.advance(1000)
    serving.feedback([{"id": one, "label": 1}])
    serving.feedback([{"id": two, "label": 0, "at": clock.now - 60_000}])
    for _ in range(2):
        rows = serving.labelled("churn")
        assert dict(zip(rows["id"], rows["label"], strict=True)) == {one: 1, two: 1}
        assert serving.prediction(one).label == 1
        assert serving.prediction(one).label_at == clock.now
        assert serving.prediction(three).label is None
        assert [row.label for row in serving.predictions("churn") if row.id == two] == [1]
        serving.compact()
    assert list(rows.columns) == ["id", "at", "version", "prediction", "score", "label", "label_at", "known_at"]
    assert serving.feedback_at() == clock.now
    assert len(serving.labelled("churn", since=clock.now)) == 0


def test_labels_keep_their_type(traffic: Traffic, workbench: Workbench) -> None:
    labels: list[Any] = [1, 0.5, "yes", True]
    ids = traffic.answer(4)
    workbench.serving.feedback([{"id": name, "label": label} for name, label in zip(ids, labels, strict=True)])
    workbench.serving.compact()
    found = [workbench.serving.prediction(name).label for name in ids]
    assert found == labels
    assert [type(label) for label in found] == [int, float, str, bool]


@pytest.mark.parametrize(
    "row",
    [
        {"label": 1},
        {"id": "zzz", "label": 1},
        {"id": new_prediction_id(1)},
        {"id": new_prediction_id(1), "label": None},
        {"id": new_prediction_id(1), "label": float("nan")},
        {"id": new_prediction_id(1), "label": [1]},
        {"id": new_prediction_id(1), "label": 1, "at": "someday"},
        {"id": new_prediction_id(1), "label": 1, "at": 1.5},
    ],
)
def test_one_bad_label_means_none_is_taken(traffic: Traffic, workbench: Workbench, row: dict[str, Any]) -> None:
    good = {"id": traffic.answer()[0], "label": 1}
    with pytest.raises(InvalidInput):
        workbench.serving.feedback([good, row])
    with pytest.raises(InvalidInput):
        workbench.serving.feedback([])
    assert len(workbench.serving.labelled("churn")) == 0


def test_failures_are_logged_but_carry_no_prediction(traffic: Traffic, workbench: Workbench) -> None:
    name = traffic.answer(prediction=None, score=None, status=500, error="the model failed")[0]
    workbench.serving.compact()
    found = workbench.serving.prediction(name)
    assert (found.status, found.error, found.prediction) == (500, "the model failed", None)


def test_inputs_named_like_our_columns_are_kept_apart(
    workbench: Workbench, traffic: Traffic, register: Callable[..., int]
) -> None:
    register("odd", inputs=[{"name": "id", "type": "int64"}, {"name": "input.id", "type": "int64"}])
    name = traffic.answer(deployment="odd", model="odd", columns={"id": [7], "input.id": [8]})[0]
    workbench.serving.compact()
    assert workbench.serving.prediction(name).inputs == {"id": 7, "input.id": 8}
    assert [input_name(input_column(column)) for column in ("id", "input.id", "x")] == ["id", "input.id", "x"]


def test_values_that_do_not_fit_the_signature_are_kept_as_text(traffic: Traffic, workbench: Workbench) -> None:
    name = traffic.answer(prediction=["odd"])[0]
    workbench.serving.compact()
    assert workbench.serving.prediction(name).prediction == "odd"


def test_a_model_that_left_the_registry_still_compacts(traffic: Traffic, workbench: Workbench) -> None:
    name = traffic.answer(model="gone", version=9)[0]
    assert workbench.serving.compact() == 1
    assert workbench.serving.prediction(name).inputs["plan"] == "pro"


def test_files_of_another_time_are_not_opened(
    traffic: Traffic, workbench: Workbench, clock: Any, tmp_path: Path
) -> None:
    name = traffic.answer()[0]
    workbench.serving.compact()
    clock.advance(DAY)
    traffic.answer()
    workbench.serving.compact()
    late = workbench.serving.prediction_files("churn", since=clock.now)
    assert len(late) == 1
    late[0].write_bytes(b"not parquet")
    assert workbench.serving.prediction(name).id == name
