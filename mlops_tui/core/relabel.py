"""What other processes see of this one, where that was fixed when its program started: its environment and its command line.

A fork without exec keeps both. They are read from memory by /proc/PID/environ and /proc/PID/cmdline, so a place kept free in
them at the start can be filled in later; everything forked from here on shows the same.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

# Fields of /proc/PID/stat after the name, counted from 0: where each begins and ends in memory.
_ARGUMENTS, _ENVIRONMENT = (45, 46), (47, 48)


def environment(old: str, new: str) -> bool:
    """Put `new` in the place of `old`, which must be as long, in what /proc/PID/environ shows; False when `old` is not there."""
    return len(old) == len(new) and _replace(_ENVIRONMENT, old.encode(), new.encode())


def arguments(old: str, new: str) -> bool:
    """Put `new` in the place of the argument `old`; what is too long is cut. False when `old` is not there."""
    place = old.encode()
    return _replace(_ARGUMENTS, place, new.encode()[: len(place)].ljust(len(place), b"\0"))


def _replace(area: tuple[int, int], old: bytes, new: bytes) -> bool:
    text = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    fields = text[text.rindex(")") + 2 :].split()
    begin, end = int(fields[area[0]]), int(fields[area[1]])
    if not begin < end:  # the kernel does not say
        return False
    at = ctypes.string_at(begin, end - begin).find(old)
    if at < 0:
        return False
    ctypes.memmove(begin + at, new, len(new))
    return True
