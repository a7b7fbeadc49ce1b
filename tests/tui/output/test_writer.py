"""A slow line holds nobody up and gets only the newest picture; a mistake of ours costs bytes, never the picture."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator

import pytest

from mlops_tui.tui.output.screen import ThinScreen
from mlops_tui.tui.output.writer import Writer


class Line:
    """A pipe as the terminal's line."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.lost, self.again = threading.Event(), threading.Event()
        self.writer = Writer(
            self.write_end, ThinScreen(80, 24), interval_s=0.01, lost=self.lost.set, again=self.again.set
        )
        self.writer.start()

    def read(self, wait: float = 0.3) -> bytes:
        """Everything that arrives until nothing did for `wait` seconds."""
        seen = b""
        while select.select([self.read_end], [], [], wait)[0]:
            data = os.read(self.read_end, 65536)
            if not data:
                break
            seen += data
        return seen


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.writer.stop()
    for end in (made.read_end, made.write_end):
        try:
            os.close(end)
        except OSError:
            pass  # the test has closed it


def picture(letter: str) -> str:
    return "\n".join(f"\x1b[{y};1H\x1b[3{y % 8}m{letter * 80}\x1b[0m" for y in range(1, 25))


def test_what_is_written_arrives_and_the_same_again_does_not(line: Line) -> None:
    line.writer.put("\x1b[1;1Hhello")
    assert b"hello" in line.read()
    line.writer.put("\x1b[1;1Hhello")
    assert line.read() == b""


def test_parts_of_one_picture_are_sent_together(line: Line) -> None:
    for part in ("\x1b[1;1Hfirst", "\x1b[1;1Hother", "\x1b[1;1Hfinal"):
        line.writer.put(part)
    seen = line.read()
    assert b"final" in seen
    assert b"first" not in seen


def test_a_line_that_takes_nothing_for_a_while_gets_the_newest_picture_alone(line: Line) -> None:
    rounds = 400
    for number in range(rounds):  # far more than a pipe holds
        line.writer.put(picture(chr(ord("a") + number % 26)))
        if number % 40 == 0:
            time.sleep(0.02)
    last = chr(ord("a") + (rounds - 1) % 26).encode()
    seen, end = b"", time.monotonic() + 20
    while last * 80 not in seen and time.monotonic() < end:
        seen += line.read(0.5)
    assert last * 80 in seen
    assert len(seen) < rounds * 80 * 24 / 4


def test_a_line_that_is_gone_is_told_once_and_nothing_blocks(line: Line) -> None:
    os.close(line.read_end)
    line.writer.put(picture("a"))
    assert line.lost.wait(2)
    line.writer.put(picture("b"))
    line.writer.stop()
    assert not line.writer.is_alive()


def test_the_end_sends_controls_but_no_picture(line: Line) -> None:
    line.writer.put(picture("a"))
    line.read()
    line.writer.put("\x1b[1;1Hnever seen")
    line.writer.put("\x1b[?1049l")
    line.writer.stop()
    seen = line.read(0.1)
    assert seen.endswith(b"\x1b[?1049l")
    assert b"never seen" not in seen


def test_after_a_mistake_of_ours_everything_goes_through_as_it_is(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: ThinScreen, data: str) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(ThinScreen, "write", broken)
    line.writer.put("\x1b[1;1Hhello")
    assert b"\x1b[1;1Hhello" in line.read()
    assert line.again.is_set()
    line.writer.put("\x1b[1;1Hhello")
    assert line.read() == b"\x1b[1;1Hhello"
