"""The shim: a tiny parent that outlives the daemon, keeps one child and everything it starts, and writes down how it ended.

Run as `python -I -S _shim.py FOLDER` (11 MB); it imports nothing but the standard library. It reads FOLDER/spec.json, leaves
itself behind as a detached grandchild of its caller, and keeps in FOLDER: pid.json (who runs), heartbeat (its file time says
when the shim was last alive), log.txt (output of the whole tree, capped), exit.json (how it ended, written once, atomically).

A warm process forks the shim instead (`mlops_tui/warm.py`); the child then does its work without a new interpreter.

`PR_SET_CHILD_SUBREAPER` makes every orphan below it come back as its own child, so that even double-forked grandchildren in
their own sessions are found by walking /proc. `PR_SET_PDEATHSIG` ends the child when the shim itself is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MARK = "MLOPS_JOB_MARK"  # in the environment of the child and of everything it starts
HEARTBEAT_S = 5.0
MEMORY_S = 0.5
SWEEP_S = 0.02
CANCEL_FILE = "cancel"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
Act = Callable[[dict[str, Any]], int]


# -- /proc ---------------------------------------------------------------------------------------------------------------


def read_stat(pid: int) -> tuple[str, int, int] | None:
    """(state, parent, start time in clock ticks since boot) of a process; None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name in brackets may hold spaces and brackets itself
    return fields[0], int(fields[1]), int(fields[19])


def boot_id() -> str:
    """Names this boot of the machine: start times of processes count from it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def pids() -> Iterator[int]:
    """Every process id there is right now."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - a scan per 20 ms: Path objects would double its cost
        if name.isdigit():
            yield int(name)


def descendants(root: int) -> list[int]:
    """Living processes below `root`, at any depth."""
    children: dict[int, list[int]] = {}
    for pid in pids():
        stat = read_stat(pid)
        if stat and stat[0] not in "ZX":
            children.setdefault(stat[1], []).append(pid)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def marked(mark: str, name: str = MARK) -> list[int]:
    """Living processes that carry `name=mark` in the environment they were started with."""
    needle = b"\0" + f"{name}={mark}".encode() + b"\0"
    found = []
    for pid in pids():
        try:
            environment = b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # gone, or another user's
            continue
        if needle in environment and pid != os.getpid():
            found.append(pid)
    return found


def resident(found: list[int]) -> int:
    """Bytes of memory held by these processes, pages shared by several counted in each."""
    total = 0
    for pid in found:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    return total


def proportional(found: list[int]) -> int:
    """Bytes of memory held by these processes, shared pages divided among their holders: exact, and 100 times dearer."""
    total = 0
    for pid in found:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            total += resident([pid])
    return total


def cpu_s() -> float:
    """Seconds of a processor that this process took so far, and all below it that was waited for."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(sum(one.ru_utime + one.ru_stime for one in spent), 3)


def signal_all(found: list[int], number: int) -> None:
    """Send a signal to each; those already gone are fine."""
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def write_json(path: Path, document: dict[str, Any], *, durable: bool = True) -> None:
    """All of it or nothing, and on the disk before this returns; what a new boot makes worthless need not be `durable`."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    with staged.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    staged.replace(path)
    if not durable:
        return
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _prctl(option: int, value: int) -> None:
    import ctypes  # 5 ms that only the shim pays: processes.py imports this file for its /proc readers

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


# -- the shim --------------------------------------------------------------------------------------------------------------


class Shim:
    """Watches one child until nothing of it is left."""

    def __init__(self, folder: Path, spec: dict[str, Any], act: Act | None = None) -> None:
        self.folder = folder
        self.spec = spec
        self.act = act
        self.reason = "exited"
        self.status: int | None = None
        self.peak = 0
        self.started = time.time()
        self.clock = time.monotonic()
        self.kill_at: float | None = None
        self.child = 0
        self.log = Log(folder / "log.txt", int(spec.get("log_bytes") or 16 << 20))
        self.asked = False

    def run(self, ready: int) -> None:
        """Start the child and return when nothing below is left. `ready` is closed as soon as this shim can be asked to stop."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        wake_out, wake_in = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(wake_out, False)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        identity(self.folder / "pid.json", os.getpid(), 0, self.spec)
        os.close(ready)
        output, inlet = os.pipe()
        self.child = start_child(self.spec, inlet, self.act)
        os.close(inlet)
        os.set_blocking(output, False)
        identity(self.folder / "pid.json", os.getpid(), self.child, self.spec)
        self._watch(output, wake_out)
        # What asked for its own parent's death may still be about: it carries our mark.
        self._end_tree(lambda: marked(self.spec["mark"]))
        self.log.drain(output)
        self._record()

    def _ask(self, *_: object) -> None:
        self.asked = True

    def _watch(self, output: int, wake: int) -> None:
        poller = select.poll()
        poller.register(output, select.POLLIN)
        poller.register(wake, select.POLLIN)
        beat = memory = 0.0
        while True:
            now = time.monotonic()
            if now >= beat:
                (self.folder / "heartbeat").touch()
                self.asked = self.asked or (self.folder / CANCEL_FILE).exists()
                beat = now + HEARTBEAT_S
            if self.spec.get("memory_bytes") and now >= memory:
                self._check_memory()
                memory = now + MEMORY_S
            self._check_stop(now)
            self._reap()
            if self.status is not None:
                below = descendants(os.getpid())
                if not below:
                    return
                # The work is over; what it left running is ended too, politely first.
                self._stop(self.reason, below, now)
            for descriptor, event in poller.poll(self._pause_ms(now, beat)):
                if descriptor == wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)
                elif not self.log.drain(output) and event & select.POLLHUP:
                    poller.unregister(output)

    def _pause_ms(self, now: float, beat: float) -> int:
        pause = beat - now
        if self.spec.get("memory_bytes"):
            pause = min(pause, MEMORY_S)
        if self.spec.get("timeout_s") and self.kill_at is None:
            pause = min(pause, self.clock + float(self.spec["timeout_s"]) - now)
        if self.kill_at is not None:
            pause = SWEEP_S
        return max(1, int(pause * 1000))

    def _check_memory(self) -> None:
        limit = int(self.spec["memory_bytes"])
        below = descendants(os.getpid())
        self.peak = max(self.peak, resident(below))
        if (
            resident(below) > limit and proportional(below) > limit
        ):  # forked steps share pages: ask exactly before ending them
            self._stop("memory", below, time.monotonic())

    def _check_stop(self, now: float) -> None:
        if self.kill_at is None:
            if self.asked:
                self._stop("cancelled", descendants(os.getpid()), now)
            elif self.spec.get("timeout_s") and now - self.clock > float(self.spec["timeout_s"]):
                self._stop("timeout", descendants(os.getpid()), now)
        elif now >= self.kill_at:
            signal_all(descendants(os.getpid()), signal.SIGKILL)

    def _stop(self, reason: str, below: list[int], now: float) -> None:
        if self.kill_at is None:
            self.reason = reason
            self.kill_at = now + self._grace()
            signal_all(below, signal.SIGTERM)

    def _grace(self) -> float:
        try:
            return float((self.folder / CANCEL_FILE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return float(self.spec.get("grace_s", 2.0))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = status

    def _end_tree(self, find: Any) -> None:
        deadline = time.monotonic() + 1.0
        while (left := find()) and time.monotonic() < deadline:
            signal_all(left, signal.SIGKILL)
            time.sleep(SWEEP_S)
            self._reap()

    def _record(self) -> None:
        status = self.status or 0
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        reason = "signalled" if self.reason == "exited" and number is not None else self.reason
        write_json(
            self.folder / "exit.json",
            {
                "code": os.WEXITSTATUS(status) if number is None else None,
                "signal": number,
                "started_at": int(self.started * 1000),
                "ended_at": int(time.time() * 1000),
                "reason": reason,
                "peak_bytes": self.peak,
                "cpu_s": cpu_s(),
            },
        )


class Log:
    """log.txt, moved to log.old.txt when half of the allowance is full: the newest output is always there."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, max(limit // 2, 4096)
        self.file = path.open("ab", buffering=0)
        self.size = path.stat().st_size

    def drain(self, descriptor: int) -> bool:
        """Take what is in the pipe; False when there was nothing."""
        took = False
        while True:
            try:
                chunk = os.read(descriptor, 65536)
            except (BlockingIOError, OSError):
                return took
            if not chunk:
                return took
            took = True
            self._write(chunk)

    def _write(self, chunk: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the work; its output is then lost
            if self.size + len(chunk) > self.limit:
                self.path.replace(self.path.with_name("log.old.txt"))
                self.file.close()
                self.file, self.size = self.path.open("ab", buffering=0), 0
            self.file.write(chunk)
            self.size += len(chunk)


def start_child(spec: dict[str, Any], output: int, act: Act | None = None) -> int:
    """Fork and become the command, or `act`, in a session of its own, ending with the shim. Must run in the main thread (PDEATHSIG is per
    thread).
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the shim died before the line above took effect
            os._exit(1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if spec.get("cwd"):
            os.chdir(spec["cwd"])
        if act is not None:
            os._exit(act(spec))
        # No shell: the command is a list that our own code built.
        os.execvpe(spec["command"][0], spec["command"], {**os.environ, MARK: spec["mark"]})  # noqa: S606
    except OSError as error:
        os.write(2, f"cannot start {spec['command'][0]}: {error.strerror}\n".encode())
    os._exit(127)


def identity(path: Path, shim: int, child: int, spec: dict[str, Any]) -> None:
    """Write pid.json: the shim, and the child once there is one."""
    shim_stat, child_stat = read_stat(shim), read_stat(child) if child else None
    write_json(
        path,
        {
            "shim": {"pid": shim, "started": shim_stat[2] if shim_stat else 0, "boot": boot_id()},
            "child": {"pid": child, "started": child_stat[2], "boot": boot_id()} if child_stat else None,
            "mark": spec["mark"],
        },
        durable=False,
    )


def main(folder: Path, act: Act | None = None) -> None:
    """Leave a shim behind that keeps `folder`, and end this process with 0 once it can be asked to stop. `act` is done instead of the
    command of the spec, in the child; it returns the exit code and never raises.
    """
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    os.umask(0o027)
    ready_out, ready_in = os.pipe()
    if os.fork():
        os.close(ready_in)
        os.read(ready_out, 1)  # until pid.json lies there, or the shim died
        os._exit(0 if (folder / "pid.json").exists() else 1)
    os.close(ready_out)
    os.setsid()
    Shim(folder, spec, act).run(ready_in)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
