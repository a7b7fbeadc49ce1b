"""Runs the programs of channels: whatever they do, it is over in time and takes little memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from mlops_tui.core.errors import Unavailable


def run(command: list[str], given: bytes, folder: Path, patience_s: float) -> None:
    """Run a program to its end, or end it with all it started; of what it says only the beginning of its errors is kept.

    Raises Unavailable when it cannot be run, does not end in time, or ends with another code than 0.
    """
    env = {key: value for key, value in os.environ.items() if not key.startswith("MLOPS_SECRET_")}
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as file:  # a pipe would be waited for where the program does not read it
        file.write(given)
        file.seek(0)
        try:
            process = subprocess.Popen(
                command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, env=env,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"{name} cannot be run: {error.strerror or error}.") from error
    said = bytearray()
    reader = threading.Thread(target=_listen, args=(process, said), daemon=True)
    reader.start()
    try:
        code = process.wait(patience_s)
    except subprocess.TimeoutExpired as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise Unavailable(f"{name} did not end within {patience_s:.0f} s.") from error
    if code != 0:
        reader.join(0.3)  # what it left running may hold the pipe for ever
        words = said.decode("utf-8", "replace").strip()[:200]
        raise Unavailable(f"{name} ended with {code}{f': {words}' if words else ''}.")


def _listen(process: subprocess.Popen[bytes], said: bytearray) -> None:
    assert process.stderr is not None
    with process.stderr as errors:
        while part := os.read(errors.fileno(), 65_536):
            said += part[: max(0, 1000 - len(said))]
