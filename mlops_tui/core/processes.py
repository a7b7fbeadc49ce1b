"""Processes that outlive the one that started them, and can be found, watched, adopted and ended again.

A process is known by (pid, start time, boot): a pid alone is reused. Work is started under a shim (`_shim.py`), which
keeps everything about it in one folder; any process of any later daemon reads that folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlops_tui.core import _shim
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.identity import Identity as Identity
from mlops_tui.core.identity import identity as identity
from mlops_tui.core.identity import is_alive as is_alive

_SHIM = Path(_shim.__file__)
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_LOST_PATIENCE_S = 0.2


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How a spawned command ended. `code` is None when a signal ended it; times are ms since the epoch.

    `reason`: exited | signalled | timeout | memory | cancelled | lost (its shim was killed, so nobody saw the end). `cpu_s`: seconds of a
    processor that it took with all below it that was waited for, and with the shim.
    """

    code: int | None
    signal: int | None
    started_at: int | None
    ended_at: int | None
    reason: str
    peak_bytes: int = 0
    cpu_s: float = 0.0


def wait(who: Identity, timeout_s: float | None = None) -> bool:
    """Sleep until that process ends (True) or the time is over (False). It need not be a child of ours."""
    try:
        descriptor = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return True
    try:
        if not is_alive(who):
            return True
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(None if timeout_s is None else int(timeout_s * 1000)))
    finally:
        os.close(descriptor)


def end(who: Identity, grace_s: float = 5.0) -> None:
    """Ask that one process to end, and kill it when it has not after `grace_s` seconds."""
    if not is_alive(who):
        return
    _shim.signal_all([who.pid], signal.SIGTERM)
    if not wait(who, grace_s) and is_alive(who):
        _shim.signal_all([who.pid], signal.SIGKILL)
        wait(who, 1.0)


def marked(name: str, value: str) -> list[Identity]:
    """Processes of this user that were started with `name=value` in their environment."""
    found = []
    for pid in _shim.marked(value, name):
        with contextlib.suppress(ProcessLookupError):
            found.append(identity(pid))
    return found


def command_line(who: Identity) -> list[str]:
    """The arguments that process was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{who.pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def cpu_s() -> float:
    """Seconds of a processor that this process took so far, and all below it that was waited for."""
    return _shim.cpu_s()


def resident_bytes(who: Identity) -> int:
    """Bytes of memory that one process holds; 0 when it is gone."""
    return _shim.resident([who.pid])


def tree(pid: int) -> list[int]:
    """Living processes of the session that `pid` leads, whoever their parent is by now, and all below them and `pid` itself."""
    found, parents = {pid}, {}
    for one in _shim.pids():
        stat = _shim.read_stat(one)
        if stat and stat[0] not in "ZX":
            parents[one] = stat[1]
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(one) == pid:
                    found.add(one)
    while more := {one for one, parent in parents.items() if parent in found and one not in found}:
        found |= more
    return [one for one in found if one in parents]


def kill(pids: Sequence[int]) -> None:
    """End them at once; those already gone are fine."""
    _shim.signal_all(list(pids), signal.SIGKILL)


def tree_bytes(pid: int, enough: int) -> int:
    """Bytes of memory of `tree(pid)`; shared pages are divided among their holders where the plain sum is above `enough`."""
    pids = tree(pid)
    return _shim.proportional(pids) if _shim.resident(pids) > enough else 0


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules with this interpreter.

    `-P` keeps the working folder, which is the user's project, from shadowing library names.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def package_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which `python_module` finds this package, also when it runs from a source tree."""
    environment = dict(os.environ if base is None else base)
    if _PACKAGE_ROOT.name not in ("site-packages", "dist-packages"):
        known = environment.get("PYTHONPATH", "").split(os.pathsep)
        if str(_PACKAGE_ROOT) not in known:
            environment["PYTHONPATH"] = os.pathsep.join([str(_PACKAGE_ROOT), *filter(None, known)])
    return environment


def spawn(
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    memory_bytes: int | None = None,
    log_bytes: int = 16 << 20,
) -> Identity:
    """Run `command` detached under a shim that keeps `folder`, and return the identity of that shim.

    The command survives this process. `memory_bytes` limits the memory of the whole tree (shared pages counted once),
    `timeout_s` its time; over either, the tree is ended and the exit record says why. A command that cannot be started
    ends with code 127 and a line in log.txt. Raises Unavailable when the folder cannot be written or no shim starts.
    """
    prepare(command, folder=folder, cwd=cwd, timeout_s=timeout_s, memory_bytes=memory_bytes, log_bytes=log_bytes)
    try:
        starter = subprocess.run(
            [sys.executable, "-I", "-S", str(_SHIM), str(folder)],
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except OSError as error:
        raise Unavailable(
            f"Cannot start a process in {folder}: {error.strerror}.", hint="Check the disk and its rights."
        ) from error
    shim = shim_identity(folder)
    if starter.returncode != 0 or shim is None:
        raise Unavailable(f"The shim for {command[0]} did not start in {folder}.", hint="See `mlops doctor`.")
    return shim


def prepare(
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    memory_bytes: int | None = None,
    log_bytes: int = 16 << 20,
) -> None:
    """Write down in `folder` what a shim is to run there, for one that is started by others; `env` is added to the environment it has.

    Raises Unavailable when the folder cannot be written.
    """
    spec = {
        "command": list(command),
        "env": dict(env or {}),
        "cwd": str(cwd) if cwd else None,
        "timeout_s": timeout_s,
        "memory_bytes": memory_bytes,
        "log_bytes": log_bytes,
        "mark": secrets.token_hex(16),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("pid.json", "exit.json", _shim.CANCEL_FILE):
            (folder / name).unlink(missing_ok=True)
        _shim.write_json(folder / "spec.json", spec, durable=False)
    except OSError as error:
        raise Unavailable(
            f"Cannot start a process in {folder}: {error.strerror}.", hint="Check the disk and its rights."
        ) from error


def shim_identity(folder: Path) -> Identity | None:
    """The shim that keeps `folder`; None when none was started there."""
    return _identity_of(_read(folder / "pid.json"), "shim")


def child_identity(folder: Path) -> Identity | None:
    """The command that runs under the shim; None before it runs."""
    return _identity_of(_read(folder / "pid.json"), "child")


def last_heartbeat(folder: Path) -> int | None:
    """When the shim last showed life, ms since the epoch; one comes every 5 s. None when it never did."""
    try:
        return (folder / "heartbeat").stat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def exit_record(folder: Path) -> ExitRecord | None:
    """How the command in `folder` ended; None while it runs or when none was started there.

    A shim that is gone without a record gives reason "lost".
    """
    document = _read(folder / "exit.json")
    if document is None:
        shim = shim_identity(folder)
        if shim is None or is_alive(shim):
            return None
        document = _read(folder / "exit.json")  # written between the two looks
    if document is None:
        return ExitRecord(None, None, None, last_heartbeat(folder), "lost")
    return ExitRecord(**document)


def wait_for_exit(folder: Path, timeout_s: float | None = None) -> ExitRecord | None:
    """Wait for the end of what runs in `folder`; None when it still runs after `timeout_s`."""
    shim = shim_identity(folder)
    if shim is not None:
        wait(shim, timeout_s)
    return exit_record(folder)


def cancel(folder: Path, grace_s: float = 2.0) -> ExitRecord | None:
    """End everything that was started in `folder`: SIGTERM, then SIGKILL after `grace_s` seconds; returns when it is gone.

    Works also when the shim itself was killed: what it left is found by its mark. None when nothing was started there.
    """
    shim = shim_identity(folder)
    if shim is None:
        return None
    if is_alive(shim):
        (folder / _shim.CANCEL_FILE).write_text(str(grace_s), encoding="ascii")
        _shim.signal_all([shim.pid], signal.SIGTERM)
        wait(shim, grace_s + 3.0)
    sweep(folder)
    return exit_record(folder)


def sweep(folder: Path) -> int:
    """Kill what a dead shim left running (processes that made a session of their own); returns how many there were."""
    mark = (_read(folder / "pid.json") or {}).get("mark")
    shim = shim_identity(folder)
    if not mark or (shim is not None and is_alive(shim)):
        return 0
    ended: set[int] = set()
    deadline = time.monotonic() + _LOST_PATIENCE_S * 10
    while (left := _shim.marked(mark)) and time.monotonic() < deadline:
        ended.update(left)
        _shim.signal_all(left, signal.SIGKILL)
        time.sleep(_shim.SWEEP_S)
    return len(ended)


def remove(folder: Path) -> None:
    """Delete the folder of a command that has ended."""
    shutil.rmtree(folder, ignore_errors=True)


def save_identity(path: Path, who: Identity, **facts: Any) -> None:
    """Write an identity file, whole or not at all."""
    _shim.write_json(path, {**asdict(who), **facts})


def load_identity(path: Path) -> Identity | None:
    """Read what `save_identity` wrote; None when it is missing or damaged."""
    document = _read(path)
    return _identity_of({"it": document}, "it") if document else None


def _identity_of(document: dict[str, Any] | None, key: str) -> Identity | None:
    found = (document or {}).get(key)
    if not isinstance(found, dict):
        return None
    try:
        return Identity(int(found["pid"]), int(found["started"]), str(found["boot"]))
    except (KeyError, TypeError, ValueError):
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
