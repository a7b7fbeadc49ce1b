"""Blocks of sorted or filtered rows that were read last: a pass over the table costs the same for 200 rows as for thousands."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 4000
KEPT = 6

Read = Callable[[int, int], "pa.Table"]


class Blocks:
    """Arrow tables of `ROWS` rows by what they are of and where they begin; the ones used last are kept.

    For all threads. A snapshot never changes, so what is kept never becomes wrong.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[tuple[Hashable, int], pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def window(self, of: Hashable, offset: int, limit: int, read: Read) -> pa.Table:
        """The rows from `offset`, at most `limit`; what is not kept is read with `read(offset, limit)`."""
        import pyarrow as pa

        parts = []
        for start in range(offset // ROWS * ROWS, offset + limit, ROWS):
            block = self._block(of, start, read)
            parts.append(block.slice(max(offset - start, 0), offset + limit - max(offset, start)))
            if block.num_rows < ROWS:
                break
        return pa.concat_tables(parts)

    def _block(self, of: Hashable, start: int, read: Read) -> pa.Table:
        with self._lock:
            found = self._found.get((of, start))
            if found is not None:
                self._found.move_to_end((of, start))
                return found
        found = read(start, ROWS)
        with self._lock:
            self._found[of, start] = found
            while len(self._found) > self._kept:
                self._found.popitem(last=False)
        return found


BLOCKS = Blocks()
"""Of the process: a screen opens a workbench for every piece of work, and goes on where the last one was."""
