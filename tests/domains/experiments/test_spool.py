"""The writing side: what a record may hold, and that nothing here breaks a training."""

from __future__ import annotations

import errno
import math
import os
import threading
import time

import numpy as np
import pytest

from mlops_tui.core import segments
from mlops_tui.core.ids import new_id
from mlops_tui.domains.experiments import spool
from mlops_tui.domains.experiments.spool import RunWriter, as_text


def records(workspace, kind=None):
    found = [record for path in segments.segments(spool.folder(workspace)) for record, _ in segments.read(path)]
    return [record for record in found if kind is None or record[0] == kind]


def ended(child):
    """The exit status of a child; one that hangs is ended after five seconds."""
    for _ in range(100):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.05)
    os.kill(child, 9)
    return os.waitpid(child, 0)[1]


def points(workspace):
    return [tuple(point) for record in records(workspace, "metric") for point in record[2]]


@pytest.fixture
def writer(workspace):
    writer = RunWriter(workspace, new_id())
    yield writer
    writer.close()


def test_a_metric_is_in_the_file_when_the_call_returns(workspace, writer):
    writer.metrics([("loss", 3, 0.5)], at=42)
    assert records(workspace) == [["metric", 42, [["loss", 3, 0.5]]]]


def test_numpy_scalars_become_plain_numbers(workspace, writer):
    values = [np.float32(0.5), np.int64(3), np.array(2.0), np.bool_(True), True, 7]
    writer.metrics([("m", np.int64(step), value) for step, value in enumerate(values)])
    assert points(workspace) == [
        ("m", 0, 0.5),
        ("m", 1, 3.0),
        ("m", 2, 2.0),
        ("m", 3, 1.0),
        ("m", 4, 1.0),
        ("m", 5, 7.0),
    ]
    assert all(type(value) is float for _, _, value in points(workspace))


def test_what_is_no_number_is_said_once_and_left_out(workspace, writer, capsys):
    for _ in range(3):
        writer.metrics([("loss", 0, "0.5"), ("ok", 0, 1.0), ("none", 0, None), ("pair", 0, np.zeros(2)), ("", 0, 1.0)])
    writer.metrics([("step", 1.5, 1.0), ("huge", 2**70, 1.0), ("big", 0, 10**400), ("x" * 251, 0, 1.0)])
    assert {key for key, _, _ in points(workspace)} == {"ok"}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(set(said)) == 8
    assert said[0] == "mlops: metric 'loss' was not logged: '0.5' is not a number"


def test_steps_count_on_from_the_highest(workspace, writer):
    writer.metrics([("loss", None, 1.0)])
    writer.metrics([("loss", 10, 1.0)])
    writer.metrics([("loss", None, 1.0), ("auc", None, 1.0)])
    writer.metrics([("loss", 2, 1.0)])
    writer.metrics([("loss", None, 1.0)])
    assert [(key, step) for key, step, _ in points(workspace)] == [
        ("loss", 0),
        ("loss", 10),
        ("loss", 11),
        ("auc", 0),
        ("loss", 2),
        ("loss", 12),
    ]


def test_threads_share_a_writer_and_lose_nothing(workspace, writer):
    def work():
        for _ in range(500):
            writer.metrics([("loss", None, 1.0)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(step for _, step, _ in points(workspace)) == list(range(2000))


def test_parameters_and_tags_are_text_of_limited_length(workspace, writer, capsys):
    writer.params(
        {"rate": np.float64(0.1), "layers": (1, 2), "none": None, "odd": "a\udc80b", "long": "x" * 6001, 3: "no name"}
    )
    (record,) = records(workspace, "params")
    assert record[2] == {"rate": "0.1", "layers": "[1, 2]", "none": "None", "odd": "a?b", "long": "x" * 6000}
    said = capsys.readouterr().err
    assert "'long' was cut to 6000 characters" in said
    assert "param 3 was not logged" in said


def test_a_full_disk_is_said_once_never_raised_and_caught_up_later(workspace, writer, capsys, monkeypatch):
    writer.metrics([("loss", 0, 1.0)])

    def full(record):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writer._segment, "append", full)
    for step in (1, 2, 3):
        writer.metrics([("loss", step, 1.0)])
    assert capsys.readouterr().err.count("No space left on device") == 1
    monkeypatch.undo()
    writer.metrics([("loss", 4, 1.0)])
    assert [step for _, step, _ in points(workspace)] == [0, 1, 2, 3, 4]


def test_a_forked_child_writes_a_segment_of_its_own_even_if_the_lock_was_held(workspace, writer):
    writer.metrics([("parent", 0, 1.0)])
    with writer._lock:  # as if another thread were in the middle of a call
        child = os.fork()
        if child == 0:
            writer.tags({"who": "child"})
            writer.metrics([("child", 0, 2.0)])
            os._exit(0)
    assert ended(child) == 0
    writer.metrics([("parent", 1, 1.0)])
    assert len(segments.segments(spool.folder(workspace))) == 2
    assert sorted(points(workspace)) == [("child", 0, 2.0), ("parent", 0, 1.0), ("parent", 1, 1.0)]


def test_a_late_call_after_the_end_is_kept_in_a_new_segment(workspace, writer):
    writer.metrics([("loss", 0, 1.0)])
    writer.close()
    writer.alive()
    assert len(segments.segments(spool.folder(workspace))) == 1
    writer.metrics([("loss", 1, 1.0)])
    assert len(points(workspace)) == 2


def test_text_of_values():
    assert [as_text(value) for value in ("a", 1, 0.1, None, np.int64(3), {"a": 1})] == [
        "a",
        "1",
        "0.1",
        "None",
        "3",
        '{"a": 1}',
    ]
    assert as_text([math]).startswith("[<module")
