"""The log of predictions: what is posted in one turn of the loop is one write, before anyone hears of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.core import segments
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.web import journal as module
from mlops_tui.web.journal import Journal


def logged(folder: Path) -> list[Any]:
    return [record for path in segments.segments(folder) for record, _ in segments.read(path)]


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each write held."""
    found: list[int] = []
    write = SegmentWriter.append_frames

    def counted(self: SegmentWriter, frames: Any) -> None:
        listed = list(frames)
        found.append(len(listed))
        write(self, listed)

    monkeypatch.setattr(SegmentWriter, "append_frames", counted)
    return found


async def test_what_is_posted_in_a_turn_is_one_write_before_anyone_hears_of_it(tmp_path: Path, writes: Any) -> None:
    journal = Journal(tmp_path)
    told: list[Any] = []
    for number in range(3):
        journal.post({"n": number}, lambda refused: told.append((refused, len(logged(tmp_path)))))
    assert (told, logged(tmp_path)) == ([], [])
    await asyncio.sleep(0)
    assert told == [(None, 3)] * 3
    assert writes == [3]
    await journal.close()


async def test_a_record_that_cannot_be_written_and_a_listener_that_breaks_harm_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    told: list[Any] = []
    with pytest.raises(OverflowError):
        journal.post({"n": 2**70}, told.append)
    journal.post({"n": 1}, lambda refused: 1 / 0)
    journal.post({"n": 2}, told.append)
    await asyncio.sleep(0)
    assert told == [None]
    assert [record["n"] for record in logged(tmp_path)] == [1, 2]
    assert "could not be answered" in caplog.text
    await journal.close()


async def test_all_of_a_turn_hear_of_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    told: list[Any] = []

    def full(self: SegmentWriter, frames: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SegmentWriter, "append_frames", full)
    journal.post({"n": 1}, told.append)
    journal.post({"n": 2}, told.append)
    await journal.close()
    assert [type(one) for one in told] == [Unavailable, Unavailable]
    assert journal.unlogged == 2


async def test_with_power_everyone_waits_for_a_sync_that_began_after_their_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync = module._sync_files

    def noted(paths: set[Path]) -> None:
        events.append(f"synced {len(logged(tmp_path))}")
        sync(paths)

    monkeypatch.setattr(module, "_sync_files", noted)
    journal = Journal(tmp_path, power=True)
    journal.post({"n": 1}, lambda _: events.append("first"))
    await asyncio.sleep(0)
    journal.post({"n": 2}, lambda _: events.append("second"))
    async with asyncio.timeout(10):
        while "second" not in events:
            await asyncio.sleep(0.001)
    assert events.index("synced 1" if "synced 1" in events else "synced 2") < events.index("first")
    assert events.index("synced 2") < events.index("second")
    await journal.close()
