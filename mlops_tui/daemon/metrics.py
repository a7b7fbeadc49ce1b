"""What the workspace knows of itself over HTTP for Prometheus: `GET /metrics` in a thread of the daemon, when a port is set."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from mlops_tui.core.workspace import Workspace
from mlops_tui.telemetry import everything
from mlops_tui.telemetry.prometheus import CONTENT_TYPE
from mlops_tui.workbench import Workbench

IDLE_S = 10.0


@contextlib.contextmanager
def served(workspace: Workspace, host: str, port: int, log: logging.Logger) -> Iterator[int]:
    """Answer for the block; the port. One that is taken is a line in the log: the daemon has more to do than this."""
    handler = type("Here", (_Handler,), {"workspace": workspace, "log": log})
    try:
        server = ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        log.error("no metrics on %s:%d: %s", host, port, error)
        yield 0
        return
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 1.0}, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    workspace: ClassVar[Workspace]
    log: ClassVar[logging.Logger]
    timeout = IDLE_S
    server_version = "mlops"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self._answer(404, "text/plain; charset=utf-8", "There is nothing here but /metrics.\n")
            return
        with Workbench(self.workspace, actor="metrics") as bench:  # a workbench belongs to one thread
            text = everything.text(bench)
        self._answer(200, CONTENT_TYPE, text)

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """A look every few seconds is nothing to write down."""
