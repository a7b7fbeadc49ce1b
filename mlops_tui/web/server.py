"""What our servers do alike: arguments, the socket, the loop, uvicorn, an end on SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlops_tui.core.errors import NotAllowed, Unavailable, WorkbenchError
from mlops_tui.core.workspace import Workspace

if TYPE_CHECKING:
    import uvicorn

UNAVAILABLE, NOT_ALLOWED, OTHER = 7, 6, 5
DRAIN_SECONDS = 10
NOTICE_SECONDS = 0.3
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_BACKLOG = 2048


class Serve(Protocol):
    """What runs one server until it is told to stop."""

    def __call__(self, workspace: Workspace, *, host: str | None, port: int | None) -> None: ...


def main(name: str, description: str, serve: Serve, arguments: list[str] | None = None) -> int:
    """Run a server as a process, until SIGTERM or Ctrl-C; the exit code."""
    parser = argparse.ArgumentParser(prog=f"mlops serve {name}", description=description)
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


def listen(name: str, host: str, port: int) -> socket.socket:
    """Bind for the server `name` (its section in the settings); raises Unavailable when the port is not to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by accepted connections
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # from here on a client waits instead of being refused
    except OSError as error:
        listener.close()
        section = {"inference": "serving"}.get(name, name)
        raise Unavailable(
            f"Port {port} on {host} cannot be used: {(error.strerror or str(error)).lower()}.",
            hint=f"Choose another: mlops serve {name} --port N, or {section}.port in settings.toml.",
        ) from error
    return listener


def url_of(host: str, port: int, scheme: str = "http") -> str:
    """The URL of an address."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def uvicorn_of(application: Any, *, closing: Callable[[], None] | None = None, **options: Any) -> uvicorn.Server:
    """A uvicorn server of an ASGI application that ends, drained, on SIGTERM and Ctrl-C.

    `closing` is called a moment before connections end, so that answers until then can say so: a client that keeps its
    connection then opens another one instead of writing to a closed one.
    """
    import uvicorn

    from mlops_tui.web.connection import Connection

    settled = {
        "http": Connection,
        "ws": "none",
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        "backlog": _BACKLOG,
        **options,
    }
    config = uvicorn.Config(
        application,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nobody here asks for the address of a client, and every request would pay for it
        **settled,
    )

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            if closing is not None and self.server_state.connections:
                closing()
                await asyncio.sleep(NOTICE_SECONDS)
            await super().shutdown(sockets)

    server = Server(config)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # a warning per broken request would let anyone fill the log
    for number in (signal.SIGTERM, signal.SIGINT):  # before uvicorn listens for them, and when it raises them again
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    return server


def run(work: Awaitable[None]) -> None:
    """Run to the end on the fastest loop there is."""

    async def whole() -> None:
        await work

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(whole())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
