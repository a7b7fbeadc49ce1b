"""Swaps, crashes and failures of workers, with fake workers: no request notices what it need not."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.domains.serving.records import State, Wanted
from mlops_tui.web import slot as slots


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off between restarts takes no time."""
    sleep = asyncio.sleep

    async def short(seconds: float) -> None:
        await sleep(min(seconds, 0.001))

    monkeypatch.setattr(slots.asyncio, "sleep", short)


def state(door: Any) -> State:
    found: State = door.fleet.routes()[0].state
    return found


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.001)


async def test_the_old_version_answers_until_the_new_one_is_warm(door: Any) -> None:
    door.nursery.delay_s = 0.05
    door.want(v2=100)
    assert (await door.predict(1)).headers["x-model-version"] == "1"
    assert state(door) is State.STARTING
    await door.ready()
    assert (await door.predict(1)).headers["x-model-version"] == "2"
    await until(lambda: not door.nursery.links[0].alive)


async def test_a_version_shows_what_it_has_to_before_it_answers_and_once_only(door: Any) -> None:
    door.want(v2=100, check={"most_ms": 1})
    await door.ready()
    assert door.nursery.checks[-1] == {"most_ms": 1}
    assert [one.detail for one in door.fleet.workers()[-1].checks] == ["as recorded"]
    door.nursery.links[-1].close()
    await door.predict(1)
    assert door.nursery.checks[-1] is None


async def test_a_version_that_is_refused_gets_no_traffic_and_the_old_one_goes_on(door: Any) -> None:
    door.want(v2=100, packages={2: "worse"}, check={"most_ms": 1})
    await until(lambda: state(door) is State.DEGRADED)
    (route,) = door.fleet.routes()
    assert route.detail == "version 2: refused: 0.9 recorded, 0.7 served; version 1 still answers"
    assert [one.ok for worker in door.fleet.workers() for one in worker.checks] == [False]
    assert (await door.predict(1)).headers["x-model-version"] == "1"


async def test_a_request_under_way_during_a_swap_is_answered_by_the_version_it_met(door: Any) -> None:
    old = door.nursery.links[0]
    old.held = asyncio.Event()
    waiting = asyncio.create_task(door.predict(1))
    await until(lambda: len(old.asked) == 2)
    door.want(v2=100)
    await door.ready()
    assert old.alive
    old.held.set()
    reply = await waiting
    assert (reply.status, reply.headers["x-model-version"]) == (200, "1")
    await until(lambda: not old.alive)


async def test_requests_of_a_worker_that_dies_are_answered_by_the_next(door: Any) -> None:
    link = door.nursery.links[0]
    link.held = asyncio.Event()
    waiting = [asyncio.create_task(door.predict(x)) for x in range(1, 6)]
    await until(lambda: len(link.asked) == 6)
    link.close()
    replies = await asyncio.gather(*waiting)
    assert [(reply.status, reply.json["predictions"]) for reply in replies] == [(200, [2 * x]) for x in range(1, 6)]
    assert all(alone for _, alone in door.nursery.links[1].asked[1:])
    assert door.fleet.workers()[0].restarts == 1


async def test_a_request_that_ends_workers_is_given_up_and_its_neighbours_are_not(door: Any) -> None:
    replies = await asyncio.gather(door.predict(1), door.predict(666), door.predict(2))
    assert [reply.status for reply in replies] == [200, 500, 200]
    assert "ended 3 times" in replies[1].json["error"]
    await door.ready()
    assert (await door.predict(1)).status == 200


async def test_a_version_that_keeps_dying_is_given_up_with_its_reason(door: Any) -> None:
    for _ in range(slots.STRIKES):
        await until(lambda: state(door) is not State.STARTING and door.nursery.links[-1].alive)
        door.nursery.links[-1].close()
        await asyncio.sleep(0.002)
    await until(lambda: state(door) is State.FAILED)
    assert "5 times in a row" in door.fleet.routes()[0].detail
    assert "SIGKILL" in door.fleet.routes()[0].detail
    reply = await door.predict(1)
    assert reply.status == 503
    assert "SIGKILL" in reply.json["error"]
    door.want(v1=100)  # started again by a person
    await door.ready()
    assert (await door.predict(1)).status == 200


async def test_a_version_that_serves_between_deaths_is_not_given_up(door: Any) -> None:
    for _ in range(slots.STRIKES + 2):
        assert (await door.predict(1)).status == 200
        door.nursery.links[-1].close()
    assert (await door.predict(1)).status == 200


async def test_a_new_version_that_cannot_be_loaded_leaves_the_old_one_answering(door: Any) -> None:
    door.want(packages={2: "unloadable"}, v2=100)
    await until(lambda: state(door) is State.DEGRADED)
    assert door.fleet.routes()[0].detail == "version 2: the file is damaged; version 1 still answers"
    assert (await door.predict(1)).headers["x-model-version"] == "1"


async def test_a_first_version_that_cannot_be_loaded_is_failed(make_door: Callable[..., Any]) -> None:
    door = make_door()
    door.want(packages={1: "unloadable"}, v1=100)
    await until(lambda: state(door) is State.FAILED)
    reply = await door.predict(1)
    assert (reply.status, "the file is damaged" in reply.json["error"]) == (503, True)


async def test_of_two_versions_the_one_that_works_takes_all_when_nothing_ran_before(
    make_door: Callable[..., Any],
) -> None:
    door = make_door()
    door.want(packages={2: "unloadable"}, v1=50, v2=50)
    await until(lambda: state(door) is State.DEGRADED)
    assert {(await door.predict(1)).headers["x-model-version"] for _ in range(4)} == {"1"}


async def test_a_worker_that_does_not_come_up_at_once_is_tried_again(make_door: Callable[..., Any]) -> None:
    door = make_door()
    door.nursery.failures = 2
    door.want(v1=100)
    await door.ready()
    assert (await door.predict(1)).status == 200


async def test_a_worker_that_hangs_is_ended(make_door: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    door = make_door(worker_timeout_s=0.05)
    door.want(v1=100)
    await door.ready()
    link = door.nursery.links[0]
    killed: list[int] = []
    monkeypatch.setattr(slots.os, "kill", lambda pid, number: (killed.append(pid), link.close()))
    link.silent_s = 1.0
    await until(lambda: not link.alive)
    assert killed == [link.pid]


async def test_stopping_ends_workers_and_removing_forgets_the_name(door: Any) -> None:
    door.want(wanted=Wanted.STOPPED, v1=100)
    await until(lambda: not door.nursery.links[0].alive)
    door.fleet.apply([], {})
    assert (await door.predict(1)).status == 404


async def test_too_many_waiting_requests_are_turned_away(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "MAX_WAITING", 2)
    door.nursery.links[0].held = asyncio.Event()
    waiting = [asyncio.create_task(door.predict(1)) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert (await door.predict(1)).status == 503
    door.nursery.links[0].held.set()
    assert [reply.status for reply in await asyncio.gather(*waiting)] == [200, 200]


async def test_another_engine_is_served_without_a_request_noticing(door: Any) -> None:
    first = door.nursery.links[0]
    target = dataclasses.replace(next(iter(door.fleet.tables["churn"].slots.values())).target, engine="frame")
    door.fleet.apply(door.fleet.deployments.values(), {("churn", 1): target})
    async with asyncio.timeout(5):
        while first.alive or len(door.nursery.links) < 3:
            assert (await door.predict(1.0)).status == 200
    assert door.nursery.engines == ["", "frame", "frame"]
