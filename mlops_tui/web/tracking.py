"""`python -m mlops_tui.web.tracking --workspace ROOT`: the tracking server as a process.

Ends with 7 where it cannot listen. Several may run on one workspace: the databases keep them apart.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

from mlops_tui.core.errors import NotAllowed
from mlops_tui.core.settings import load
from mlops_tui.core.workspace import Workspace
from mlops_tui.web import server
from mlops_tui.web.mlflow import Desk, MlflowDialect
from mlops_tui.workbench import Workbench

logger = logging.getLogger("mlops.tracking")


def main(arguments: list[str] | None = None) -> int:
    """Run the server until SIGTERM or Ctrl-C; the exit code."""
    return server.main("tracking", "Answer MLflow clients.", partial(serve, started=_say), arguments)


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
    if host not in server.LOOPBACK:
        raise NotAllowed(
            f"The tracking server may not listen on {host}: anyone who reaches it could read and change all runs.",
            hint="Use 127.0.0.1 (tracking.host in settings.toml), and put a proxy with authentication in front for others.",
        )
    with server.listen("tracking", host, settings.port if port is None else port) as listener:
        url = server.url_of(host, listener.getsockname()[1])
        server.run(_run(workspace, listener, lambda: started(url) if started else None))


async def _run(workspace: Workspace, listener: socket.socket, started: Callable[[], None]) -> None:
    desk = Desk(workspace)
    http = server.uvicorn_of(MlflowDialect(workspace, desk))
    desk.call(_open)
    gc.collect()
    gc.freeze()  # what is loaded stays; large answers must not have all of it looked through again and again
    gc.set_threshold(100_000, 20, 20)
    started()
    try:
        await http.serve(sockets=[listener])
    finally:
        desk.close()


def _open(bench: Workbench) -> None:
    """Make the tables before the first client asks, so that it does not wait for it."""
    _ = bench.experiments.remote.files, bench.registry.remote


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(main())
