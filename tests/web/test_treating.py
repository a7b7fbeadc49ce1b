"""Requests beside routing: shadows asked after the reply, sticky keys from a header or a field, odd rows by policy."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mlops_tui.domains.serving.handling import Handling, ShadowCounts
from mlops_tui.web import shadows


def treat(door: Any, **changes: Any) -> None:
    door.handling = Handling(**changes)


async def test_a_shadow_answers_after_the_reply_and_is_compared(make_door: Any) -> None:
    door = make_door()
    treat(door, shadow=2)
    door.want(packages={2: "other"}, v1=100)
    await door.ready()
    await door.shadow_ready()
    replies = [await door.predict(x) for x in (1.0, 2.0)]
    assert [reply.headers["x-model-version"] for reply in replies] == ["1", "1"]
    await door.gateway.shadows.settle()
    assert door.gateway.shadows.take() == [ShadowCounts("churn", 2, rows=2, agreed=1, largest=0.0)]
    assert len(door.logged()) == 2


async def test_too_many_waiting_shadows_are_dropped_and_counted(
    make_door: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "MOST", 0)
    door = make_door()
    treat(door, shadow=2)
    door.want(v1=100)
    await door.ready()
    assert (await door.predict(1.0)).status == 200
    assert door.gateway.shadows.take() == [ShadowCounts("churn", 2, dropped=1)]


@pytest.mark.parametrize("route_by", ["header:x-user", "field:kind"])
async def test_a_caller_meets_the_same_version_each_time(make_door: Any, route_by: str) -> None:
    door = make_door()
    treat(door, route_by=route_by)
    door.want(v1=50, v2=50)
    await door.ready()
    met: dict[str, set[str]] = {}
    for number in range(40):
        who = f"u{number % 10}"
        reply = await door.predict(1.0, kind=who, x_user=who)
        met.setdefault(who, set()).add(reply.headers["x-model-version"])
    assert {len(versions) for versions in met.values()} == {1}
    assert set.union(*met.values()) == {"1", "2"}


@pytest.mark.parametrize(("guard", "status"), [("off", 200), ("flag", 200), ("reject", 400), ("fallback", 200)])
async def test_odd_rows_are_treated_as_the_deployment_says(make_door: Any, guard: str, status: int) -> None:
    door = make_door()
    treat(door, guard=guard, fallback=-1 if guard == "fallback" else None)
    door.want(v1=100)
    await door.ready()
    reply = await door.predict(1.0, 1000.0)
    assert reply.status == status
    if guard == "reject":
        assert "Row 1 is unlike the training data: range:x" in reply.json["message"]
        return
    assert reply.json["predictions"] == [2, -1 if guard == "fallback" else 2000]
    assert door.logged()[0].get("marks") == (None if guard == "off" else ["", "range:x"])
    exposed = (await door.ask("GET", "/metrics")).body.decode()
    assert ('mlops_marked_rows_total{deployment="churn",kind="range"} 1' in exposed) == (guard != "off")


def test_a_handling_is_a_value() -> None:
    assert dataclasses.replace(Handling(), route_by="header:X-User").header == "X-User"
