"""The gateway's side of one worker's socket: many requests under way at once, each answer to its own waiter."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, cast

from mlops_tui.domains.registry.engines.formula import Formula
from mlops_tui.domains.serving.wire import Answer, Ask, Failed, Hello, Ready, Unpacker, pack


class WorkerLost(Exception):  # noqa: N818
    """The worker's process ended before it answered."""


Then = Callable[[Answer | None], None]
"""What becomes of an answer; None when the worker ended before it answered."""


class LoadFailed(Exception):  # noqa: N818
    """The model could not be loaded, or is refused for one of `checks`; trying again would not help."""

    def __init__(self, reason: str, checks: list[tuple[str, bool, str]] | None = None) -> None:
        super().__init__(reason)
        self.checks = checks or []


class Link(asyncio.Protocol):
    """One worker that dialled in. `claim` is called with the link once it has said which key it was started with."""

    def __init__(self, claim: Callable[[Link], bool]) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._formula: Formula | None = None
        self.key = ""
        self.pid: int | None = None
        self.ready: asyncio.Future[Ready] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._claim = claim
        self._transport: asyncio.Transport | None = None
        self._unpacker = Unpacker()
        self._waiting: dict[int, Then] = {}
        self._ids = itertools.count(1)
        self._outbox: list[bytes] = []
        self._heard = loop.time()
        # Nobody may be waiting for these when they fail.
        self.ready.add_done_callback(lambda future: future.cancelled() or future.exception())

    @property
    def in_flight(self) -> int:
        """Requests that wait for their answer."""
        return len(self._waiting)

    @property
    def silent_s(self) -> float:
        """Seconds for which requests have been waiting without any answer."""
        return self._loop.time() - self._heard if self._waiting else 0.0

    @property
    def alive(self) -> bool:
        """Whether the socket is open."""
        return not self.lost.done()

    @property
    def formula(self) -> Formula | None:
        """The formula of the model, once it was loaded and where it has one."""
        return self._formula

    def send(
        self, columns: dict[str, list[Any]], rows: int, then: Then, *, alone: bool = False, guard: bool = False
    ) -> None:
        """Send a request; `then` is called once, with its answer or with None."""
        if self._transport is None or self.lost.done():
            then(None)
            return
        if not self._waiting:
            self._heard = self._loop.time()
        number = next(self._ids)
        self._waiting[number] = then
        if not self._outbox:  # all that is asked in one turn of the loop is one write: they become one batch, too
            self._loop.call_soon(self._flush)
        self._outbox.append(pack(Ask(number, rows, columns, alone, guard)))

    def ask(
        self, columns: dict[str, list[Any]], rows: int, *, alone: bool = False, guard: bool = False
    ) -> asyncio.Future[Answer]:
        """Send a request; the future holds its answer, or WorkerLost."""
        future: asyncio.Future[Answer] = self._loop.create_future()

        def then(answer: Answer | None) -> None:
            if future.done():
                return
            if answer is None:
                future.set_exception(WorkerLost())
            else:
                future.set_result(answer)

        self.send(columns, rows, then, alone=alone, guard=guard)
        return future

    def _flush(self) -> None:
        data, self._outbox = b"".join(self._outbox), []
        if self._transport is not None and self.alive:
            self._transport.write(data)

    def close(self) -> None:
        """Hang up; the worker ends by itself."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._unpacker.feed(data)
        except ValueError:  # a stranger at our socket, or a broken worker (msgspec's errors are ValueErrors too)
            self.close()
            return
        self._heard = self._loop.time()
        for message in messages:
            if isinstance(message, Answer):
                then = self._waiting.pop(message.id, None)
                if then is not None:
                    then(message)
            else:
                self._told(message)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        if not self.ready.done():
            self.ready.set_exception(WorkerLost())
        waiting, self._waiting = self._waiting, {}
        for then in waiting.values():
            then(None)

    def _told(self, message: Hello | Ready | Failed | Ask) -> None:
        if isinstance(message, Hello):
            self.key, self.pid = message.key, message.pid
            if not self._claim(self):
                self.close()
        elif isinstance(message, Ready) and not self.ready.done():
            self._formula = message.formula
            self.ready.set_result(message)
        elif isinstance(message, Failed) and not self.ready.done():
            self.ready.set_exception(LoadFailed(message.reason, message.checks))
