"""The repository extension: the list of versions, and deployments put into service and taken out."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_tui.core.errors import AlreadyExists
from mlops_tui.domains.serving.access import Right, Token, hash_of
from mlops_tui.domains.serving.records import Wanted
from mlops_tui.domains.serving.service import Serving
from mlops_tui.web.repository import Repository

INDEX = "/v2/repository/index"
LOAD, UNLOAD = (f"/v2/repository/models/churn/{verb}" for verb in ("load", "unload"))


class FakeLedger:
    """Carries out at once what the gateway would see in its next look at the database."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.calls: list[tuple[str, str]] = []

    async def call(self, function: Any, name: str, why: str) -> None:
        stop = function is Serving.stop
        if stop and not self.door.fleet.tables:
            raise AlreadyExists("It is stopped already.")
        self.calls.append(("stop" if stop else "start", why))
        self.door.want(wanted=Wanted.STOPPED if stop else Wanted.RUNNING, v1=100)


@pytest.fixture
async def stocked(door: Any) -> Any:
    door.ledger = FakeLedger(door)
    doorman = door.gateway.doorman
    door.gateway._repository = Repository(door.fleet, doorman, door.ledger, 2.0)
    doorman.know([Token("one", hash_of("s"), (Right.INFER,), ("other",), None, 0, "ana")])
    return door


async def test_unloaded_and_loaded_again_the_index_tells(stocked: Any) -> None:
    ready = {"name": "churn", "version": "1", "state": "READY", "reason": ""}
    assert (await stocked.ask("POST", INDEX)).json == [ready]
    for _ in range(2):  # the second time it is done already
        reply = await stocked.ask("POST", UNLOAD, {"parameters": {"unload_dependents": False}})
        assert (reply.status, reply.json) == (200, {})
    assert (await stocked.ask("POST", INDEX)).json == [{**ready, "state": "UNAVAILABLE", "reason": "stopped"}]
    assert (await stocked.ask("POST", INDEX, {"ready": True})).json == []
    assert (await stocked.ask("GET", "/v2/models/churn/ready")).status == 503
    for _ in range(2):
        assert (await stocked.ask("POST", LOAD)).status == 200
    assert (await stocked.ask("POST", INDEX, {"ready": True})).json == [ready]
    assert stocked.ledger.calls == [("stop", "asked over HTTP"), ("start", "asked over HTTP")]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v2/repository/models/nobody/load", None, 404),
        ("GET", LOAD, None, 405),
        ("GET", INDEX, None, 405),
        ("POST", "/v2/repository/models/churn/drop", None, 404),
        ("POST", "/v2/repository", None, 404),
        ("POST", INDEX, b"[", 400),
        ("POST", LOAD, {"parameters": 3}, 400),
    ],
)
async def test_what_cannot_be_is_refused(stocked: Any, method: str, path: str, body: Any, status: int) -> None:
    reply = await stocked.ask(method, path, body)
    assert reply.status == status
    assert set(reply.json) <= {"error", "hint"}
    assert stocked.ledger.calls == []


async def test_a_token_sees_its_own_and_changes_nothing_without_the_right(stocked: Any) -> None:
    headers = {"authorization": "Bearer s"}
    assert (await stocked.ask("POST", INDEX, None, headers)).json == []
    assert (await stocked.ask("POST", UNLOAD, None, headers)).status == 403
