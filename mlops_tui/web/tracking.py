"""`python -m mlops_tui.web.tracking --workspace ROOT`: the tracking server as a process.

Ends with 7 where it cannot listen. Several may run on one workspace: the databases keep them apart.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from mlops_tui.core.errors import NotAllowed, Unavailable, WorkbenchError
from mlops_tui.core.settings import load
from mlops_tui.core.workspace import Workspace
from mlops_tui.web.mlflow import Desk, MlflowDialect
from mlops_tui.workbench import Workbench

logger = logging.getLogger("mlops.tracking")

UNAVAILABLE, NOT_ALLOWED, OTHER = 7, 6, 5
DRAIN_SECONDS = 10
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def main(arguments: list[str] | None = None) -> int:
    """Run the server until SIGTERM or Ctrl-C; the exit code."""
    parser = argparse.ArgumentParser(prog="mlops serve tracking", description="Answer MLflow clients.")
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        serve(Workspace.find(given.workspace), host=given.host, port=given.port, started=_say)
    except WorkbenchError as error:
        print(f"Error: {error.message}", file=sys.stderr)  # noqa: T201 - this process is a command
        if error.hint:
            print(f"Hint: {error.hint}", file=sys.stderr)  # noqa: T201
        return {Unavailable: UNAVAILABLE, NotAllowed: NOT_ALLOWED}.get(type(error), OTHER)
    return 0


def _say(url: str) -> None:
    logger.info("answering on %s", url)


def serve(
    workspace: Workspace,
    *,
    host: str | None = None,
    port: int | None = None,
    started: Callable[[str], None] | None = None,
) -> None:
    """Answer until told to stop; `started` is called with the URL once the socket listens.

    Raises NotAllowed (an address that others could reach), Unavailable (the port is taken).
    """
    settings = load(workspace.settings_file).tracking
    host = host or settings.host
    if host not in _LOOPBACK:
        raise NotAllowed(
            f"The tracking server may not listen on {host}: anyone who reaches it could read and change all runs.",
            hint="Use 127.0.0.1 (tracking.host in settings.toml), and put a proxy with authentication in front for others.",
        )
    with listen(host, settings.port if port is None else port) as listener:
        url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(workspace, listener, lambda: started(url) if started else None))


def listen(host: str, port: int) -> socket.socket:
    """Bind; raises Unavailable when the port is taken or not ours to use."""
    family = socket.AF_INET6 if host == "::1" else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by accepted connections
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {port} on {host} cannot be used: {(error.strerror or str(error)).lower()}.",
            hint="Choose another: mlops serve tracking --port N, or tracking.port in settings.toml.",
        ) from error
    return listener


async def _run(workspace: Workspace, listener: socket.socket, started: Callable[[], None]) -> None:
    import uvicorn

    desk = Desk(workspace)
    config = uvicorn.Config(
        MlflowDialect(workspace, desk),
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
    desk.call(_open)
    gc.collect()
    gc.freeze()  # what is loaded stays; large answers must not have all of it looked through again and again
    gc.set_threshold(100_000, 20, 20)
    started()
    try:
        await server.serve(sockets=[listener])
    finally:
        desk.close()


def _open(bench: Workbench) -> None:
    """Make the tables before the first client asks, so that it does not wait for it."""
    _ = bench.experiments.remote.files, bench.registry.remote


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
