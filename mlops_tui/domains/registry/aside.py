"""Where the code of a model package runs outside of the workers that serve it: in a process of its own.

A package is code of others. It may end the process it is loaded into, never answer, print, or take all memory there is; so neither
the daemon nor a command, a screen or a monitor's job loads one. What is to be done with it is a function of ours,
`function(folder, order) -> answer`, which `ask` has called elsewhere. Orders and answers are JSON values, and frames, which travel
as Parquet files beside them. That process ends with the one that asked, at the latest.

It keeps accidents in; it is no wall against a model that means harm: that runs with the rights of whoever asks.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_tui.core import errors, processes
from mlops_tui.core.errors import InvalidInput, Unavailable, WorkbenchError

Values = dict[str, Any]
Function = Callable[[Path, Values], Values]

TIMEOUT_S = 120.0
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
CHILD = "mlops_tui.domains.registry.aside_child"
ORDER, ANSWER = "order", "answer"
_SAID, _AT_ONCE = 4096, 1 << 16
_running: set[subprocess.Popen[bytes]] = set()
_ending = threading.Lock()


def ask(function: Function, folder: Path, order: Values, *, project: Path, timeout_s: float = TIMEOUT_S) -> Values:
    """Have `function(folder, order)` called in a process of its own (1.5 s to start); its answer.

    `folder` lies in a folder of the caller's own, where orders and answers are written too. `project` goes on the path of imports:
    models may name code of it. What the function raises of our kinds is raised here; InvalidInput says what became of the process
    when it failed otherwise, ended or took longer than `timeout_s`.
    """
    room = folder.parent
    about = {"function": f"{function.__module__}:{function.__qualname__}", "folder": str(folder)}
    write(room, ORDER, order, about)
    (room / f"{ANSWER}.json").unlink(missing_ok=True)
    ended = start(room, project, timeout_s)
    if not (room / f"{ANSWER}.json").exists():
        raise InvalidInput(f"The process that loaded it {ended}.")
    answer, about = read(room, ANSWER)
    if "error" in about:
        raise _kind(about["kind"])(about["error"], hint=about["hint"])
    return answer


def start(room: Path, project: Path, timeout_s: float) -> str:
    """Run the process that does what is ordered in `room` until its end; how it ended, in words. What it started ends with it."""
    command = processes.python_module(CHILD, str(room), str(project), str(os.getpid()))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**processes.package_environment(), **THREADS},
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"Cannot start a process: {error.strerror}.", hint="See `mlops doctor`.") from error
    with _ending:
        _running.add(process)
    try:
        said = _listen(process, time.monotonic() + timeout_s)
    finally:
        with _ending:
            _running.discard(process)
            _kill(process)
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if said is None:
        return f"gave no answer within {timeout_s:g} s"
    how = f"was ended by {_signal(-code)}" if code < 0 else f"ended with code {code} and no answer"
    return f"{how}, after it said: {said}" if said else how


def _signal(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL (memory ran out, or somebody wanted it)"
    return next((one.name for one in signal.Signals if one == number), f"signal {number}")


def end_all() -> None:
    """End the processes that threads of this one wait for, who are told so: for a program that a person wants to leave now."""
    with _ending:
        for process in _running:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that nobody has waited for yet, so that its number is its own, and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _listen(process: subprocess.Popen[bytes], end: float) -> str | None:
    """Take away what a process prints until it ends; its last line, None when it is still there at `end` (monotonic s).

    Nobody waits for the end of the output: what a model started may hold it open for ever.
    """
    assert process.stdout is not None
    output, watched = process.stdout.fileno(), os.pidfd_open(process.pid)
    poller, tail = select.poll(), b""
    poller.register(output, select.POLLIN)
    poller.register(watched, select.POLLIN)
    try:
        while (left := end - time.monotonic()) > 0:
            ready = [descriptor for descriptor, _ in poller.poll(left * 1000)]
            if output in ready:  # at most a pipe full is left when it has ended, and that comes at once
                chunk = os.read(output, _AT_ONCE)
                tail = (tail + chunk)[-_SAID:]
                if not chunk:
                    poller.unregister(output)
            if watched in ready:
                return (tail.decode(errors="replace").strip().splitlines() or [""])[-1][:200]
        return None
    finally:
        os.close(watched)


def write(room: Path, name: str, values: Values, about: Values) -> None:
    """Write values with their frames to `room`, where `read` finds them. Raises InvalidInput for a frame that Parquet cannot hold."""
    plain, frames = {}, []
    for key, value in values.items():
        if not hasattr(value, "to_parquet"):
            plain[key] = value
            continue
        try:
            value.to_parquet(room / f"{name}-{key}.parquet", index=False)
        except (ValueError, TypeError) as error:  # Arrow raises its own kinds of both
            reason = str(error).split("\n", 1)[0][:200]
            raise InvalidInput(f"These rows cannot be handed to the model: {reason}.") from error
        frames.append(key)
    text = json.dumps({"about": about, "values": plain, "frames": frames}, default=str)
    staged = room / f".{name}.json"
    staged.write_text(text, encoding="utf-8")
    staged.replace(room / f"{name}.json")


def read(room: Path, name: str) -> tuple[Values, Values]:
    """What `write` wrote: values, and what was said about them."""
    found = json.loads((room / f"{name}.json").read_bytes())
    values: Values = found["values"]
    if found["frames"]:
        import pandas as pd

        values |= {key: pd.read_parquet(room / f"{name}-{key}.parquet") for key in found["frames"]}
    return values, found["about"]


def _kind(name: str) -> type[WorkbenchError]:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, WorkbenchError) else InvalidInput
