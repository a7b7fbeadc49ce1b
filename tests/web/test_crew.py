"""Workers of one version: the least busy is asked, more come while requests queue and go when they do not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mlops_tui.web import crew as module
from mlops_tui.web.crew import Crew


class Worker:
    def __init__(self, pid: int, in_flight: int = 0) -> None:
        self.pid, self.in_flight, self.alive = pid, in_flight, True

    def close(self) -> None:
        self.alive = False


@pytest.fixture
async def crew(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    monkeypatch.setattr(module, "IDLE_S", 0.0)
    born: list[Worker] = []

    async def start() -> Any:
        born.append(Worker(100 + len(born), in_flight=module.QUEUE))
        return born[-1]

    found = Crew(start, 2, lambda: None)
    used = iter(range(10_000))
    monkeypatch.setattr(found, "_computed", lambda first: dict.fromkeys([1, 100, 101], float(next(used))))
    yield found
    await found.close()


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def test_the_worker_with_the_least_before_it_is_asked(crew: Crew) -> None:
    first, other = Worker(1, 2), Worker(2, 1)
    crew.extras.append(other)  # type: ignore[arg-type]
    assert crew.choose(first) is other  # type: ignore[comparison-overlap, arg-type]
    other.alive = False
    assert crew.choose(first) is first  # type: ignore[comparison-overlap, arg-type]
    first.alive = False
    assert crew.choose(first) is None  # type: ignore[arg-type]


async def test_workers_come_up_to_the_bound_while_requests_wait_and_go_afterwards(crew: Crew) -> None:
    first: Any = Worker(1, module.QUEUE)
    crew.choose(first)
    await until(lambda: len(crew.extras) == 2)
    first.in_flight = 0
    for extra in crew.extras:
        extra.in_flight = 0  # type: ignore[misc]
    await until(lambda: not crew.extras)
    await until(lambda: crew._task is None)


async def test_a_queue_before_a_worker_that_does_not_compute_brings_none(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(crew, "_computed", lambda first: looks.append(1) or {1: 5.0})
    crew.choose(Worker(1, module.QUEUE))  # type: ignore[arg-type]
    await until(lambda: len(looks) > 5)
    assert not crew.extras


async def test_a_lost_worker_is_forgotten(crew: Crew) -> None:
    await crew.relieve()
    crew.extras[0].close()
    crew.choose(Worker(1))  # type: ignore[arg-type]
    await until(lambda: not crew.extras)
