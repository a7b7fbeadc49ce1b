"""However the application ends, the terminal is as it was; and it comes back from a suspend and a resize."""

from __future__ import annotations

import re
import signal
import sys
import time
from pathlib import Path

import pytest

from bench.terminal.pty_session import Session, environment

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SUBJECT = str(Path(__file__).with_name("subject.py"))
ROOT = str(Path(__file__).parents[3])


def start(logs: Path, **env: str) -> Session:
    session = Session(
        [sys.executable, SUBJECT, str(logs)], env=environment(PYTHONPATH=ROOT, **env), columns=60, rows=10
    )
    try:
        assert session.until(b"ready"), session.seen
        session.quiet(0.3)
        assert session.flags() == (False, False)
    except BaseException:
        session.__exit__(None, None, None)
        raise
    return session


def left_on(data: bytes) -> set[str]:
    """The modes a program switched on (or off, for cursor and wrap) and did not put back, in the order it wrote them."""
    state: dict[str, str] = {}
    for mode, how in re.findall(rb"\x1b\[\?(\d+)([hl])", data):
        state[mode.decode()] = how.decode()
    normal = {"25": "h", "7": "h"}
    wrong = {mode for mode, how in state.items() if how != normal.get(mode, "l")}
    if data.count(b"\x1b[>") != data.count(b"\x1b[<u"):
        wrong.add("keys")
    return wrong


@pytest.mark.parametrize("driver", ["", "1"], ids=["thin", "plain"])
def test_after_a_crash_the_terminal_is_whole_and_one_line_names_the_log(tmp_path: Path, driver: str) -> None:
    with start(tmp_path, MLOPS_PLAIN_DRIVER=driver) as session:
        session.type("c")
        assert session.wait() == 70
        assert left_on(session.seen) == set()
        assert session.flags() == (True, True)
        after = session.seen.rpartition(b"\x1b[?1006l")[2].decode()
    assert (
        after.strip() == f"mlops stopped on an error: ValueError: the wheel came off. Details: {tmp_path / 'tui.log'}"
    )
    assert "action_crash" in (tmp_path / "tui.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_the_quit_key_does(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path) as session:
        session.kill(number)
        assert session.wait() == 128 + number
        assert left_on(session.seen) == set()
        assert session.flags() == (True, True)


def test_told_twice_it_ends_even_while_it_hangs(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        session.type("h")
        session.quiet(0.3)
        session.kill(signal.SIGTERM)
        time.sleep(0.5)
        session.kill(signal.SIGTERM)
        assert session.wait(5) == 143
        assert left_on(session.seen) == set()
        assert session.flags() == (True, True)


def test_the_last_words_come_after_the_picture(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        session.type("q")
        assert session.wait() == 0
        assert session.seen.rstrip().endswith(b"The daemon goes on.")
        assert left_on(session.seen) == set()


def test_a_terminal_that_goes_away_ends_it(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        session.hang_up()
        assert session.wait(5) is not None


@pytest.mark.parametrize("driver", ["", "1"], ids=["thin", "plain"])
def test_ctrl_z_gives_the_terminal_back_and_fg_draws_everything_again(tmp_path: Path, driver: str) -> None:
    with start(tmp_path, MLOPS_PLAIN_DRIVER=driver) as session:
        session.type("t")
        assert session.until(b"count 1")
        session.quiet()
        session.type("\x1a")
        assert session.stopped()
        assert session.until(lambda seen: not left_on(seen))  # what it wrote last may still be on its way here
        before = session.written
        session.kill(signal.SIGCONT)
        assert session.until(b"count 1", after=before)
        session.type("t")
        assert session.until(b"2", after=session.written - 1)
        session.type("q")
        assert session.wait() == 0
        assert left_on(session.seen) == set()


def test_stopped_from_outside_it_repaints_when_it_goes_on(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        session.kill(signal.SIGSTOP)
        assert session.stopped()
        before = session.written
        session.kill(signal.SIGCONT)
        assert session.until(b"ready", after=before)
        session.type("t")
        assert session.until(b"count 1")
        session.type("q")
        assert session.wait() == 0


def test_a_new_size_is_drawn_in_full(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        before = session.written
        session.resize(40, 12)
        assert session.until(b"ready", after=before)
        assert session.until(lambda seen: seen.count(b"\x1b[K") >= 12, after=before)


@pytest.mark.parametrize("driver", ["", "1"], ids=["thin", "plain"])
def test_ctrl_l_sends_the_whole_picture_again(tmp_path: Path, driver: str) -> None:
    with start(tmp_path, MLOPS_PLAIN_DRIVER=driver) as session:
        before = session.written
        session.type("\x0c")
        assert session.until(b"ready", after=before)


def test_the_title_and_the_bell_are_for_alerts_alone(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        assert b"\x1b]2;" not in session.seen
        for key in "tat":
            session.type(key)
            session.quiet(0.3)
        assert session.seen.count(b"\x1b]2;1 alert: bikes\x07") == 1
        bare = re.sub(rb"\x1b\][^\x07]*\x07", b"", session.seen)
        assert bare.count(b"\x07") == 1
        session.type("n")
        session.quiet(0.3)
        assert session.seen.count(b"\x1b[22;2t") == session.seen.count(b"\x1b[23;2t") == 1
        session.type("a")
        session.quiet(0.3)
        session.type("q")
        session.wait()
        assert session.seen.count(b"\x1b[22;2t") == session.seen.count(b"\x1b[23;2t") == 2


def test_a_copy_reaches_the_terminal(tmp_path: Path) -> None:
    with start(tmp_path) as session:
        session.type("y")
        assert session.until(b"\x1b]52;c;cDAwMDE=\x07")
        assert session.until(b"Copied p0001")
