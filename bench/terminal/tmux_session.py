"""A program in a window of a private tmux server: keys in, the picture out, sizes changed."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

# COLUMNS and LINES, which test runners set, would fix the size for stock Textual, which asks them before the terminal.
_LEAVE_OUT = ("NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "COLUMNS", "LINES")


class Tmux:
    """Use as a context manager: the server and everything in it ends on the way out. The user's tmux is never touched."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, columns: int = 100, rows: int = 30
    ) -> None:
        self._name = f"mlops-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        extra = [f"{name}={value}" for name, value in (env or {}).items()]
        line = shlex.join(["env", *(part for name in _LEAVE_OUT for part in ("-u", name)), *extra, *command])
        outside = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
        # A shell around it stays when the program ends, so that what it left on the terminal can be looked at.
        self.run(
            "new-session", "-d", "-x", str(columns), "-y", str(rows), f"{line}; echo ended $?; exec sh", env=outside
        )
        self.run("set-option", "-g", "status", "off")

    def __enter__(self) -> Tmux:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["tmux", "-L", self._name, "kill-server"], check=False, capture_output=True)

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """A command of tmux; what it prints."""
        command = ["tmux", "-L", self._name, "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20, env=env).stdout

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names (`Down`, `C-p`, `x`)."""
        self.run("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window."""
        self.run("resize-window", "-x", str(columns), "-y", str(rows))

    def look(self, *, styles: bool = False) -> str:
        """The picture; with `styles` as text and escape codes."""
        return self.run("capture-pane", "-p", *(["-e"] if styles else []))

    def ask(self, what: str) -> str:
        """A variable of tmux, such as `#{cursor_flag}`."""
        return self.run("display-message", "-p", what).strip()

    def until(self, seen: str | Callable[[str], bool], limit: float = 20.0) -> str:
        """The picture once it shows that; AssertionError with the picture when it does not within `limit` seconds."""
        end = time.monotonic() + limit
        while True:
            picture = self.look()
            if seen in picture if isinstance(seen, str) else seen(picture):
                return picture
            assert time.monotonic() < end, f"not seen: {seen!r}\n{picture}"
            time.sleep(0.05)

    def still(self, pause: float = 0.3, limit: float = 20.0) -> str:
        """The picture with its styles, once it has not changed for `pause` seconds."""
        end = time.monotonic() + limit
        before, since = self.look(styles=True), time.monotonic()
        while time.monotonic() < end:
            time.sleep(0.05)
            now = self.look(styles=True)
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since >= pause:
                return now
        raise AssertionError(f"never still:\n{before}")
