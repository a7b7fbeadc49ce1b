"""`mlops labels`: from a queue to a published table by commands alone."""

from __future__ import annotations

import json

import pytest

from mlops_tui.workbench import Workbench


@pytest.fixture
def orders(workspace, monkeypatch):
    monkeypatch.setenv("MLOPS_ACTOR", "ana")
    with Workbench(workspace) as bench:
        bench.features.create("orders", ["id"])
        bench.features.ingest("orders", [{"id": n, "total": 10 * n} for n in range(4)])


def test_a_script_labels_a_queue_to_its_end_and_publishes(mlops, orders):
    made = mlops("labels", "create", "bad", "orders", "-c", "good", "-c", "bad", "--order", "given", "--json")
    assert json.loads(made[1])["rows"] == 4
    while rows := json.loads(mlops("labels", "next", "bad", "--json")[1]):
        label = "bad" if rows[0]["values"]["total"] > 10 else "good"
        assert mlops("labels", "put", "bad", str(rows[0]["position"]), label)[0] == 0
    assert "Nothing is left" in mlops("labels", "next", "bad")[2]
    assert mlops("labels", "undo", "bad")[2] == "The label bad of row 4 is taken back.\n"
    assert json.loads(mlops("labels", "skip", "bad", "4", "--json")[1])["label"] is None
    assert json.loads(mlops("labels", "publish", "bad", "--json")[1])["labels"] == 3
    assert "up to date" in mlops("labels", "publish", "bad")[2]
    shown = json.loads(mlops("labels", "show", "bad", "--json")[1])
    assert (shown["queue"]["labelled"], shown["labellers"][0]["skipped"], len(shown["labels"])) == (3, 1, 4)
    assert "bad_labels" in mlops("features", "list")[1]


def test_labels_are_loaded_from_files(mlops, orders, tmp_path):
    mlops("labels", "create", "bad", "orders", "-c", "good", "-c", "bad")
    (tmp_path / "a.csv").write_text("id,label,labeller,note\n0,good,ben,old\n1,bad,,\n")
    (tmp_path / "a.jsonl").write_text('{"position": 1, "label": "bad", "labeller": "cleo"}\n\n')
    (tmp_path / "b.jsonl").write_text("[1]\n")
    assert mlops("labels", "load", "bad", str(tmp_path / "a.csv"))[2] == "2 labels are in bad.\n"
    assert mlops("labels", "load", "bad", str(tmp_path / "a.jsonl"), "--json")[0] == 0
    assert mlops("labels", "load", "bad", str(tmp_path / "b.jsonl"))[0] == 5
    shown = json.loads(mlops("labels", "show", "bad", "--json")[1])
    assert {one["labeller"] for one in shown["labels"]} == {"ana", "ben", "cleo"}


def test_lists_and_agreement_are_tables_for_people(mlops, orders):
    assert "No label queues yet" in "".join(mlops("labels", "list")[1:])
    mlops("labels", "create", "bad", "orders", "-c", "good", "-c", "bad", "--votes", "2")
    assert "orders@1" in mlops("labels", "list")[1]
    assert "total" in mlops("labels", "next", "bad")[1]
    for who, second in (("ana", "good"), ("ben", "bad")):
        mlops("labels", "put", "bad", "1", "good", "--labeller", who)
        mlops("labels", "put", "bad", "2", second, "--labeller", who)
    code, out, err = mlops("labels", "agreement", "bad")
    assert (code, "ben" in out, "1 of 2 shared rows are disputed." in err) == (0, True, True)
    assert "labeller" in mlops("labels", "show", "bad")[1].lower()
    assert mlops("labels", "suspects", "bad")[0] == 5
    assert mlops("labels", "remove", "bad", "--yes")[0] == 0
    assert mlops("labels", "show", "bad")[0] == 3
