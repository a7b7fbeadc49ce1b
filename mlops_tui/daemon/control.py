"""Starting, stopping and looking at the daemon. Whether one runs is told by its lock; the pid in its file is only information."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_tui._version import __version__
from mlops_tui.core import clock, locks, processes, settings
from mlops_tui.core.errors import AlreadyExists, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.identity import Identity
from mlops_tui.core.workspace import Workspace

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Status:
    """What runs on the workspace now; all but `running` and `log` are empty when nothing does."""

    running: bool
    pid: int | None
    started_at: int | None
    version: str
    memory_bytes: int
    gateway_pid: int | None
    log: str


def log_path(workspace: Workspace) -> Path:
    """The newest log of the daemon; older ones end in .1, .2, .3."""
    return workspace.logs / "daemon.log"


def info_path(workspace: Workspace) -> Path:
    return workspace.run / "daemon.json"


def gateway_path(workspace: Workspace, name: str = "gateway") -> Path:
    """The server that the daemon supervises; `gateway.json` beside it is the gateway's own, while it answers."""
    return workspace.run / f"supervised-{name}.json"


def status(workspace: Workspace) -> Status:
    """Whether a daemon runs on the workspace, and which."""
    running = locks.held(workspace.daemon_lock)
    who = processes.load_identity(info_path(workspace)) if running else None
    facts = _facts(info_path(workspace)) if running else {}
    gateway = processes.load_identity(gateway_path(workspace))
    return Status(
        running=running,
        pid=who.pid if who else None,
        started_at=facts.get("started_at"),
        version=facts.get("version", ""),
        memory_bytes=processes.resident_bytes(who) if who else 0,
        gateway_pid=gateway.pid if gateway and processes.is_alive(gateway) else None,
        log=str(log_path(workspace)),
    )


def start(workspace: Workspace, timeout_s: float = 20.0) -> Status:
    """Start a daemon that outlives this process and wait until it holds the lock and works.

    Raises AlreadyExists when one runs, Unavailable with its own words when it could not start.
    """
    _refuse_second(workspace)
    failure = _failure_path(workspace)
    failure.unlink(missing_ok=True)
    command = processes.python_module("mlops_tui.daemon", "--workspace", str(workspace.root), "--detach")
    subprocess.run(
        command,
        env=processes.package_environment(),
        cwd=workspace.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if failure.exists():
            words = _facts(failure)
            raise Unavailable(f"The daemon did not start: {words.get('message')}", hint=str(words.get("hint", "")))
        if locks.held(workspace.daemon_lock) and _identity(workspace) and _facts(info_path(workspace)).get("ready"):
            return status(workspace)
        time.sleep(_POLL_S)
    raise Unavailable(f"The daemon did not start within {timeout_s:.0f} s.", hint="See: mlops daemon logs")


def stop(workspace: Workspace, timeout_s: float = 30.0) -> None:
    """Ask the daemon to end, with the gateway; jobs go on. Returns when the lock is free.

    Raises NotFound when none runs, Unavailable when it does not end in time.
    """
    if not locks.held(workspace.daemon_lock):
        raise NotFound("No daemon runs on this workspace.", hint="Start one: mlops daemon start")
    who = _identity(workspace)
    if who is not None:
        os.kill(who.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    while locks.held(workspace.daemon_lock):
        if time.monotonic() > deadline:
            raise Unavailable(
                f"The daemon did not end within {timeout_s:.0f} s.",
                hint=f"Jobs survive it, so this is safe: kill -9 {who.pid if who else 'PID'}",
            )
        time.sleep(_POLL_S)


def restart(workspace: Workspace, timeout_s: float = 30.0) -> Status:
    """Put a daemon of this installation in the place of the one that runs, as after an upgrade; jobs go on meanwhile.

    Starts one when none runs. Raises Unavailable when the old one does not end or the new one does not start.
    """
    if locks.held(workspace.daemon_lock):
        stop(workspace, timeout_s)
    return start(workspace)


def run(workspace: Workspace, *, quiet: bool = False, once: bool = False) -> None:
    """Be the daemon until SIGTERM or SIGINT, in the foreground; its log also goes to stderr unless `quiet`.

    `once` does every task one time and returns. Raises AlreadyExists when another daemon holds the workspace.
    """
    workspace.make_folders()
    lock = locks.hold(workspace.daemon_lock)
    if lock is None:
        _refuse_second(workspace)
        raise AlreadyExists("A daemon has just started on this workspace.", hint="Look at it: mlops daemon status")
    try:
        log = _logger(workspace, quiet)
        began = clock.now_ms()

        def write(*, ready: bool) -> None:
            facts = {"started_at": began, "version": __version__, "ready": ready}
            processes.save_identity(info_path(workspace), processes.identity(), **facts)

        write(ready=False)
        from mlops_tui.daemon.loop import Daemon  # APScheduler: only the process that is the daemon pays for it

        daemon = Daemon(workspace, log)
        if once:
            daemon.once()
        else:
            with _metrics(workspace, log):
                daemon.run(ready=lambda: write(ready=True))
    finally:
        os.close(lock)


def _metrics(workspace: Workspace, log: logging.Logger) -> contextlib.AbstractContextManager[object]:
    """The server for Prometheus where settings want one; http.server is loaded only then."""
    wanted = settings.load(workspace.settings_file).daemon
    if not wanted.metrics_port:
        return contextlib.nullcontext()
    from mlops_tui.daemon.metrics import served

    return served(workspace, wanted.metrics_host, wanted.metrics_port, log)


def report_failure(workspace: Workspace, error: WorkbenchError) -> None:
    """Leave word for whoever is waiting in `start`."""
    try:
        _failure_path(workspace).write_text(
            json.dumps({"message": error.message, "hint": error.hint}), encoding="utf-8"
        )
    except OSError:  # the folder itself is gone or full: the starter's time limit speaks then
        pass


def _refuse_second(workspace: Workspace) -> None:
    if locks.held(workspace.daemon_lock):
        who = _identity(workspace)
        raise AlreadyExists(
            f"A daemon runs on this workspace already{f' (pid {who.pid})' if who else ''}.",
            hint="Look at it: mlops daemon status   or end it: mlops daemon stop",
        )


def _identity(workspace: Workspace) -> Identity | None:
    who = processes.load_identity(info_path(workspace))
    return who if who is not None and processes.is_alive(who) else None


def _failure_path(workspace: Workspace) -> Path:
    return workspace.run / "daemon.failed"


def _facts(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _logger(workspace: Workspace, quiet: bool) -> logging.Logger:
    size = settings.load(workspace.settings_file).daemon.log_mb * 1_000_000
    log = logging.getLogger("mlops_tui.daemon")
    log.setLevel(logging.INFO)
    log.propagate = False
    form = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(log_path(workspace), maxBytes=size, backupCount=3, encoding="utf-8")
    ]
    if not quiet:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(form)
        log.addHandler(handler)
    return log
