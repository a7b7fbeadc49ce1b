"""Guards: ordinary rows pass, odd ones say what is odd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.registry.profile import build_profile
from mlops_tui.domains.serving.guards import Guard, guard_of

RANDOM = np.random.default_rng(1)
AGE = RANDOM.normal(40, 10, 200)
ROWS = pd.DataFrame({"age": AGE, "pay": AGE * 100 + RANDOM.normal(0, 30, 200), "plan": ["basic", "pro"] * 100})
DESCRIBED = {
    "inputs": [
        {"name": "age", "type": "float64"},
        {"name": "pay", "type": "float64"},
        {"name": "plan", "type": "string"},
    ]
}


@pytest.fixture(scope="module")
def guard() -> Guard:
    return guard_of(DESCRIBED, ROWS, build_profile(ROWS))


@pytest.mark.parametrize(
    ("age", "pay", "plan", "said"),
    [
        (40.0, 4000.0, "pro", ""),
        (None, 4000.0, "pro", "missing:age"),
        (4000.0, 4000.0, "pro", "range:age,outlier"),
        (40.0, 4000.0, "gold", "unseen:plan"),
        (60.0, 2000.0, "pro", "outlier"),  # both are ordinary, but not together
    ],
)
def test_a_row_is_marked_by_what_is_odd_about_it(guard: Guard, age: Any, pay: Any, plan: str, said: str) -> None:
    assert guard.marks({"age": [age], "pay": [pay], "plan": [plan]}, 1) == [said]


def test_no_row_of_the_training_data_is_odd(guard: Guard) -> None:
    assert set(guard.marks({name: ROWS[name].tolist() for name in ROWS}, len(ROWS))) == {""}


def test_columns_that_had_gaps_in_training_may_have_them(guard: Guard) -> None:
    gaps = ROWS.assign(age=ROWS["age"].where(ROWS.index % 3 > 0))
    assert guard_of(DESCRIBED, gaps, build_profile(gaps)).marks(
        {"age": [None], "pay": [4000.0], "plan": ["pro"]}, 1
    ) == [""]


def test_without_a_profile_the_golden_rows_give_the_range() -> None:
    guard = guard_of(DESCRIBED, ROWS, None)
    assert guard.marks({"age": [1e6], "pay": [4000.0], "plan": ["pro"]}, 1) == ["range:age,outlier"]
