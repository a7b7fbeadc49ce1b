"""The gateway's log of predictions and labels: on disk before the reply, safe from power loss when the settings ask for it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import Unavailable
from mlops_tui.core.segments import SegmentWriter, frame
from mlops_tui.domains.serving.log import FEEDBACK, PREDICTIONS

logger = logging.getLogger("mlops.inference")

# What power loss may take with durability "process": the appends of the last moment.
SYNC_SECONDS = 0.2


Then = Callable[[Unavailable | None], None]


class Journal:
    """Appends records; with `power` nobody hears of a record before it is safe from power loss, one sync for all who wait."""

    def __init__(self, folder: Path, *, power: bool = False, keep_serving: bool = False) -> None:
        self.unlogged = 0
        self._power = power
        self._keep_serving = keep_serving
        self._writers = {name: SegmentWriter(folder, name) for name in (PREDICTIONS, FEEDBACK)}
        self._posted: list[tuple[bytes, Then]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._dirty: set[Path] = set()
        self._syncing: asyncio.Task[None] | None = None

    def post(self, record: dict[str, Any], then: Then) -> None:
        """Append a prediction with all others of this turn of the loop in one write(2), then call `then`.

        With None: the record survives the death of this process, or power loss too, as the settings have it. With Unavailable:
        the disk refused it. A record that cannot be written at all is raised here.
        """
        framed = frame(record)
        if not self._posted:
            asyncio.get_running_loop().call_soon(self._write_posted)
        self._posted.append((framed, then))

    def append(self, name: str, record: dict[str, Any]) -> None:
        """Append one record; it survives the death of this process when the call returns.

        Raises Unavailable when the disk refuses, unless the settings say to serve unlogged, which is counted.
        """
        self._append(name, [frame(record)])

    def _append(self, name: str, frames: list[bytes]) -> None:
        writer = self._writers[name]
        try:
            writer.append_frames(frames)
        except OSError as error:
            with contextlib.suppress(OSError):
                writer.close()  # the next record opens a new file behind no torn one
            self.unlogged += len(frames)
            logger.error("the log could not be written: %s", error.strerror)
            if self._keep_serving and name == PREDICTIONS:
                return
            raise Unavailable(f"The log could not be written: {error.strerror}.", hint="Free some space.") from error
        assert writer.path is not None
        self._dirty.add(writer.path)

    def _write_posted(self) -> None:
        posted, self._posted = self._posted, []
        refused: Unavailable | None = None
        try:
            self._append(PREDICTIONS, [framed for framed, _ in posted])
        except Unavailable as error:
            refused = error
        if self._power and refused is None:
            self._telling.add(task := asyncio.create_task(self._tell_settled([then for _, then in posted])))
            task.add_done_callback(self._telling.discard)
            return
        _tell([then for _, then in posted], refused)
        if self._dirty and self._syncing is None:
            self._sync(SYNC_SECONDS)

    async def _tell_settled(self, waiting: list[Then]) -> None:
        await self.settle()
        _tell(waiting, None)

    async def settle(self) -> None:
        """Wait for the appends made so far, as far as the durability in the settings asks for it."""
        if self._power:
            if self._syncing is not None:  # it may have begun before these appends
                await asyncio.shield(self._syncing)
            if self._dirty:
                await asyncio.shield(self._sync())
        elif self._dirty and self._syncing is None:
            self._sync(SYNC_SECONDS)

    async def close(self) -> None:
        """Sync and close."""
        if self._posted:
            self._write_posted()
        await asyncio.gather(*self._telling)
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


def _tell(waiting: list[Then], refused: Unavailable | None) -> None:
    for then in waiting:
        try:
            then(refused)
        except Exception:  # whoever asked has a mistake in it; the others wait for their answers
            logger.exception("a logged prediction could not be answered")


def _sync_files(paths: set[Path]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # taken in meanwhile, and the Parquet file was synced
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(handle)
            finally:
                os.close(handle)
