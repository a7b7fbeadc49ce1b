"""How odd a row is: p-values that are what they say, and what each score sees."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.registry import oddness
from mlops_tui.domains.registry.oddness import Oddness


def correlated(rows, seed=0):
    """Two columns that go together and one with heavy tails."""
    draw = np.random.default_rng(seed)
    a = draw.normal(100, 10, rows)
    return pd.DataFrame({"a": a, "b": 2 * a + draw.normal(0, 2, rows), "c": draw.lognormal(0, 1.5, rows)})


@pytest.fixture(scope="module")
def known():
    return Oddness(json.loads(json.dumps(oddness.calibrate(correlated(4000)))))


@pytest.mark.parametrize("alpha", [0.002, 0.01, 0.05, 0.2])
def test_a_share_of_rows_like_the_reference_is_called_odd_that_is_no_larger_than_said(known, alpha):
    p, _ = known.judge(correlated(10_000, seed=1).to_numpy())
    assert (p <= alpha).mean() < alpha * 1.3 + 0.001


def test_a_unit_error_and_values_that_do_not_go_together_are_seen(known):
    rows = np.array([[1e6, 200.0, 1.0], [115.0, 170.0, 1.0], [100.0, 200.0, 1.0]])
    p, why = known.judge(rows)
    assert p[0] < 0.01
    assert p[1] < 0.01
    assert p[2] > 0.1
    assert why[:2] == ["a", "together"]
    assert known.neighbours(rows)[0] <= 0.02


def test_missing_and_infinite_values_stand_at_the_median(known):
    p, _ = known.judge(np.array([[np.nan, np.nan, np.nan], [np.inf, 200.0, 1.0]]))
    assert p[0] == pytest.approx(1.0)
    assert np.isfinite(p[1])
    assert known.judge(np.empty((0, 3)))[1] == []


def test_a_constant_column_is_odd_once_it_moves():
    frame = correlated(400).assign(d=5.0)
    p, why = Oddness(oddness.calibrate(frame)).judge(frame.assign(d=5.1).to_numpy())
    assert set(why) == {"d"}
    assert p.max() < 0.02


def test_what_cannot_be_scored_has_no_scores():
    assert oddness.calibrate(correlated(20)) is None
    assert oddness.calibrate(pd.DataFrame({"city": ["a"] * 100})) is None
    assert oddness.calibrate(pd.DataFrame({"x": [np.nan] * 100})) is None
    wide = pd.DataFrame(np.zeros((100, oddness.MOST_COLUMNS + 1))).add_prefix("c")
    assert oddness.calibrate(wide) is None


def test_a_profile_stays_small():
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(5000, 20))).add_prefix("column_")
    assert len(json.dumps(oddness.calibrate(wide))) < 60_000


def test_ties_do_not_make_a_p_value_too_small():
    frame = pd.DataFrame({"x": np.repeat([0.0, 1.0], 500), "y": np.tile([0.0, 1.0], 500)})
    p, _ = Oddness(oddness.calibrate(frame)).judge(frame.to_numpy())
    assert p.min() > 0.2
