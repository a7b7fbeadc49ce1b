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
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.pipelines.work import Skip, write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.25
OK, FAILED, SKIPPED = 0, 1, 10


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended. `result` is what it returned; `error` is the reason it failed, `skipped` why it had nothing to do."""

    result: dict[str, Any]
    error: str = ""
    skipped: str = ""


def preload() -> None:
    """Import what the steps need, once. One thread per library: a fork keeps only the thread that forks."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    import duckdb
    import pandas
    import pyarrow.parquet
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.impute
    import sklearn.linear_model
    import sklearn.model_selection
    import sklearn.pipeline
    import sklearn.preprocessing

    from mlops_tui.domains.pipelines import preparing

    assert all((duckdb, pandas, pyarrow, sklearn, preparing))


def run_step(name: str, step: Callable[[], dict[str, Any]], folder: Path) -> Ended:
    """Run `step` in a child and wait for it; its lines go to `<name>.log` and, with time and name before them, to stdout.

    Not raised but returned: an exception, a non-zero exit, a signal. When this process is stopped, the child is ended first.
    """
    outcome = folder / f"{name}.json"
    outcome.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _in_child(step, outcome, writer, parent)
    os.close(writer)
    ends = os.pidfd_open(child)  # readable when it has ended, so that no step waits for a clock
    try:
        with (folder / f"{name}.log").open("ab") as log:
            status = _follow(name, child, ends, reader, log)
    except BaseException:
        _end(child)
        raise
    finally:
        os.close(reader)
        os.close(ends)
    return _ended(status, outcome)


def _in_child(step: Callable[[], dict[str, Any]], outcome: Path, writer: int, parent: int) -> None:
    code = FAILED
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(FAILED)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
        faulthandler.enable(2)  # a crash in native code leaves its Python lines in the log
        try:
            write_json(outcome, {"result": step()})
            code = OK
        except Skip as reason:
            write_json(outcome, {"skipped": str(reason)})
            code = SKIPPED
        except WorkbenchError as error:
            text = f"{error.message} {error.hint}".strip()
            print(text, file=sys.stderr)  # noqa: T201 - the step's log
            write_json(outcome, {"error": text})
        except MemoryError:
            write_json(outcome, {"error": "There was not enough memory. Use fewer rows or raise [resources] memory."})
        except BaseException as error:
            traceback.print_exc()
            write_json(outcome, {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"})
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)  # never the parent's exit handlers


def _follow(name: str, child: int, child_ends: int, reader: int, log: Any) -> int:
    """Copy lines until the child has ended and its output is drained; its wait status."""
    rest, closed = b"", False
    status: int | None = None
    while True:
        waited_for = [reader] if status is not None else [child_ends] if closed else [reader, child_ends]
        ready, _, _ = select.select(waited_for, [], [], 0 if status is not None else _POLL_S)
        data = os.read(reader, 1 << 16) if reader in ready else b""
        closed = closed or (reader in ready and not data)  # it closed its output and works on
        if data:
            *lines, rest = (rest + data).split(b"\n")
            _write(name, lines, log)
        elif status is not None:
            break
        if status is None:
            pid, waited = os.waitpid(child, os.WNOHANG)
            if pid:
                status = waited
    if rest:
        _write(name, [rest], log)
    return status


def _write(name: str, lines: list[bytes], log: Any) -> None:
    stamp = datetime.now(UTC).strftime("%H:%M:%S")
    for line in lines:
        log.write(line + b"\n")
        print(f"{stamp} {name:<10} {line.decode('utf-8', 'replace')}", flush=True)  # noqa: T201 - the job's log
    log.flush()


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
    return Ended({}, str(said.get("error") or f"The step ended with code {code} and without a word."))


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
