"""Serves the application to browsers of this machine: loopback only, behind a random path, with Origin and Host checked.

textual-serve runs one process of the application per browser tab and knows nothing of who asks. A web page from anywhere
can make the user's browser send requests to 127.0.0.1, so here nothing answers without the token in the path (no cookie:
those are shared between ports), a websocket needs our own Origin, and another Host (a name rebound to 127.0.0.1) is refused.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

HOST = "127.0.0.1"
MOST_TABS = 8
PATIENCE_S = 5.0
TEMPLATES = Path(__file__).parent

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def command(workspace: Path, where: str = "", *, read_only: bool = False, utc: bool = False) -> str:
    """The command line of the process behind a tab."""
    words = [sys.executable, "-m", "mlops_tui", "--workspace", str(workspace), "tui"]
    words += [where] if where else []
    words += ["--read-only"] if read_only else []
    words += ["--utc"] if utc else []
    return "exec " + shlex.join(words)  # no shell stays in between, so that killing the process kills the right one


class Tab(AppService):
    """The process behind a tab: it ends with the tab, and is waited for."""

    async def stop(self) -> None:
        """Ask it to leave; kill it when it does not."""
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await super().stop()
                self.stdin.close()
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class Door(Server):
    """One application behind one secret address. `port` must be known, as it is part of the Origin."""

    def __init__(self, command: str, port: int, *, token: str = "") -> None:
        super().__init__(command, host=HOST, port=port, title="mlops", templates_path=str(TEMPLATES))
        self.token = token or secrets.token_urlsafe(24)
        self._open = 0

    @property
    def url(self) -> str:
        """What the user opens."""
        return f"{self.public_url}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, str]:
        """The names this server answers to."""
        return f"{HOST}:{self.port}", f"localhost:{self.port}"

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        aiohttp_jinja2.setup(app, loader=jinja2.FileSystemLoader(self.templates_path), autoescape=True)
        start = f"/{self.token}"
        app.add_routes(
            [
                web.get(f"{start}/", self.handle_index, name="index"),
                web.get(f"{start}/ws", self.handle_websocket, name="websocket"),
                web.get(f"{start}/download/{{key}}", self.handle_download, name="download"),
                web.static(f"{start}/static", self.statics_path, name="static"),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host not in self.hosts:
            raise web.HTTPForbidden(text="This address is for this machine only.\n")
        origin = request.headers.get("Origin")
        asked_from = f"{request.scheme}://{request.host}"
        if (origin is None and request.path.endswith("/ws")) or (origin is not None and origin != asked_from):
            raise web.HTTPForbidden(text="Another page may not ask this one.\n")
        given = request.path.split("/")[1]
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            raise web.HTTPNotFound(text="Open the whole address that mlops web printed.\n")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(self._headers(request))
        return response

    @staticmethod
    def _headers(request: web.Request) -> dict[str, str]:
        """Nothing from elsewhere, no frame around us, and no address with the token to anybody."""
        policy = (
            "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            f"font-src 'self' data:; connect-src 'self' ws://{request.host}; frame-ancestors 'none'; base-uri 'none'"
        )
        return {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One tab with its process; more than a handful are refused."""
        if self._open >= MOST_TABS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_TABS} tabs are open already.\n")
        socket = web.WebSocketResponse(heartbeat=15)
        tab = Tab(
            self.command,
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=socket.close,  # type: ignore[arg-type]  # its answer, that it was open, is of no use here
            download_manager=self.download_manager,
        )
        self._open += 1
        try:
            await socket.prepare(request)
            await tab.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            await self._process_messages(socket, tab)
        finally:
            await asyncio.shield(tab.stop())
            self._open -= 1
        return socket

    def get_websocket_url(self, request: web.Request) -> str:
        """Under the name the browser used, so that the Origin fits."""
        return f"ws://{request.host}/{self.token}/ws"

    @aiohttp_jinja2.template("page.html")
    async def handle_index(self, request: web.Request) -> dict[str, object]:
        """The page with the terminal in it."""
        return {"websocket": self.get_websocket_url(request), "static": f"/{self.token}/static/", "title": self.title}

    def run(self, ready: Callable[[str], None]) -> None:
        """Serve until interrupted; `ready` is called with the address. Raises OSError when the port is taken."""
        logging.getLogger("textual-serve").setLevel(logging.WARNING)

        async def made() -> web.Application:
            app = await self._make_app()

            async def say(_: web.Application) -> None:
                ready(self.url)

            app.on_startup.append(say)
            return app

        web.run_app(made(), host=HOST, port=self.port, print=None, access_log=None)
