"""A sample of what lookups answered, kept for a while, so that it can be compared with what the offline join says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core import segments
from mlops_tui.domains.features.records import Found

FOLDER = "lookups"
_FILE_BYTES, _ALL_BYTES = 4_000_000, 64_000_000
_ROWS = 20  # of one lookup


class Served:
    """Appends to segments of this process; whoever begins a new one removes the oldest beyond 64 MB in all."""

    def __init__(self, folder: Path, *, file_bytes: int = _FILE_BYTES, all_bytes: int = _ALL_BYTES) -> None:
        self._folder = folder
        self._writer = segments.SegmentWriter(folder, "lookups", max_bytes=file_bytes)
        self._all_bytes = all_bytes

    def add(self, name: str, table_id: int, at: int, names: Sequence[str], found: Sequence[Found]) -> None:
        """Keep the first rows of one answer: keys (and request fields), values by `names`, statuses, at ms. Never raises."""
        some = found[:_ROWS]
        record = {
            "name": name,
            "table": table_id,
            "at": at,
            "names": list(names),
            "rows": [dict(one.key) for one in some],
            "values": [[one.values[column] for column in names] for one in some],
        }
        before = self._writer.path
        # A lookup is worth more than its log: a full disk or a key of an odd type must not fail it.
        with contextlib.suppress(OSError, TypeError, OverflowError):
            self._writer.append(record)
            if self._writer.path != before:
                self._prune()

    def read(self, name: str, table_id: int, since: int) -> Iterator[Mapping[str, Any]]:
        """What was kept of a table or view since a moment (ms), file by file."""
        for path in segments.segments(self._folder):
            with contextlib.suppress(FileNotFoundError):  # pruned meanwhile
                for record, _ in segments.read(path):
                    if record["name"] == name and record["table"] == table_id and record["at"] >= since:
                        yield record

    def close(self) -> None:
        self._writer.close()

    def _prune(self) -> None:
        files = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in segments.segments(self._folder))
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self._all_bytes or (segments.is_live(path) and path == self._writer.path):
                break
            path.unlink(missing_ok=True)
            total -= size
