"""More workers for a version while its requests queue up, fewer when they do not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from mlops_tui.web.link import Link, LoadFailed, WorkerLost

logger = logging.getLogger("mlops.inference")

# Looked at twice a second while something waits: a worker that has this many requests before it ...
QUEUE = 4
LOOK_S = 0.5
# ... and was computing for this share of the time gets a colleague, which leaves after this long without a queue.
BUSY = 0.6
IDLE_S = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Crew:
    """The workers of one version beside its first. `start` makes a warm one; there are at most `most` of them.

    Watches only while something waits or extra workers are there: an idle version costs nothing.
    """

    def __init__(self, start: Callable[[], Awaitable[Link]], most: int, changed: Callable[[], None]) -> None:
        self.extras: list[Link] = []
        self._start = start
        self._most = most
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def choose(self, first: Link | None) -> Link | None:
        """Return the live worker with the least before it, None when there is none."""
        if first is not None and not self.extras and first.alive and first.in_flight < QUEUE:
            return first
        links = [link for link in (first, *self.extras) if link is not None and link.alive]
        best = min(links, key=lambda link: link.in_flight, default=None)
        if best is not None and self._task is None and (best.in_flight >= QUEUE or self.extras) and self._most:
            self._task = asyncio.create_task(self._tend(first))
        return best

    async def relieve(self) -> None:
        """Start one worker more, whatever the queue. Raises LoadFailed, WorkerLost or TimeoutError."""
        self.extras.append(await self._start())
        self._changed()

    async def close(self) -> None:
        """End all extra workers."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for link in self.extras:
            link.close()
        self.extras.clear()

    async def _tend(self, first: Link | None) -> None:
        clock = asyncio.get_running_loop().time
        quiet_since, before = clock(), self._computed(first)
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                self.extras = [link for link in self.extras if link.alive]
                links = [link for link in (first, *self.extras) if link is not None and link.alive]
                now = self._computed(first)
                busy = min((now[pid] - before.get(pid, now[pid]) for pid in now), default=0.0) / LOOK_S
                before = now
                if links and all(link.in_flight >= QUEUE for link in links):
                    quiet_since = clock()
                    if busy >= BUSY and len(self.extras) < self._most:
                        await self._grow()
                elif clock() - quiet_since >= IDLE_S:
                    if not self.extras:
                        return
                    await self._shrink()
                    quiet_since = clock()
        finally:
            self._task = None

    async def _grow(self) -> None:
        try:
            await self.relieve()
            logger.info("requests wait: %d workers more", len(self.extras))
        except (LoadFailed, WorkerLost, TimeoutError, OSError) as error:
            logger.warning("no further worker could be started: %s", error)

    async def _shrink(self) -> None:
        leaving = self.extras.pop()
        while leaving.alive and leaving.in_flight:
            await asyncio.sleep(LOOK_S / 10)
        leaving.close()
        self._changed()

    def _computed(self, first: Link | None) -> dict[int, float]:
        """Seconds of CPU of each worker since it began."""
        used = {}
        for link in (first, *self.extras):
            if link is not None and link.alive and link.pid is not None:
                with contextlib.suppress(OSError):
                    fields = Path(f"/proc/{link.pid}/stat").read_text(encoding="ascii", errors="replace")
                    user, system = fields.rpartition(")")[2].split()[11:13]
                    used[link.pid] = (int(user) + int(system)) / _TICKS
        return used
