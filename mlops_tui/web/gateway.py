"""The inference gateway as an ASGI application: Open Inference Protocol v2, MLflow scoring, feedback, health and metrics.

It never imports pandas, numpy or scikit-learn: models live in workers. It owns the clients' sockets, so no deployment ever
closes one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mlops_tui._version import __version__
from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.settings import Serving as ServingSettings
from mlops_tui.domains.serving import feedback, protocol
from mlops_tui.domains.serving.log import FEEDBACK, PREDICTIONS, prediction_record, scores
from mlops_tui.domains.serving.records import State
from mlops_tui.domains.serving.wire import Answer
from mlops_tui.web.asgi import (
    Gone,
    Receive,
    Refusal,
    Request,
    Response,
    Scope,
    Send,
    check_host,
    error_response,
    json_response,
    segments,
)
from mlops_tui.web.fleet import Fleet, Table
from mlops_tui.web.journal import Journal
from mlops_tui.web.lookups import Lookups
from mlops_tui.web.meter import Meter
from mlops_tui.web.slot import ModelBroke, Slot

logger = logging.getLogger("mlops.inference")

ROUTING_KEY = "x-routing-key"
_CSV = "text/csv"
Handler = Callable[[Request], Awaitable[Response]]


_feedback = msgspec.json.Decoder(list[dict[str, Any]] | dict[str, Any])


class Gateway:
    """Answers HTTP for the deployments of a fleet."""

    def __init__(
        self, fleet: Fleet, journal: Journal, meter: Meter, settings: ServingSettings, lookups: Lookups | None = None
    ) -> None:
        self._lookups = lookups
        self._fleet = fleet
        self._journal = journal
        self._meter = meter
        self._limit = settings.max_body_mb * 1_000_000
        self._hosts = (settings.host,)
        self._fixed: dict[tuple[str, str], Handler] = {
            ("GET", "/v2"): self._server,
            ("GET", "/v2/health/live"): self._live,
            ("GET", "/v2/health/ready"): self._ready,
            ("GET", "/health/live"): self._live,
            ("GET", "/health/ready"): self._ready,
            ("GET", "/health"): self._ping,
            ("GET", "/ping"): self._ping,
            ("GET", "/version"): self._version,
            ("GET", "/metrics"): self._metrics,
            ("POST", "/invocations"): self._only_invocation,
            ("POST", "/v1/feedback"): self._labels,
            ("POST", "/get-online-features"): self._feast,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request.of(scope, receive)
        try:
            check_host(request, self._hosts)
            response = await self._route(request)
        except Gone:
            return
        except (WorkbenchError, Refusal) as error:
            response = error_response(error)
            self._meter.refuse(response.status)
        except Exception:
            logger.exception("%s %s", request.method, request.path)
            response = json_response({"error": "Something went wrong inside the gateway; its log says what."}, 500)
            self._meter.refuse(500)
        if request.method == "HEAD":
            response = Response(response.status, b"", response.content_type, response.headers)
        await response.send(send)

    # -- routing

    async def _route(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        path = request.path.rstrip("/") or "/"
        handler = self._fixed.get((method, path))
        if handler is not None:
            return await handler(request)
        parts = segments(path)
        if parts[:2] == ["v2", "models"] and len(parts) > 2:
            return await self._model(request, method, parts[2], parts[3:])
        if len(parts) == 3 and parts[0] == "deployments" and parts[2] == "invocations":
            _need(method, "POST")
            return await self._predict(request, parts[1], None, invocation=True)
        if self._lookups is not None and len(parts) == 4 and parts[:2] == ["v1", "features"] and parts[3] == "lookup":
            _need(method, "POST")
            return await self._lookups.answer(request, parts[2], self._limit)
        for other, known in self._fixed:
            if known == path:
                _need(method, other)
        raise NotFound(f"There is nothing at {request.path[:200]}.", hint="See docs/http.md.")

    async def _model(self, request: Request, method: str, name: str, rest: list[str]) -> Response:
        version: int | None = None
        if rest[:1] == ["versions"] and len(rest) > 1:
            if not rest[1].isascii() or not rest[1].isdigit():
                raise NotFound(f"{name} has no version {rest[1][:40]!r}.", hint="Versions are whole numbers.")
            version, rest = int(rest[1]), rest[2:]
        if rest == ["infer"]:
            _need(method, "POST")
            return await self._predict(request, name, version, invocation=False)
        if rest in ([], ["ready"]):
            _need(method, "GET")
            return self._describe(name, version) if not rest else self._model_ready(name, version)
        raise NotFound(f"There is nothing at {request.path[:200]}.", hint="See docs/http.md.")

    # -- predictions

    async def _predict(self, request: Request, name: str, version: int | None, *, invocation: bool) -> Response:
        begun = time.perf_counter()
        kind = request.content_type or "application/json"
        self._fleet.table(name)  # an unknown name is told before its body is read
        body = await request.body(self._limit)
        # No await between choosing a slot and asking it: a slot that is about to go waits for those who ask.
        slot = _pick(self._fleet.table(name), version, request.headers.get(ROUTING_KEY))
        call: protocol.Call | None = None
        try:
            call = _parse(body, kind, slot, invocation=invocation)
            answer = await slot.predict(call.columns, call.rows)
            if answer.error:
                raise _blamed(answer)
            response = await self._answered(name, slot, call, answer, begun, invocation=invocation)
        except (WorkbenchError, Refusal) as error:
            response = error_response(error)
            if invocation:
                response = _in_mlflow_words(response, error)
            if response.status >= 500 and call is not None:
                self._log_failure(name, slot, call, response.status, error.message, begun)
        self._meter.count(name, slot.target.version, response.status, call.rows if call else 0, _since(begun))
        return response

    async def _answered(
        self, name: str, slot: Slot, call: protocol.Call, answer: Answer, begun: float, *, invocation: bool
    ) -> Response:
        """Log, then reply: nothing that a client was told is missing from the log."""
        target = slot.target
        at = now_ms()
        ids = [new_prediction_id(at) for _ in range(call.rows)]
        record = prediction_record(
            ids=ids,
            at=at,
            deployment=name,
            model=target.model,
            version=target.version,
            latency_ms=_since(begun),
            columns=call.columns,
            prediction=answer.prediction,
            score=scores(answer.probabilities, target.signature.labels),
            request_id=call.request_id,
        )
        self._journal.append(PREDICTIONS, record)
        await self._journal.settle()
        values = {"prediction": answer.prediction, "probabilities": answer.probabilities}
        if invocation:
            document = protocol.invocation_answer(ids, values)
        else:
            version = target.version
            document = protocol.infer_answer(call, target.signature, name=name, version=version, ids=ids, answer=values)
        return json_response(document, headers={"x-prediction-id": ids[0], "x-model-version": str(target.version)})

    def _log_failure(self, name: str, slot: Slot, call: protocol.Call, status: int, error: str, begun: float) -> None:
        logger.error("%s answered %d: %s", name, status, error)
        at = now_ms()
        record = prediction_record(
            ids=[new_prediction_id(at) for _ in range(call.rows)],
            at=at,
            deployment=name,
            model=slot.target.model,
            version=slot.target.version,
            latency_ms=_since(begun),
            columns=call.columns,
            status=status,
            error=error,
            request_id=call.request_id,
        )
        try:
            self._journal.append(PREDICTIONS, record)
        except Unavailable:  # the disk is full, which is what the client is being told already
            return

    async def _feast(self, request: Request) -> Response:
        if self._lookups is None:
            raise NotFound("Features are not looked up here.", hint="Ask the gateway of a workspace.")
        return await self._lookups.feast(request, self._limit)

    async def _only_invocation(self, request: Request) -> Response:
        names = list(self._fleet.tables)
        if len(names) != 1:
            hint = f"POST /deployments/NAME/invocations with one of: {', '.join(names) or '(none is ready)'}"
            raise NotFound(f"/invocations needs exactly one deployment; there are {len(names)}.", hint=hint)
        return await self._predict(request, names[0], None, invocation=True)

    async def _labels(self, request: Request) -> Response:
        if request.content_type not in {"", "application/json"}:
            raise Refusal(415, f"Content type {request.content_type[:80]!r} is not read here; send application/json.")
        body = protocol.decode(_feedback, await request.body(self._limit))
        rows = body if isinstance(body, list) else body.get("rows", [body])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise InvalidInput("rows must be a list of objects.", hint='{"rows": [{"id": "p...", "label": 1}]}')
        now = now_ms()
        checked = feedback.checked(rows, now)
        self._journal.append(FEEDBACK, feedback.record(checked, now))
        await self._journal.settle()
        return json_response({"accepted": len(checked)})

    # -- health and metadata

    async def _server(self, _: Request) -> Response:
        return json_response({"name": "mlops", "version": __version__, "extensions": []})

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

    def _describe(self, name: str, version: int | None) -> Response:
        table = self._fleet.table(name)
        slot = _pick(table, version, None) if version is not None else next(iter(table.slots.values()))
        return json_response(protocol.metadata(name, sorted(table.slots), slot.target.signature))

    def _model_ready(self, name: str, version: int | None) -> Response:
        try:
            table = self._fleet.table(name)
        except Unavailable:
            return json_response({"name": name, "ready": False}, 503)
        slots = [_pick(table, version, None)] if version is not None else list(table.slots.values())
        ready = any(slot.state is State.READY for slot in slots)
        return json_response({"name": name, "ready": ready}, 200 if ready else 503)


def _need(method: str, wanted: str) -> None:
    if method != wanted:
        raise Refusal(405, f"Use {wanted} here, not {method}.", {"allow": wanted})


def _pick(table: Table, version: int | None, key: str | None) -> Slot:
    if version is None:
        return table.choose(key)
    slot = table.slots.get(version)
    if slot is None:
        served = ", ".join(map(str, sorted(table.slots)))
        raise NotFound(f"{table.deployment.name} does not serve version {version}.", hint=f"It serves {served}.")
    return slot


def _parse(body: bytes, kind: str, slot: Slot, *, invocation: bool) -> protocol.Call:
    signature = slot.target.signature
    if kind != "application/json" and not (invocation and kind == _CSV):
        raise Refusal(415, f"Content type {kind[:80]!r} is not read here; send application/json.")
    if invocation:
        return protocol.parse_invocation(body, kind, signature)
    return protocol.parse_infer(body, signature)


def _blamed(answer: Answer) -> WorkbenchError:
    if answer.blame == "input":
        return InvalidInput(f"The model cannot take these rows: {answer.error}.", hint="Check for missing values.")
    return ModelBroke(f"The model failed: {answer.error}.")


def _in_mlflow_words(response: Response, error: WorkbenchError | Refusal) -> Response:
    code = "BAD_REQUEST" if response.status < 500 else "INTERNAL_ERROR"
    hint = {"hint": error.hint} if isinstance(error, WorkbenchError) and error.hint else {}
    document = {"error_code": code, "message": error.message, "error": error.message, **hint}
    return json_response(document, response.status, response.headers)


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1000
