"""The little ASGI that our doors need: a request, a response, the checks every request meets. No framework."""

from __future__ import annotations

import asyncio
import dataclasses
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, Unavailable, WorkbenchError
from mlops_tui.domains.serving.access import Token

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

STATUS: dict[type[WorkbenchError], int] = {
    NotFound: 404,
    AlreadyExists: 409,
    InvalidInput: 400,
    NotAllowed: 403,
    Unavailable: 503,
}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
encode = msgspec.json.Encoder().encode


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An HTTP answer that no error kind of ours stands for (405, 413, 415, 421)."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class Gone(Exception):  # noqa: N818
    """The client left before its request was whole."""


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """What goes back: a status, a body and its type, more headers."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    async def send(self, send: Send) -> None:
        """Send it. What the client still sends of a body that was refused is dropped by the server."""
        headers = [
            (b"content-type", self.content_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
            *((name.encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


@dataclasses.dataclass(slots=True)
class Request:
    """One HTTP request; the body is read on demand."""

    method: str
    path: str
    headers: dict[str, str]
    _receive: Receive
    parts: list[str]  # of the path, each decoded once: an escaped slash separates nothing
    content_type: str = ""  # the media type without parameters, in lower case; empty when none is given
    repeated: frozenset[str] = frozenset()  # names of headers that came more than once
    caller: Token | None = None  # whose it is, once that was found out

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> Request:
        """Read the scope; header names become lower case, of repeated ones the last counts."""
        given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        headers = dict(given)
        repeated: frozenset[str] = frozenset()
        if len(headers) != len(given):
            names = [name for name, _ in given]
            repeated = frozenset(name for name in headers if names.count(name) > 1)
        raw = scope.get("raw_path")
        parts = segments(raw.decode("latin-1")) if raw is not None else scope["path"].strip("/").split("/")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        return cls(scope["method"], scope["path"], headers, receive, parts, kind, repeated)

    async def body(self, limit: int, seconds: float | None = None) -> bytes:
        """Return the whole body, unpacked; raises Refusal 413 as soon as it is known to be longer than `limit` bytes.

        Raises Refusal 408 when it is not there after `seconds`, 415 or InvalidInput for an encoding that cannot be read.
        """
        told = self.headers.get("content-length", "")
        if told.isdigit() and (len(told) > 18 or int(told) > limit):
            raise _too_large(limit)
        try:
            async with asyncio.timeout(seconds):
                body = await self._whole(limit)
        except TimeoutError:
            raise Refusal(408, f"The body did not arrive in {seconds:g} s.", {"connection": "close"}) from None
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        return body if encoding in {"", "identity"} else _unpacked(body, encoding, limit)

    async def _whole(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response; NaN becomes null."""
    return Response(status, encode(value), headers=headers or {})


def error_response(error: WorkbenchError | Refusal) -> Response:
    """Return `{"error": sentence}` with the status of the error's kind, and the hint where there is one."""
    if isinstance(error, Refusal):
        return json_response({"error": error.message}, error.status, error.headers)
    body = {"error": error.message, "hint": error.hint} if error.hint else {"error": error.message}
    return json_response(
        body, STATUS.get(type(error), 500), {"retry-after": "1"} if isinstance(error, Unavailable) else {}
    )


def check_host(request: Request, allowed: Iterable[str]) -> None:
    """Refuse requests that a web page in someone's browser sent to us (DNS rebinding, cross-site posts).

    Raises Refusal 421 for a foreign Host and 403 for a foreign Origin.
    """
    names = _LOCAL.union(allowed)
    host = request.headers.get("host", "")
    if host and host_name(host) not in names:
        raise Refusal(421, f"This server does not answer for the host {host[:80]!r}.")
    origin = request.headers.get("origin", "")
    if origin and host_name(urlsplit(origin).netloc) not in names:
        raise Refusal(403, f"Requests from the page {origin[:80]!r} are not answered.")


def host_name(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def segments(path: str) -> list[str]:
    """Return the parts of a path, decoded; a slash at the end is ignored."""
    return [unquote(part) for part in path.strip("/").split("/")]


def _unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """A body of gzip or deflate, never larger than `limit`, however small it came."""
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise Refusal(415, f"The encoding {encoding[:40]!r} is not read here; use gzip or deflate.")
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, by its first bytes
    try:
        whole = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidInput(f"The body is not {encoding}: {error}.", hint="Check the header Content-Encoding.") from None
    if len(whole) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise InvalidInput(f"The body is not one whole {encoding} stream.", hint="Check the header Content-Encoding.")
    return whole


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"The body is larger than {limit / 1_000_000:g} MB, the limit of this server.")
