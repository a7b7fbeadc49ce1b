"""MLflow's REST protocol as an ASGI application: `/api/2.0/mlflow/...`, `/api/2.0/mlflow-artifacts/...`.

A call is looked up by method and path in the tables of its subject (`mlflow_runs.py` and so on) and runs on the workbench.
Errors are `{"error_code": NAME, "message": text}`. The client tries 5xx again for minutes, so that only what may pass by itself
(a full disk, a lock) is answered so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, Unavailable, WorkbenchError
from mlops_tui.core.workspace import Workspace
from mlops_tui.web import mlflow_experiments, mlflow_logged, mlflow_models, mlflow_runs
from mlops_tui.web.asgi import Gone, Receive, Refusal, Request, Response, Scope, Send, check_host, encode
from mlops_tui.web.mlflow_artifacts import Artifactory
from mlops_tui.web.mlflow_ask import Ask
from mlops_tui.web.mlflow_parts import PARTS, Parts
from mlops_tui.web.packing import packed_aside
from mlops_tui.workbench import Workbench

logger = logging.getLogger("mlops.tracking")

PREFIX = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
PRESIGNED = "/api/2.0/mlflow-artifacts/presigned/"
SPOKEN = "3.18.0"  # the version of MLflow whose protocol this is
MAX_BODY = 32_000_000
Handler = Callable[[Workbench, Ask], Any]

_CODES: dict[type[WorkbenchError], tuple[int, str]] = {
    NotFound: (404, "RESOURCE_DOES_NOT_EXIST"),
    AlreadyExists: (400, "RESOURCE_ALREADY_EXISTS"),
    InvalidInput: (400, "INVALID_PARAMETER_VALUE"),
    NotAllowed: (403, "PERMISSION_DENIED"),
    Unavailable: (503, "TEMPORARILY_UNAVAILABLE"),
}
_NOT_KEPT = {
    "traces": "traces, only runs, models and their files",
    "prompts": "prompts, only runs, models and their files",
    "webhooks": "webhooks: alerts are what it has for that",
    "gateway-proxy": "gateway: it fetches nothing for its clients",
    "scorers": "scorers and judges",
    "workspaces": "workspaces beside its own",
    "users": "users: it answers this machine alone",
}
_REFUSED = {403: "PERMISSION_DENIED", 404: "ENDPOINT_NOT_FOUND", 413: "INVALID_PARAMETER_VALUE", 501: "NOT_IMPLEMENTED"}
_HANDLERS: dict[tuple[str, str], Handler] = {
    **mlflow_experiments.HANDLERS,
    **mlflow_runs.HANDLERS,
    **mlflow_logged.HANDLERS,
    **mlflow_models.HANDLERS,
}
_PATTERNS = [(method, path.split("/"), handler) for (method, path), handler in _HANDLERS.items() if "{" in path]


class Desk:
    """The workbench, opened on first use; calls come one after the other, so that each sees what the one before wrote.

    They run on the loop itself: most take a fraction of a millisecond, and handing them to a thread would double that.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._bench: Workbench | None = None

    def call(self, action: Callable[[Workbench], Any]) -> Any:
        """Run `action`."""
        if self._bench is None:
            self._bench = Workbench(self._workspace)
        return action(self._bench)

    def close(self) -> None:
        """Close the workbench."""
        if self._bench is not None:
            self._bench.close()


class MlflowDialect:
    """The application."""

    def __init__(self, workspace: Workspace, desk: Desk, *, hosts: tuple[str, ...] = ()) -> None:
        self._desk = desk
        self._files = Artifactory(workspace, desk.call)
        self._parts = Parts(workspace, desk.call)
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = False

        async def sending(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        request = Request.of(scope, receive)
        try:
            check_host(request, self._hosts)
            response = await self._answer(request, scope, receive, sending)
        except Gone:
            return
        except Exception as error:
            if started:  # half a file is out: only breaking off can say so
                raise
            response = error_response(error)
        if response is not None:
            await (await packed_aside(response, request)).send(send)

    async def _answer(self, request: Request, scope: Scope, receive: Receive, send: Send) -> Response | None:
        path = request.path
        if path.startswith(PREFIX):
            return await self._call(request, path[len(PREFIX) :], scope)
        if path == FILES or path.startswith(FILES + "/"):
            return await self._file(request, path[len(FILES) :].strip("/"), scope, receive, send)
        if path.startswith(PARTS):
            return await self._part(request, *path[len(PARTS) :].partition("/")[::2], receive)
        if path.startswith(PRESIGNED):
            raise Refusal(501, "Addresses for direct downloads are not given; files come through this server.")
        if request.method == "GET" and path == "/health":
            return Response(200, b"OK", "text/plain")
        if request.method == "GET" and path == "/version":
            return Response(200, SPOKEN.encode(), "text/plain")
        if request.method == "GET" and path == "/api/3.0/mlflow/server-info":
            return Response(200, b"{}")
        raise _unknown(request.method, path)

    async def _call(self, request: Request, path: str, scope: Scope) -> Response:
        handler, named = _find(request.method, path)
        fields = _query(scope) if request.method == "GET" else await _body(request)
        ask = Ask({**fields, **named})
        return Response(200, self._desk.call(lambda bench: encode(handler(bench, ask))))

    async def _file(self, request: Request, path: str, scope: Scope, receive: Receive, send: Send) -> Response | None:
        if request.method == "PUT":
            await self._files.put(path, receive)
        elif request.method == "DELETE":
            self._files.delete(path)
        elif request.method == "GET" and path:
            await self._files.get(path, send)
            return None
        elif request.method == "GET":
            return Response(200, encode(self._files.list(Ask(_query(scope)).text("path"))))
        else:
            raise Refusal(404, f"There is no {request.method} for artifacts.")
        return Response(200, b"{}")

    async def _part(self, request: Request, verb: str, path: str, receive: Receive) -> Response:
        if (request.method, verb) == ("PUT", "part"):
            etag = await self._parts.part(path, receive)
            return Response(200, b"{}", headers={"etag": f'"{etag}"'})
        if request.method != "POST" or verb not in ("create", "complete", "abort"):
            raise Refusal(404, f"There is no {request.method} {PARTS}{verb[:80]} here.")
        ask = Ask(await _body(request))
        if verb == "create":
            host = request.headers.get("host") or "127.0.0.1"
            return Response(200, encode(self._parts.create(path, ask, f"http://{host}")))
        if verb == "complete":
            await self._parts.complete(path, ask)
        else:
            self._parts.abort(ask)
        return Response(200, b"{}")


def _find(method: str, path: str) -> tuple[Handler, dict[str, str]]:
    handler = _HANDLERS.get((method, path))
    if handler is not None:
        return handler, {}
    parts = path.split("/")
    for wanted, pattern, found in _PATTERNS:
        if wanted == method and len(pattern) == len(parts):
            pairs = list(zip(pattern, parts, strict=True))
            if all(one == other or (one[0] == "{" and other) for one, other in pairs):
                return found, {one[1:-1]: unquote(other) for one, other in pairs if one[0] == "{"}
    raise _unknown(method, PREFIX + path)


def _unknown(method: str, path: str) -> Refusal:
    """404 with what is not kept here, where a part of the path says what is asked for."""
    subject = next((said for word, said in _NOT_KEPT.items() if word in path.split("/")), None)
    said = f"This server keeps no {subject}" if subject else f"There is no {method} {path[:200]} here"
    return Refusal(404, f"{said}; docs/mlflow.md says what it answers.")


def _query(scope: Scope) -> dict[str, Any]:
    try:
        found = parse_qs(scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=5000)
    except ValueError:
        raise InvalidInput("The query string cannot be read.") from None
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


async def _body(request: Request) -> dict[str, Any]:
    data = await request.body(MAX_BODY)
    if not data:
        return {}
    if request.content_type != "application/json":
        raise InvalidInput("Bad Request. Content-Type must be one of ['application/json'].")
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidInput("The body is no JSON document.") from None
    if not isinstance(found, dict):
        raise InvalidInput("The body must be a JSON object.")
    return found


def error_response(error: Exception) -> Response:
    """The answer to an error; one that nobody foresaw is logged and answered 400, since trying it again would not help."""
    if isinstance(error, Refusal):
        code = _REFUSED.get(error.status, "BAD_REQUEST")
        return _error(error.status, code, error.message)
    if isinstance(error, WorkbenchError):
        status, code = next(
            (answer for kind, answer in _CODES.items() if isinstance(error, kind)), (400, "BAD_REQUEST")
        )
        return _error(status, code, f"{error.message} {error.hint}".strip())
    logger.error("a request could not be answered", exc_info=error)
    return _error(400, "INTERNAL_ERROR", f"The server could not answer: {type(error).__name__}; see its log.")


def _error(status: int, code: str, message: str) -> Response:
    body = encode({"error_code": code, "message": message.encode("utf-8", "replace").decode()})
    return Response(status, body, headers={"retry-after": "1"} if status == 503 else {})
