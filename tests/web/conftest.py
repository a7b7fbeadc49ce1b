"""The gateway in this process, over a fleet whose workers are fakes that need no process and no model."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.core import segments
from mlops_tui.core.settings import Serving
from mlops_tui.domains.registry.engines.formula import Formula
from mlops_tui.domains.serving.handling import Handling
from mlops_tui.domains.serving.records import Column, Deployment, Route, Signature, Target, Wanted
from mlops_tui.domains.serving.wire import Answer, Ready
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.gateway import Gateway
from mlops_tui.web.journal import Journal
from mlops_tui.web.link import LoadFailed, Then, WorkerLost
from mlops_tui.web.meter import Meter

SIGNATURE = Signature(
    "classification",
    (Column("x", "float64"), Column("kind", "string")),
    (Column("prediction", "int64"), Column("probabilities", "float64")),
    (0, 1),
)


class FakeLink:
    """A worker: doubles x. `x` of 13 is refused, of 99 fails the model, of 666 ends the worker."""

    def __init__(self, package: str, pid: int, check: Any = None) -> None:
        loop = asyncio.get_running_loop()
        self.pid = pid
        self.package = package
        self.asked: list[tuple[int, bool]] = []
        self.ready: asyncio.Future[Ready] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.silent_s = 0.0
        self.held: asyncio.Event | None = None
        self.formula: Formula | None = None
        self.answers: set[asyncio.Task[Answer]] = set()
        if package == "unloadable":
            self.ready.set_exception(LoadFailed("the file is damaged"))
        elif package == "worse" and check:
            self.ready.set_exception(
                LoadFailed("refused: 0.9 recorded, 0.7 served", [("metrics", False, "0.9 and 0.7")])
            )
        else:
            shown = [("metrics", True, "as recorded")] if check else []
            self.ready.set_result(Ready({"x": [1.0], "kind": ["a"]}, "", shown))

    @property
    def in_flight(self) -> int:
        return sum(not task.done() for task in self.answers)

    @property
    def alive(self) -> bool:
        return not self.lost.done()

    def ask(
        self, columns: dict[str, list[Any]], rows: int, *, alone: bool = False, guard: bool = False
    ) -> asyncio.Future[Answer]:
        task = asyncio.create_task(self._answer(columns, rows, alone, guard))
        self.answers.add(task)
        return task

    def send(
        self, columns: dict[str, list[Any]], rows: int, then: Then, *, alone: bool = False, guard: bool = False
    ) -> None:
        def told(task: asyncio.Task[Answer]) -> None:
            if not task.cancelled():
                then(None if task.exception() else task.result())

        self.ask(columns, rows, alone=alone, guard=guard).add_done_callback(told)

    async def _answer(self, columns: dict[str, list[Any]], rows: int, alone: bool, guard: bool) -> Answer:
        if not self.alive:
            raise WorkerLost
        self.asked.append((rows, alone))
        if self.held is not None:
            await asyncio.wait([asyncio.ensure_future(self.held.wait()), self.lost], return_when="FIRST_COMPLETED")
        if 666 in columns["x"]:
            self.close()
        if not self.alive:
            raise WorkerLost
        if 13 in columns["x"]:
            return Answer(1, error="13 is unlucky", blame="input")
        if 99 in columns["x"]:
            return Answer(1, error="broken inside", blame="model")
        marks = ["range:x" if x == 1000 else "" for x in columns["x"]]
        factor = 2 if self.package != "other" else 1
        most = 2.0**60  # no label is larger
        bounded = [max(-most, min(most, x or 0)) for x in columns["x"]]
        predicted = [int(2 * x) if x == 1 else int(factor * x) for x in bounded]
        return Answer(1, predicted, [[0.25, 0.75]] * rows, marks=marks if guard and any(marks) else [])

    def close(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


class FakeNursery:
    """Bears fake workers; `delay_s` is how long that takes, `failures` how often it goes wrong first."""

    def __init__(self) -> None:
        self.links: list[FakeLink] = []
        self.engines: list[str] = []
        self.checks: list[Any] = []
        self.delay_s = 0.0
        self.failures = 0

    async def bear(self, package: str, seconds: float, engine: str = "", check: Any = None) -> FakeLink:
        await asyncio.sleep(self.delay_s)
        if self.failures:
            self.failures -= 1
            raise WorkerLost
        self.engines.append(engine)
        self.checks.append(check)
        self.links.append(FakeLink(package, 1000 + len(self.links), check))
        return self.links[-1]

    async def farewell(self, pid: int, seconds: float = 0) -> int | None:
        return -9


@dataclasses.dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Door:
    """A gateway to talk to without a socket."""

    def __init__(self, folder: Path, settings: Serving) -> None:
        self.folder = folder
        self.nursery = FakeNursery()
        self.fleet = Fleet(self.nursery, settings.worker_timeout_s)  # type: ignore[arg-type]
        keep = settings.log_failure == "serve_unlogged"
        self.journal = Journal(folder, power=settings.durability == "power", keep_serving=keep)
        self.meter = Meter(0)
        self.gateway = Gateway(self.fleet, self.journal, self.meter, settings)
        self.handling = Handling()
        self._revision = 0

    def want(
        self,
        *,
        wanted: Wanted = Wanted.RUNNING,
        packages: dict[int, str] | None = None,
        check: Any = None,
        **weights: float,
    ) -> None:
        """Ask for the deployment `churn` with weights v1=90, v2=10; new versions have to show `check`."""
        self._revision += 1
        routes = tuple(Route(int(name[1:]), weight) for name, weight in weights.items())
        deployment = Deployment("churn", "churn", wanted, routes, {}, self._revision, 0, 0, handling=self.handling)
        targets = {
            ("churn", version): Target("churn", version, (packages or {}).get(version, "p"), SIGNATURE, check=check)
            for version in deployment.asked
        }
        self.fleet.apply([deployment], targets)

    async def ready(self) -> None:
        async with asyncio.timeout(5):
            while not self.fleet.settled():
                await asyncio.sleep(0)

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, chunk: int = 1 << 20
    ) -> Reply:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"host": "127.0.0.1:8080", **({"content-type": "application/json"} if data else {}), **(headers or {})}
        pieces = [data[start : start + chunk] for start in range(0, len(data), chunk)] or [b""]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        await self.gateway(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], found, sent[1]["body"])

    async def shadow_ready(self) -> None:
        async with asyncio.timeout(5):
            while (slot := self.fleet.shadow(self.fleet.deployments["churn"])) is None or slot.state != "ready":
                await asyncio.sleep(0)

    async def predict(self, *xs: float | None, kind: str = "a", **headers: str) -> Reply:
        body = {"dataframe_records": [{"x": x, "kind": kind} for x in xs]}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", "/deployments/churn/invocations", body, named)

    def logged(self, name: str = "predictions") -> list[dict[str, Any]]:
        return [record for path in segments.segments(self.folder, name) for record, _ in segments.read(path)]


@pytest.fixture
async def make_door(tmp_path: Path):  # type: ignore[no-untyped-def]
    doors: list[Door] = []

    def make(**settings: Any) -> Door:
        doors.append(Door(tmp_path / "segments", Serving(**{"worker_timeout_s": 2.0, **settings})))
        return doors[-1]

    yield make
    for door in doors:
        await door.fleet.close()
        await door.journal.close()


@pytest.fixture
async def door(make_door: Callable[..., Door]) -> Door:
    found = make_door()
    found.want(v1=100)
    await found.ready()
    return found
