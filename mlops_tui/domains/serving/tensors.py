"""Tensors of the Open Inference Protocol: JSON or bytes to values, values to bytes, and the datatypes between. Pure.

The binary tensor data extension: little endian, row by row; a BYTES element is its length as u32 and then its bytes
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Any

import msgspec

from mlops_tui.core.errors import InvalidInput

_SIZES = (8, 16, 32, 64)
_RANGES = {
    **{f"INT{size}": (-(2 ** (size - 1)), 2 ** (size - 1) - 1) for size in _SIZES},
    **{f"UINT{size}": (0, 2**size - 1) for size in _SIZES},
}
_FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_RANGES, (int,)),
    **dict.fromkeys(_FLOATS, (int, float)),
    "BOOL": (bool,),
    "BYTES": (str,),
}
# Codes of the module `array` (whole numbers, floats) and of `struct` (half floats).
_CODES = {
    **dict(zip(("INT8", "INT16", "INT32", "INT64"), "bhiq", strict=True)),
    **dict(zip(("UINT8", "UINT16", "UINT32", "UINT64"), "BHIQ", strict=True)),
    "FP32": "f",
    "FP64": "d",
    "BOOL": "B",
}
_LENGTH = struct.Struct("<I")
DATATYPES = {"int64": "INT64", "float64": "FP64", "bool": "BOOL"}


class Tensor(msgspec.Struct):
    """One input of a request, as it came."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


def datatype_of(kind: str) -> str:
    """The datatype of a column type of ours; times travel as text."""
    return DATATYPES.get(kind, "BYTES")


def binary_size(tensor: Tensor) -> int | None:
    """How many bytes after the JSON are this tensor's; None when its data are in the JSON. Raises InvalidInput."""
    size = (tensor.parameters or {}).get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0 or tensor.data is not None:
        raise InvalidInput(
            f"Input {tensor.name!r} needs either data or a binary_data_size of 0 or more.",
            hint="Not both, not neither.",
        )
    return size


def values_of(tensor: Tensor, raw: bytes | None) -> list[Any]:
    """The tensor's values row by row, from its JSON or from `raw` bytes, checked against datatype and shape."""
    _check(tensor)
    data = _in_json(tensor) if raw is None else from_bytes(tensor, raw)
    count = 1
    for size in tensor.shape:
        count *= size
    if count != len(data):
        raise InvalidInput(
            f"Input {tensor.name!r} has {len(data)} values, its shape {tensor.shape} means {_short(count)}.",
            hint="The product of the shape is the number of values.",
        )
    return data


def from_bytes(tensor: Tensor, raw: bytes) -> list[Any]:
    """Values out of binary tensor data."""
    if tensor.datatype == "BYTES":
        return _texts(tensor, raw)
    if tensor.datatype in {"FP16", "BF16"}:
        return _halves(tensor, raw)
    values = array(_CODES[tensor.datatype])
    _whole(tensor, raw, values.itemsize)
    values.frombytes(raw)
    if sys.byteorder == "big":
        values.byteswap()
    return [value != 0 for value in values] if tensor.datatype == "BOOL" else values.tolist()


def to_bytes(datatype: str, values: list[Any]) -> bytes:
    """Binary tensor data of values of one of our datatypes (INT64, FP64, BOOL, BYTES)."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    packed = array(_CODES[datatype], values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _check(tensor: Tensor) -> None:
    if tensor.datatype not in _PYTHON_TYPES:
        raise InvalidInput(
            f"Input {tensor.name!r} has the unknown datatype {tensor.datatype[:40]!r}.",
            hint="Use FP64, INT64, BOOL or BYTES.",
        )
    if not tensor.shape or min(tensor.shape) < 0:
        raise InvalidInput(
            f"Input {tensor.name!r} cannot have the shape {tensor.shape[:8]}.", hint="Write [rows] or [rows, columns]."
        )


def _in_json(tensor: Tensor) -> list[Any]:
    data = tensor.data
    if data is None:
        raise InvalidInput(f"Input {tensor.name!r} has no data.", hint='"data": [1.0, 2.0]')
    if data and isinstance(data[0], list):
        width = tensor.shape[1] if len(tensor.shape) == 2 else -1
        if any(not isinstance(row, list) or len(row) != width for row in data):
            raise InvalidInput(
                f"The data of {tensor.name!r} does not have the shape {tensor.shape}.", hint="Row by row."
            )
        data = [value for row in data for value in row]
    allowed = {*_PYTHON_TYPES[tensor.datatype], type(None)}
    if not allowed.issuperset(map(type, data)):
        raise _odd(tensor, next(value for value in data if type(value) not in allowed))
    limits = _RANGES.get(tensor.datatype)
    if limits is not None:
        given = [value for value in data if value is not None]
        if given and (min(given) < limits[0] or max(given) > limits[1]):
            raise _odd(tensor, next(value for value in given if not limits[0] <= value <= limits[1]))
    return data


def _odd(tensor: Tensor, value: Any) -> InvalidInput:
    return InvalidInput(
        f"Input {tensor.name!r}: {_short(value)!r} is no {tensor.datatype}.", hint="Check its datatype."
    )


def _short(value: Any) -> str:
    try:
        return str(value)[:40]
    except ValueError:  # an integer of more digits than Python prints
        return "a very large number"


def _texts(tensor: Tensor, raw: bytes) -> list[Any]:
    values: list[Any] = []
    start = 0
    while start < len(raw):
        begin = start + _LENGTH.size
        start = begin + int.from_bytes(raw[start:begin], "little")
        if start > len(raw):
            raise _torn(tensor, len(raw))
        try:
            values.append(raw[begin:start].decode())
        except UnicodeDecodeError:
            raise InvalidInput(f"Input {tensor.name!r}: value {len(values)} is not UTF-8.", hint="Send text.") from None
    return values


def _halves(tensor: Tensor, raw: bytes) -> list[Any]:
    _whole(tensor, raw, 2)
    if tensor.datatype == "FP16":
        return list(struct.unpack(f"<{len(raw) // 2}e", raw))
    wide = bytearray(2 * len(raw))  # a BF16 is the upper half of an FP32
    wide[2::4], wide[3::4] = raw[0::2], raw[1::2]
    return list(struct.unpack(f"<{len(raw) // 2}f", wide))


def _whole(tensor: Tensor, raw: bytes, size: int) -> None:
    if len(raw) % size:
        raise _torn(tensor, len(raw))


def _torn(tensor: Tensor, size: int) -> InvalidInput:
    return InvalidInput(
        f"The {size} bytes of input {tensor.name!r} are no whole number of {tensor.datatype} values.",
        hint="Check binary_data_size.",
    )
