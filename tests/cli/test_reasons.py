"""`mlops why` of a prediction, a replay, and the checks before any traffic, as they are printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving.checking import Checking
from mlops_tui.domains.serving.reasons.records import Near, Part, Reasons, Replayed
from mlops_tui.domains.serving.service import Serving
from mlops_tui.why import Step
from mlops_tui.workbench import Workbench

Call = Callable[..., tuple[int, str, str]]
PARTS = tuple(Part(f"x{number}", number, 20.0 - number, "t@1") for number in range(17))
NEAR = (Near(0.25, {f"x{number}": 1.5 for number in range(17)}, "yes"),)
FOUND = Reasons("the score of yes", "exact: a sum", 1.0, 205.0, -0.5, PARTS, NEAR, "the rows of t@1", 0.125)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workbench, "why", lambda self, name: [Step("prediction", name, {"score": 0.5})])
    monkeypatch.setattr(Serving, "why", lambda self, name: FOUND)


@pytest.mark.usefixtures("asked")
def test_what_each_input_added_and_the_nearest_rows_are_printed_after_where_it_came_from(mlops: Call) -> None:
    code, out, _ = mlops("why", "p1")
    assert code == 0
    assert "Of the score of yes (exact: a sum)" in out
    assert "x0" in out
    assert "+20" in out
    assert "2 more" in out
    assert "+9" in out  # what is left of 5 and 4
    assert "inputs together" in out
    assert "Nearest of the rows of t@1; rows there have their nearest at 0.12" in out
    assert "score of yes" not in mlops("why", "p1", "--quick")[1]
    document = json.loads(mlops("why", "p1", "--json")[1])
    assert document[0]["facts"]["reasons"]["parts"][0] == {"name": "x0", "value": 0, "added": 20.0, "snapshot": "t@1"}


@pytest.mark.usefixtures("asked")
def test_an_answer_without_reasons_is_still_traced(mlops: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(self: Serving, name: str) -> Any:
        raise InvalidInput("p1 was not answered: broken.")

    monkeypatch.setattr(Serving, "why", gone)
    code, out, err = mlops("why", "p1")
    assert (code, "score: 0.5" in out) == (0, True)
    assert "No reasons: p1 was not answered" in err


def test_a_replay_prints_both_answers_and_their_difference(mlops: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Replayed("p1", "m/1", 1.5, None, "m/2", 2.0, None, same=False, difference=0.5)
    monkeypatch.setattr(Serving, "replay", lambda self, name, ref: said)
    code, out, _ = mlops("deployments", "replay", "p1", "2")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["m/1", "1.5"], ["m/2", "2"], ["the", "same", "no"], ["difference", "+0.5"]
    ]  # fmt: skip


def test_a_check_that_fails_ends_with_1_and_accepting_wants_a_reason(
    mlops: Call, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Serving, "get", lambda self, name: None)
    looked = [Health("answers", True, "5 rows"), Health("metrics", False, "rmse 10 recorded, 30 served")]
    monkeypatch.setattr(Checking, "look", lambda self, found, ref, **limits: looked)
    code, out, _ = mlops("deployments", "check", "live", "m/1")
    assert (code, "rmse 10 recorded, 30 served" in out) == (1, True)
    code, _, err = mlops("deployments", "check", "live", "m/1", "--accept")
    assert (code, "--accept wants --why" in err) == (2, True)
