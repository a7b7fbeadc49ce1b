"""uvicorn's HTTP connection with an end to its patience: a request's head comes soon and is short, or the client goes."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mlops_tui.web.asgi import encode

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
_TOO_LONG = b'{"error": "The head of the request is too long."}'
_REFUSED = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: " + str(len(_TOO_LONG)).encode() + b"\r\n\r\n" + _TOO_LONG
)


class Connection(HttpToolsProtocol):
    """One client. A request whose head arrives at once, as they do, costs nothing more."""

    _in_head = True
    _in_message = False
    _head_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way: no part of a request has come, no answer is owed."""
        return not self._in_message and (self.cycle is None or self.cycle.response_complete)

    def hear(self) -> None:
        """A request is there whose head need not be waited for."""
        self._in_head, self._head_bytes = False, 0
        self._wait_no_more()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head:
            return
        if self._head_bytes > HEAD_BYTES:
            self.transport.write(_REFUSED)
            self.transport.close()
        elif self._head_bytes:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """In our words, for what is no HTTP."""
        body = encode({"error": msg})
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._in_message, self._head_bytes = True, True, 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.hear()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()

    def _wait(self) -> None:
        if self._patience is None and not self.transport.is_closing():
            self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
