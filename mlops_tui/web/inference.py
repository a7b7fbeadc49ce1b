"""`python -m mlops_tui.web.inference --workspace ROOT`: the inference gateway as a process.

One per workspace. Writes `run/gateway.json` while it answers, drains on SIGTERM, ends with 7 where it cannot listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from mlops_tui.core import locks
from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import NotAllowed, Unavailable, WorkbenchError
from mlops_tui.core.identity import identity
from mlops_tui.core.settings import Settings, load
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.records import GatewayState
from mlops_tui.domains.serving.service import Serving
from mlops_tui.web import server
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.gateway import Gateway
from mlops_tui.web.journal import Journal
from mlops_tui.web.ledger import Ledger
from mlops_tui.web.lookups import Lookups
from mlops_tui.web.meter import Meter
from mlops_tui.web.nursery import Nursery

logger = logging.getLogger("mlops.inference")

TRAFFIC_SECONDS = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run the gateway until SIGTERM or Ctrl-C; the exit code."""
    return server.main("inference", "Answer HTTP for all deployments.", serve, arguments)


def serve(
    workspace: Workspace,
    *,
    host: str | None = None,
    port: int | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Answer until told to stop; `started` is called with the URL once the socket listens.

    Raises NotAllowed (an address that others could reach), Unavailable (the port or the workspace is taken).
    """
    settings = load(workspace.settings_file)
    host = host or settings.serving.host
    if host not in server.LOOPBACK:
        raise NotAllowed(
            f"The gateway may not listen on {host}: anyone who reaches it could use the models.",
            hint="Use 127.0.0.1, and put a proxy with authentication in front for others.",
        )
    lock = locks.hold(workspace.run / "gateway.lock")
    if lock is None:
        raise Unavailable("A gateway already serves this workspace.", hint="See: mlops deployments list")
    try:
        with server.listen("inference", host, settings.serving.port if port is None else port) as listener:
            if started is not None:
                started(server.url_of(host, listener.getsockname()[1]))
            server.run(_run(workspace, settings, listener, host))
    finally:
        os.close(lock)


async def _run(workspace: Workspace, settings: Settings, listener: socket.socket, host: str) -> None:
    serving = settings.serving
    nursery = Nursery(workspace)
    fleet = Fleet(nursery, serving.worker_timeout_s)
    keep_serving = serving.log_failure == "serve_unlogged"
    journal = Journal(workspace.segments, power=serving.durability == "power", keep_serving=keep_serving)
    meter = Meter(now_ms())
    ledger = Ledger(workspace)
    lookups = Lookups(workspace)
    http = server.uvicorn_of(Gateway(fleet, journal, meter, serving, lookups))
    port = listener.getsockname()[1]
    await ledger.call(Serving.report, (), ())  # a killed gateway left its word on workers that are gone
    await ledger.call(Serving.report_gateway, _state(host, port))
    await nursery.open()
    keeper = asyncio.create_task(_keep(fleet, ledger, meter, settings.daemon.poll_ms / 1000))
    identity_file = _write_identity(workspace, host, port)
    try:
        logger.info("answering on http://%s:%d", host, port)
        await http.serve(sockets=[listener])
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await fleet.close()
        await nursery.close()
        await journal.close()
        lookups.close()
        await _sign_off(ledger, meter)
        identity_file.unlink(missing_ok=True)
        logger.info("stopped")


async def _sign_off(ledger: Ledger, meter: Meter) -> None:
    with contextlib.suppress(WorkbenchError):  # a full disk must not keep the process from ending
        await ledger.call(Serving.record_traffic, meter.take(now_ms()))
        await ledger.call(Serving.report, (), ())
        await ledger.call(Serving.report_gateway, None)
    await ledger.close()


async def _keep(fleet: Fleet, ledger: Ledger, meter: Meter, poll_s: float) -> None:
    """Carry what is wanted to the fleet, and how it does to the workbench; trouble with the databases is met again."""
    seen: int | None = None
    flush_at = asyncio.get_running_loop().time() + TRAFFIC_SECONDS
    while True:
        try:
            changes = await ledger.call(Serving.changes)
            if changes != seen:
                fleet.apply(await ledger.call(Serving.wanted), await ledger.call(Serving.targets))
                seen = changes
            if fleet.changed.is_set():
                fleet.changed.clear()
                await ledger.call(Serving.report, fleet.workers(), fleet.routes())
            if asyncio.get_running_loop().time() >= flush_at:
                flush_at += TRAFFIC_SECONDS
                if intervals := meter.take(now_ms()):
                    await ledger.call(Serving.record_traffic, intervals)
        except Exception:
            logger.exception("the workspace could not be read or written; trying again")
            fleet.changed.set()
            await asyncio.sleep(1.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll_s):
                await fleet.changed.wait()


def _state(host: str, port: int) -> GatewayState:
    me = identity()
    return GatewayState(me.pid, me.started, me.boot, host, port, now_ms())


def _write_identity(workspace: Workspace, host: str, port: int) -> Path:
    me = identity()
    path = workspace.run / "gateway.json"
    staged = path.with_suffix(".new")
    facts = {"pid": me.pid, "started": me.started, "boot": me.boot, "start": now_ms(), "host": host, "port": port}
    staged.write_text(json.dumps(facts) + "\n")
    staged.replace(path)
    return path


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main())
