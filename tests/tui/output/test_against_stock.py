"""In tmux the picture of our driver is that of Textual's, cell by cell and colour by colour, after everything a user does."""

from __future__ import annotations

import re
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.terminal.pty_session import Session, environment
from bench.terminal.tmux_session import Tmux

from .model import Model

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

SUBJECT = [sys.executable, str(Path(__file__).with_name("subject.py"))]
ENV = {"TEXTUAL_ANIMATIONS": "none", "COLORTERM": "truecolor", "PYTHONPATH": str(Path(__file__).parents[3])}

SCRIPTS: dict[str, list[tuple[str, ...]]] = {
    "scrolling": [("Tab", "PageDown"), ("Down", "Down", "Right", "Right"), ("End",), ("Up",), ("Right",) * 13],
    "palette": [("C-p",), ("k", "e", "y"), ("Down",), ("Escape",), ("Escape",)],
    "dialog": [("d",), ("Escape",), ("t",), ("d",), ("Escape",)],
    "tabs": [("t",), ("t",), ("t",), ("PageDown",)],
}


def pair(stack: ExitStack) -> tuple[Tmux, Tmux]:
    stock = stack.enter_context(Tmux([*SUBJECT, "stock"], env=ENV))
    thin = stack.enter_context(Tmux([*SUBJECT, "thin"], env=ENV))
    for one in (stock, thin):
        one.until("column 3")
    return stock, thin


def assert_alike(stock: Tmux, thin: Tmux, seconds: float = 25.0, pause: float = 0.1) -> None:
    """Both show the same cells once both have drawn; a busy machine may need a while, a wrong picture never comes right."""
    end = time.monotonic() + seconds
    while True:
        theirs, ours = stock.still(pause), thin.still(pause)
        if ours == theirs or time.monotonic() > end:
            assert ours == theirs
            return


def test_the_picture_is_that_of_the_stock_driver() -> None:
    pressed = 0
    with ExitStack() as stack:
        both = stock, thin = pair(stack)
        assert_alike(stock, thin)
        for script in SCRIPTS.values():
            for step in script:
                pressed += len(step)
                for one in both:
                    one.keys(*step)
                for one in both:
                    one.until(f"keys {pressed}")
                assert_alike(stock, thin)
            assert_alike(stock, thin, pause=0.4)


def test_the_picture_is_that_of_the_stock_driver_after_every_resize() -> None:
    pressed = 1
    with ExitStack() as stack:
        both = stock, thin = pair(stack)
        for one in both:
            one.keys("Tab")  # from the tabs into the table
        for columns, rows, key in ((80, 24, "Down"), (61, 17, "Down"), (140, 40, "t"), (90, 26, "t")):
            for one in both:
                one.resize(columns, rows)
            for one in both:  # a key before both have taken the size in would move their lists differently
                one.until(f"{columns}x{rows}")
            assert_alike(stock, thin)
            pressed += 1
            for one in both:
                one.keys(key)
            for one in both:
                one.until(f"keys {pressed}")
            assert_alike(stock, thin)
        assert_alike(stock, thin, pause=0.4)


def test_a_redraw_heals_what_another_program_wrote() -> None:
    with Tmux([*SUBJECT, "thin"], env=ENV) as thin:
        thin.until("column 3")
        whole = thin.still()
        terminal = Path(thin.ask("#{pane_tty}"))
        terminal.write_text("\x1b[5;5H\x1b[31mwall: the machine goes down\x1b[0m", encoding="utf-8")
        thin.until("the machine goes down")
        thin.keys("C-l")
        assert thin.until("keys 1")
        assert thin.still().replace("keys 1", "keys 0") == whole


def test_joined_emoji_do_not_move_what_follows_them() -> None:
    with Tmux([*SUBJECT, "thin"], env=ENV) as thin:
        thin.until("column 3")
        thin.keys("t")
        thin.keys("j")
        thin.until("plain|bar")
        thin.still()
        first = next(line for line in thin.look().splitlines() if "|bar" in line and "plain" not in line)
        assert first.rstrip().endswith("|bar")
        assert first.count("|bar") == 1


def picture(data: bytes) -> object:
    """What a terminal that erases with the background shows after these bytes."""
    model = Model(100, 30, bce=True)
    model.feed(strip(data.decode(errors="ignore").replace("\r\n", "\n").partition("\x1b[?1049h")[2]))
    return model.seen()


def test_outside_tmux_it_looks_the_same_for_a_tenth_of_the_bytes() -> None:
    with ExitStack() as stack:
        sessions = stock, thin = [
            stack.enter_context(Session([*SUBJECT, name], env=environment(**ENV), columns=100, rows=30))
            for name in ("stock", "thin")
        ]
        for session in sessions:
            assert session.until(b"column 3")
        for key in ("", "\x1b[6~", "\x1b[B", "t", "d", "\x1b", "t"):
            for session in sessions:
                session.type(key)
            for session in sessions:
                session.quiet(0.25)
        end = time.monotonic() + 25
        while (seen := picture(thin.seen)) != (wanted := picture(stock.seen)) and time.monotonic() < end:
            time.sleep(0.3)
        assert seen == wanted
        assert thin.written < stock.written / 8


def strip(text: str) -> str:
    """Without what the model of a terminal does not know and what changes no cell."""

    return re.sub(r"\x1b\[[<>=]\d*u|\x1b\[\?\d+\$p|\x1b\][^\x07\x1b]*\x07", "", text)
