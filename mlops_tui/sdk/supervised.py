"""A command of any kind under a run: what it prints is passed on and kept, its end is the run's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO

from mlops_tui.core.errors import NotFound
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.sdk.active import ActiveRun
from mlops_tui.sdk.console import ConsoleLog

RUN_VARIABLE = "MLOPS_RUN_ID"
"""Names the run to the command: `mlops.attach_run(os.environ["MLOPS_RUN_ID"])` logs into it."""
_TAIL = 4000


def supervise(run: ActiveRun, command: Sequence[str]) -> int:
    """Run `command` to its end and end the run with it; its exit code (128 and the signal's number when one ended it).

    ctrl+c and SIGTERM are the command's to answer. Raises NotFound when it cannot be started; then the run failed.
    """
    log = ConsoleLog(run.log_dir)
    environment = {
        **os.environ,
        RUN_VARIABLE: run.id,
        "MLOPS_WORKSPACE": str(run.workspace.root),
        "PYTHONUNBUFFERED": "1",  # through a pipe Python would keep its lines back for long
    }
    try:
        process = subprocess.Popen(list(command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        run.finish(RunState.FAILED, f"{command[0]} cannot be started: {error.strerror}.")
        raise NotFound(
            f"{command[0]} cannot be started: {error.strerror}.", hint="mlops runs start -- python train.py"
        ) from error
    tail = bytearray()
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        threading.Thread(target=_pass_on, args=(process.stdout, sys.stdout, log, None), daemon=True),
        threading.Thread(target=_pass_on, args=(process.stderr, sys.stderr, log, tail), daemon=True),
    ]
    before = {one: signal.signal(one, lambda number, _: _tell(process, number)) for one in _SIGNALS}
    try:
        for reader in readers:
            reader.start()
        code = process.wait()
        for reader in readers:  # a child of the command may live on with its end of the pipe
            reader.join(timeout=2.0)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        log.close()
    if code == 0:
        run.finish()
    else:
        how = f"The command ended with {code}." if code > 0 else f"{signal.Signals(-code).name} ended the command."
        run.finish(RunState.FAILED, f"{how}\n{bytes(tail).decode('utf-8', 'replace')}".strip())
    return code if code >= 0 else 128 - code


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _tell(process: subprocess.Popen[bytes], number: int) -> None:
    """Pass a signal on. ctrl+c reaches the command by itself, as all of a terminal's foreground."""
    if process.poll() is None and not (number == signal.SIGINT and _in_foreground()):
        process.send_signal(number)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp() if sys.__stdin__ is not None else False
    except (OSError, ValueError):
        return False


def _pass_on(source: IO[bytes], to: IO[str], log: ConsoleLog, tail: bytearray | None) -> None:
    """All that is read goes to the terminal and into the log; a terminal that is gone does not stop the log."""
    handle = _handle(to)
    with source:
        while data := os.read(source.fileno(), 65536):
            log.append(data)
            if tail is not None:
                tail += data
                del tail[:-_TAIL]
            if handle is not None:
                try:
                    os.write(handle, data)
                except OSError:
                    handle = None


def _handle(stream: IO[str]) -> int | None:
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError):
        return None
