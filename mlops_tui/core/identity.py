"""Which process is meant: pid, start time and boot, because a pid alone is used again by the kernel."""

from __future__ import annotations

import functools
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that runs or ran: `started` is field 22 of /proc/PID/stat (clock ticks since boot)."""

    pid: int
    started: int
    boot: str


def identity(pid: int | None = None) -> Identity:
    """The identity of a running process, this one by default; ProcessLookupError when there is none."""
    pid = os.getpid() if pid is None else pid
    started = start_ticks(pid)
    if started is None:
        raise ProcessLookupError(f"no process {pid}")
    return Identity(pid, started, boot_id())


def is_alive(who: Identity) -> bool:
    """Whether that very process still runs (a zombie does not)."""
    return who.boot == boot_id() and runs(who.pid, who.started)


def runs(pid: int, started: int) -> bool:
    """Whether a process with that pid and start time runs on this boot."""
    return start_ticks(pid) == started


def end_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process when the thread that started it ends; `parent`: at once, if that process is gone already."""
    import ctypes  # 5 ms, which those who only look pay not

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:  # it ended before the line above
        os._exit(1)


def start_ticks(pid: int) -> int | None:
    """Start time of a running process in clock ticks since boot; None when it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text[text.rindex(")") + 2 :].split()  # the name before may hold spaces and parentheses
    return None if state in "ZX" else int(fields[18])


@functools.cache
def boot_id() -> str:
    """A value that is new at every boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
