"""Who may come in: tokens, their rights and rates, twins of headers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.settings import Serving
from mlops_tui.domains.serving.access import Right, Token, hash_of
from mlops_tui.web.asgi import Refusal, Request
from mlops_tui.web.doorman import Doorman

INFER = "/v2/models/churn/infer"
ROW = {"dataframe_records": [{"x": 1, "kind": "a"}]}
TOKEN = Token("shop", hash_of("mlops_secret"), (Right.INFER,), ("churn",), None, 0, "ana")
ADMIN = Token("boss", hash_of("mlops_boss"), (Right.ADMIN,), (), None, 0, "ana")


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
async def locked(make_door: Callable[..., Any]) -> Any:
    door = make_door(require_token=True)
    door.gateway.doorman.know([TOKEN, ADMIN])
    door.want(v1=100)
    await door.ready()
    return door


@pytest.mark.parametrize(
    ("method", "path", "secret", "status"),
    [
        ("GET", "/v2/health/ready", "", 200),
        ("GET", "/docs", "", 200),
        ("GET", "/v2/models/churn", "", 401),
        ("GET", "/v2/models/nobody", "", 401),
        ("GET", "/metrics", "", 401),
        ("GET", "/openapi.json", "", 401),
        ("POST", "/deployments/churn/invocations", "", 401),
        ("POST", "/deployments/churn/invocations", "mlops_wrong", 401),
        ("POST", "/deployments/churn/invocations", "mlops_secret", 200),
        ("POST", "/invocations", "mlops_secret", 200),
        ("POST", "/deployments/other/invocations", "mlops_secret", 403),
        ("GET", "/v2/models/churn", "mlops_secret", 200),
        ("GET", "/v2/models/other", "mlops_secret", 403),
        ("POST", "/v1/feedback", "mlops_secret", 403),
        ("GET", "/metrics", "mlops_secret", 403),
        ("GET", "/metrics", "mlops_boss", 200),
        ("GET", "/v2/models/other", "mlops_boss", 404),
    ],
)
async def test_each_place_asks_for_its_right(locked: Any, method: str, path: str, secret: str, status: int) -> None:
    body = ROW if method == "POST" else None
    reply = await locked.ask(method, path, body, bearer(secret) if secret else {})
    assert reply.status == status
    if status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")
    if status >= 400:
        assert set(reply.json) <= {"error", "hint"}


async def test_a_token_that_is_over_is_refused_even_where_none_is_needed(door: Any) -> None:
    door.gateway.doorman.know([dataclasses.replace(TOKEN, expires_at=5)])
    refused = await door.ask("POST", "/invocations", ROW, bearer("mlops_secret"))
    assert (refused.status, refused.json["error"]) == (401, "The token is expired.")
    assert (await door.ask("POST", "/invocations", ROW)).status == 200


async def test_settings_count_at_once(door: Any) -> None:
    door.gateway.configure(Serving(require_token=True, max_body_mb=1, hosts=["models.example"]))
    assert (await door.ask("POST", "/invocations", ROW)).status == 401
    assert (await door.ask("GET", "/ping", None, {"host": "models.example:443"})).status == 200


def request(headers: list[tuple[bytes, bytes]]) -> Request:
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "headers": headers}
    return Request.of(scope, None)  # type: ignore[arg-type]


def test_a_rate_is_a_bucket_that_fills_by_the_steady_clock() -> None:
    times = [0.0]
    doorman = Doorman(Serving(), clock=lambda: times[0], now=lambda: 7_200_005)
    limited = dataclasses.replace(TOKEN, rate=2.0)
    doorman.know([limited])
    for _ in range(2):
        doorman.admit(limited, Right.INFER, "churn")
    with pytest.raises(Refusal) as caught:
        doorman.admit(limited, Right.INFER, "churn")
    assert (caught.value.status, caught.value.headers["retry-after"]) == (429, "1")
    times[0] += 0.5
    doorman.admit(limited, Right.INFER, "churn")
    doorman.note(limited, "churn", rows=3, status=400)
    used = doorman.take()
    assert [(u.hour_at, u.requests, u.rows, u.errors, u.limited) for u in used] == [(7_200_000, 2, 3, 1, 1)]
    assert doorman.take() == []


@pytest.mark.parametrize("name", [b"host", b"authorization"])
def test_a_header_that_is_there_twice_is_refused(name: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        Doorman(Serving()).greet(request([(name, b"localhost"), (name, b"evil.example")]))
    assert caught.value.status == 400


def test_a_path_is_decoded_once() -> None:
    scope = {"method": "GET", "path": "/v2/models/../x", "raw_path": b"/v2/models/..%2Fx%2561", "headers": []}
    assert Request.of(scope, None).parts == ["v2", "models", "../x%61"]  # type: ignore[arg-type]


async def test_a_gateway_that_ends_tells_its_clients_to_let_go(door: Any) -> None:
    assert "connection" not in (await door.ask("GET", "/ping")).headers
    door.gateway.close()
    for path in ("/ping", "/nothing"):
        assert (await door.ask("GET", path)).headers["connection"] == "close"
