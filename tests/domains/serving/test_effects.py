"""A/B: the effect of a version by labels or by how near its numbers are, with an interval that may be looked at while it grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.evidence import lower, upper
from mlops_tui.domains.serving.predictions import Predictions
from mlops_tui.workbench import Workbench


@pytest.fixture
def effects(workbench: Workbench, register: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def effects(task: str, rows: list[tuple[int, Any, Any]], **asked: Any) -> Any:
        for _ in range(2):
            register(task, task=task, labels=[0, 1] if task == "classification" else [])
        workbench.serving.deploy("live", f"{task}/1")
        workbench.serving.split("live", {1: 50, 2: 50})
        frame = pd.DataFrame(rows, columns=["version", "prediction", "label"])
        monkeypatch.setattr(Predictions, "labelled", lambda *_: frame)
        (found,) = workbench.serving.treating.effects(workbench.serving.get("live"), **asked)
        return found

    return effects


def test_labels_that_were_met_are_compared_whatever_type_they_came_in(effects: Callable[..., Any]) -> None:
    rows = [(1, 1, "1"), (1, 1, 0), (2, 0, 0.0), (2, 1, 1)] * 200
    found = effects("classification", rows)
    assert (found.base_rate, found.other_rate, found.decided) == (0.5, 1.0, True)
    assert 0.35 < found.low < 0.5 < found.high < 0.65
    assert found.low == lower(400, 400, 0.0125) - upper(400, 200, 0.0125)


def test_an_outcome_is_what_the_label_was(effects: Callable[..., Any]) -> None:
    found = effects("classification", [(1, 1, 0), (2, 1, 1)] * 5, outcome="1")
    assert (found.base_rate, found.other_rate, found.decided) == (0.0, 1.0, False)


def test_numbers_are_right_within_what_was_said_else_as_near_as_four_in_five_of_the_first(
    effects: Callable[..., Any],
) -> None:
    rows = [(1, 0.0, float(error)) for error in range(100)] + [(2, 0.0, 10.0)] * 100
    assert effects("regression", rows, within=9.5).other_rate == 0.0
    found = effects("regression", rows)
    assert (found.base_rate, found.other_rate) == (0.8, 1.0)


def test_how_near_is_no_question_for_labels(effects: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match="for predicted numbers"):
        effects("classification", [(1, 1, 1)], within=2.0)
