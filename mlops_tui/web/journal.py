"""The gateway's log of predictions and labels: on disk before the reply, safe from power loss when the settings ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import Unavailable
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.log import FEEDBACK, PREDICTIONS

logger = logging.getLogger("mlops.inference")

# What power loss may take with durability "process": the appends of the last moment.
SYNC_SECONDS = 0.2


class Journal:
    """Appends records; `power` makes `settle` wait until they are safe from power loss, one sync for all who wait."""

    def __init__(self, folder: Path, *, power: bool = False, keep_serving: bool = False) -> None:
        self.unlogged = 0
        self._power = power
        self._keep_serving = keep_serving
        self._writers = {name: SegmentWriter(folder, name) for name in (PREDICTIONS, FEEDBACK)}
        self._dirty: set[Path] = set()
        self._syncing: asyncio.Task[None] | None = None

    def append(self, name: str, record: dict[str, Any]) -> None:
        """Append one record; it survives the death of this process when the call returns.

        Raises Unavailable when the disk refuses, unless the settings say to serve unlogged, which is counted.
        """
        writer = self._writers[name]
        try:
            writer.append(record)
        except OSError as error:
            with contextlib.suppress(OSError):
                writer.close()  # the next record opens a new file behind no torn one
            self.unlogged += 1
            logger.error("the log could not be written: %s", error.strerror)
            if self._keep_serving and name == PREDICTIONS:
                return
            raise Unavailable(f"The log could not be written: {error.strerror}.", hint="Free some space.") from error
        assert writer.path is not None
        self._dirty.add(writer.path)

    async def settle(self) -> None:
        """Wait for the appends made so far, as far as the durability in the settings asks for it."""
        if self._power:
            while self._dirty:
                await asyncio.shield(self._sync())
        elif self._dirty and self._syncing is None:
            self._sync(SYNC_SECONDS)

    async def close(self) -> None:
        """Sync and close."""
        if self._syncing is not None:
            await self._syncing
        if self._dirty:
            await self._sync()
        for writer in self._writers.values():
            writer.close()

    def _sync(self, delay: float = 0.0) -> asyncio.Task[None]:
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync_once(delay))
        return self._syncing

    async def _sync_once(self, delay: float) -> None:
        try:
            await asyncio.sleep(delay)
            paths, self._dirty = self._dirty, set()
            await asyncio.to_thread(_sync_files, paths)
        finally:
            self._syncing = None


def _sync_files(paths: set[Path]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # taken in meanwhile, and the Parquet file was synced
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(handle)
            finally:
                os.close(handle)
