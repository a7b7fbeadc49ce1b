"""All processes of the machine from /proc: one small file each, and what does not change is read once.

/proc/PID/stat      man 5 proc: comm (2), state (3), parent (4), user and system time (14, 15), nice (19), threads (20),
                    start (22, ticks since boot), resident pages (24)
/proc/PID/cmdline   once per process and program
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
STATES = {
    "R": "running", "S": "sleeping", "D": "disk-sleep", "T": "stopped", "t": "tracing-stop", "Z": "zombie", "X": "dead",
    "I": "idle", "P": "parked",
}  # fmt: skip
_CUT = 15
"""Bytes of a name that the kernel keeps; the whole one is in the command line."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one look: CPU seconds so far, resident bytes, start in seconds since boot."""

    pid: int
    name: str
    user: str
    command: str
    state: str
    parent: int
    cpu_time: float
    nice: int
    threads: int
    began: float
    memory: int


class Scanner:
    """Looks at all processes again and again."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = str(proc)
        self._known: dict[tuple[int, str, str], tuple[str, str, str]] = {}
        self._users: dict[int, str] = {}

    def look(self) -> list[Seen]:
        """Every process that may be looked at; those that end meanwhile are left out."""
        known, self._known = self._known, {}
        names = os.listdir(self._proc)  # noqa: PTH208 - Path objects would double the cost of a look
        found = (self._one(name, known) for name in names if name.isdecimal())
        return [one for one in found if one is not None]

    def _one(self, name: str, known: dict[tuple[int, str, str], tuple[str, str, str]]) -> Seen | None:
        folder = f"{self._proc}/{name}"
        text = _read(f"{folder}/stat")
        end = text.rfind(")")
        fields = text[end + 2 :].split(" ", 22)
        if len(fields) < 22:
            return None
        pid, comm = int(name), text[text.index("(") + 1 : end]
        key = (pid, fields[19], comm)
        words = known.get(key) or self._words(folder, comm)
        if words is None:
            return None
        self._known[key] = words
        return Seen(
            pid, *words, STATES.get(fields[0], fields[0]), int(fields[1]), (int(fields[11]) + int(fields[12])) / TICK,
            int(fields[16]), int(fields[17]), int(fields[19]) / TICK, int(fields[21]) * PAGE,
        )  # fmt: skip

    def _words(self, folder: str, comm: str) -> tuple[str, str, str] | None:
        """Name, user and command line."""
        try:
            owner = os.stat(folder).st_uid  # noqa: PTH116 - as above
        except OSError:
            return None
        words = [word for word in _read(f"{folder}/cmdline").split("\0") if word]
        name = comm
        if len(os.fsencode(comm)) >= _CUT and words:  # the name was cut; a script or a program says it whole
            whole = [os.path.basename(word) for word in words[:2]]  # noqa: PTH119
            name = next((one for one in whole if one.startswith(comm)), comm)
        return name, self._user(owner), " ".join(words)

    def _user(self, number: int) -> str:
        if number not in self._users:
            try:
                self._users[number] = pwd.getpwuid(number).pw_name
            except KeyError:
                self._users[number] = str(number)  # a user id without a name, as in containers
        return self._users[number]


def _read(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return os.fsdecode(file.read())
    except OSError:
        return ""
