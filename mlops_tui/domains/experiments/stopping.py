"""Asking the process of a run to stop: ctrl+c from elsewhere, so that the run can say its last word."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from mlops_tui.core import identity
from mlops_tui.core.errors import NotAllowed, Unavailable
from mlops_tui.domains.experiments.records import Run, RunState

LATE_MS = 2000
"""A process that began later than this after its run is another one with the same number."""


def interrupt(run: Run) -> None:
    """Send SIGINT to the process of a run on this machine; SIGTERM to one that was started in the background of a shell and so
    does not hear it.

    Raises NotAllowed for a run that has ended, that logs over HTTP, that runs on another machine or for another user, and Unavailable
    when its process is gone.
    """
    if run.state is not RunState.RUNNING:
        raise NotAllowed(f"Run {run.id[:8]} is {run.state}; there is nothing to stop.")
    if run.pid <= 0:
        raise NotAllowed(
            f"The process of run {run.id[:8]} is not known: it logs over HTTP.", hint="Stop it where it runs."
        )
    if run.host and run.host != socket.gethostname():
        raise NotAllowed(f"Run {run.id[:8]} runs on {run.host}.", hint=f"Stop it there: kill -INT {run.pid}")
    began = _began_at(run.pid)
    if began is None or began > run.started_at + LATE_MS:
        raise Unavailable(
            f"Process {run.pid} of run {run.id[:8]} is gone.", hint="The next sweep marks the run: mlops runs list"
        )
    try:
        os.kill(run.pid, signal.SIGTERM if _deaf(run.pid) else signal.SIGINT)
    except PermissionError as error:
        raise NotAllowed(f"Process {run.pid} belongs to somebody else.", hint=f"Run as {run.user}.") from error
    except ProcessLookupError as error:
        raise Unavailable(f"Process {run.pid} of run {run.id[:8]} is gone.") from error


def _deaf(pid: int) -> bool:
    """Whether a process ignores SIGINT, as those do that a script starts with `&`."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    mask = next((line.split()[1] for line in lines if line.startswith("SigIgn:")), "0")
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def _began_at(pid: int) -> int | None:
    """When a process began (ms since the epoch, to the second), None when it is gone."""
    ticks = identity.start_ticks(pid)
    if ticks is None:
        return None
    lines = Path("/proc/stat").read_text().splitlines()
    booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return (booted + ticks // os.sysconf("SC_CLK_TCK")) * 1000
