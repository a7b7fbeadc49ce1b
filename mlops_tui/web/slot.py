"""One model version in service: keeps a worker running for it and asks that worker, across crashes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import os
import signal
from collections.abc import Callable
from typing import Any

from mlops_tui.core.errors import Unavailable, WorkbenchError
from mlops_tui.domains.registry.engines.formula import MOST_ROWS
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving.records import State, Target, WorkerState
from mlops_tui.domains.serving.wire import Answer
from mlops_tui.web.crew import Crew
from mlops_tui.web.link import Link, LoadFailed, WorkerLost
from mlops_tui.web.nursery import Nursery

logger = logging.getLogger("mlops.inference")

# A request whose worker dies is asked again; from the second time on by itself, so that one that kills workers is found out.
ATTEMPTS = 3
# Deaths in a row without one answered request, after which a version is given up until someone deploys or starts it again.
STRIKES = 5
MAX_WAITING = 4096


Told = Callable[[Answer | WorkbenchError], None]


class ModelBroke(WorkbenchError):  # noqa: N818
    """The model failed on rows that look right: HTTP 500, and not the client's fault."""


class Slot:
    """Serves `target`; `changed` is called after each change of state."""

    def __init__(
        self, target: Target, nursery: Nursery, timeout_s: float, changed: Callable[[], None], workers: int = 1
    ) -> None:
        self.target = target
        self.state = State.STARTING
        self.detail = ""
        self.restarts = 0
        self.checks: tuple[Health, ...] = ()
        self.users = 0
        self._nursery = nursery
        self._timeout_s = timeout_s
        self._changed = changed
        self._link: Link | None = None
        self._crew = Crew(self._start, workers - 1, changed)
        self._renewing: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._one_by_one = asyncio.Lock()
        self._closing = False
        self._answered = False
        self._task = asyncio.create_task(self._keep())

    def report(self) -> WorkerState:
        """Say how it does."""
        pid = self._link.pid if self._link is not None and self._link.alive else None
        more = len(self._crew.extras)
        detail = self.detail or (f"{more + 1} workers" if more and self.state is State.READY else "")
        told = (self.target.model, self.target.version, self.state, pid, detail, self.restarts)
        others = tuple(link.pid for link in self._crew.extras if link.alive and link.pid is not None)
        return WorkerState(*told, self.checks, more + 1 if pid is not None else 0, others)

    @property
    def example(self) -> dict[str, list[Any]] | None:
        """A golden request of the model, once it was loaded."""
        ready = self._link.ready if self._link is not None else None
        return ready.result().sample if ready is not None and ready.done() and not ready.exception() else None

    def retarget(self, target: Target) -> None:
        """Serve the same version by another engine: a worker with it stands in while the first one begins anew."""
        if target.engine != self.target.engine:
            self.target = target
            self._renewing = asyncio.create_task(self._renew())

    def ask(self, columns: dict[str, list[Any]], rows: int, then: Told, *, guard: bool = False) -> None:
        """Ask the model; `then` is called once, maybe before this returns, with its answer or with what went wrong.

        That is Unavailable (failed, not up in time) or ModelBroke (this request ends every worker it meets). Raises Unavailable
        when too many wait already.
        """
        if self.users >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING} requests are waiting for this model already.", hint="Send fewer at once.")
        link = self._crew.choose(self._link)
        if link is None or not (self.state is State.READY or link is not self._link):
            self._persist(columns, rows, then, guard, asked=0)
            return
        if link.formula is not None and not guard and rows <= MOST_ROWS:
            found = link.formula.answer(columns, rows)
            if found is not None:
                self._answered = True
                then(Answer(0, *found))
                return
        self.users += 1

        def heard(answer: Answer | None) -> None:
            self.users -= 1
            if answer is None:
                self._persist(columns, rows, then, guard, asked=1)
            else:
                self._answered = True
                then(answer)

        link.send(columns, rows, heard, guard=guard)

    async def predict(self, columns: dict[str, list[Any]], rows: int, *, guard: bool = False) -> Answer:
        """Return the model's answer. Raises what `ask` tells."""
        future: asyncio.Future[Answer | WorkbenchError] = asyncio.get_running_loop().create_future()
        self.ask(columns, rows, functools.partial(_settle, future), guard=guard)
        told = await future
        if isinstance(told, WorkbenchError):
            raise told
        return told

    def _persist(self, columns: dict[str, list[Any]], rows: int, then: Told, guard: bool, asked: int) -> None:
        """Wait for a worker, and ask again when it dies; from the second time on the request is asked by itself."""
        self.users += 1

        async def whole() -> None:
            told: Answer | WorkbenchError
            try:
                told = await self._ask(columns, rows, guard, asked)
                self._answered = True
            except WorkbenchError as error:
                told = error.with_traceback(None)  # which holds the request
            finally:
                self.users -= 1
            then(told)

        task = asyncio.create_task(whole())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, columns: dict[str, list[Any]], rows: int, guard: bool, asked: int) -> Answer:
        if not asked:
            with contextlib.suppress(WorkerLost):
                return await (await self._live()).ask(columns, rows, guard=guard)
        for _ in range(ATTEMPTS - 1):
            async with self._one_by_one:
                with contextlib.suppress(WorkerLost):
                    return await (await self._live()).ask(columns, rows, alone=True, guard=guard)
        raise ModelBroke(f"The model's process ended {ATTEMPTS} times while it answered this request.")

    async def drain(self) -> None:
        """Let what is under way finish, then end the worker."""
        self._closing = True
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        while self.users and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await self.close()

    async def close(self) -> None:
        """End the worker now."""
        self._closing = True
        if self._link is not None:
            self._link.close()
        tasks = [task for task in (self._task, self._renewing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._crew.close()
        self._settle(State.STOPPED, "")

    async def _live(self) -> Link:
        """Return a link that can be asked, waiting for one while the worker starts."""
        chosen = self._crew.choose(self._link)
        if chosen is not None and (self.state is State.READY or chosen is not self._link):
            return chosen
        if self.state is State.READY and self._link is not None and not self._link.alive:
            self.state = State.STARTING  # it ended this very moment, and `_watch` has not come round to see it
            self._settled.clear()
        if self.state is not State.READY:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._settled.wait()
            except TimeoutError:
                raise Unavailable(f"{self._name} did not start in {self._timeout_s:g} s.", hint="Try again.") from None
        if self.state is not State.READY or self._link is None:
            raise Unavailable(f"{self._name} is not in service: {self.detail or self.state}.", hint=self._hint)
        return self._link

    async def _keep(self) -> None:
        """Start the worker, and again whenever it ends."""
        strikes = 0
        while not self._closing or self.users:
            try:
                link = await self._start()
            except LoadFailed as error:
                self._settle(State.FAILED, str(error))
                return
            except (WorkerLost, TimeoutError, OSError) as error:
                strikes += 1
                self.detail = (
                    "it did not start in time" if isinstance(error, TimeoutError) else "it ended while starting"
                )
            else:
                if self._closing and not self.users:
                    link.close()
                    return
                self._link, self._answered = link, False
                self._settle(State.READY, link.ready.result().note)
                await self._watch(link)
                strikes = 0 if self._answered else strikes + 1
            if self._closing and not self.users:
                return
            self.restarts += 1
            if strikes >= STRIKES:
                self._settle(State.FAILED, f"{self.detail}, {strikes} times in a row")
                return
            self._settle(State.STARTING, self.detail)
            await asyncio.sleep(min(10.0, 0.1 * 4 ** (strikes - 1)) if strikes else 0.0)

    async def _renew(self) -> None:
        try:
            await self._crew.relieve()
        except (LoadFailed, WorkerLost, TimeoutError, OSError) as error:
            logger.error("%s cannot be served by %s: %s", self._name, self.target.engine or "its own engine", error)
            return
        if self._link is not None:
            self._link.close()  # what it had been asked is asked again of the other

    async def _start(self) -> Link:
        target = self.target
        link = await self._nursery.bear(target.package, self._timeout_s + 90, target.engine, target.check)
        try:
            # Not wait_for: until Python 3.12 it may swallow a cancellation that meets a finished future.
            async with asyncio.timeout(self._timeout_s + 90):
                ready = await asyncio.shield(link.ready)
            async with asyncio.timeout(self._timeout_s):
                golden = await link.ask(ready.sample, 1)
            if golden.error:
                raise LoadFailed(f"it cannot answer its own sample: {golden.error}")
            if ready.checks:  # once is enough: further workers of it begin at once
                self.checks = tuple(Health(*one) for one in ready.checks)
                self.target = dataclasses.replace(self.target, check=None)
        except BaseException as error:
            if isinstance(error, LoadFailed) and error.checks:
                self.checks = tuple(Health(*one) for one in error.checks)
            link.close()
            raise
        return link

    async def _watch(self, link: Link) -> None:
        """Return when the worker has ended; end one that does not answer any more."""
        while link.alive:
            await asyncio.wait({link.lost}, timeout=1.0)
            if link.alive and link.silent_s > self._timeout_s and link.pid is not None:
                logger.error("%s has not answered for %g s; ending its worker", self._name, self._timeout_s)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(link.pid, signal.SIGKILL)
        self._settled.clear()
        self.state = State.STARTING
        if not self._closing:
            code = await self._nursery.farewell(link.pid) if link.pid else None
            self.detail = f"its worker (pid {link.pid}) ended{_how(code)}"
            logger.warning("%s: %s", self._name, self.detail)

    def _settle(self, state: State, detail: str) -> None:
        self.state, self.detail = state, detail
        if state is State.STARTING:
            self._settled.clear()
        else:
            self._settled.set()
        self._changed()

    @property
    def _name(self) -> str:
        return f"{self.target.model}/{self.target.version}"

    @property
    def _hint(self) -> str:
        return (
            "Deploy another version, or try again: mlops deployments start NAME" if self.state is State.FAILED else ""
        )


def _settle(future: asyncio.Future[Answer | WorkbenchError], told: Answer | WorkbenchError) -> None:
    if not future.done():  # whoever waited may be gone
        future.set_result(told)


def _how(code: int | None) -> str:
    if code is None:
        return ""
    return f" with exit code {code}" if code >= 0 else f" by {signal.Signals(-code).name}"
