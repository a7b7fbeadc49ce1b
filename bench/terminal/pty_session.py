"""A program in a pseudo-terminal, watched from outside: what it writes and when, its processor time, keys, a slow line."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

# Nothing of the machine the measurement runs on: neither its terminal, nor its SSH session, nor its colours.
_LEAVE_OUT = (
    "NO_COLOR",
    "TMUX",
    "STY",
    "SSH_CONNECTION",
    "SSH_TTY",
    "COLUMNS",
    "LINES",
    "MLOPS_PLAIN_DRIVER",
    "MLOPS_ASCII",
    "PYTHONDONTWRITEBYTECODE",  # a program that was installed has its modules compiled
)


def environment(**extra: str) -> dict[str, str]:
    """This process's environment as a truecolour terminal of xterm's kind would give it."""
    env = {
        name: value for name, value in os.environ.items() if name not in _LEAVE_OUT and not name.startswith("TEXTUAL")
    }
    return {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor", **extra}


class Session:
    """Use as a context manager; the program is ended on the way out.

    `line` is the speed of the line in bytes a second: a reader that takes no more than that, behind the small buffer of the
    kernel. What was written is `output`, a list of (seconds since the start, bytes).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        columns: int = 120,
        rows: int = 40,
        line: int | None = None,
    ) -> None:
        self.output: list[tuple[float, bytes]] = []
        self.code: int | None = None
        self._line = line
        self._typed = 0.0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(command[0], list(command), dict(env or environment()))
            finally:
                os._exit(127)
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.wait(0.0) is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(5.0)
        self._over.set()
        self._reader.join(2)
        if self._terminal >= 0:
            os.close(self._terminal)

    def _read(self) -> None:
        while not self._over.is_set():
            if not select.select([self._terminal], [], [], 0.1)[0]:
                continue
            try:
                # A slow line takes a fiftieth of a second's worth at a time.
                data = os.read(self._terminal, 65536 if self._line is None else max(1, self._line // 50))
            except OSError:
                return
            with self._lock:
                self.output.append((time.monotonic() - self._started, data))
            if self._line is not None:
                time.sleep(len(data) / self._line)

    # -- looking --------------------------------------------------------------------------------------------------------

    @property
    def seen(self) -> bytes:
        """Everything written so far."""
        with self._lock:
            return b"".join(data for _, data in self.output)

    @property
    def written(self) -> int:
        """How many bytes so far."""
        with self._lock:
            return sum(len(data) for _, data in self.output)

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def cpu(self) -> float:
        """Processor seconds of the program so far, its threads included."""
        with Path(f"/proc/{self.pid}/stat").open(encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def quiet(self, pause: float = 0.4, limit: float = 20.0) -> bool:
        """Wait until nothing was typed or written for `pause` seconds; False when it never was within `limit`."""
        end = self.now + limit
        while self.now < end:
            with self._lock:
                last = self.output[-1][0] if self.output else None
            if last is not None and self.now - max(last, self._typed) >= pause:
                return True
            time.sleep(0.02)
        return False

    def until(self, found: Callable[[bytes], bool] | bytes, limit: float = 20.0, *, after: int = 0) -> float | None:
        """Seconds since the start when the output past byte `after` held it; None when it did not within `limit`."""
        end = self.now + limit
        while self.now < end:
            seen = self.seen[after:]
            if found in seen if isinstance(found, bytes) else found(seen):
                return self.now
            time.sleep(0.003)
        return None

    # -- doing ----------------------------------------------------------------------------------------------------------

    def type(self, keys: str | bytes) -> None:
        """Press keys."""
        self._typed = self.now
        os.write(self._terminal, keys.encode() if isinstance(keys, str) else keys)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal, as its window would."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def kill(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal, as a window or a connection that goes away does."""
        self._over.set()
        self._reader.join(2)
        os.close(self._terminal)
        self._terminal = -1

    def stopped(self, limit: float = 5.0) -> bool:
        """Whether the program is suspended (waits for it)."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if Path(f"/proc/{self.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "T":
                return True
            time.sleep(0.02)
        return False

    def flags(self) -> tuple[bool, bool]:
        """Whether the terminal line echoes and edits lines: both are off while a program draws."""
        local = termios.tcgetattr(self._terminal)[3]
        return bool(local & termios.ECHO), bool(local & termios.ICANON)

    def wait(self, limit: float = 10.0) -> int | None:
        """The exit code (minus the signal that ended it), None while it runs."""
        end = time.monotonic() + limit
        while self.code is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.code = os.waitstatus_to_exitcode(status)
                time.sleep(0.15)  # what it wrote last is still on its way
            elif time.monotonic() >= end:
                return None
            else:
                time.sleep(0.02)
        return self.code
