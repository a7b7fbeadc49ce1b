"""`POST /v1/features/{table}/lookup`, and Feast's `POST /get-online-features`: newest values from the features room.

Answers come from a workbench that is opened with the first request. A lookup of a table takes microseconds, so it needs no
thread; on-demand transformations run someone's code, so they have a thread and a workbench of their own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.features.records import Found
from mlops_tui.domains.serving import protocol
from mlops_tui.web import feast
from mlops_tui.web.asgi import Refusal, Request, Response, json_response
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.features.service import Features

MOST_ROWS = 10_000
CODE_SECONDS = 30.0


class _Asked(msgspec.Struct):
    rows: list[dict[str, Any]]
    columns: list[str] | None = None


_decoder = msgspec.json.Decoder(_Asked)
_feast = msgspec.json.Decoder(feast.Asked)


class Lookups:
    """Answers lookups of one workspace."""

    def __init__(self, workspace: Workspace, *, code_seconds: float = CODE_SECONDS) -> None:
        self._workspace = workspace
        self._code_seconds = code_seconds
        self._bench: Workbench | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._own = threading.local()  # the workbench of each thread

    async def answer(self, request: Request, table: str, limit: int) -> Response:
        """The answer to one request. Raises Refusal for another content type, InvalidInput, NotFound, Unavailable."""
        asked: _Asked = protocol.decode(_decoder, await _json(request, limit))
        _check(len(asked.rows))
        found = await self.look_up(table, asked.rows, asked.columns)
        rows = [{"key": one.key, "status": one.status, "age_ms": one.age_ms, "values": one.values} for one in found]
        return json_response({"table": table, "rows": rows})

    async def feast(self, request: Request, limit: int) -> Response:
        """The answer to one request in Feast's words. Raises as `answer` does."""
        asked: feast.Asked = protocol.decode(_feast, await _json(request, limit))
        wanted, rows = feast.read(asked)
        _check(len(rows))
        parts = []
        for name, columns in wanted.items():
            clock = self._room.time_of(name)
            known = [*columns, *([clock] if clock and clock not in columns else [])]
            parts.append(feast.Part(name, columns, clock, await self.look_up(name, rows, known)))
        return json_response(feast.answer(asked, rows, parts))

    async def look_up(self, name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None) -> list[Found]:
        """As `Features.lookup`; other requests are answered while someone's code runs."""
        try:
            return self._room.lookup_table(name, rows, columns=columns)
        except NotFound:
            if not self._room.is_on_demand(name):
                raise
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="on-demand")
        task = asyncio.get_running_loop().run_in_executor(self._thread, self._in_thread, name, rows, columns)
        try:
            return await asyncio.wait_for(task, self._code_seconds)
        except TimeoutError:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None  # it is lost until its code returns; the next request has a new one
            raise Unavailable(f"'{name}' took longer than {self._code_seconds:g} s.", hint="Make it faster.") from None

    def _in_thread(self, name: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None) -> list[Found]:
        bench: Workbench | None = getattr(self._own, "bench", None)
        if bench is None:
            bench = self._own.bench = Workbench(self._workspace, actor="gateway")
        return bench.features.lookup(name, rows, columns=columns)

    @property
    def _room(self) -> Features:
        if self._bench is None:
            self._bench = Workbench(self._workspace, actor="gateway")
        return self._bench.features

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        if self._bench is not None:
            self._bench.close()


async def _json(request: Request, limit: int) -> bytes:
    if request.content_type not in {"", "application/json"}:
        raise Refusal(415, f"Content type {request.content_type[:80]!r} is not read here; send application/json.")
    return await request.body(limit)


def _check(rows: int) -> None:
    if rows > MOST_ROWS:
        raise InvalidInput(f"{rows} rows are too many at once.", hint=f"Ask for {MOST_ROWS} at most.")
