"""One step in a forked child: its output as log lines, its end with a reason, whatever happens to it.

Forked from a process that has the libraries loaded, a step starts in milliseconds; a fresh interpreter costs five seconds.
The parent must run no threads of its own.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import processes
from mlops_tui.core.errors import Unavailable, WorkbenchError
from mlops_tui.core.identity import end_with_parent
from mlops_tui.domains.pipelines.work import Skip, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.25
_MEMORY_S = 0.2
_ROUNDS = 20
# Of what a step prints: the beginning and the end. A step may print gigabytes.
LOG_BYTES, END_BYTES = 8 << 20, 64 << 10
OK, FAILED, SKIPPED = 0, 1, 10

_running: set[int] = set()  # the steps of this process
_adopting = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended. `result` is what it returned; `error` is the reason it failed, `skipped` why it had nothing to do.

    `final`: trying again would give the same, because the reason lies in data or settings.
    """

    result: dict[str, Any]
    error: str = ""
    skipped: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a step may take at most; 0 is no limit."""

    timeout_s: float = 0.0
    memory_bytes: int = 0


def run_step(name: str, step: Callable[[], dict[str, Any]], folder: Path, limits: Bounds | None = None) -> Ended:
    """Run `step` in a child and wait for it; its lines go to `<name>.log` and, with time and name before them, to stdout.

    Not raised but returned: an exception, a non-zero exit, a signal, a limit. When this process is stopped, the child and
    all it started are ended first.
    """
    child = start(name, step, folder, limits)
    try:
        while not child.over:
            wait([child])
    finally:
        child.close()
    return child.ended()


def start(name: str, step: Callable[[], dict[str, Any]], folder: Path, limits: Bounds | None = None) -> Child:
    """Start `step` in a child of its own; see to it with `wait`, and `close` it in the end."""
    outcome = folder / f"{name}.json"
    outcome.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _in_child(step, outcome, writer, parent)
    _running.add(pid)
    os.close(writer)
    return Child(name, pid, reader, folder, limits or Bounds())


def wait(children: Sequence[Child], timeout_s: float = _POLL_S) -> None:
    """Take what children print and see who has ended; returns when something happened, at the latest after `timeout_s`."""
    waited_for = [place for child in children for place in child.waits_on]
    ready, _, _ = select.select(waited_for, [], [], min([timeout_s, *(child.pause_s for child in children)]))
    for child in children:
        child.look(ready)


class Child:
    """One forked step: its output is copied, its limits are kept, its end is noticed."""

    def __init__(self, name: str, pid: int, reader: int, folder: Path, limits: Bounds) -> None:
        self.name, self.pid, self._reader, self._limits = name, pid, reader, limits
        self._outcome = folder / f"{name}.json"
        self._ends = os.pidfd_open(pid)  # readable when it has ended, so that no step waits for a clock
        self._log = Log(name, folder / f"{name}.log")
        self._started = self._measured = time.monotonic()
        self._status: int | None = None
        self._closed = self.over = False
        self._stopped = ""

    @property
    def waits_on(self) -> list[int]:
        if self._status is not None:
            return [self._reader]
        return [self._ends] if self._closed else [self._reader, self._ends]

    @property
    def pause_s(self) -> float:
        """How long nobody need look: not at all while its last lines are read."""
        if self._status is not None:
            return 0.0
        left = self._limits.timeout_s - (time.monotonic() - self._started) if self._limits.timeout_s else _POLL_S
        return max(0.0, min(_POLL_S, left))

    def look(self, ready: Sequence[int]) -> None:
        """Copy what is there, keep the limits, and notice the end: `over` when it has ended and its output is drained."""
        data = os.read(self._reader, 1 << 16) if self._reader in ready else b""
        self._closed = self._closed or (self._reader in ready and not data)  # it closed its output and works on
        if data:
            self._log.add(data)
        elif self._status is not None:
            self.over = True
        if self._status is None:
            self._keep_limits()
            pid, waited = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = waited
                _running.discard(self.pid)
                if not _adopting or _strays():
                    end_tree(self.pid, reap=False)  # what it left running would hold its output open

    def ended(self) -> Ended:
        """How it ended, with the reason."""
        assert self._status is not None
        if self._stopped:
            return Ended({}, self._stopped)
        return _ended(self._status, self._outcome)

    def close(self) -> None:
        """End what still runs, and keep the log."""
        try:
            if self._status is None:
                end_tree(self.pid)
                _running.discard(self.pid)
        finally:
            self._log.close()
            os.close(self._reader)
            os.close(self._ends)

    def _keep_limits(self) -> None:
        now = time.monotonic()
        if self._stopped:
            return
        if self._limits.timeout_s and now - self._started > self._limits.timeout_s:
            self._stop(f"The step took longer than its {self._limits.timeout_s:g} s.")
        elif self._limits.memory_bytes and now - self._measured > _MEMORY_S:
            self._measured = now
            used = processes.tree_bytes(self.pid, self._limits.memory_bytes)
            if used > self._limits.memory_bytes:
                self._stop(
                    f"The step used {used / 1e6:,.0f} MB, more than its {self._limits.memory_bytes / 1e6:,.0f} MB."
                )

    def _stop(self, reason: str) -> None:
        self._stopped = reason
        end_tree(self.pid, reap=False)


class Log:
    """The output of a step: the first LOG_BYTES of it, then how much was dropped, and the end."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._file = name, path.open("ab")
        self._rest, self._end = b"", b""
        self._kept = self._dropped = 0

    def add(self, data: bytes) -> None:
        if self._kept > LOG_BYTES:  # nobody reads gigabytes: not looked at, so that the step need not wait for us
            self._dropped += len(data)
            self._end = (self._end + data)[-END_BYTES:]
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > END_BYTES:  # a line without an end
            lines, self._rest = [*lines, self._rest], b""
        self._write(lines)

    def close(self) -> None:
        """Write the rest, and the end where something was dropped."""
        if self._rest:
            self._write([self._rest])
        if self._dropped:
            said = f"... {self._dropped - len(self._end):,} bytes are not kept; the end:".encode()
            self._write([said, *self._end.rstrip(b"\n").split(b"\n")])
        self._file.close()

    def _write(self, lines: list[bytes]) -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        for line in lines:
            self._kept += len(line) + 1
            self._file.write(line + b"\n")
            print(f"{stamp} {self._name:<10} {line.decode('utf-8', 'replace')}", flush=True)  # noqa: T201 - the job's log
        self._file.flush()


def _in_child(step: Callable[[], dict[str, Any]], outcome: Path, writer: int, parent: int) -> None:
    code = FAILED
    try:
        end_with_parent(parent)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()  # what it starts can be told apart and ended with it
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
        faulthandler.enable(2)  # a crash in native code leaves its Python lines in the log
        try:
            result = step()
            write_json(outcome, {"result": result, "cpu_s": processes.cpu_s()})
            code = OK
        except Skip as reason:
            write_json(outcome, {"skipped": str(reason)})
            code = SKIPPED
        except WorkbenchError as error:
            text = f"{error.message} {error.hint}".strip()
            print(text, file=sys.stderr)  # noqa: T201 - the step's log
            write_json(outcome, {"error": text, "final": not isinstance(error, Unavailable)})
        except MemoryError:
            write_json(outcome, {"error": "There was not enough memory. Use fewer rows or raise [resources] memory."})
        except BaseException as error:
            traceback.print_exc()
            write_json(outcome, {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"})
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)  # never the parent's exit handlers


def _ended(status: int, outcome: Path) -> Ended:
    said: dict[str, Any] = json.loads(outcome.read_text(encoding="utf-8")) if outcome.exists() else {}
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = ", as the kernel does when memory runs out" if number == signal.SIGKILL else ""
        return Ended({}, f"The step was ended by {signal.Signals(number).name}{hint}.")
    code = os.WEXITSTATUS(status)
    if code == SKIPPED:
        return Ended({}, skipped=str(said.get("skipped", "")))
    if code == OK and "result" in said:
        return Ended(dict(said["result"]))
    error = str(said.get("error") or f"The step ended with code {code} and without a word.")
    return Ended({}, error, final=bool(said.get("final")))


def adopt() -> None:
    """Become the parent of what steps leave behind: whether one left anything is then a look at our own children, and no look at every
    process of the machine. For a process that does nothing but run steps.
    """
    global _adopting
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _adopting = Path(f"/proc/self/task/{os.getpid()}/children").exists()


def _strays() -> bool:
    """Whether we have children that are no running steps; those that have ended by now are reaped."""
    found: set[int] = set()
    for place in Path("/proc/self/task").glob("*/children"):
        found.update(map(int, place.read_text(encoding="ascii").split()))
    left = found - _running
    for pid in list(left):
        if os.waitpid(pid, os.WNOHANG)[0]:
            left.discard(pid)
    return bool(left)


def end_tree(pid: int, *, reap: bool = True) -> None:
    """Kill a step and all it started, also what ignores polite words or has another parent by now."""
    for _ in range(_ROUNDS):
        left = processes.tree(pid)
        if not left:
            break
        processes.kill(left)
        if reap:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                reap = False
