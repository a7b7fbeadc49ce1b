"""`POST /v1/features/{table}/lookup`: the newest values of entities, row by row, from the online side of the features room."""

from __future__ import annotations

from typing import Any

import msgspec

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving import protocol
from mlops_tui.web.asgi import Refusal, Request, Response, json_response
from mlops_tui.workbench import Workbench

MOST_ROWS = 10_000


class _Asked(msgspec.Struct):
    rows: list[dict[str, Any]]
    columns: list[str] | None = None


_decoder = msgspec.json.Decoder(_Asked)


class Lookups:
    """Answers from a workbench of its own, opened with the first request. A lookup takes microseconds, so it needs no thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._bench: Workbench | None = None

    async def answer(self, request: Request, table: str, limit: int) -> Response:
        """The answer to one request. Raises Refusal for another content type, InvalidInput, NotFound."""
        if request.content_type not in {"", "application/json"}:
            raise Refusal(415, f"Content type {request.content_type[:80]!r} is not read here; send application/json.")
        asked: _Asked = protocol.decode(_decoder, await request.body(limit))
        if len(asked.rows) > MOST_ROWS:
            raise InvalidInput(f"{len(asked.rows)} rows are too many at once.", hint=f"Ask for {MOST_ROWS} at most.")
        if self._bench is None:
            self._bench = Workbench(self._workspace, actor="gateway")
        found = self._bench.features.lookup(table, asked.rows, columns=asked.columns)
        rows = [{"key": one.key, "status": one.status, "age_ms": one.age_ms, "values": one.values} for one in found]
        return json_response({"table": table, "rows": rows})

    def close(self) -> None:
        if self._bench is not None:
            self._bench.close()
