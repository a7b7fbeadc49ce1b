"""Keeping the inference gateway alive while any deployment wants it. It outlives the daemon; the next one adopts it."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable

from mlops_tui.core import processes
from mlops_tui.core.identity import Identity
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon.control import gateway_path

MODULE = "mlops_tui.web.inference"
MARK = "MLOPS_GATEWAY_OF"
STEADY_S = 60.0  # after so long a life, earlier failures are forgotten
LONGEST_PAUSE_S = 60.0
_LOG_BYTES = 5_000_000


class Gateway:
    """The gateway of one workspace as its daemon sees it.

    `wanted` says whether any deployment should run; `foreign` whether a gateway that someone started by hand serves already.
    """

    def __init__(
        self,
        workspace: Workspace,
        log: logging.Logger,
        wanted: Callable[[], bool],
        foreign: Callable[[], bool] = lambda: False,
        command: list[str] | None = None,
    ) -> None:
        self._workspace = workspace
        self._log = log
        self._wanted = wanted
        self._foreign = foreign
        self._command = command or processes.python_module(MODULE, "--workspace", str(workspace.root))
        self._path = gateway_path(workspace)
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
                self._log.info("no deployment wants the gateway; stopping it")
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
                self._log.info("found the gateway running (pid %d)", self._who.pid)
        return self._who is not None and processes.is_alive(self._who)

    def _find(self) -> Identity | None:
        """The gateway an earlier daemon left, also when that was killed before it could write the identity down."""
        who = processes.load_identity(self._path)
        if who is not None and processes.is_alive(who):
            return who
        if not self._searched:  # once: reading every process's environment costs 8 ms
            self._searched = True
            mine = processes.marked(MARK, str(self._workspace.root))
            found = [one for one in mine if MODULE in processes.command_line(one)]
            for one in found:
                processes.save_identity(self._path, one)
                return one
        return None

    def _start(self) -> None:
        self._path.unlink(missing_ok=True)
        path = self._workspace.logs / "gateway.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_name("gateway.log.1"))
        environment = processes.package_environment() | {MARK: str(self._workspace.root)}
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
        self._log.info("started the gateway (pid %d)", self._child.pid)

    def _note_end(self) -> None:
        self._failures += 1
        pause = min(0.5 * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        self._not_before = time.monotonic() + pause
        self._log.warning("the gateway ended; next start in %.1f s. Its last words: %s", pause, self._last_words())
        self._forget()

    def _forget(self) -> None:
        if self._child is not None:
            self._child.poll()
        self._child, self._who = None, None
        self._path.unlink(missing_ok=True)

    def _last_words(self) -> str:
        try:
            with (self._workspace.logs / "gateway.log").open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return "none"
        return lines[-1] if lines else "none"
