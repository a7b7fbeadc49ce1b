"""TensorBoard's event files: frames of a length, its checksum, an event and the event's checksum."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mlops_tui.transfer.protobuf import fields, message, real, text, whole

MASK = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # CRC-32C, reversed
_LARGEST = 1 << 30
_FORMATS = {
    1: "<f",
    2: "<d",
    3: "<i",
    4: "<B",
    5: "<h",
    6: "<b",
    9: "<q",
    10: "<?",
    17: "<H",
    19: "<e",
    22: "<I",
    23: "<Q",
}
_STRING = 7


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an event. `kind` is scalar, text or the name of the plugin it is for; `content` is that plugin's data."""

    tag: str
    kind: str
    number: float = 0.0
    text: str = ""
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Event:
    """What was written at one time: `at` in ms."""

    at: int
    step: int
    values: list[Value] = field(default_factory=list)


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


def masked_crc(data: bytes) -> int:
    """The CRC-32C of bytes as such files hold it (rotated and shifted, so that a checksum of checksums works)."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF


def frames(path: Path) -> Iterator[bytes]:
    """The events' bytes. Ends at a frame that breaks off, as the last one of a killed writer does.

    Lengths are checked against their checksum, so that damage is seen; events are not (Python takes longer for that than for
    all the rest), but one that is no event raises ValueError when it is read. Raises ValueError for a damaged length.
    """
    with path.open("rb") as file:
        while True:
            head = file.read(12)
            if len(head) < 12:
                return
            size, check = struct.unpack("<QI", head)
            if masked_crc(head[:8]) != check or size > _LARGEST:
                raise ValueError(f"{path.name} is damaged before byte {file.tell()}")
            data = file.read(size + 4)
            if len(data) < size + 4:
                return
            yield data[:-4]


def events(path: Path) -> Iterator[Event]:
    """The events of a file. Raises ValueError at damage, after the events before it."""
    kinds: dict[str, str] = {}  # only the first value of a tag says which plugin it is for
    for data in frames(path):
        at, step, summary = 0.0, 0, b""
        for number, value in fields(data):
            if number == 1:
                at = real(value)
            elif number == 2:
                step = whole(value)
            elif number == 5:
                summary = message(value)
        values = [_value(message(value), kinds) for number, value in fields(summary) if number == 1]
        yield Event(int(at * 1000), step, values)


def _value(data: bytes, kinds: dict[str, str]) -> Value:
    tag, plugin, content = "", "", b""
    simple: float | None = None
    tensor: bytes | None = None
    for number, value in fields(data):
        if number == 1:
            tag = text(value)
        elif number == 2:
            simple = real(value)
        elif number == 8:
            tensor = message(value)
        elif number == 9:
            plugin, content = _plugin(message(value))
        elif number in (3, 4, 5, 6):
            plugin = plugin or {4: "images", 5: "histograms", 6: "audio"}.get(number, "other")
    plugin = kinds.setdefault(tag, plugin) or plugin
    if simple is not None:
        return Value(tag, "scalar", number=simple)
    if tensor is not None and plugin in ("scalars", "", "text"):
        return _tensor(tag, plugin, tensor)
    return Value(tag, plugin or "other", content=content)


def _plugin(metadata: bytes) -> tuple[str, bytes]:
    name, content = "", b""
    for number, value in fields(metadata):
        if number == 1:
            for inner, part in fields(message(value)):
                if inner == 1:
                    name = text(part)
                elif inner == 2:
                    content = message(part)
    return name, content


def _tensor(tag: str, plugin: str, data: bytes) -> Value:
    """A tensor of one number as a scalar, of texts as text; anything larger is neither."""
    dtype, content = 0, b""
    numbers: list[float] = []
    texts: list[str] = []
    for number, value in fields(data):
        if number == 1:
            dtype = whole(value)
        elif number == 4:
            content = message(value)
        elif number in (5, 6):
            numbers += _reals(message(value), "<f" if number == 5 else "<d")
        elif number in (7, 10, 11, 16, 17):
            numbers += [float(whole(value))] if isinstance(value, int) else _varints(value)
        elif number == 13 and isinstance(value, int):
            numbers.append(float(struct.unpack("<e", struct.pack("<H", value & 0xFFFF))[0]))
        elif number == 8:
            texts.append(text(value))
    if dtype == _STRING:
        return Value(tag, "text", text="\n".join(texts))
    if content and dtype in _FORMATS and len(content) == struct.calcsize(_FORMATS[dtype]):
        numbers = [float(struct.unpack(_FORMATS[dtype], content)[0])]
    if len(numbers) == 1:
        return Value(tag, "scalar", number=numbers[0])
    return Value(tag, plugin or "tensors")


def _reals(data: bytes, form: str) -> list[float]:
    """One value, or several packed into one field."""
    return [float(one[0]) for one in struct.iter_unpack(form, data)]


def _varints(data: bytes) -> list[float]:
    # Packed varints are read as a message of one-byte tags would not be, so each is found by its last byte.
    found, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(float(whole(value)))
            value = shift = 0
    return found
