"""Protocol buffers taken apart by hand: fields by number, for the few messages that are read here."""

from __future__ import annotations

import struct
from collections.abc import Iterator

Value = int | bytes
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """(number, value) of each field: an int of a varint, else its bytes. Raises ValueError for what is no message."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"field {number} has the unknown wire type {kind}")
        if at + size > end:
            raise ValueError(f"field {number} is longer than its message")
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number breaks off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def message(value: Value) -> bytes:
    """A field that must be a message, bytes or a text."""
    if not isinstance(value, bytes):
        raise ValueError("a message was expected")
    return value


def text(value: Value) -> str:
    return message(value).decode("utf-8", "replace")


def whole(value: Value) -> int:
    """An int64, which may be negative."""
    if not isinstance(value, int):
        raise ValueError("a whole number was expected")
    return value - 2**64 if value >= 2**63 else value


def real(value: Value) -> float:
    """A float or a double."""
    data = message(value)
    found: float = struct.unpack("<f" if len(data) == 4 else "<d", data)[0]
    return found
