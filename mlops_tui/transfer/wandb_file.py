"""The .wandb file of a run: a log in LevelDB's framing (blocks of 32 KiB, records cut to fit) whose records are protocol buffers.

Read here are the records run, config, history, summary and exit; what else stands there (console output, system statistics,
telemetry) is not.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_tui.transfer.protobuf import Value, fields, message, real, text, whole

_MAGIC = b":W&B"
_HEAD = 7
_BLOCK = 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass(slots=True)
class WandbRun:
    """What the records of a run say; `history` are (step, time in ms, values), `exit_code` None when it did not end."""

    id: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    notes: str = ""
    host: str = ""
    commit: str = ""
    sweep: str = ""
    labels: list[str] = field(default_factory=list)
    started_at: int | None = None
    runtime_s: float | None = None
    exit_code: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[int, int | None, dict[str, Any]]] = field(default_factory=list)


def records(path: Path) -> Iterator[bytes]:
    """The records' bytes; ends where the file breaks off. Raises ValueError for another file and for damage."""
    data = path.read_bytes()
    if data[:4] != _MAGIC:
        raise ValueError(f"{path.name} is no file of Weights & Biases")
    at, parts = _HEAD, b""
    while at + _HEAD <= len(data):
        if _BLOCK - at % _BLOCK < _HEAD:
            at += _BLOCK - at % _BLOCK
            continue
        check, size, kind = struct.unpack_from("<IHB", data, at)
        if kind == 0 and size == 0:  # the rest of a block that was not used
            at += _BLOCK - at % _BLOCK
            continue
        body = data[at + _HEAD : at + _HEAD + size]
        if len(body) < size:
            return
        if zlib.crc32(data[at + 6 : at + 7] + body) != check:
            raise ValueError(f"{path.name} is damaged at byte {at}")
        at += _HEAD + size
        parts = body if kind in (_FULL, _FIRST) else parts + body
        if kind in (_FULL, _LAST):
            yield parts


def read(path: Path) -> tuple[WandbRun, str]:
    """The run, and what was wrong with the file (empty when nothing was)."""
    run = WandbRun()
    try:
        for record in records(path):
            for number, value in fields(record):
                if number in _READERS:
                    _READERS[number](run, message(value))
    except ValueError as error:
        return run, str(error)
    return run, ""


def _history(run: WandbRun, data: bytes) -> None:
    values: dict[str, Any] = {}
    step: int | None = None
    for number, value in fields(data):
        if number == 1:
            key, one = _item(message(value))
            values[key] = one
        elif number == 2:
            step = next((whole(one) for inner, one in fields(message(value)) if inner == 1), 0)
    at = values.get("_timestamp")
    step = int(values.get("_step", step or 0)) if step is None else step
    run.history.append((step, int(at * 1000) if isinstance(at, (int, float)) else None, values))


def _item(data: bytes) -> tuple[str, Any]:
    """(key, value) of a history, summary or config item; nested keys are joined by dots."""
    key, nested, found = "", [], None
    for number, value in fields(data):
        if number == 1:
            key = text(value)
        elif number == 2:
            nested.append(text(value))
        elif number in (8, 16):
            found = _decoded(message(value))
        elif number == 4:
            found = bool(value)
        elif number == 5:
            found = whole(value)
        elif number == 6:
            found = real(value)
        elif number == 7:
            found = text(value)
    return key or ".".join(nested), found


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)  # NaN and Infinity too, which Python's JSON knows
    except ValueError:
        return data.decode("utf-8", "replace")


def _updates(into: dict[str, Any], data: bytes) -> None:
    for number, value in fields(data):
        if number == 1:
            key, one = _item(message(value))
            into[key] = one


def _config(run: WandbRun, data: bytes) -> None:
    _updates(run.config, data)


def _summary(run: WandbRun, data: bytes) -> None:
    _updates(run.summary, data)


_TEXTS = {1: "id", 3: "project", 6: "group", 7: "job_type", 8: "name", 9: "notes", 12: "sweep", 13: "host"}


def _run(run: WandbRun, data: bytes) -> None:
    for number, value in fields(data):
        if number in _TEXTS:
            setattr(run, _TEXTS[number], text(value))
        elif number == 4:
            _config(run, message(value))
        elif number == 5:
            _summary(run, message(value))
        elif number == 10:
            run.labels.append(text(value))
        elif number == 17:
            run.started_at = _time(message(value))
        elif number == 21:
            run.commit = next((text(one) for inner, one in fields(message(value)) if inner == 2), "")


def _time(data: bytes) -> int:
    """A google.protobuf.Timestamp in ms."""
    seconds = nanos = 0
    for number, value in fields(data):
        if number == 1:
            seconds = whole(value)
        elif number == 2:
            nanos = whole(value)
    return seconds * 1000 + nanos // 1_000_000


def _exit(run: WandbRun, data: bytes) -> None:
    parts: dict[int, Value] = dict(fields(data))
    run.exit_code = whole(parts.get(1, 0))
    if 2 in parts:
        run.runtime_s = float(whole(parts[2]))


_READERS = {2: _history, 3: _summary, 5: _config, 17: _run, 18: _exit}
