"""Heads of requests that ask for predictions, read once: a client that keeps its connection sends the same bytes again and again.

What a head means is found by the same parser and the same checks as for any other request; only then is it remembered, under
its exact bytes, until settings or tokens change. What is odd in any way is not found here and takes the ordinary way.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools

from mlops_tui.core.errors import WorkbenchError
from mlops_tui.web.asgi import Refusal, Request
from mlops_tui.web.wanted import Wanted, wanted_of

if TYPE_CHECKING:
    from mlops_tui.web.doorman import Doorman

# Larger bodies cost so much to read that the ordinary way to them counts for nothing.
MOST_BYTES = 16 * 1024
_MOST_HEADS = 1024
_LONGEST = 2048
_BEGINNINGS = (b"POST /v2/models/", b"POST /deployments/", b"POST /invocations ")
_ODD = frozenset({"transfer-encoding", "content-encoding", "expect", "upgrade"})


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """One head: its request without the body, which has `length` bytes."""

    request: Request
    wanted: Wanted
    length: int


class Heads:
    """Remembers heads for as long as the doorman knows the same settings and tokens."""

    def __init__(self, doorman: Doorman) -> None:
        self._doorman = doorman
        self._edition = doorman.edition
        self._known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> Head | None:
        """Return the head that these bytes are (with the empty line), None when it takes the ordinary way."""
        if self._edition != self._doorman.edition:
            self._known.clear()
            self._edition = self._doorman.edition
        head = self._known.get(data)
        if head is None:
            if len(data) > _LONGEST or not data.startswith(_BEGINNINGS):
                return None
            head = self._read(data)
            if head is None:
                return None
            if len(self._known) >= _MOST_HEADS:
                self._known.clear()
            self._known[data] = head
        caller = head.request.caller
        if caller is not None and caller.expires_at is not None and self._doorman.over(caller):
            return None
        return head

    def _read(self, data: bytes) -> Head | None:
        reader = _Reader()
        parser = httptools.HttpRequestParser(reader)
        try:
            parser.feed_data(data)
            path: bytes = httptools.parse_url(reader.url).path
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        if not reader.whole or reader.body or not parser.should_keep_alive() or parser.get_http_version() != "1.1":
            return None
        scope = {"method": "POST", "path": unquote(path.decode("ascii")), "raw_path": path, "headers": reader.headers}
        request = Request.of(scope, _nothing)
        length = request.headers.get("content-length", "")
        if request.repeated or request.headers.get("connection", "keep-alive").lower() != "keep-alive":
            return None
        if not _ODD.isdisjoint(request.headers) or not length.isdigit() or len(length) > 9:
            return None
        try:
            wanted = wanted_of(request.parts)
            request.caller = self._doorman.greet(request)
        except (WorkbenchError, Refusal):  # the ordinary way says so
            return None
        if wanted is None or not 0 < int(length) <= MOST_BYTES:
            return None
        return Head(request, wanted, int(length))


class _Reader:
    """What the parser tells of a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.body = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.whole = True

    def on_body(self, _: bytes) -> None:  # the head ended before its bytes did
        self.body = True


async def _nothing() -> dict[str, Any]:
    """Where a body is received from: heads are kept without one."""
    return {"type": "http.disconnect"}
