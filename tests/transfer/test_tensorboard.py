"""Event files without TensorFlow."""

from __future__ import annotations

import struct

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.transfer.event_file import events, masked_crc
from mlops_tui.transfer.tensorboard import import_tensorboard, key_of

from .written import data, double, event, frame, number, scalar, single, tensor

NAME = "events.out.tfevents.1700000000.host.1.0"
AT = 1_700_000_000.5


def take(workbench, folder):
    return import_tensorboard(workbench, folder, "vision", lambda *_: None)


def the_run(workbench):
    (run,) = workbench.experiments.runs("vision")
    return run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs" / "a").mkdir(parents=True)
    return tmp_path / "logs"


def test_the_checksum_is_crc32c_as_published():
    # RFC 3720, B.4: 32 bytes of zeros
    crc = (masked_crc(b"\0" * 32) - 0xA282EAD8) & 0xFFFFFFFF
    assert (crc >> 17 | crc << 15) & 0xFFFFFFFF == 0x8A9136AA


def test_scalars_of_both_forms_become_metrics(workbench, folder):
    content = number(1, 2) + data(4, struct.pack("<d", 0.25))  # DT_DOUBLE, one number as bytes
    body = frame(double(1, AT) + data(3, "brain.Event:2"))
    body += event(
        AT, 0, scalar("loss", 0.5), tensor("epoch/acc", number(1, 1) + data(5, struct.pack("<f", 0.75)), "scalars")
    )
    body += event(AT + 1, 7, scalar("loss", float("nan")), tensor("epoch/acc", content))
    body += event(AT + 2, -1, tensor("count", number(1, 9) + number(10, 2**64 - 3), "scalars"))
    (folder / "a" / NAME).write_bytes(body)
    report = take(workbench, folder)
    run = the_run(workbench)
    assert (report.added, report.skipped, run.name, run.state) == (1, [], "a", "finished")
    assert (run.started_at, run.ended_at) == (1_700_000_000_500, 1_700_000_002_500)
    assert [(p.step, p.ts) for p in workbench.experiments.history(run.id, "loss")] == [
        (0, 1_700_000_000_500),
        (7, 1_700_000_001_500),
    ]
    assert [p.value for p in workbench.experiments.history(run.id, "epoch/acc")] == [0.75, 0.25]
    (count,) = workbench.experiments.history(run.id, "count")
    assert (count.step, count.value) == (-1, -3.0)


def test_texts_and_hyperparameters_become_parameters_and_the_rest_is_counted(workbench, folder):
    pair = data(1, "lr") + data(2, double(2, 0.1))
    kind = data(1, "opt") + data(2, data(3, "adam"))
    on = data(1, "on") + data(2, number(4, 1))
    session = data(3, b"".join(data(1, one) for one in (pair, kind, on)))
    hparams = data(1, "_hparams_/session_start_info") + data(9, data(1, data(1, "hparams") + data(2, session)))
    body = event(AT, 0, hparams, tensor("note", number(1, 7) + data(8, "hello"), "text"))
    body += event(AT, 0, data(1, "h") + data(5, b""), data(1, "picture") + data(4, b""))
    body += event(AT, 0, tensor("big", number(1, 1) + data(5, struct.pack("<ff", 1, 2)), "scalars"))
    (folder / "a" / NAME).write_bytes(body)
    report = take(workbench, folder)
    assert workbench.experiments.params(the_run(workbench).id) == {
        "lr": "0.1",
        "note": "hello",
        "on": "True",
        "opt": "adam",
    }
    assert report.notes == [f"a: 1 values for {kind} were left out." for kind in ("histograms", "images", "scalars")]


def test_a_second_time_adds_nothing_and_a_grown_file_is_written_anew(workbench, folder):
    path = folder / "a" / NAME
    path.write_bytes(event(AT, 0, scalar("loss", 0.5)))
    take(workbench, folder)
    first = the_run(workbench).id
    workbench.experiments.tag(first, "mine", "yes")
    assert take(workbench, folder).unchanged == 1
    with path.open("ab") as file:
        file.write(event(AT + 9, 1, scalar("loss", 0.25)))
    assert take(workbench, folder).updated == 1
    run = the_run(workbench)
    assert (run.id, run.tags["mine"], run.ended_at) == (first, "yes", 1_700_000_009_500)
    assert [p.value for p in workbench.experiments.history(first, "loss")] == [0.5, 0.25]


def test_a_file_that_breaks_off_or_is_damaged_is_read_up_to_there(workbench, folder):
    whole = event(AT, 0, scalar("loss", 0.5))
    (folder / "a" / NAME).write_bytes(whole + whole[:-3])
    (folder / "b").mkdir()
    (folder / "b" / NAME).write_bytes(whole + b"\x07" * 40)
    (folder / "c").mkdir()
    (folder / "c" / NAME).write_bytes(b"not an event file")
    report = take(workbench, folder)
    assert (report.added, report.skipped) == (2, [("c", "it has no event")])
    assert [note.partition(":")[0] for note in report.notes] == ["b", "c"]
    for run in workbench.experiments.runs("vision"):
        assert len(workbench.experiments.history(run.id, "loss")) == 1


def test_an_event_that_is_none_stops_its_file_only(tmp_path):
    (tmp_path / NAME).write_bytes(event(AT, 0, scalar("a", 1)) + frame(b"\xff\xff\xff"))
    with pytest.raises(ValueError, match="breaks off"):
        list(events(tmp_path / NAME))


@pytest.mark.parametrize(
    ("tag", "key"),
    [("train/loss", "train/loss"), ("a//b/../c", "a/b/c"), ("/", "value"), ("x\ny", "x?y"), ("k" * 300, "k" * 250)],
)
def test_tags_become_names_that_metrics_may_have(tag, key):
    assert key_of(tag) == key


def test_a_folder_without_event_files_is_refused(workbench, tmp_path):
    with pytest.raises(InvalidInput, match="no event file"):
        take(workbench, tmp_path)


def test_a_simple_value_is_a_float_of_four_bytes(tmp_path):
    (tmp_path / NAME).write_bytes(event(AT, 3, data(1, "x") + single(2, 1.5)))
    ((value,),) = [one.values for one in events(tmp_path / NAME)]
    assert (value.tag, value.kind, value.number) == ("x", "scalar", 1.5)
