"""Locks held for life: the kernel frees them when the holder dies, so holding one is the sign of being alive."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlops_tui.core.errors import Unavailable


def hold(path: Path, *, wait_s: float = 1.0) -> int | None:
    """Take the lock for as long as the returned descriptor is open; None when another process keeps it.

    Waits a moment, because a look by `held` takes the lock for an instant too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(handle)
                return None
            time.sleep(0.02)


@contextmanager
def alone(path: Path, otherwise: str, *, wait_s: float) -> Iterator[None]:
    """Hold the lock for the block; Unavailable with the sentence `otherwise` when another process keeps it for `wait_s`."""
    handle = hold(path, wait_s=wait_s)
    if handle is None:
        raise Unavailable(otherwise, hint="Try again when it is over.")
    try:
        yield
    finally:
        os.close(handle)


def held(path: Path) -> bool:
    """Whether a live process holds the lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
