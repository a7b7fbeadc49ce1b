"""One request for predictions: read, asked of a slot, logged, answered."""

from __future__ import annotations

import dataclasses
import logging
import time

from mlops_tui.core.clock import now_ms
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.ids import new_prediction_id
from mlops_tui.core.settings import Serving as ServingSettings
from mlops_tui.domains.serving import protocol, scoring
from mlops_tui.domains.serving.handling import Handling, routing_key
from mlops_tui.domains.serving.log import PREDICTIONS, prediction_record, scores
from mlops_tui.domains.serving.wire import Answer
from mlops_tui.web.asgi import Refusal, Request, Response, error_response, json_response
from mlops_tui.web.doorman import Doorman
from mlops_tui.web.fleet import Fleet, Table
from mlops_tui.web.journal import Journal
from mlops_tui.web.meter import Meter
from mlops_tui.web.shadows import Shadows
from mlops_tui.web.slot import ModelBroke, Slot

logger = logging.getLogger("mlops.inference")

ROUTING_KEY = "x-routing-key"
REQUEST_ID = "x-request-id"  # MLflow's form has no place for it
LONGEST_ID = 200
_JSON, _CSV, _BINARY = "application/json", "text/csv", "application/octet-stream"


class Answering:
    """Predictions of a fleet's deployments."""

    def __init__(
        self, fleet: Fleet, journal: Journal, meter: Meter, doorman: Doorman, settings: ServingSettings
    ) -> None:
        self._fleet = fleet
        self._journal = journal
        self._meter = meter
        self._doorman = doorman
        self.shadows = Shadows()
        self.configure(settings)

    def configure(self, settings: ServingSettings) -> None:
        """Take new limits."""
        self._limit = settings.max_body_mb * 1_000_000
        self._seconds = settings.request_timeout_s

    async def predict(self, request: Request, name: str, version: int | None, *, invocation: bool) -> Response:
        """Answer one request; `invocation` is MLflow's form, else the Open Inference Protocol's."""
        begun = time.perf_counter()
        self._fleet.table(name)  # an unknown name is told before its body is read
        body = await request.body(self._limit, self._seconds)
        # No await between choosing a slot and asking it: a slot that is about to go waits for those who ask.
        table = self._fleet.table(name)
        handling = table.deployment.handling
        key = request.headers.get(ROUTING_KEY) or routing_key(handling, request.headers, None)
        slot = pick(table, version, key)
        call: protocol.Call | None = None
        try:
            call = _parse(body, request, slot, invocation=invocation)
            if handling.field and version is None and len(table.slots) > 1:
                slot = pick(table, None, key or routing_key(handling, {}, call.columns))
                call = _parse(body, request, slot, invocation=invocation)
            answer = await slot.predict(call.columns, call.rows, guard=handling.guard != "off")
            if answer.error:
                raise _blamed(answer)
            if answer.marks:
                answer = self._guarded(name, handling, answer)
            response = await self._answered(name, slot, call, answer, begun, invocation=invocation)
            if handling.shadow is not None:
                self.shadows.offer(name, self._fleet.shadow(table.deployment), call.columns, call.rows, answer)
        except (WorkbenchError, Refusal) as error:
            response = error_response(error)
            if invocation:
                response = _in_mlflow_words(response, error)
            if response.status >= 500 and call is not None:
                self._log_failure(name, slot, call, response.status, error.message, begun)
        rows = call.rows if call else 0
        self._meter.count(name, slot.target.version, response.status, rows, _since(begun))
        self._doorman.note(request.caller, name, rows=rows, status=response.status)
        return response

    def _guarded(self, name: str, handling: Handling, answer: Answer) -> Answer:
        """Do about odd rows what the deployment says: nothing but noting them, refuse, or answer by the rule."""
        self._meter.mark(name, answer.marks)
        if handling.guard == "reject":
            row, mark = next((row, mark) for row, mark in enumerate(answer.marks) if mark)
            raise InvalidInput(
                f"Row {row} is unlike the training data: {mark}.", hint="The deployment refuses such rows."
            )
        if handling.guard == "fallback":
            pairs = zip(answer.prediction, answer.marks, strict=True)
            answer.prediction = [handling.fallback if mark else value for value, mark in pairs]
            answer.probabilities = None
        return answer

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
            marks=answer.marks,
        )
        self._journal.append(PREDICTIONS, record)
        await self._journal.settle()
        values = {"prediction": answer.prediction, "probabilities": answer.probabilities}
        headers = {"x-prediction-id": ids[0], "x-model-version": str(target.version)}
        if invocation:
            return json_response(scoring.invocation_answer(ids, values), headers=headers)
        body, json_length = protocol.infer_answer(
            call, target.signature, name=name, version=target.version, ids=ids, answer=values
        )
        if json_length is None:
            return Response(200, body, headers=headers)
        return Response(200, body, _BINARY, {**headers, protocol.JSON_LENGTH: str(json_length)})

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


def pick(table: Table, version: int | None, key: str | None) -> Slot:
    """The slot of a version, or of the next request; NotFound for one that is not served."""
    if version is None:
        return table.choose(key)
    slot = table.slots.get(version)
    if slot is None:
        served = ", ".join(map(str, sorted(table.slots)))
        raise NotFound(f"{table.deployment.name} does not serve version {version}.", hint=f"It serves {served}.")
    return slot


def _parse(body: bytes, request: Request, slot: Slot, *, invocation: bool) -> protocol.Call:
    signature = slot.target.signature
    kind = request.content_type or _JSON
    json_length = None if invocation else request.headers.get(protocol.JSON_LENGTH)
    if kind != _JSON and not (invocation and kind == _CSV) and not (json_length is not None and kind == _BINARY):
        raise Refusal(415, f"Content type {kind[:80]!r} is not read here; send application/json.")
    if invocation:
        call = scoring.parse_invocation(body, kind, signature)
        mine = request.headers.get(REQUEST_ID)
        return dataclasses.replace(call, request_id=mine[:LONGEST_ID]) if mine else call
    return protocol.parse_infer(body, signature, json_length)


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
