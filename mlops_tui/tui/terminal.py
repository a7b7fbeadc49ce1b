"""What an application owes the terminal it runs in: the right driver and colours, a clean end, copying, and silence."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.console import Console
from textual import constants, events
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.widgets import Input

from mlops_tui.core import clock
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.tui import clipboard
from mlops_tui.tui.modes import Modes, read

BROKEN = 70
"""Exit code after an error of ours, as for every other command."""


def driver_class(modes: Modes) -> type[Driver] | None:
    """Our driver where Textual would take its Linux driver; None where another one was asked for."""
    if modes.plain_driver or constants.DRIVER or sys.platform == "win32":
        return None
    from mlops_tui.tui.output.driver import ThinDriver

    return ThinDriver


class TerminalApp(App[str]):
    """Base of the application: everything here is about the terminal, nothing about the workspace."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", show=False)]

    def __init__(self) -> None:
        self.modes = read(os.environ)
        if not self.modes.no_color:
            os.environ.pop("NO_COLOR", None)  # set but empty means colour; Textual would take it for "none"
        # Without colour Textual greys truecolour; the terminal's own palette and its filter give real "no colour".
        super().__init__(driver_class=driver_class(self.modes), ansi_color=True if self.modes.no_color else None)
        if self.modes.ascii:
            from mlops_tui.tui.glyphs import AsciiFilter

            self._filters.append(AsciiFilter())
        if self.modes.remote:
            self.animation_level = "none"
        self._said = io.StringIO()
        # Textual prints pages of traceback after a crash: they go to the log, the user gets one line.
        self.error_console = Console(file=self._said, markup=False, width=160, no_color=True)
        self._alarm: int | None = None
        self._told = False

    # -- what the terminal shows besides the picture --------------------------------------------------------------------

    def action_redraw(self) -> None:
        """Draw everything again, also what did not change: another program may have written over it."""
        repaint: Callable[[], None] | None = getattr(self._driver, "repaint", None)
        if repaint is not None:
            repaint()
        self.refresh(repaint=True, layout=True)

    def show_alarms(self, count: int) -> None:
        """Open alerts in the title of the terminal; the bell rings when one more is open, and for nothing else."""
        before, self._alarm = self._alarm, count
        if count == (before or 0) and before is not None:
            return
        if count:
            save = "\x1b[22;2t" if not before else ""
            self.tell_terminal(f"{save}\x1b]2;{count} alert{'s' if count > 1 else ''}: {self.title}\x07")
        elif before:
            self.tell_terminal("\x1b[23;2t")
        if before is not None and count > before:
            self.bell()

    def tell_terminal(self, sequence: str) -> None:
        """Send a sequence that draws nothing; from any thread."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    def on_unmount(self) -> None:
        if self._alarm:
            self.tell_terminal("\x1b[23;2t")

    # -- copying --------------------------------------------------------------------------------------------------------

    def copy(self, text: str) -> None:
        """Put text on the user's clipboard and say how it went."""
        self.copy_to_clipboard(text)

    def copy_to_clipboard(self, text: str) -> None:
        """Everything copied in the application comes through here, also selected text and that of input lines."""
        self._clipboard = text
        self.run_worker(lambda: self._copy(text), thread=True, group="copy", exit_on_error=False)

    def on_text_selected(self) -> None:
        """Text chosen with the mouse in what Textual draws (logs, labels) is copied at once, as in our own panes."""
        if chosen := self.screen.get_selected_text():
            self.copy(chosen)

    def _copy(self, text: str) -> None:
        severity = "information"
        try:
            said = clipboard.copy(text, env=os.environ, setting=self.modes.clipboard, write=self.tell_terminal)
        except WorkbenchError as error:
            said, severity = f"{error.message} {error.hint}".strip(), "error"
        if self.is_running:
            self.call_from_thread(self.notify, said, timeout=3, markup=False, severity=severity)

    # -- life -----------------------------------------------------------------------------------------------------------

    async def on_mount(self) -> None:
        if self.is_headless or self.is_web:
            return
        self.app_resume_signal.subscribe(self, lambda _: self.refresh(repaint=True, layout=True))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: self._told_to_end(loop, number))

    def _told_to_end(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        """End as after `q`; told again while that is under way, give the terminal back and go."""
        if self._told:
            abandon: Callable[[], None] | None = getattr(self._driver, "abandon", None)
            if abandon is not None:
                abandon()
            os._exit(128 + number)
        self._told = True
        loop.call_soon_threadsafe(lambda: self.exit(return_code=128 + number))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """An idle application sends nothing: cursors of input lines stand still."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def run_in_terminal(self, logs: Path) -> int:
        """Run until the user leaves; the exit code. After a crash the terminal is whole and one line names the log."""
        try:
            self.run(mouse=self.modes.mouse)
        finally:
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
        crash = self._exception
        if crash is not None:
            print(f"mlops stopped on an error: {_first_line(crash)}. {_kept(crash, logs)}", file=sys.stderr)  # noqa: T201
            return BROKEN
        said = self._said.getvalue().strip()
        if said:
            print(said, file=sys.stderr)  # noqa: T201
        return self.return_code or 0


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0].rstrip('.')}" if text else type(error).__name__


def _kept(error: BaseException, logs: Path) -> str:
    """Where the traceback was written."""
    path = logs / "tui.log"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{clock.iso(clock.now_ms())}\n{''.join(traceback.format_exception(error))}\n")
    except OSError as problem:
        return f"Its details could not be kept: {problem}"
    return f"Details: {path}"
