from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.making import Range, Split, Tune
from mlops_tui.domains.pipelines.search import candidates
from mlops_tui.domains.pipelines.steps import split
from mlops_tui.domains.pipelines.steps.split import assign

FRAME = pd.DataFrame(
    {
        "at": pd.date_range("2026-01-01", periods=200, freq="h", tz="UTC").repeat(5),
        "city": [f"city {place % 40}" for place in range(1000)],
        "left": [place % 10 == 0 for place in range(1000)],
    }
)


def parts(split, frame=FRAME, time="at"):
    return assign(frame, split, target="left", time=time)


def test_by_time_the_newest_rows_are_the_test_part():
    found = parts(Split(by="time", validation=0.2, test=0.1))
    assert np.bincount(found).tolist() == [700, 200, 100]
    assert (np.diff(found) >= 0).all()


def test_rows_of_one_moment_stay_together():
    found = parts(Split(by="time", validation=0.153, test=0.123))
    assert FRAME.groupby("at")["city"].size().max() == 5
    assert pd.Series(found).groupby(FRAME["at"]).nunique().max() == 1


def test_by_group_no_group_is_in_two_parts():
    found = parts(Split(by="group", group="city", validation=0.2, test=0.2))
    assert pd.Series(found).groupby(FRAME["city"]).nunique().max() == 1
    assert set(found) == {0, 1, 2}


def test_stratified_parts_have_the_classes_in_equal_shares():
    found = parts(Split(by="stratified", validation=0.2, test=0.2))
    shares = FRAME["left"].groupby(found).mean()
    assert shares.tolist() == pytest.approx([0.1, 0.1, 0.1], abs=0.01)


def test_a_random_split_is_the_same_again_with_the_same_seed_only():
    first, again, other = (parts(Split(by="random", seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert np.bincount(first).tolist() == [700, 150, 150]


def test_a_split_by_time_needs_a_time_and_one_by_group_its_column():
    with pytest.raises(InvalidInput, match="event time"):
        parts(Split(by="time"), time=None)
    with pytest.raises(InvalidInput, match="no column 'town'"):
        parts(Split(by="group", group="town"))


def test_random_candidates_stay_in_their_range_and_do_not_repeat():
    tune = Tune(
        method="random",
        trials=20,
        space={"rate": Range(0.01, 1.0, log=True), "leaves": Range(2, 40), "how": ["a", "b"]},
    )
    drawn = list(candidates(tune, seed=0))
    assert len(drawn) == 20
    assert all(0.01 <= item["rate"] <= 1.0 and 2 <= item["leaves"] <= 40 for item in drawn)
    assert all(isinstance(item["leaves"], int) for item in drawn)
    assert drawn == list(candidates(tune, seed=0))
    assert 5 <= sum(item["rate"] < 0.1 for item in drawn) <= 15


def test_a_small_space_ends_the_search_early():
    assert len(list(candidates(Tune(method="random", trials=20, space={"how": ["a", "b"]}), seed=0))) == 2


def test_a_grid_is_every_combination():
    found = list(candidates(Tune(method="grid", space={"a": [1, 2], "b": ["x", "y"]}), seed=0))
    assert len(found) == 4
    assert {"a": 2, "b": "y"} in found


def test_rows_with_one_label_only_are_refused_before_anything_is_trained(monkeypatch):
    frame = pd.DataFrame({"x": range(40), "left": ["no"] * 38 + ["yes"] * 2})
    recipe = types.SimpleNamespace(classes=True, data=types.SimpleNamespace(target="left"), split=Split())
    work = types.SimpleNamespace(recipe=recipe, read_frame=lambda name: frame, results={"load": {"time": None}})
    monkeypatch.setattr(split, "assign", lambda *_, **__: np.repeat([0, 2], [38, 2]))
    with pytest.raises(InvalidInput, match="The 38 rows to learn from have only the label no"):
        split.run(work)
