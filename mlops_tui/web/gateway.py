"""The inference gateway as an ASGI application: Open Inference Protocol v2, MLflow scoring, feedback, health and metrics.

It never imports pandas, numpy or scikit-learn: models live in workers. It owns the clients' sockets, so no deployment ever
closes one.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mlops_tui._version import __version__
from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.settings import Serving as ServingSettings
from mlops_tui.domains.serving import feedback, openapi, protocol
from mlops_tui.domains.serving.access import Right
from mlops_tui.domains.serving.log import FEEDBACK
from mlops_tui.domains.serving.records import State
from mlops_tui.web import trying
from mlops_tui.web.answering import SORRY, Answering, Question, pick
from mlops_tui.web.asgi import (
    Gone,
    Receive,
    Refusal,
    Request,
    Response,
    Scope,
    Send,
    error_response,
    json_response,
)
from mlops_tui.web.doorman import Doorman
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.heads import Head, Heads
from mlops_tui.web.journal import Journal
from mlops_tui.web.lookups import Lookups
from mlops_tui.web.meter import Meter
from mlops_tui.web.packing import packed_aside
from mlops_tui.web.repository import Repository
from mlops_tui.web.wanted import Wanted, version_of, wanted_of

logger = logging.getLogger("mlops.inference")

Handler = Callable[[Request], Awaitable[Response]]
_feedback = msgspec.json.Decoder(list[dict[str, Any]] | dict[str, Any])
_NOWHERE = "See docs/http.md."


class Gateway:
    """Answers HTTP for the deployments of a fleet."""

    def __init__(
        self,
        fleet: Fleet,
        journal: Journal,
        meter: Meter,
        settings: ServingSettings,
        *,
        lookups: Lookups | None = None,
        repository: Callable[[Doorman], Repository] | None = None,
    ) -> None:
        self.closing = False  # whether answers tell clients to let go of their connection
        self.doorman = Doorman(settings)
        self.heads = Heads(self.doorman)
        self._lookups = lookups
        self._fleet = fleet
        self._journal = journal
        self._meter = meter
        self._answering = Answering(fleet, journal, meter, self.doorman, settings)
        self.shadows = self._answering.shadows
        self._repository = repository(self.doorman) if repository is not None else None
        self._open: dict[tuple[str, str], Handler] = {  # answered to everyone
            ("GET", "/v2"): self._server,
            ("GET", "/v2/health/live"): self._live,
            ("GET", "/v2/health/ready"): self._ready,
            ("GET", "/health/live"): self._live,
            ("GET", "/health/ready"): self._ready,
            ("GET", "/health"): self._ping,
            ("GET", "/ping"): self._ping,
            ("GET", "/version"): self._version,
            ("GET", "/docs"): self._page,
        }
        self._fixed: dict[tuple[str, str], tuple[Handler, Right | None]] = {
            ("GET", "/metrics"): (self._metrics, Right.ADMIN),
            ("GET", "/openapi.json"): (self._openapi, None),
            ("POST", "/v1/feedback"): (self._labels, Right.FEEDBACK),
            ("POST", "/get-online-features"): (self._feast, Right.INFER),
        }
        self.configure(settings)

    def configure(self, settings: ServingSettings) -> None:
        """Take new settings: limits, names, whether tokens are needed."""
        self._limit = settings.max_body_mb * 1_000_000
        self.patience_s = settings.request_timeout_s
        self.doorman.configure(settings)
        self._answering.configure(settings)

    def close(self) -> None:
        """From now on every answer is the last of its connection."""
        self.closing = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request.of(scope, receive)
        try:
            request.caller = self.doorman.greet(request)
            response = await self._route(request)
        except Gone:
            return
        except Exception as error:
            response = self._refused(request, error)
        if request.method == "HEAD":
            response = Response(response.status, b"", response.content_type, response.headers)
        response = await packed_aside(response, request)
        if self.closing:
            response = dataclasses.replace(response, headers={**response.headers, "connection": "close"})
        await response.send(send)

    def quick(self, head: Head, body: bytes, reply: Callable[[Response], None]) -> None:
        """Answer a request for predictions that has arrived whole: `reply` is called once, maybe before this returns."""
        wanted = head.wanted
        try:
            name = self._admitted(head.request, wanted)
            begun = time.perf_counter()
            question = Question(head.request, name, wanted.version, wanted.invocation, begun, reply)
            self._answering.ask(question, body)
        except Exception as error:
            reply(self._refused(head.request, error))

    def _refused(self, request: Request, error: Exception) -> Response:
        """What is said of a request that no deployment answered."""
        if isinstance(error, WorkbenchError | Refusal):
            response = error_response(error)
        else:
            logger.error("%s %s", request.method, request.path, exc_info=error)
            response = json_response(SORRY, 500)
        self._meter.refuse(response.status)
        return response

    # -- routing

    async def _route(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        path = request.path.rstrip("/") or "/"
        handler = self._open.get((method, path))
        if handler is not None:
            return await handler(request)
        if (method, path) in self._fixed:
            handler, right = self._fixed[method, path]
            self.doorman.admit(request.caller, right)
            return await handler(request)
        parts = request.parts
        wanted = wanted_of(parts)
        if wanted is not None:
            _need(method, "POST")
            name = self._admitted(request, wanted)
            return await self._answering.predict(request, name, wanted.version, invocation=wanted.invocation)
        if parts[:2] == ["v2", "models"] and len(parts) > 2:
            return self._model(request, method, parts[2], parts[3:])
        if parts[:2] == ["v2", "repository"]:
            return await self._stock(request, method, parts[2:])
        if self._lookups is not None and len(parts) == 4 and parts[:2] == ["v1", "features"] and parts[3] == "lookup":
            _need(method, "POST")
            self.doorman.admit(request.caller, Right.INFER)
            return await self._lookups.answer(request, parts[2], self._limit)
        for other, known in (*self._open, *self._fixed):
            if known == path:
                _need(method, other)
        raise _nowhere(request)

    def _model(self, request: Request, method: str, name: str, rest: list[str]) -> Response:
        version: int | None = None
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = version_of(name, rest[1]), rest[2:]
        if rest in ([], ["ready"]):
            _need(method, "GET")
            self.doorman.admit(request.caller, None, name)
            return self._describe(name, version) if not rest else self._model_ready(name, version)
        raise _nowhere(request)

    async def _stock(self, request: Request, method: str, rest: list[str]) -> Response:
        if self._repository is not None and rest == ["index"]:
            _need(method, "POST")
            return await self._repository.index(request)
        if self._repository is not None and len(rest) == 3 and rest[0] == "models" and rest[2] in {"load", "unload"}:
            _need(method, "POST")
            return await self._repository.change(request, rest[1], rest[2])
        raise _nowhere(request)

    def _admitted(self, request: Request, wanted: Wanted) -> str:
        """The deployment that is asked, once its caller was let through to it."""
        name = wanted.name
        if name is None:
            names = list(self._fleet.tables)
            if len(names) != 1:
                self.doorman.admit(request.caller, Right.INFER)
                hint = "POST /deployments/NAME/invocations, with a name of: mlops deployments list"
                raise NotFound(f"/invocations needs exactly one deployment; there are {len(names)}.", hint=hint)
            name = names[0]
        self.doorman.admit(request.caller, Right.INFER, name)
        return name

    # -- features and labels

    async def _feast(self, request: Request) -> Response:
        if self._lookups is None:
            raise NotFound("Features are not looked up here.", hint="Ask the gateway of a workspace.")
        return await self._lookups.feast(request, self._limit)

    async def _labels(self, request: Request) -> Response:
        if request.content_type not in {"", "application/json"}:
            raise Refusal(415, f"Content type {request.content_type[:80]!r} is not read here; send application/json.")
        body = protocol.decode(_feedback, await request.body(self._limit, self.patience_s))
        rows = body if isinstance(body, list) else body.get("rows", [body])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidInput("rows must be a list of objects.", hint='{"rows": [{"id": "p...", "label": 1}]}')
        now = now_ms()
        checked = feedback.checked(rows, now)
        for row in checked:
            if "key" in row:
                self._check_key(request, row)
        self._journal.append(FEEDBACK, feedback.record(checked, now))
        await self._journal.settle()
        self.doorman.note(request.caller, "", rows=len(checked))
        return json_response({"accepted": len(checked)})

    def _check_key(self, request: Request, row: dict[str, Any]) -> None:
        """Whether this caller may label that deployment, and its model can be asked for by that key."""
        name = row["deployment"]
        if request.caller is not None and not request.caller.sees(name):
            raise NotAllowed(
                f"The token {request.caller.name} is for other deployments.", hint="Ask for another token."
            )
        slots = self._fleet.table(name).slots.values()
        feedback.check_key(row, [column.name for slot in slots for column in slot.target.signature.inputs])

    # -- health and metadata

    async def _server(self, _: Request) -> Response:
        return json_response({"name": "mlops", "version": __version__, "extensions": protocol.EXTENSIONS})

    async def _live(self, _: Request) -> Response:
        return json_response({"live": True})

    async def _ready(self, _: Request) -> Response:
        ready = self._fleet.settled()
        return json_response({"ready": ready}, 200 if ready else 503)

    async def _ping(self, _: Request) -> Response:
        return Response(200, b"\n", "text/plain")

    async def _version(self, _: Request) -> Response:
        return Response(200, __version__.encode(), "text/plain")

    async def _metrics(self, _: Request) -> Response:
        text = self._meter.exposition(self._fleet.workers(), self._journal.unlogged)
        return Response(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _page(self, _: Request) -> Response:
        return Response(200, trying.PAGE, "text/html; charset=utf-8", trying.HEADERS)

    async def _openapi(self, request: Request) -> Response:
        found = [
            openapi.Served(name, tuple(sorted(table.slots)), slot.target.signature, slot.example)
            for name, table in sorted(self._fleet.tables.items())
            if request.caller is None or request.caller.sees(name)
            for slot in [max(table.slots.values(), key=lambda slot: slot.target.version)]
        ]
        return json_response(openapi.document(found, __version__))

    def _describe(self, name: str, version: int | None) -> Response:
        table = self._fleet.table(name)
        slot = pick(table, version, None) if version is not None else next(iter(table.slots.values()))
        return json_response(protocol.metadata(name, sorted(table.slots), slot.target.signature))

    def _model_ready(self, name: str, version: int | None) -> Response:
        try:
            table = self._fleet.table(name)
        except Unavailable:
            return json_response({"name": name, "ready": False}, 503)
        slots = [pick(table, version, None)] if version is not None else list(table.slots.values())
        ready = any(slot.state is State.READY for slot in slots)
        return json_response({"name": name, "ready": ready}, 200 if ready else 503)


def _need(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refusal(405, f"Use {wanted} here, not {method}.", {"allow": wanted})


def _nowhere(request: Request) -> NotFound:
    return NotFound(f"There is nothing at {request.path[:200]}.", hint=_NOWHERE)
