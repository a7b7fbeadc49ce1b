"""The side of those who have work to fork: a process with the libraries loaded (`mlops_tui/warm.py`), asked through a socket.

Orders are folders that `processes.prepare` made. An order ends in one of three ways: it was started; it was not, and may be given
again (`REFUSED`); or nobody can tell (`LOST`), and what may still run there must be fenced off.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

from mlops_tui.core import _shim, processes
from mlops_tui.core.errors import Unavailable

REFUSED, LOST = "refused", "lost"
START_S = 20.0  # importing takes 2 s of CPU; a machine that needs longer starts jobs one by one


class ForkServer:
    """One warm process of this one's: started by `open`, gone when it was idle for `idle_s`, when its code changed, or with this one.

    It works in the folder `place`, and for any workspace.
    """

    def __init__(self, place: Path, *, idle_s: float = 0.0) -> None:
        self._place, self._idle_s = place, idle_s
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._waiting: list[Path] = []
        self._rest = b""
        self._ready = False
        self._opened = 0.0

    @property
    def is_open(self) -> bool:
        """Whether orders are taken, now or as soon as the libraries are loaded."""
        return self._socket is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Start the process unless it runs; it loads its libraries meanwhile. Raises Unavailable when it cannot be started."""
        if self._socket is not None:
            return
        ours, theirs = socket.socketpair()
        command = processes.python_module("mlops_tui.warm", f"{self._idle_s:g}", PLACE)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**processes.package_environment(), _shim.MARK: MARK_PLACE},
                    cwd=self._place,
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise Unavailable(f"Cannot start a process: {error.strerror}.") from error
        ours.setblocking(False)
        self._socket, self._rest, self._ready, self._opened = ours, b"", False, time.monotonic()

    @property
    def waiting(self) -> set[Path]:
        """Orders of which it is not known yet how they went."""
        return set(self._waiting)

    def order(self, folder: Path, *, keep: bool = True) -> None:
        """Have what is prepared in `folder` started; how that went, `look` says. `keep`: it counts as use."""
        self.open()
        assert self._socket is not None
        self._waiting.append(folder)
        try:
            self._socket.sendall(json.dumps({"folder": str(folder), "keep": keep}).encode() + b"\n")
        except OSError:  # it ended just now: `look` finds out
            pass

    def look(self, timeout_s: float = 0.0) -> list[tuple[Path, str]]:
        """The orders that came to nothing since the last look, each with REFUSED or LOST; waits for news at most `timeout_s`."""
        if self._socket is None:
            return []
        failed: list[tuple[Path, str]] = []
        self._socket.settimeout(timeout_s)
        try:
            data = self._socket.recv(65536)
        except (BlockingIOError, TimeoutError):
            if not self._ready and time.monotonic() - self._opened > START_S:
                return self._given_up(LOST)
            return []
        except OSError:
            data = b""
        if not data:
            return self._given_up(LOST)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            failed += self._heard(json.loads(line))
        return failed

    def carry_out(self, folder: Path) -> str:
        """Order it and wait until it was carried out: empty, or REFUSED or LOST."""
        self.order(folder)
        while folder in self._waiting:
            for other, how in self.look(1.0):
                if other == folder:
                    return how
        return ""

    def close(self) -> None:
        """End the process; what was forked from it goes on."""
        self._given_up(LOST)

    def _heard(self, said: dict[str, str]) -> list[tuple[Path, str]]:
        if "ready" in said:
            self._ready = True
        elif "started" in said:
            self._waiting.remove(Path(said["started"]))
        elif "failed" in said:  # it was forked and came to no shim
            self._waiting.remove(Path(said["failed"]))
            return [(Path(said["failed"]), LOST)]
        elif "stale" in said:  # it takes no more orders, and none of those that wait was begun
            return self._given_up(REFUSED)
        return []

    def _given_up(self, how: str) -> list[tuple[Path, str]]:
        waiting, self._waiting = self._waiting, []
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        return [(folder, how) for folder in waiting]


# Kept free in the command line and the environment of the warm process, for what is forked from it.
PLACE = "-" * 24
MARK_PLACE = "0" * 32
