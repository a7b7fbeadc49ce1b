"""Folders of Weights & Biases."""

from __future__ import annotations

import json

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.transfer.wandb import import_wandb
from mlops_tui.transfer.wandb_file import read, records

from .written import data, double, item, number, wandb_file

RUN = "offline-run-20260101_000000-abc12345"


def row(step: int, at: float, **values: float | str) -> bytes:
    items = item("_timestamp", json.dumps(at)) + b"".join(item(key, json.dumps(value)) for key, value in values.items())
    return data(2, items + data(2, number(1, step)))


def a_run(**more: bytes) -> list[bytes]:
    config = item("lr", "0.1") + item("opt", '{"kind": "adam", "beta": 2}') + item("_wandb", "{}")
    start = data(17, number(1, 1_700_000_000) + number(2, 500_000_000))
    facts = (
        data(1, "abc12345") + data(3, "churn") + data(8, "brave-1") + data(9, "a note") + data(10, "x") + data(10, "y")
    )
    git = data(21, data(2, "c0ffee"))
    history = [row(0, 1_700_000_001.0, loss=0.5), row(3, 1_700_000_002.0, loss=float("nan"), text="no number")]
    summary = data(3, data(1, data(1, "best") + data(16, "3")) + data(1, data(1, "loss") + data(16, "0.5")))
    return [data(17, facts + data(4, config) + start + git), *history, summary, data(18, number(1, 0) + number(2, 2))]


def take(workbench, folder, experiment=""):
    return import_wandb(workbench, folder, experiment, lambda *_: None)


def test_a_run_s_file_becomes_a_run(workbench, tmp_path):
    wandb_file(tmp_path / RUN / "run-abc12345.wandb", a_run())
    (tmp_path / RUN / "files").mkdir()
    (tmp_path / RUN / "files" / "requirements.txt").write_text("numpy")
    assert take(workbench, tmp_path).added == 1
    (run,) = workbench.experiments.runs("churn")
    assert (run.name, run.state, run.started_at, run.ended_at) == (
        "brave-1",
        "finished",
        1_700_000_000_500,
        1_700_000_002_000,
    )
    assert run.git_commit == "c0ffee"
    assert (run.tags["note"], run.tags["wandb.tags"], run.tags["summary.best"]) == ("a note", "x, y", "3")
    assert "summary.loss" not in run.tags
    assert workbench.experiments.params(run.id) == {"lr": "0.1", "opt.beta": "2", "opt.kind": "adam"}
    points = workbench.experiments.history(run.id, "loss")
    assert [(p.step, p.ts) for p in points] == [(0, 1_700_000_001_000), (3, 1_700_000_002_000)]
    assert points[1].value != points[1].value
    assert [one.path for one in workbench.experiments.artifacts(run.id)] == ["requirements.txt"]
    assert take(workbench, tmp_path).unchanged == 1


def test_records_longer_than_a_block_are_put_together(tmp_path):
    long = [b"a" * 40_000, b"b" * (32768 - 7 - 7 - 3), b"", b"c" * 100_000]
    wandb_file(tmp_path / "x.wandb", long)
    assert list(records(tmp_path / "x.wandb")) == long


def test_a_killed_run_is_crashed_and_its_torn_record_left_out(workbench, tmp_path):
    path = tmp_path / RUN / "run-abc12345.wandb"
    wandb_file(path, a_run()[:-1])
    path.write_bytes(path.read_bytes()[:-5])
    take(workbench, tmp_path, "elsewhere")
    (run,) = workbench.experiments.runs("elsewhere")
    assert run.state == "crashed"
    assert len(workbench.experiments.history(run.id, "loss")) == 2


def test_damage_is_said_and_what_comes_before_is_kept(tmp_path):
    wandb_file(tmp_path / "x.wandb", a_run())
    content = bytearray((tmp_path / "x.wandb").read_bytes())
    content[-4] ^= 255
    (tmp_path / "x.wandb").write_bytes(bytes(content))
    run, trouble = read(tmp_path / "x.wandb")
    assert (len(run.history), run.exit_code) == (2, None)
    assert "damaged" in trouble


def test_values_of_the_newer_form_are_read(tmp_path):
    values = data(1, data(1, "i") + number(5, 7)) + data(1, data(2, "deep") + data(2, "er") + double(6, 0.5))
    values += data(1, data(1, "on") + number(4, 1)) + data(1, data(1, "t") + data(7, "word"))
    wandb_file(tmp_path / "x.wandb", [data(2, values + data(2, number(1, 4)))])
    run, _ = read(tmp_path / "x.wandb")
    assert run.history == [(4, None, {"i": 7, "deep.er": 0.5, "on": True, "t": "word"})]


def test_the_text_files_do_where_there_is_no_wandb_file(workbench, tmp_path):
    files = tmp_path / "run-20260101_000000-xyz" / "files"
    files.mkdir(parents=True)
    (files / "wandb-history.jsonl").write_text(
        '{"_step": 0, "_timestamp": 1700000000, "acc": 0.5}\n{"_step": 1, "_timestamp": 1700000001, "acc": 0.75}\n'
    )
    (files / "wandb-summary.json").write_text('{"acc": 0.75, "_step": 1}')
    (files / "config.yaml").write_text("wandb_version: 1\n\nlr:\n  desc: null\n  value: 0.1\n")
    assert take(workbench, tmp_path).added == 1
    (run,) = workbench.experiments.runs("wandb")
    assert [p.value for p in workbench.experiments.history(run.id, "acc")] == [0.5, 0.75]
    assert workbench.experiments.params(run.id)["lr"] == "0.1"


def test_another_file_is_reported_and_the_others_are_taken(workbench, tmp_path):
    wandb_file(tmp_path / RUN / "run-abc12345.wandb", a_run())
    bad = tmp_path / "run-20260101_000000-bad" / "run-bad.wandb"
    bad.parent.mkdir()
    bad.write_bytes(b"something else entirely")
    report = take(workbench, tmp_path)
    assert (report.added, report.skipped) == (1, [("bad", "run-bad.wandb is no file of Weights & Biases")])


def test_a_folder_without_runs_is_refused(workbench, tmp_path):
    with pytest.raises(InvalidInput, match="no run of Weights"):
        take(workbench, tmp_path)
