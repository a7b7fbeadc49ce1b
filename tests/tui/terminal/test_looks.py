"""No colour means none, ASCII means ASCII, over SSH nothing moves by itself: told by the bytes on the terminal."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from bench.terminal.pty_session import Session, environment
from mlops_tui.core.workspace import Workspace
from mlops_tui.tui import modes
from mlops_tui.tui.glyphs import ascii_only

ROOT = str(Path(__file__).parents[3])


def visit(workspace: Workspace, keys: list[str], **env: str) -> bytes:
    """What the application writes from start to quit, with those keys pressed in between."""
    code = f"from mlops_tui.tui.opening import run; raise SystemExit(run({str(workspace.root)!r}, screen='registry'))"
    env = {
        "PYTHONPATH": ROOT,
        "XDG_STATE_HOME": str(workspace.project),
        "XDG_CONFIG_HOME": str(workspace.project),
        **env,
    }
    with Session([sys.executable, "-c", code], env=environment(**env)) as session:
        assert session.until(lambda seen: b"hire" in seen), session.seen
        for key in keys:
            before = len(session.seen)
            session.type(key)
            session.until(bool, after=before)  # a busy machine takes its time, and esc is a key of its own
            session.quiet(0.2)
        session.type("q")
        assert session.wait(30) == 0
        return session.seen


def colours(data: bytes) -> set[str]:
    """The colour codes in what a program wrote; 39 and 49, the terminal's own, are none."""
    found = set()
    for codes in re.findall(rb"\x1b\[([0-9;]*)m", data):
        found |= {code for code in codes.decode().split(";") if code and code not in ("39", "49")}
    return {code for code in found if 30 <= int(code) <= 48 or 90 <= int(code) <= 107}


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("driver", ["", "1"], ids=["thin", "plain"])
def test_no_color_is_no_colour_on_any_screen(filled: Workspace, driver: str) -> None:
    data = visit(filled, ["3", "7", "T", "x", "\x1b", "?", "\x1b"], NO_COLOR="1", MLOPS_PLAIN_DRIVER=driver)
    assert colours(data) == set()
    assert b"\x1b[1" in data  # weight and reversal still tell things apart


@pytest.mark.e2e
@pytest.mark.slow
def test_colours_and_glyphs_are_there_where_nothing_forbids_them(filled: Workspace) -> None:
    data = visit(filled, ["7"], NO_COLOR="")  # set to nothing means colour
    assert "38" in colours(data)
    assert not data.isascii()


@pytest.mark.e2e
@pytest.mark.slow
def test_ascii_means_that_every_character_is(filled: Workspace) -> None:
    data = visit(filled, ["3", "7", "8", "x", "\x1b", "?", "\x1b"], MLOPS_ASCII="1")
    assert data.isascii(), re.findall(r"[^\x00-\x7f]", data.decode())


@pytest.mark.e2e
@pytest.mark.slow
def test_over_ssh_frames_are_few_and_keys_are_answered_at_once(filled: Workspace) -> None:
    code = f"from mlops_tui.tui.opening import run; raise SystemExit(run({str(filled.root)!r}, screen='registry'))"
    env = environment(PYTHONPATH=ROOT, SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22", XDG_STATE_HOME=str(filled.project))
    with Session([sys.executable, "-c", code], env=env) as session:
        assert session.until(b"hire")
        session.quiet(0.8)
        before = session.written
        session.type("?")
        assert session.until(lambda seen: len(seen) > 200, after=before) is not None
        session.quiet(1.2)
        before = session.written
        time.sleep(1.0)
        assert session.written == before
        session.type("\x1b")
        session.quiet(0.5)
        session.type("q")
        assert session.wait(30) == 0


def test_modes_are_read_from_the_environment() -> None:
    assert modes.read({}) == modes.Modes()
    asked = modes.read({"NO_COLOR": "1", "MLOPS_ASCII": "yes", "SSH_TTY": "/dev/pts/1", "MLOPS_PLAIN_DRIVER": "0"})
    assert asked == modes.Modes(no_color=True, ascii=True, remote=True)
    assert not modes.read({"NO_COLOR": ""}).no_color
    assert modes.read({"MLOPS_CLIPBOARD": "auto"}).clipboard == ""


def test_options_become_the_environment() -> None:
    env: dict[str, str] = {}
    modes.ask(env, no_color=True, plain_driver=True)
    assert modes.read(env) == modes.Modes(no_color=True, plain_driver=True)


def test_every_glyph_has_an_ascii_twin_of_the_same_width_and_letters_stay() -> None:
    assert ascii_only("╭─ ● ready ▲ 3 │ ▁▃▅█ ⠁⢀⣿ → … ✓") == "+- * ready ^ 3 | _-+# '.# > ~ v"
    assert ascii_only("Größe 漢字 ёлка") == "Größe 漢字 ёлка"
    for code in (*range(0x2190, 0x27C0), *range(0x1FB00, 0x1FC00)):
        drawn = ascii_only(chr(code))
        assert len(drawn) == 1
        assert drawn.isascii()
