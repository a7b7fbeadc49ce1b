"""Keeping a server alive while it is wanted: the inference gateway, the tracking server. It outlives the daemon; the next one adopts it."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlops_tui.core import processes
from mlops_tui.core.identity import Identity
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon.control import gateway_path

MODULE = "mlops_tui.web.inference"
MARK = "MLOPS_GATEWAY_OF"
TRACKING_MODULE = "mlops_tui.web.tracking"
TRACKING_MARK = "MLOPS_TRACKING_OF"
STEADY_S = 60.0  # after so long a life, earlier failures are forgotten
LONGEST_PAUSE_S = 60.0
_LOG_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """Which server: what it is called, its module, the variable that marks its process, and what starts and ends it."""

    name: str
    module: str
    mark: str
    unwanted: str


GATEWAY = Kind("gateway", MODULE, MARK, "no deployment wants the gateway")
TRACKING = Kind("tracking", TRACKING_MODULE, TRACKING_MARK, "the setting tracking.serve is off")


class Gateway:
    """A server of one workspace as its daemon sees it.

    `wanted` says whether it should run; `foreign` whether one that someone started by hand serves already.
    """

    def __init__(
        self,
        workspace: Workspace,
        log: logging.Logger,
        wanted: Callable[[], bool],
        foreign: Callable[[], bool] = lambda: False,
        command: list[str] | None = None,
        kind: Kind = GATEWAY,
    ) -> None:
        self._workspace = workspace
        self._log = log
        self._wanted = wanted
        self._foreign = foreign
        self._kind = kind
        self._command = command or processes.python_module(kind.module, "--workspace", str(workspace.root))
        self._path = gateway_path(workspace, kind.name)
        self._child: subprocess.Popen[bytes] | None = None
        self._who: Identity | None = None
        self._began = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._searched = False

    def step(self) -> None:
        """Look once: start it, adopt it, stop it or leave it be."""
        alive = self._alive()
        if not self._wanted():
            if alive:
                self._log.info("%s; stopping it", self._kind.unwanted)
                self.stop()
            return
        if alive:
            if time.monotonic() - self._began > STEADY_S:
                self._failures = 0
            return
        if self._who is not None:
            self._note_end()
        if time.monotonic() < self._not_before or self._foreign():
            return
        self._start()

    def stop(self, grace_s: float = 15.0) -> None:
        """End it, if it is ours, and wait: it finishes its requests first (10 s at most)."""
        if self._alive() and self._who is not None:
            processes.end(self._who, grace_s)
        self._forget()

    def _alive(self) -> bool:
        if self._child is not None:
            self._child.poll()  # collects it, or it would stay a zombie
        if self._who is None:
            self._who = self._find()
            self._began = time.monotonic()
            if self._who is not None:
                self._log.info("found the %s running (pid %d)", self._kind.name, self._who.pid)
        return self._who is not None and processes.is_alive(self._who)

    def _find(self) -> Identity | None:
        """The one an earlier daemon left, also when that was killed before it could write the identity down."""
        who = processes.load_identity(self._path)
        if who is not None and processes.is_alive(who):
            return who
        if not self._searched:  # once: reading every process's environment costs 8 ms
            self._searched = True
            mine = processes.marked(self._kind.mark, str(self._workspace.root))
            found = [one for one in mine if self._kind.module in processes.command_line(one)]
            for one in found:
                processes.save_identity(self._path, one)
                return one
        return None

    def _start(self) -> None:
        self._path.unlink(missing_ok=True)
        path = self._log_file
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        environment = processes.package_environment() | {self._kind.mark: str(self._workspace.root)}
        with path.open("ab") as output:
            self._child = subprocess.Popen(
                self._command,
                env=environment,
                cwd=self._workspace.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._began = time.monotonic()
        try:
            self._who = processes.identity(self._child.pid)
        except ProcessLookupError:
            self._note_end()
            return
        processes.save_identity(self._path, self._who)
        self._log.info("started the %s (pid %d)", self._kind.name, self._child.pid)

    def _note_end(self) -> None:
        self._failures += 1
        pause = min(0.5 * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        self._not_before = time.monotonic() + pause
        self._log.warning(
            "the %s ended; next start in %.1f s. Its last words: %s", self._kind.name, pause, self._last_words()
        )
        self._forget()

    def _forget(self) -> None:
        if self._child is not None:
            self._child.poll()
        self._child, self._who = None, None
        self._path.unlink(missing_ok=True)

    @property
    def _log_file(self) -> Path:
        return self._workspace.logs / f"{self._kind.name}.log"

    def _last_words(self) -> str:
        try:
            with self._log_file.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return "none"
        return lines[-1] if lines else "none"
