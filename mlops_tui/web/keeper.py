"""The gateway's own clock: what is wanted to the fleet, tokens and settings to the doors, counts to the workbench."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.core.settings import Settings, load
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.access import Token, Usage
from mlops_tui.domains.serving.handling import ShadowCounts
from mlops_tui.domains.serving.service import Serving
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.gateway import Gateway
from mlops_tui.web.ledger import Ledger
from mlops_tui.web.meter import Meter

logger = logging.getLogger("mlops.inference")

TRAFFIC_SECONDS = 5.0


class Keeper:
    """Looks several times a second; `freshen` is called every few seconds (certificates)."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        fleet: Fleet,
        ledger: Ledger,
        meter: Meter,
        gateway: Gateway,
        freshen: Callable[[], None],
    ) -> None:
        self._workspace = workspace
        self._poll_s = settings.daemon.poll_ms / 1000
        self._fleet = fleet
        self._ledger = ledger
        self._meter = meter
        self._gateway = gateway
        self._freshen = freshen
        self._seen: int | None = None
        self._stamp = self._settings_stamp()

    async def keep(self) -> None:
        """Until cancelled; trouble with the databases is met again."""
        loop = asyncio.get_running_loop()
        flush_at = loop.time() + TRAFFIC_SECONDS
        while True:
            try:
                await self._look()
                if loop.time() >= flush_at:
                    flush_at += TRAFFIC_SECONDS
                    await self.flush()
                    self._freshen()
            except Exception:
                logger.exception("the workspace could not be read or written; trying again")
                self._fleet.changed.set()
                await asyncio.sleep(1.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._fleet.changed.wait()

    async def flush(self) -> None:
        """Write what was counted."""
        if intervals := self._meter.take(now_ms()):
            await self._ledger.call(Serving.record_traffic, intervals)
        if shadows := self._gateway.shadows.take():
            await self._ledger.call(_record_shadows, shadows)
        if used := self._gateway.doorman.take():
            await self._ledger.call(_record_usage, used)

    async def _look(self) -> None:
        fleet, ledger = self._fleet, self._ledger
        changes = await ledger.call(Serving.changes)
        if changes != self._seen:
            self._gateway.doorman.know(await ledger.call(_tokens))
            fleet.apply(await ledger.call(Serving.wanted), await ledger.call(Serving.targets))
            self._seen = changes
        if (stamp := self._settings_stamp()) != self._stamp:
            self._stamp = stamp
            self._take_settings()
        if fleet.changed.is_set():
            fleet.changed.clear()
            await ledger.call(Serving.report, fleet.workers(), fleet.routes())

    def _take_settings(self) -> None:
        """Limits, names and whether tokens are needed count at once; address, certificate and log from the next start."""
        try:
            self._gateway.configure(load(self._workspace.settings_file).serving)
            logger.info("took the new settings")
        except WorkbenchError as error:
            logger.error("the settings are as before: %s", error.message)

    def _settings_stamp(self) -> int:
        try:
            return self._workspace.settings_file.stat().st_mtime_ns
        except FileNotFoundError:
            return 0


def _tokens(serving: Serving) -> list[Token]:
    return serving.tokens.list()


def _record_shadows(serving: Serving, counted: list[ShadowCounts]) -> None:
    serving.treating.record_shadows(counted)


def _record_usage(serving: Serving, counted: list[Usage]) -> None:
    serving.tokens.record_usage(counted)
