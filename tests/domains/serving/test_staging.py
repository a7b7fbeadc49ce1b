"""Staging: what a version shows before it gets traffic, each check by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.domains.serving import staging
from mlops_tui.workbench import Workbench


@pytest.fixture
def checks(
    workbench: Workbench, register: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, bool]]:
    register()
    workbench.serving.deploy("churn", "churn/1")

    def checks(said: dict[str, Any], **changes: Any) -> dict[str, bool]:
        monkeypatch.setattr(staging, "_measure", lambda place: said)
        version = register(**changes)
        found = workbench.serving.treating.staging(
            workbench.serving.get("churn"), f"churn/{version}", most_ms=10, most_mb=100
        )
        return {one.check: one.ok for one in found}

    return checks


GOOD = {"rows": 5, "engine": "exact", "ms": 1.0, "mb": 20.0}


def test_a_good_version_passes_every_check(checks: Callable[..., dict[str, bool]]) -> None:
    assert checks(GOOD) == {"inputs": True, "answers": True, "latency": True, "memory": True}


def test_slow_large_or_silent_versions_are_told_apart(checks: Callable[..., dict[str, bool]]) -> None:
    assert [name for name, ok in checks({**GOOD, "ms": 11.0}).items() if not ok] == ["latency"]
    assert [name for name, ok in checks({**GOOD, "mb": 101.0}).items() if not ok] == ["memory"]
    assert checks({"error": "it cannot be unpickled"}) == {"inputs": True, "answers": False}


def test_other_inputs_than_what_serves_are_named(checks: Callable[..., dict[str, bool]]) -> None:
    assert not checks(GOOD, inputs=[{"name": "age", "type": "int64"}])["inputs"]
