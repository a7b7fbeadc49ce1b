"""A client's connection whose small requests for predictions go from the bytes straight to the gateway.

uvicorn owns the socket, TLS, patience and the end; only a request whose head is known (`heads.py`), while nothing else is under
way on its connection, is answered without its parser, its tasks and its messages. They cost five times what a prediction does.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from mlops_tui.web.asgi import Refusal, Request, Response, error_response
from mlops_tui.web.connection import Connection
from mlops_tui.web.gateway import Gateway
from mlops_tui.web.heads import Head
from mlops_tui.web.packing import LEAST, packed

_END = b"\r\n\r\n"


class Shortcut(Connection):
    """One client of the gateway."""

    _asked = False  # whether an answer of the short way is under way
    _request: Request | None = None  # the one that was asked last
    _head: Head | None = None  # the head whose body has not all come yet
    _body = b""
    _held = b""  # what came while an answer was under way
    _last = False  # whether the next answer is the connection's last
    _late: asyncio.TimerHandle | None = None
    _watch: asyncio.TimerHandle | None = None
    _rested_at = 0.0
    _defaults: list[tuple[bytes, bytes]] | None = None
    _lines = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gateway = cast(Gateway, self.config.app)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._late, self._watch):
            if timer is not None:
                timer.cancel()
        self._head, self._held = None, b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._asked or (self.flow.write_paused and self.at_rest):
            self._held += data
            self.flow.pause_reading()
        elif self._head is not None:
            self._take(self._head, self._body + data)
        elif self.at_rest and not self._gateway.closing and (end := data.find(_END) + len(_END)) >= len(_END):
            head = self._gateway.heads.find(data[:end])
            if head is None:
                super().data_received(data)
            else:
                self._begin(head, data[end:])
        else:
            super().data_received(data)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._held and not self._asked:
            self._go_on()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rested_at = self.loop.time()

    def shutdown(self) -> None:
        """Called by the server to drain: an answer under way is still given."""
        if self._asked or self._head is not None:
            self._last = True
        else:
            super().shutdown()

    def _begin(self, head: Head, body: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self.hear()
        self._take(head, body)

    def _take(self, head: Head, body: bytes) -> None:
        """Ask for the answer when the body is whole."""
        if len(body) < head.length:
            self._head, self._body = head, body
            if self._late is None:
                self._late = self.loop.call_later(self._gateway.patience_s, self._give_up)
            return
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self._head, self._body = None, b""
        if len(body) > head.length:
            body, self._held = body[: head.length], body[head.length :]
            self.flow.pause_reading()
        self._asked, self._request = True, head.request
        self._gateway.quick(head, body, self._reply)

    def _reply(self, response: Response) -> None:
        if not self._asked:
            return
        self._asked = False
        if self.transport.is_closing():
            return
        if len(response.body) >= LEAST and self._request is not None:
            response = packed(response, self._request)
        last = self._last or self._gateway.closing or response.headers.get("connection") == "close"
        self.transport.write(self._bytes(response, last))
        self.server_state.total_requests += 1
        if last:
            self.transport.close()
            return
        self._rested_at = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._look)
        if self._held:
            self.loop.call_soon(self._go_on)

    def _bytes(self, response: Response, last: bool) -> bytes:
        defaults = self.server_state.default_headers
        if defaults is not self._defaults:  # uvicorn makes others once a second, for the date
            self._defaults = defaults
            self._lines = b"".join(name + b": " + value + b"\r\n" for name, value in defaults)
        more = [f"{name}: {value}\r\n" for name, value in response.headers.items()]
        if last and "connection" not in response.headers:
            more.append("connection: close\r\n")
        kind, size = response.content_type, len(response.body)
        head = f"{''.join(more)}content-type: {kind}\r\ncontent-length: {size}\r\n\r\n".encode("latin-1", "replace")
        return b"".join((STATUS_LINE[response.status], self._lines, head, response.body))

    def _go_on(self) -> None:
        """Read on with what came during an answer."""
        if self._asked or self.transport.is_closing():
            return
        data, self._held = self._held, b""
        self.flow.resume_reading()
        if data:
            self.data_received(data)

    def _give_up(self) -> None:
        self._late = None
        if self._head is not None:
            self._head, self._asked = None, True
            patience = f"The body did not arrive in {self._gateway.patience_s:g} s."
            self._reply(error_response(Refusal(408, patience, {"connection": "close"})))

    def _look(self) -> None:
        """Close the connection when nothing came for a while. One timer looks now and then; requests do not move it."""
        self._watch = None
        if self.transport.is_closing():
            return
        rest = self._rested_at + self.timeout_keep_alive - self.loop.time()
        busy = self._asked or self._head is not None or not self.at_rest
        if busy or rest > 0:
            self._watch = self.loop.call_later(self.timeout_keep_alive if busy else rest, self._look)
        else:
            self.transport.close()
