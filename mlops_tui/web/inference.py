"""`python -m mlops_tui.web.inference --workspace ROOT`: the inference gateway as a process.

One per workspace. Writes `run/gateway.json` while it answers, drains on SIGTERM, ends with 7 where it cannot listen.
"""

from __future__ import annotations

import argparse
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
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.gateway import Gateway
from mlops_tui.web.journal import Journal
from mlops_tui.web.ledger import Ledger
from mlops_tui.web.lookups import Lookups
from mlops_tui.web.meter import Meter
from mlops_tui.web.nursery import Nursery

logger = logging.getLogger("mlops.inference")

UNAVAILABLE, NOT_ALLOWED, OTHER = 7, 6, 5
TRAFFIC_SECONDS = 5.0
DRAIN_SECONDS = 10
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def main(arguments: list[str] | None = None) -> int:
    """Run the gateway until SIGTERM or Ctrl-C; the exit code."""
    parser = argparse.ArgumentParser(prog="mlops serve inference", description="Answer HTTP for all deployments.")
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        serve(Workspace.find(given.workspace), host=given.host, port=given.port)
    except WorkbenchError as error:
        print(f"Error: {error.message}", file=sys.stderr)  # noqa: T201 - this process is a command
        if error.hint:
            print(f"Hint: {error.hint}", file=sys.stderr)  # noqa: T201
        return {Unavailable: UNAVAILABLE, NotAllowed: NOT_ALLOWED}.get(type(error), OTHER)
    return 0


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
    if host not in _LOOPBACK:
        raise NotAllowed(
            f"The gateway may not listen on {host}: anyone who reaches it could use the models.",
            hint="Use 127.0.0.1, and put a proxy with authentication in front for others.",
        )
    lock = locks.hold(workspace.run / "gateway.lock")
    if lock is None:
        raise Unavailable("A gateway already serves this workspace.", hint="See: mlops deployments list")
    try:
        with listen(host, settings.serving.port if port is None else port) as listener:
            if started is not None:
                started(f"http://{host}:{listener.getsockname()[1]}")
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_run(workspace, settings, listener, host))
    finally:
        os.close(lock)


def listen(host: str, port: int) -> socket.socket:
    """Bind; raises Unavailable when the port is taken or not ours to use."""
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by accepted connections
        listener.bind((host, port))
        listener.listen(2048)  # from here on a client waits instead of being refused
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {port} on {host} cannot be used: {(error.strerror or str(error)).lower()}.",
            hint="Choose another: mlops serve inference --port N, or serving.port in settings.toml.",
        ) from error
    return listener


async def _run(workspace: Workspace, settings: Settings, listener: socket.socket, host: str) -> None:
    import uvicorn

    serving = settings.serving
    nursery = Nursery(workspace)
    fleet = Fleet(nursery, serving.worker_timeout_s)
    keep_serving = serving.log_failure == "serve_unlogged"
    journal = Journal(workspace.segments, power=serving.durability == "power", keep_serving=keep_serving)
    meter = Meter(now_ms())
    ledger = Ledger(workspace)
    lookups = Lookups(workspace)
    config = uvicorn.Config(
        Gateway(fleet, journal, meter, serving, lookups),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=2048,
    )
    server = uvicorn.Server(config)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):  # before uvicorn listens for them, and when it raises them again
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    port = listener.getsockname()[1]
    await ledger.call(Serving.report, (), ())  # a killed gateway left its word on workers that are gone
    await ledger.call(Serving.report_gateway, _state(host, port))
    await nursery.open()
    keeper = asyncio.create_task(_keep(fleet, ledger, meter, settings.daemon.poll_ms / 1000))
    identity_file = _write_identity(workspace, host, port)
    try:
        logger.info("answering on http://%s:%d", host, port)
        await server.serve(sockets=[listener])
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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main())
