"""`python -m mlops_tui.web.inference --workspace ROOT`: the inference gateway as a process.

One per workspace. Writes `run/gateway.json` while it answers, drains on SIGTERM, ends with 7 where it cannot listen.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
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
from mlops_tui.core.settings import Serving as ServingSettings
from mlops_tui.core.settings import Settings, load
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.records import GatewayState
from mlops_tui.domains.serving.service import Serving
from mlops_tui.web import server
from mlops_tui.web.certificates import Certificates
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.gateway import Gateway
from mlops_tui.web.journal import Journal
from mlops_tui.web.keeper import Keeper
from mlops_tui.web.ledger import Ledger
from mlops_tui.web.lookups import Lookups
from mlops_tui.web.meter import Meter
from mlops_tui.web.nursery import Nursery
from mlops_tui.web.repository import Repository
from mlops_tui.web.shortcut import Shortcut

logger = logging.getLogger("mlops.inference")


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

    Raises NotAllowed (an address that others could reach, without tokens and TLS), Unavailable (the port or the workspace is
    taken), InvalidInput (certificate).
    """
    settings = load(workspace.settings_file)
    host = host or settings.serving.host
    _check_address(host, settings.serving)
    tls = Certificates.of(workspace, settings.serving)
    lock = locks.hold(workspace.run / "gateway.lock")
    if lock is None:
        raise Unavailable("A gateway already serves this workspace.", hint="See: mlops deployments list")
    try:
        with server.listen("inference", host, settings.serving.port if port is None else port) as listener:
            if started is not None:
                started(server.url_of(host, listener.getsockname()[1], "https" if tls else "http"))
            server.run(_run(workspace, settings, listener, host, tls))
    finally:
        os.close(lock)


def _check_address(host: str, settings: ServingSettings) -> None:
    if host not in server.LOOPBACK and not (settings.require_token and settings.certificate):
        raise NotAllowed(
            f"The gateway may not listen on {host}: anyone who reaches it could use the models.",
            hint="Use 127.0.0.1, or set serving.require_token, certificate and key in settings.toml.",
        )


async def _run(
    workspace: Workspace, settings: Settings, listener: socket.socket, host: str, tls: Certificates | None
) -> None:
    serving = settings.serving
    nursery = Nursery(workspace)
    fleet = Fleet(nursery, serving.worker_timeout_s, serving.workers)
    keep_serving = serving.log_failure == "serve_unlogged"
    journal = Journal(workspace.segments, power=serving.durability == "power", keep_serving=keep_serving)
    meter = Meter(now_ms())
    ledger = Ledger(workspace)
    lookups = Lookups(workspace)
    gateway = Gateway(
        fleet,
        journal,
        meter,
        serving,
        lookups=lookups,
        repository=lambda doorman: Repository(fleet, doorman, ledger, serving.worker_timeout_s),
    )
    http = server.uvicorn_of(gateway, closing=gateway.close, http=Shortcut, **(tls.options if tls else {}))
    port = listener.getsockname()[1]
    keeper = Keeper(workspace, settings, fleet, ledger, meter, gateway, lambda: tls.reload(http) if tls else None)
    await ledger.call(Serving.report, (), ())  # a killed gateway left its word on workers that are gone
    await ledger.call(Serving.report_gateway, _state(host, port))
    await nursery.open()
    keeping = asyncio.create_task(keeper.keep())
    identity_file = _write_identity(workspace, host, port)
    _collect_seldom()
    try:
        logger.info("answering on %s", server.url_of(host, port, "https" if tls else "http"))
        await http.serve(sockets=[listener])
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await fleet.close()
        await nursery.close()
        await journal.close()
        lookups.close()
        await _sign_off(ledger, keeper)
        identity_file.unlink(missing_ok=True)
        logger.info("stopped")


def _collect_seldom() -> None:
    """Leave what was loaded to the end of the process to the collector, and let it look at requests less often.

    They make hundreds of objects each and no cycles: collecting after every seven hundred took an eighth of all time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


async def _sign_off(ledger: Ledger, keeper: Keeper) -> None:
    with contextlib.suppress(WorkbenchError):  # a full disk must not keep the process from ending
        await keeper.flush()
        await ledger.call(Serving.report, (), ())
        await ledger.call(Serving.report_gateway, None)
    await ledger.close()


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
