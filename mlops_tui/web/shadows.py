"""Shadow versions: asked after the reply, a bounded number at a time, their answers compared with what was replied."""

from __future__ import annotations

import asyncio
import dataclasses

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.serving.handling import ShadowCounts, compare
from mlops_tui.domains.serving.records import State
from mlops_tui.domains.serving.wire import Answer
from mlops_tui.web.slot import Slot

# More than this wait for their shadow: the next ones are counted and not asked, so that a slow shadow slows nobody.
MOST = 64


class Shadows:
    """Asks shadow slots in the background; `take` hands over what was counted since the last time."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], ShadowCounts] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(
        self, deployment: str, slot: Slot | None, columns: dict[str, list[object]], rows: int, replied: Answer
    ) -> None:
        """Let a shadow answer the same rows, unless it is not up or too many wait already."""
        if slot is None:
            return
        if slot.state is not State.READY or len(self._tasks) >= MOST:
            self._count(deployment, slot, dropped=rows)
            return
        task = asyncio.create_task(self._ask(deployment, slot, columns, rows, replied))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def take(self) -> list[ShadowCounts]:
        """Return and forget the counts."""
        taken, self._counts = list(self._counts.values()), {}
        return taken

    async def settle(self) -> None:
        """Wait for those under way."""
        await asyncio.gather(*self._tasks)

    async def _ask(
        self, deployment: str, slot: Slot, columns: dict[str, list[object]], rows: int, replied: Answer
    ) -> None:
        await asyncio.sleep(0)  # the reply goes out first
        try:
            answer = await slot.predict(columns, rows)
        except WorkbenchError:
            answer = Answer(0, error="no answer")
        if answer.error:
            self._count(deployment, slot, rows=rows, failed=rows)
            return
        agreed, largest = compare(replied.prediction, answer.prediction)
        self._count(deployment, slot, rows=rows, agreed=agreed, largest=largest)

    def _count(
        self, deployment: str, slot: Slot, *, rows: int = 0, agreed: int = 0, failed: int = 0, dropped: int = 0,
        largest: float = 0.0,
    ) -> None:  # fmt: skip
        version = slot.target.version
        before = self._counts.get((deployment, version)) or ShadowCounts(deployment, version)
        self._counts[deployment, version] = dataclasses.replace(
            before,
            rows=before.rows + rows,
            agreed=before.agreed + agreed,
            failed=before.failed + failed,
            dropped=before.dropped + dropped,
            largest=max(before.largest, largest),
        )
