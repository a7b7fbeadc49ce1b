"""Queues, labels, undo, several people, publishing."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.registry import package
from mlops_tui.domains.serving.records import Prediction


@pytest.fixture
def room(workbench):
    """Twelve orders over three days; `p` is one half for order 6."""
    workbench.features.create("orders", ["id"], time="at")
    rows = [
        {"id": n, "at": f"2025-10-0{1 + n % 3}T00:00:00Z", "total": 10.0 * n, "city": "ab"[n % 2], "p": n / 12}
        for n in range(12)
    ]
    workbench.features.ingest("orders", rows)
    return workbench.labels


def make(room, name="bad", source="orders", classes=("good", "bad"), **options):
    return room.create(name, source, classes, **options)


def test_a_queue_holds_rows_as_they_were(room, workbench):
    queue = make(room, columns=["total"], order="given", limit=3)
    workbench.features.ingest("orders", [{"id": 0, "at": "2025-10-09", "total": 7.0, "city": "a", "p": 0.1}])
    assert (queue.source, queue.rows, queue.to, queue.keys, queue.time) == ("orders@1", 3, "bad_labels", ("id",), "at")
    (item,) = room.next("bad")
    assert (item.position, item.key, item.values) == (1, {"id": 0, "at": "2025-10-01T00:00:00Z"}, {"total": 0.0})
    assert (
        workbench.audit.list(limit=1)[0].after["order"] == "given"
        if workbench.audit.list()[0].kind == "label queue"
        else True
    )


def test_the_least_certain_row_comes_first(room):
    make(room, order="uncertainty", score="p")
    items = room.next("bad", limit=3)
    assert items[0].key["id"] == 6
    assert items[0].score == 1.0
    assert {one.key["id"] for one in items[1:]} == {5, 7}


def test_a_random_order_hangs_on_the_seed_alone(room):
    ids = [
        [one.key["id"] for one in room.items(make(room, f"q{n}", seed=seed).name)] for n, seed in enumerate((1, 1, 2))
    ]
    assert ids[0] == ids[1] != ids[2]
    assert sorted(ids[0]) == list(range(12))


def test_a_condition_and_a_limit_choose_rows(room):
    assert make(room, where="total >= 50 AND city = 'a'", limit=2).rows == 2


def test_a_label_counts_at_once_and_the_next_row_comes(room, clock):
    make(room, order="given")
    label = room.put("bad", 1, "good", note=" fine ")
    assert (label.labeller, label.note, label.at) == ("tester", "fine", clock.now)
    assert room.next("bad")[0].position == 2
    room.skip("bad", 2)
    assert room.next("bad")[0].position == 3
    assert [one.position for one in room.next("bad", skipped=True)] == [2]
    progress = room.progress("bad")
    assert (progress.done, progress.skipped, progress.left, progress.labelled) == (1, 1, 10, 1)


def test_labels_made_elsewhere_come_all_or_none(room, clock):
    make(room, order="given")
    key = {"id": 1, "at": "2025-10-02T00:00:00Z"}
    rows = [{"position": 1, "label": "good"}, {"position": "4", "label": "", "labeller": "ben"}]
    wrong = [{"position": 1, "label": "god"}, {"position": 13, "label": "good"}, {"label": "good"}, {**key, "id": 77}]
    for one in wrong:
        with pytest.raises(InvalidInput, match="Row 3"):
            room.put_many("bad", [*rows, one])
    assert room.labels("bad") == []
    given = room.put_many("bad", rows, labeller="ana")
    assert [(one.position, one.label, one.labeller) for one in given] == [(1, "good", "ana"), (4, None, "ben")]
    with pytest.raises(InvalidInput, match="time"):
        room.put_many("bad", [{**key, "label": "bad", "labelled_at": "soon"}])
    (keyed,) = room.put_many("bad", [{**key, "label": "bad"}], labeller="cleo")
    assert (keyed.position, keyed.at) == (2, clock.now)
    assert room.undo("bad", labeller="ben").label is None


def test_undo_goes_back_step_by_step_to_what_was_said_before(room):
    make(room, order="given")
    room.put("bad", 1, "good")
    room.put("bad", 1, "bad")
    room.skip("bad", 2)
    assert [room.undo("bad").label for _ in range(2)] == [None, "bad"]
    assert [(one.position, one.label) for one in room.labels("bad")] == [(1, "good")]
    assert room.undo("bad").label == "good"
    assert room.labels("bad") == []
    with pytest.raises(NotAllowed, match="nothing to take back"):
        room.undo("bad")


def test_people_label_apart_until_a_row_has_its_votes(room):
    make(room, order="given", votes=2)
    room.put("bad", 1, "good", labeller="ana")
    assert room.next("bad", labeller="ana")[0].position == 2
    assert room.next("bad", labeller="ben")[0].position == 1
    room.put("bad", 1, "bad", labeller="ben")
    assert room.next("bad", labeller="cleo")[0].position == 2
    assert room.get("bad").labelled == 1
    room.undo("bad", labeller="ben")
    assert [one.labeller for one in room.labels("bad")] == ["ana"]


def test_rows_that_people_dispute_come_first_to_the_next_one(room):
    make(room, order="disagreement", votes=2)
    for who, label in (("ana", "good"), ("ben", "bad")):
        room.put("bad", 5, label, labeller=who)
    assert [one.position for one in room.next("bad", labeller="cleo", limit=2)] == [5, 1]
    assert room.next("bad", labeller="ana")[0].position == 1


def test_the_rate_is_that_of_the_last_ten_minutes(room, clock):
    make(room, order="given")
    room.put("bad", 1, "good")
    assert room.progress("bad").per_hour is None
    clock.advance(3_600_000)
    for position in (2, 3, 4):
        clock.advance(6_000)
        room.put("bad", position, "good")
    assert room.progress("bad").per_hour == 600.0


def test_what_cannot_be_is_told_and_nothing_is_made(room):
    wrong = [
        {"classes": ["one"]},
        {"order": "best"},
        {"order": "uncertainty"},
        {"order": "uncertainty", "score": "total"},
        {"order": "uncertainty", "score": "city"},
        {"columns": ["totl"]},
        {"where": "total > 10000"},
        {"where": "total; DROP TABLE x"},
        {"limit": 0},
        {"votes": 0},
    ]
    for options in wrong:
        with pytest.raises(InvalidInput):
            make(room, **options)
    for source in ("order", "deployment:none"):
        with pytest.raises(NotFound):
            make(room, source=source)
    assert room.list() == []
    make(room)
    with pytest.raises(AlreadyExists):
        make(room)
    with pytest.raises(InvalidInput, match="no class of bad"):
        room.put("bad", 1, "god")
    with pytest.raises(NotFound, match="has no row 13"):
        room.put("bad", 13, "good")
    with pytest.raises(NotFound, match="no label queue"):
        room.put("bda", 1, "good")


def test_publishing_adds_what_is_new_and_takes_back_what_was_undone(room, workbench, clock):
    make(room, order="given")
    room.put("bad", 1, "good", labeller="ana", note="sure")
    room.put("bad", 2, "bad", labeller="ana")
    first = room.publish("bad")
    assert (first.table, first.version, first.labels, first.taken_back) == ("bad_labels", 1, 2, 0)
    assert room.publish("bad").version is None
    clock.advance(1_000)
    room.undo("bad", labeller="ana")
    room.put("bad", 1, "bad", labeller="ana")
    room.put("bad", 3, "good", labeller="ben")
    assert room.get("bad").unpublished == 3
    second = room.publish("bad")
    assert (second.version, second.labels, second.taken_back) == (2, 2, 1)
    assert room.get("bad").unpublished == 0
    table = workbench.features.get("bad_labels")
    assert (table.keys, table.time, table.created) == (("id",), "at", "labelled_at")
    spine = pd.DataFrame({"id": [0, 1, 2], "at": pd.Timestamp("2025-10-09", tz="UTC")})
    joined = workbench.features.join(spine, ["bad_labels:label,labeller"])
    assert [None if pd.isna(value) else value for value in joined["label"]] == ["bad", None, "good"]


def test_a_publication_that_dies_before_its_note_is_as_if_it_never_was(room, workbench, monkeypatch):
    make(room, order="given")
    room.put("bad", 1, "good")
    monkeypatch.setattr(type(room._store), "put_published", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        room.publish("bad")
    monkeypatch.undo()
    assert workbench.features.get("bad_labels").latest_version == 0
    assert room.publish("bad").labels == 1
    assert workbench.features.get("bad_labels").rows == 1


def test_a_table_with_other_keys_is_not_published_to(room, workbench):
    workbench.features.create("mine", ["else"])
    make(room, to="mine")
    room.put("bad", 1, "good")
    with pytest.raises(InvalidInput, match="keyed otherwise"):
        room.publish("bad")


def test_removing_a_queue_leaves_its_table(room, workbench):
    make(room)
    room.put("bad", 1, "good")
    room.publish("bad")
    room.remove("bad", why="done")
    assert room.list() == []
    assert workbench.features.get("bad_labels").rows == 1
    assert [(entry.verb, entry.why) for entry in workbench.audit.list(kind="label queue", limit=1)] == [
        ("remove", "done")
    ]


def test_labels_that_were_turned_round_are_suspect(workbench):
    source = random.Random(3)
    rows = [
        {"id": n, "x": source.gauss(4.0 * (n % 2), 1.0), "y": source.gauss(4.0 * (n % 2), 1.0), "city": "ab"[n % 2]}
        for n in range(120)
    ]
    workbench.features.create("points", ["id"])
    workbench.features.ingest("points", rows)
    room = workbench.labels
    make(room, "q", "points", classes=("low", "high"), order="given", limit=120)
    turned = {7, 40, 99}
    for item in room.items("q"):
        wrong = item.position in turned
        room.put("q", item.position, "high" if (item.key["id"] % 2 == 1) != wrong else "low")
    found = room.suspects("q")
    assert {one.position for one in found[:3]} == turned
    assert all(one.confident and one.p_suggested > 0.5 > one.p_label for one in found[:3])
    assert [one.position for one in room.suspects("q")] == [one.position for one in found]


def test_nothing_is_suspected_of_too_few_labels(room):
    make(room, order="given")
    with pytest.raises(InvalidInput, match="Nothing is labelled"):
        room.suspects("bad")
    room.put("bad", 1, "good")
    with pytest.raises(InvalidInput, match="Nothing can be said"):
        room.suspects("bad")


class Tilted:
    """Probability of the second class rises with total; `lean` moves the middle."""

    classes_ = np.array(["good", "bad"])

    def __init__(self, lean=0.0):
        self.lean = lean

    def predict_proba(self, rows):
        p = np.clip(rows["total"].to_numpy() / 110 + self.lean, 0, 1)
        return np.column_stack([1 - p, p])

    def predict(self, rows):
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


@pytest.fixture
def models(workbench, tmp_path, asked_here):
    for number, lean in enumerate((0.0, 0.4)):
        folder = tmp_path / f"package{number}"
        sample = pd.DataFrame({"total": [1.0, 50.0]})
        package.save(folder, Tilted(lean), sample=sample, task="classification", target="label", labels=["good", "bad"])
        workbench.registry.register("fraud", folder)


def test_a_model_says_what_is_uncertain_and_two_say_where_they_differ(room, models, workbench):
    queue = make(room, order="uncertainty", models=["fraud/1"])
    assert {one.key["id"] for one in room.next("bad", limit=2)} == {5, 6}
    assert queue.why == "margin of fraud/1"
    make(room, "differ", order="disagreement", models=["fraud/1", "fraud/2"])
    assert room.next("differ")[0].score > room.items("differ")[-1].score
    with pytest.raises(InvalidInput, match="cannot disagree"):
        make(room, "one", order="disagreement", models=["fraud/1"])
    workbench.features.create("bare", ["id"])
    workbench.features.ingest("bare", [{"id": 1, "x": 2}])
    with pytest.raises(InvalidInput, match="no column 'total'"):
        make(room, "two", "bare", order="uncertainty", models=["fraud/1"])


def test_a_model_that_learned_from_a_join_gets_one(room, models, workbench):
    workbench.features.create("bare", ["id"], time="at")
    workbench.features.ingest("bare", [{"id": n, "at": "2025-10-05T00:00:00Z"} for n in (6, 1, 99)])
    make(room, "joined", "bare", order="uncertainty", models=["fraud/1"], joins=["orders:total,city"])
    items = room.items("joined")
    assert (items[0].key, items[0].values) == ({"id": 6, "at": "2025-10-05T00:00:00Z"}, {"total": 60.0, "city": "a"})
    assert (items[2].key["id"], items[2].values, items[2].score) == (99, {"total": None, "city": None}, None)


def test_predictions_are_labelled_by_id_and_reported_as_feedback(room, workbench, monkeypatch):
    at = workbench.context.now()
    found = [
        Prediction(
            f"p{n}",
            at + n,
            "churn",
            "m",
            1,
            1.0,
            200 if n else 500,
            "",
            "yes",
            n / 4,
            {"age": n},
            "",
            "no" if n == 3 else None,
        )
        for n in range(4)
    ]
    monkeypatch.setattr(workbench.serving, "get", lambda name: None)
    monkeypatch.setattr(workbench.serving, "predictions", lambda name, limit: found[::-1])
    told = []
    monkeypatch.setattr(workbench.serving, "feedback", lambda rows: told.extend(rows) or len(told))
    queue = make(room, "seen", "deployment:churn", classes=("yes", "no"), order="uncertainty")
    assert (queue.rows, queue.deployment, queue.keys) == (2, "churn", ("prediction_id",))
    (first, _) = room.next("seen", limit=2)
    assert first.key["prediction_id"] == "p2"
    room.put("seen", first.position, "no")
    assert room.publish("seen", feedback=True).feedback == 1
    assert told == [{"id": "p2", "label": "no", "at": at}]
    make(room)
    with pytest.raises(InvalidInput, match="does not label predictions"):
        room.publish("bad", feedback=True)
