"""Answers packed with gzip for clients that ask for it, where that saves more than it costs."""

from __future__ import annotations

import asyncio
import dataclasses
import zlib

from mlops_tui.web.asgi import Request, Response

# Smaller answers fit into a few packets as they are; larger ones than INLINE would hold up everyone else while they are packed.
LEAST, INLINE = 8 * 1024, 128 * 1024


def wants_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding asks for gzip (RFC 9110, 12.5.3): named, or by `*`, and not with a weight of 0."""
    weights: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        weight = parameters.replace(" ", "").partition("q=")[2]
        weights[name.strip()] = weight.strip("0.") != "" if weight else True
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def packed(response: Response, request: Request) -> Response:
    """The response as its client wants it; of an answer that is small, the same."""
    if not _worth_it(response, request):
        return response
    return _with(response, _gzip(response.body))


async def packed_aside(response: Response, request: Request) -> Response:
    """The same, with large answers packed in a thread."""
    if len(response.body) <= INLINE or not _worth_it(response, request):
        return packed(response, request)
    return _with(response, await asyncio.to_thread(_gzip, response.body))


def _worth_it(response: Response, request: Request) -> bool:
    return len(response.body) >= LEAST and wants_gzip(request.headers.get("accept-encoding", ""))


def _with(response: Response, body: bytes) -> Response:
    if len(body) >= len(response.body):
        return response
    headers = {**response.headers, "content-encoding": "gzip", "vary": "accept-encoding"}
    return dataclasses.replace(response, body=body, headers=headers)


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(body) + packer.flush()
