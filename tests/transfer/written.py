"""Files of other trackers, written here byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from mlops_tui.transfer.event_file import masked_crc


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def data(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


# -- TensorBoard ---------------------------------------------------------------------------------------------------------


def frame(event: bytes) -> bytes:
    size = struct.pack("<Q", len(event))
    return size + struct.pack("<I", masked_crc(size)) + event + struct.pack("<I", masked_crc(event))


def event(at: float, step: int, *values: bytes) -> bytes:
    return frame(double(1, at) + number(2, step) + data(5, b"".join(data(1, value) for value in values)))


def scalar(tag: str, value: float) -> bytes:
    return data(1, tag) + single(2, value)


def tensor(tag: str, body: bytes, plugin: str = "") -> bytes:
    return data(1, tag) + data(8, body) + (data(9, data(1, data(1, plugin))) if plugin else b"")


# -- Weights & Biases ----------------------------------------------------------------------------------------------------

BLOCK = 32768


def wandb_file(path: Path, records: list[bytes]) -> None:
    out = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    for record in records:
        rest, first = record, True
        while True:
            room = BLOCK - len(out) % BLOCK
            if room < 7:
                out += b"\0" * room
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (1 if first else 4) if not rest else (2 if first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
            if not rest:
                break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(out))


def item(key: str, json: str) -> bytes:
    return data(1, data(1, key) + data(16, json))
