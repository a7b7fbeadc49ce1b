from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from mlops_tui.core import segments
from mlops_tui.core.segments import SegmentWriter


def records(folder: Path) -> list:
    return [record for path in segments.segments(folder) for record, _ in segments.read(path)]


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "log")
    writer.append({"a": 1, "b": [1.5, None, "ü"]})
    writer.append_all([{"n": i} for i in range(3)])
    assert records(tmp_path) == [{"a": 1, "b": [1.5, None, "ü"]}, {"n": 0}, {"n": 1}, {"n": 2}]
    writer.close()


def test_reading_goes_on_from_an_offset(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "log")
    writer.append_all(range(5))
    path = segments.segments(tmp_path)[0]
    offsets = [offset for _, offset in segments.read(path)]
    assert [record for record, _ in segments.read(path, offsets[2])] == [3, 4]
    writer.close()


@pytest.mark.parametrize("cut", [1, 7, 9, 12])
def test_a_torn_tail_is_cut(tmp_path: Path, cut: int) -> None:
    writer = SegmentWriter(tmp_path, "log")
    writer.append_all(["first", "second"])
    writer.close()
    path = segments.segments(tmp_path)[0]
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    assert [record for record, _ in segments.read(path)] == ["first"]


def test_a_damaged_frame_ends_the_reading_before_it(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "log")
    writer.append_all(["first", "second", "third"])
    writer.close()
    path = segments.segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[len(segments.frame("first")) + 10] ^= 0xFF
    path.write_bytes(data)
    assert [record for record, _ in segments.read(path)] == ["first"]


def test_a_full_file_is_followed_by_a_new_one(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "log", max_bytes=100)
    for i in range(20):
        writer.append("x" * 20 + str(i))
    writer.close()
    assert len(segments.segments(tmp_path)) > 1
    assert len(records(tmp_path)) == 20


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "log")
    writer.append("parent")
    child = os.fork()
    if child == 0:
        writer.append("child")
        os._exit(0)
    os.waitpid(child, 0)
    writer.append("parent again")
    assert sorted(records(tmp_path)) == ["child", "parent", "parent again"]
    assert len(segments.segments(tmp_path)) == 2
    assert [segments.is_live(path) for path in segments.segments(tmp_path)].count(True) == 1
    writer.close()


def _append_forever(folder: Path, acknowledged) -> None:
    writer = SegmentWriter(folder, "log")
    while True:
        writer.append(acknowledged.value)
        acknowledged.value += 1


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    acknowledged = context.Value("i", 0)
    worker = context.Process(target=_append_forever, args=(tmp_path, acknowledged))
    worker.start()
    while acknowledged.value < 500:
        time.sleep(0.005)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    found = records(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= acknowledged.value
    assert not segments.is_live(segments.segments(tmp_path)[0])


def test_a_cut_write_is_taken_back_and_the_disk_s_reason_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SegmentWriter(tmp_path, "log")
    writer.append("first")
    real, calls = os.write, []

    def short_then_full(handle: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return real(handle, data[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", short_then_full)
    with pytest.raises(OSError, match="No space"):
        writer.append("second")
    monkeypatch.setattr(os, "write", real)
    writer.append("third")
    writer.close()
    assert records(tmp_path) == ["first", "third"]


def test_the_name_of_a_segment_that_was_taken_in_is_not_given_again(tmp_path: Path) -> None:
    """Readers remember how far they read by the name: what a second file of that name begins with would be passed over."""
    names = []
    for number in range(3):
        writer = SegmentWriter(tmp_path, "feedback")
        writer.append(number)
        writer.close()
        (path,) = segments.segments(tmp_path)
        names.append(path.name)
        path.unlink()
    assert len(set(names)) == 3
