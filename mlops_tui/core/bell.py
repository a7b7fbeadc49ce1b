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
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_fifo():
            path.unlink(missing_ok=True)
            os.mkfifo(path)
        with contextlib.suppress(OSError):  # another user's of the group made it
            path.chmod(0o660)
        # Held for writing too, so that it never reads as ended.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it was rung often enough
            os.write(self._pipe, b"\0")

    def wait(self, timeout_s: float) -> bool:
        """Sleep until it rings (True) or the time is over (False)."""
        if not select.select([self._pipe], [], [], timeout_s)[0]:
            return False
        with contextlib.suppress(BlockingIOError):
            os.read(self._pipe, 65536)
        return True

    def close(self) -> None:
        os.close(self._pipe)


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
