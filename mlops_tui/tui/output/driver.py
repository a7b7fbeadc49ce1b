"""Textual's driver for Linux and macOS with our writer behind it. Use: ``App(driver_class=ThinDriver)``."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Mapping
from typing import Any

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from mlops_tui.tui.output.screen import ThinScreen
from mlops_tui.tui.output.writer import Writer

LOCAL_FRAME_S = 1 / 60
REMOTE_FRAME_S = 1 / 10
"""Over SSH at most ten frames a second, except for the answer to a key."""
_MODES_OFF = "".join(f"\x1b[?{mode}l" for mode in (2026, 2004, 2048, 1000, 1003, 1015, 1006, 1004))
RESTORE = f"\x1b[m{_MODES_OFF}\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
"""Everything the driver switches on, off: for an end that does not go through the application."""


def erases_with_background(env: Mapping[str, str]) -> bool:
    """Whether erased cells take the current background. tmux and screen redraw by themselves: there we stay exact."""
    if env.get("TMUX") or env.get("STY"):
        return False
    import curses

    try:
        curses.setupterm(env.get("TERM", "dumb"), 1)
        return curses.tigetflag("bce") == 1 and bool(curses.tigetstr("ech"))
    except (curses.error, OSError, ValueError):
        return False


def is_remote(env: Mapping[str, str]) -> bool:
    """Whether the terminal is at the other end of an SSH connection."""
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))


class ThinDriver(LinuxDriver):
    """Sends only the cells that changed. `repaint` sends all of them again."""

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._writer: Writer | None = None
        # Textual draws on stderr; with `2> file` there would be nothing to see.
        file = sys.__stderr__ if sys.__stderr__ is not None and sys.__stderr__.isatty() else sys.__stdout__
        assert file is not None
        self._file = file
        self._output = file.fileno()

    # -- output --------------------------------------------------------------------------------------------------------

    def write(self, data: str) -> None:
        """Take in what Textual draws; a write before the start or after the end has no terminal to go to."""
        if self._writer is not None:
            self._writer.put(data)

    def repaint(self) -> None:
        """Send the whole picture and the modes it needs again, whatever another program has left on the terminal."""
        if self._writer is not None:
            self._writer.put("\x1b[?25l\x1b[?7l")
            self._writer.put(True)

    def _size_now(self) -> tuple[int, int]:
        try:
            width, height = os.get_terminal_size(self._output)
        except OSError:
            width = height = 0
        return (width, height) if width and height else self._get_terminal_size()

    # -- life ----------------------------------------------------------------------------------------------------------

    def start_application_mode(self) -> None:
        """Take the terminal over. When we have it already (a SIGCONT without our SIGTSTP), only repaint."""
        if self._writer is not None:
            self.repaint()
            return
        screen = ThinScreen(*self._size_now(), erases_with_background=erases_with_background(os.environ))
        self._writer = Writer(
            self._output,
            screen,
            interval_s=REMOTE_FRAME_S if is_remote(os.environ) else LOCAL_FRAME_S,
            lost=self._terminal_lost,
            again=self._draw_again,
            encoding=getattr(self._file, "encoding", "utf-8"),
        )
        self._writer.start()
        self._writer_thread = None
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if not self._started():
            self._end_writer()
            return
        stock = signal.getsignal(signal.SIGWINCH)

        def resized(number: int, frame: Any) -> None:
            self._resized(self._size_now())
            if callable(stock):
                stock(number, frame)

        signal.signal(signal.SIGWINCH, resized)

    def _started(self) -> bool:
        """False in the background of a shell: there Textual waits to be brought back."""
        return self._writer_thread is not None

    def close(self) -> None:
        """End the writer once everything is out."""
        super().close()
        self._writer_thread = None
        self._end_writer()

    def _end_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.stop()

    def abandon(self) -> None:
        """Give the terminal back at once, past the application and its queue: the process is about to be ended."""
        try:
            os.write(self._output, RESTORE.encode())
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        except (OSError, termios.error):
            pass  # the terminal has gone, and with it what there was to restore

    def _terminal_lost(self) -> None:
        """Called by the writer: the terminal takes nothing any more."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._app.exit(return_code=129))

    def _draw_again(self) -> None:
        """Ask for a whole picture; from any thread, also from a signal handler."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._app.refresh)

    # -- input ---------------------------------------------------------------------------------------------------------

    def process_message(self, message: Message) -> None:
        """Note keys (their answer is urgent) and sizes told in the input stream; runs in the input thread."""
        if isinstance(message, events.Resize):
            self._resized(message.size)
        elif isinstance(message, events.InputEvent) and not isinstance(message, events.MouseMove):
            self._hurry()
        super().process_message(message)

    def _hurry(self) -> None:
        if self._writer is not None:
            self._writer.hurry()

    def _resized(self, size: tuple[int, int]) -> None:
        """Nothing on the terminal is known; ask for a whole picture, as Textual draws none when a size comes back."""
        if self._writer is not None:
            self._writer.put((size[0], size[1]))
            self._draw_again()
