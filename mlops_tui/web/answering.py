"""One request for predictions: read, asked of a slot, logged, answered."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import time
from collections.abc import Callable
from typing import Any

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
SORRY = {"error": "Something went wrong inside the gateway; its log says what."}
_JSON, _CSV, _BINARY = "application/json", "text/csv", "application/octet-stream"


@dataclasses.dataclass(slots=True)
class Question:
    """One request for predictions, `invocation` in MLflow's form, else the Open Inference Protocol's; who answers is found out
    on the way. `begun` is when it came, on the clock `time.perf_counter`.
    """

    request: Request
    name: str
    version: int | None
    invocation: bool
    begun: float
    reply: Callable[[Response], None]
    table: Table = dataclasses.field(init=False)
    slot: Slot = dataclasses.field(init=False)
    call: protocol.Call | None = None


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
        """Answer one request once its body is there. Raises what `ask` raises, and Refusal for the body."""
        begun = time.perf_counter()
        self._fleet.table(name)  # an unknown name is told before its body is read
        body = await request.body(self._limit, self._seconds)
        response: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.ask(Question(request, name, version, invocation, begun, functools.partial(_give, response)), body)
        return await response

    def ask(self, question: Question, body: bytes) -> None:
        """Answer one request: its `reply` is called once, maybe before this returns.

        Raises NotFound and Unavailable where nobody answers to that name or version.
        """
        # No await between choosing a slot and asking it: a slot that is about to go waits for those who ask.
        table = self._fleet.table(question.name)
        handling = table.deployment.handling
        request, version = question.request, question.version
        key = request.headers.get(ROUTING_KEY)
        if handling.route_by:
            key = key or routing_key(handling, request.headers, None)
        question.table, question.slot = table, pick(table, version, key)
        try:
            call = question.call = _parse(body, question)
            if version is None and len(table.slots) > 1 and handling.field:
                question.slot = pick(table, None, key or routing_key(handling, {}, call.columns))
                call = question.call = _parse(body, question)
            question.slot.ask(
                call.columns, call.rows, functools.partial(self._told, question), guard=handling.guard != "off"
            )
        except (WorkbenchError, Refusal) as error:
            self._refuse(question, error)

    def _told(self, question: Question, told: Answer | WorkbenchError) -> None:
        """Log what the model said, then reply: nothing that a client was told is missing from the log."""
        if isinstance(told, WorkbenchError) or told.error:
            self._refuse(question, told if isinstance(told, WorkbenchError) else _blamed(told))
            return
        try:
            handling = question.table.deployment.handling
            answer = self._guarded(question.name, handling, told) if told.marks else told
            response, record = _answered(question, answer)
            self._journal.post(record, functools.partial(self._logged, question, answer, response))
        except WorkbenchError as error:
            self._refuse(question, error)
        except Exception:  # a mistake of ours, met in the turn of a socket that others' answers come from
            logger.exception("%s", question.name)
            question.reply(json_response(SORRY, 500))
            self._meter.refuse(500)

    def _logged(self, question: Question, answer: Answer, response: Response, refused: WorkbenchError | None) -> None:
        if refused is not None:
            self._refuse(question, refused)
            return
        question.reply(response)
        self._count(question, 200)
        table, call = question.table, question.call
        if table.deployment.handling.shadow is not None and call is not None:
            self.shadows.offer(question.name, self._fleet.shadow(table.deployment), call.columns, call.rows, answer)

    def _refuse(self, question: Question, error: WorkbenchError | Refusal) -> None:
        response = error_response(error)
        if question.invocation:
            response = _in_mlflow_words(response, error)
        if response.status >= 500 and question.call is not None:
            self._log_failure(question, response.status, error.message)
        question.reply(response)
        self._count(question, response.status)

    def _count(self, question: Question, status: int) -> None:
        rows = question.call.rows if question.call else 0
        self._meter.count(question.name, question.slot.target.version, status, rows, _since(question.begun))
        self._doorman.note(question.request.caller, question.name, rows=rows, status=status)

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

    def _log_failure(self, question: Question, status: int, error: str) -> None:
        logger.error("%s answered %d: %s", question.name, status, error)
        assert question.call is not None
        with contextlib.suppress(Unavailable):  # the disk is full, which is what the client is being told already
            self._journal.append(PREDICTIONS, _record(question, question.call, status=status, error=error))


def _answered(question: Question, answer: Answer) -> tuple[Response, dict[str, Any]]:
    """What the client is told, and what the log."""
    call, target = question.call, question.slot.target
    assert call is not None
    record = _record(
        question,
        call,
        prediction=answer.prediction,
        score=scores(answer.probabilities, target.signature.labels),
        marks=answer.marks,
    )
    ids = record["ids"]
    values = {"prediction": answer.prediction, "probabilities": answer.probabilities}
    headers = {"x-prediction-id": ids[0], "x-model-version": str(target.version)}
    if question.invocation:
        return json_response(scoring.invocation_answer(ids, values), headers=headers), record
    body, json_length = protocol.infer_answer(
        call, target.signature, name=question.name, version=target.version, ids=ids, answer=values
    )
    if json_length is None:
        return Response(200, body, headers=headers), record
    return Response(200, body, _BINARY, {**headers, protocol.JSON_LENGTH: str(json_length)}), record


def _record(question: Question, call: protocol.Call, **more: Any) -> dict[str, Any]:
    at, target, caller = now_ms(), question.slot.target, question.request.caller
    return prediction_record(
        ids=[new_prediction_id(at) for _ in range(call.rows)],
        at=at,
        deployment=question.name,
        model=target.model,
        version=target.version,
        latency_ms=_since(question.begun),
        columns=call.columns,
        request_id=call.request_id,
        caller=caller.name if caller else "",
        **more,
    )


def pick(table: Table, version: int | None, key: str | None) -> Slot:
    """The slot of a version, or of the next request; NotFound for one that is not served."""
    if version is None:
        return table.choose(key)
    slot = table.slots.get(version)
    if slot is None:
        served = ", ".join(map(str, sorted(table.slots)))
        raise NotFound(f"{table.deployment.name} does not serve version {version}.", hint=f"It serves {served}.")
    return slot


def _parse(body: bytes, question: Question) -> protocol.Call:
    signature, request = question.slot.target.signature, question.request
    kind = request.content_type or _JSON
    if not question.invocation:
        json_length = request.headers.get(protocol.JSON_LENGTH)
        if kind != _JSON and not (json_length is not None and kind == _BINARY):
            raise _unread(kind)
        return protocol.parse_infer(body, signature, json_length)
    if kind not in {_JSON, _CSV}:
        raise _unread(kind)
    call = scoring.parse_invocation(body, kind, signature)
    mine = request.headers.get(REQUEST_ID)
    return dataclasses.replace(call, request_id=mine[:LONGEST_ID]) if mine else call


def _unread(kind: str) -> Refusal:
    return Refusal(415, f"Content type {kind[:80]!r} is not read here; send application/json.")


def _give(waiting: asyncio.Future[Response], response: Response) -> None:
    if not waiting.done():  # the server may have ended who waits
        waiting.set_result(response)


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
