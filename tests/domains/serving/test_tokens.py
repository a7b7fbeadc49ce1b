"""Tokens: made once, hashed at rest, worth nothing after their time, and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.clock import DAY, HOUR
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.serving.access import Right, Usage, hash_of
from mlops_tui.workbench import Workbench


def test_a_secret_is_told_once_and_only_its_hash_is_kept(workbench: Workbench) -> None:
    tokens = workbench.serving.tokens
    token, secret = tokens.create("shop", rights=["infer", "feedback"], rate=5, why="for the shop")
    assert secret.startswith("mlops_")
    assert tokens.get("shop") == token
    assert token.hash == hash_of(secret)
    workspace = workbench.context.workspace
    workbench.context.catalog.value("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret.encode() not in workspace.catalog_db.read_bytes()
    entry = workbench.audit.list(kind="token")[0]
    assert (entry.verb, entry.name, entry.why) == ("create", "shop", "for the shop")
    assert secret not in str(entry)


def test_a_token_may_what_it_was_given_where_it_was_given(workbench: Workbench, register: Callable[..., int]) -> None:
    register("churn")
    workbench.serving.deploy("churn", "churn")
    token, _ = workbench.serving.tokens.create("one", deployments=["churn"])
    assert token.may(Right.INFER, "churn")
    assert not token.may(Right.INFER, "other")
    assert not token.may(Right.FEEDBACK, "churn")
    admin, _ = workbench.serving.tokens.create("all", rights=["admin"])
    assert admin.may(Right.FEEDBACK, "other")


def test_a_token_is_over_when_its_time_is_or_when_it_is_revoked(workbench: Workbench, clock: Any) -> None:
    tokens = workbench.serving.tokens
    token, _ = tokens.create("month", expires_at=clock.now + 30 * DAY)
    assert token.state(clock.now + 30 * DAY - 1) == "active"
    assert token.state(clock.now + 30 * DAY) == "expired"
    assert tokens.revoke("month").state(clock.now) == "revoked"
    with pytest.raises(AlreadyExists):
        tokens.revoke("month")


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("a b", {}, InvalidInput),
        ("t", {"rights": ["write"]}, InvalidInput),
        ("t", {"rights": []}, InvalidInput),
        ("t", {"rate": 0}, InvalidInput),
        ("t", {"rate": float("nan")}, InvalidInput),
        ("t", {"expires_at": 5}, InvalidInput),
        ("t", {"deployments": ["nobody"]}, NotFound),
        ("known", {}, AlreadyExists),
    ],
)
def test_tokens_that_cannot_be_are_refused(
    workbench: Workbench, name: str, options: dict[str, Any], error: type[Exception]
) -> None:
    workbench.serving.tokens.create("known")
    with pytest.raises(error):
        workbench.serving.tokens.create(name, **options)
    assert [token.name for token in workbench.serving.tokens.list()] == ["known"]


def test_use_is_added_up_by_hour_token_and_deployment(workbench: Workbench, clock: Any) -> None:
    tokens = workbench.serving.tokens
    tokens.create("shop")
    hour = clock.now // HOUR * HOUR
    tokens.record_usage([Usage("shop", "churn", hour, 2, 5, 1, 0, clock.now)])
    tokens.record_usage([Usage("shop", "churn", hour, 1, 1, 0, 1, clock.now + 9)])
    tokens.record_usage([Usage("shop", "churn", hour - 5 * HOUR, 7, 7, 0, 0, 3)])
    assert tokens.usage(clock.now - HOUR // 2) == [Usage("shop", "churn", hour, 3, 6, 1, 1, clock.now + 9)]
    assert tokens.usage(0, "shop")[0].requests == 10
    with pytest.raises(NotFound):
        tokens.usage(0, "nobody")
