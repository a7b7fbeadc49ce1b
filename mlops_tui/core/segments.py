"""Append-only files of framed records: the one mechanism under run logging and the prediction log.

A record is msgpack behind its length and CRC-32, written with a single write(2) before the caller goes on, so kill -9 at any
moment loses nothing that was acknowledged; a torn last frame is recognised and cut by the reader.
"""

from __future__ import annotations

import binascii
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mlops_tui.core.identity import identity, runs

SUFFIX = ".seg"
_HEADER = struct.Struct("<II")
_MAX_RECORD = 256 * 1024 * 1024
_used: dict[tuple[str, str, int], int] = {}
"""The next number of each folder, name and process: readers remember how far they read by the name, so none is given twice."""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


def frame(record: Any) -> bytes:
    """One record as it lies in the file: length (u32), CRC-32 (u32), msgpack."""
    payload = _encoder.encode(record)
    return _HEADER.pack(len(payload), binascii.crc32(payload)) + payload


class SegmentWriter:
    """Appends records to `<name>.<pid>-<start>.<number>.seg` in a folder; one writer per process and name.

    The process is part of the file name, so two processes never share a file and a reader knows whether more can come.
    Not thread-safe by itself for `append` order, but every frame is one write(2) to an O_APPEND file.
    """

    def __init__(self, folder: Path, name: str, *, max_bytes: int = 64 * 1024 * 1024) -> None:
        self.folder = folder
        self.name = name
        self.max_bytes = max_bytes
        self._file: int | None = None
        self._size = 0
        self._owner = 0
        self.path: Path | None = None

    def append(self, record: Any) -> None:
        """Write one record; it is safe against the death of this process when the call returns. Raises OSError."""
        self._write(frame(record))

    def append_all(self, records: Iterable[Any]) -> None:
        """Write several records with one write(2)."""
        self.append_frames(map(frame, records))

    def append_frames(self, frames: Iterable[bytes]) -> None:
        """Write records that were framed before (see `frame`), all with one write(2)."""
        data = b"".join(frames)
        if data:
            self._write(data)

    def sync(self) -> None:
        """Make what was appended safe against power loss too."""
        if self._file is not None:
            os.fdatasync(self._file)

    def rotate(self) -> None:
        """Close the current file; the next record opens a new one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    close = rotate

    def _write(self, data: bytes) -> None:
        if self._file is None or self._owner != os.getpid() or self._size >= self.max_bytes:
            self._open()
        assert self._file is not None
        written = os.write(self._file, data)
        if written != len(data):
            self._write_rest(data, written)
        self._size += len(data)

    def _write_rest(self, data: bytes, written: int) -> None:
        """Finish a write that a filling disk cut short, or take the torn frame back: behind it nothing could be read."""
        assert self._file is not None
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._size)
            raise

    def _open(self) -> None:
        if self._owner == os.getpid():
            self.rotate()
        self._owner = os.getpid()  # after a fork the child starts a file of its own
        self.folder.mkdir(parents=True, exist_ok=True)
        me = identity()
        key = (str(self.folder), self.name, self._owner)
        number = _used.get(key, 0)
        while True:
            path = self.folder / f"{self.name}.{me.pid}-{me.started}.{number:06d}{SUFFIX}"
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o660)
                break
            except FileExistsError:
                number += 1
        _used[key] = number + 1
        self.path, self._size = path, 0


def read(path: Path, offset: int = 0) -> Iterator[tuple[Any, int]]:
    """Records of a segment from `offset` bytes on, each with the offset after it; stops before a torn or damaged frame."""
    with path.open("rb") as file:
        file.seek(offset)
        while True:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                return
            size, checksum = _HEADER.unpack(header)
            if size > _MAX_RECORD:
                return
            payload = file.read(size)
            if len(payload) < size or binascii.crc32(payload) != checksum:
                return
            offset += _HEADER.size + size
            yield _decoder.decode(payload), offset


def segments(folder: Path, name: str | None = None) -> list[Path]:
    """The segments of a folder, oldest first for each writer; only those of `name` when it is given."""
    pattern = f"{name}.*{SUFFIX}" if name else f"*{SUFFIX}"
    return sorted(folder.glob(pattern))


def is_live(path: Path) -> bool:
    """Whether the process that writes this segment still runs (so more may come and the file must stay)."""
    pid, _, started = path.name.split(".")[-3].partition("-")
    return runs(int(pid), int(started))
