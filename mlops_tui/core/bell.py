"""How others wake the daemon at once instead of at its next look around: a named pipe that only ever carries "something changed".

Nothing depends on it. Without a daemon nobody hears it, and a ring that is lost costs one interval of polling.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
from pathlib import Path


class Bell:
    """The daemon's side. `ring` may be called from any thread and from signal handlers."""

    def __init__(self, path: Path) -> None:
        self._ours, self._rung = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._heard = [self._ours]
        with contextlib.suppress(OSError):  # a file system without pipes: others are seen by polling
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_fifo():
                path.unlink(missing_ok=True)
                os.mkfifo(path)
            # Held for writing too, so that it never reads as ended.
            self._heard.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
            path.chmod(0o660)

    def ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it was rung often enough
            os.write(self._rung, b"\0")

    def wait(self, timeout_s: float) -> bool:
        """Sleep until it rings (True) or the time is over (False)."""
        ready = select.select(self._heard, [], [], timeout_s)[0]
        for pipe in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(pipe, 65536)
        return bool(ready)

    def close(self) -> None:
        for pipe in (*self._heard, self._rung):
            os.close(pipe)


def ring(path: Path) -> None:
    """Ring the bell of whoever listens there; nothing happens where nobody does."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.write(pipe, b"\0")
    os.close(pipe)
