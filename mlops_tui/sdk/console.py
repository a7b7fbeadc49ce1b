"""What a run prints, kept in a file while it goes to the terminal as ever.

Every piece is in the file before `write` returns, so that it outlives kill -9; forked children write there too. What C code and
other programs write past `sys.stdout` is not seen here: `supervised.py` runs a whole command under a run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

NAME = "console.log"
VARIABLE = "MLOPS_CAPTURE_OUTPUT"
MOST_BYTES = 64 * 2**20
"""A loop that prints for ever must not fill the disk."""
_OFF = {"", "0", "off", "false", "no"}
_FULL = b"\n... more was printed than is kept\n"


def wanted(given: bool | None) -> bool:
    """Whether to capture; without a wish the environment variable says it."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _OFF if given is None else given


class ConsoleLog:
    """A file that grows to at most `MOST_BYTES`. Never raises: a log that cannot be written is no reason to end a training."""

    def __init__(self, folder: Path) -> None:
        self._left = MOST_BYTES
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._handle = os.open(folder / NAME, flags, 0o640)
            self._left -= os.fstat(self._handle).st_size  # a run that resumes goes on in the same file
        except OSError as error:
            self._handle, self._left = -1, 0
            print(f"mlops: what this run prints is not kept: {error}", file=sys.__stderr__)

    def append(self, data: bytes) -> None:
        """Keep a piece, or as much of it as there is room for."""
        if self._left <= 0:
            return
        piece = data[: self._left]
        self._left -= len(data)
        try:
            os.write(self._handle, piece if self._left > 0 else piece + _FULL)
        except OSError:
            self._left = 0

    def close(self) -> None:
        """What is appended from now on is dropped."""
        handle, self._handle, self._left = self._handle, -1, 0
        if handle >= 0:
            os.close(handle)


class Capture:
    """From `__init__` to `stop` all that is written to `sys.stdout` and `sys.stderr` is in the log as well."""

    def __init__(self, folder: Path) -> None:
        self._log = ConsoleLog(folder)
        for stream in {id(one): one for one in (sys.stdout, sys.stderr)}.values():
            _listen(stream, self._log)

    def stop(self) -> None:
        """The streams are as they were, once nobody else listens."""
        _leave(self._log)
        self._log.close()


_logs: list[ConsoleLog] = []
_streams: dict[int, Any] = {}


def _listen(stream: Any, log: ConsoleLog) -> None:
    """Have `stream` tell the logs. Its `write` is replaced, not the stream: handlers of `logging` hold on to the stream."""
    if log not in _logs:
        _logs.append(log)
    if id(stream) in _streams:
        return
    write = stream.write

    def told(text: Any) -> Any:
        for one in _logs:
            one.append(text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text))
        return write(text)

    try:
        stream.write = told
    except AttributeError:  # None, or an object that takes no attributes
        return
    _streams[id(stream)] = stream


def _leave(log: ConsoleLog) -> None:
    if log in _logs:
        _logs.remove(log)
    if not _logs:
        for stream in _streams.values():
            stream.__dict__.pop("write", None)
        _streams.clear()
