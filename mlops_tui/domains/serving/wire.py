"""What the gateway and a worker say to each other: length-framed msgpack over a unix socket.

Frame: u32 big-endian length, then one msgpack array whose first item names its kind. The worker dials the gateway's socket,
says Hello, loads the model, says Ready (or Failed), and then answers each Ask with one Answer, in any order.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from mlops_tui.domains.registry.engines.formula import Formula

_LENGTH = struct.Struct(">I")
MAX_FRAME = 512 * 1024 * 1024


class Hello(msgspec.Struct, array_like=True, tag=True):
    """First word of a worker: the key it was started with, and its process id."""

    key: str
    pid: int


class Ready(msgspec.Struct, array_like=True, tag=True):
    """The model is loaded; `sample` holds one golden request, column by column, `checks` what was looked at (see `staging`).

    `formula` is all of the model where that is so little that the gateway answers by itself.
    """

    sample: dict[str, list[Any]]
    note: str = ""
    checks: list[tuple[str, bool, str]] = []
    formula: Formula | None = None


class Failed(msgspec.Struct, array_like=True, tag=True):
    """The model could not be loaded, or is refused for one of `checks`; the worker exits after this."""

    reason: str
    checks: list[tuple[str, bool, str]] = []


class Ask(msgspec.Struct, array_like=True, tag=True):
    """`rows` rows to predict, column by column; `alone` keeps them out of shared batches."""

    id: int
    rows: int
    columns: dict[str, list[Any]]
    alone: bool = False
    guard: bool = False


class Answer(msgspec.Struct, array_like=True, tag=True):
    """What the model said of one Ask. With an `error`, `blame` is "input" (the rows are at fault) or "model".

    `marks`, where the Ask wanted them and any row has one: what is odd about each row, "" where nothing is.
    """

    id: int
    prediction: list[Any] = []
    probabilities: list[list[float]] | None = None
    error: str = ""
    blame: str = ""
    marks: list[str] = []


Message = Hello | Ready | Failed | Ask | Answer
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def pack(message: Message) -> bytes:
    """Return the frame of a message."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> list[Message]:
        """Take in bytes and return the messages that are now whole.

        Raises ValueError when the stream is no stream of ours.
        """
        buffer = self._buffer
        buffer += data
        start, messages = 0, []
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes is longer than {MAX_FRAME}")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            messages.append(_decoder.decode(bytes(buffer[start + _LENGTH.size : end])))
            start = end
        del buffer[:start]
        return messages
