from __future__ import annotations

import numpy as np
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.making import Range, Tune
from mlops_tui.domains.pipelines.records import Trial
from mlops_tui.domains.pipelines.search import BATCH, Search, candidates, folds

CUTS = [(np.arange(3), np.arange(3)) for _ in range(3)]


def hunt(judge, *, sign=1, prune=True, cuts=CUTS):
    return Search(judge, cuts, sign=sign, prune=prune)


def by_x(params, cut):
    return params["x"]


def waiting(count):
    return [(number, {"x": float(number)}) for number in range(count)]


def test_sobol_points_fill_a_range_more_evenly_than_chance():
    space = {"a": Range(0.0, 1.0), "b": Range(0.0, 1.0)}
    drawn = list(candidates(Tune(method="sobol", trials=16, space=space), seed=0))
    assert drawn == list(candidates(Tune(method="sobol", trials=16, space=space), seed=0))
    for name in space:  # one point in each sixteenth: what a random draw all but never gives
        assert sorted(int(item[name] * 16) for item in drawn) == list(range(16))


def test_sobol_keeps_to_lists_logarithms_and_whole_numbers():
    space = {"rate": Range(0.01, 1.0, log=True), "leaves": Range(2, 40), "how": ["a", "b"]}
    drawn = list(candidates(Tune(method="sobol", trials=12, space=space), seed=3))
    assert len(drawn) == 12
    assert all(
        0.01 <= item["rate"] <= 1 and 2 <= item["leaves"] <= 40 and isinstance(item["leaves"], int) for item in drawn
    )
    assert {item["how"] for item in drawn} == {"a", "b"}


def test_folds_by_time_judge_only_what_comes_later():
    for learned, held in folds(4, kind="time", rows=100, seed=0):
        assert learned.max() < held.min()


def test_folds_by_group_never_have_a_group_on_both_sides():
    groups = np.arange(60) % 7
    for learned, held in folds(3, kind="group", rows=60, seed=0, groups=groups):
        assert not set(groups[learned]) & set(groups[held])
    with pytest.raises(InvalidInput, match="7 groups cannot be cut into 8 folds"):
        folds(8, kind="group", rows=60, seed=0, groups=groups)


def test_stratified_folds_have_every_label_and_fall_back_where_one_is_too_rare():
    labels = np.array(["a"] * 90 + ["b"] * 10)
    assert all(
        (labels[held] == "b").sum() == 2 for _, held in folds(5, kind="stratified", rows=100, seed=0, labels=labels)
    )
    labels[:] = "a"
    labels[0] = "b"
    assert len(folds(5, kind="stratified", rows=100, seed=0, labels=labels)) == 5


def test_a_setting_below_the_median_of_the_finished_ones_is_given_up_after_its_first_fold():
    ended = {number: (state, values) for number, state, values, _ in hunt(by_x).run(waiting(12)[::-1], [], 1)}
    assert all(ended[number][0] == "done" for number in range(BATCH))  # nothing to compare with yet
    low = Search(lambda params, cut: -params["x"], CUTS, sign=1, prune=True)
    states = {number: (state, len(values)) for number, state, values, _ in low.run(waiting(12), [], 1)}
    assert states[0] == ("done", 3)
    assert states[11] == ("pruned", 1)


def test_without_pruning_every_setting_is_judged_on_every_fold():
    found = list(hunt(lambda params, cut: -params["x"], prune=False).run(waiting(12), [], 1))
    assert {(state, len(values)) for _, state, values, _ in found} == {("done", 3)}


def test_a_search_that_goes_on_after_a_kill_ends_as_if_it_had_not_been_killed():
    whole = sorted(hunt(by_x, sign=-1).run(waiting(12), [], 1))
    done = [Trial(number, state, {}, None, values) for number, state, values, _ in whole[:6]]
    rest = hunt(by_x, sign=-1).run(waiting(12)[6:], done, 1)
    assert sorted(rest) == whole[6:]


def test_several_processes_find_what_one_finds():
    judge = lambda params, cut: np.sin(params["x"])  # noqa: E731
    assert sorted(hunt(judge).run(waiting(9), [], 2)) == sorted(hunt(judge).run(waiting(9), [], 1))


def test_a_setting_that_cannot_be_fitted_fails_alone_with_its_reason():
    def judge(params, cut):
        if params["x"] == 1.0:
            raise ValueError("max_depth must\nbe positive")
        return float("nan") if params["x"] == 2.0 else 1.0

    ended = {number: (state, error) for number, state, _, error in hunt(judge).run(waiting(3), [], 1)}
    assert ended == {
        0: ("done", ""),
        1: ("failed", "max_depth must be positive"),
        2: ("failed", "no fold could be scored"),
    }


def test_each_setting_is_seeded_by_its_number():
    seeds = []
    search = Search(by_x, CUTS, sign=1, prune=False, seed=seeds.append)
    list(search.run(waiting(3), [], 1))
    assert seeds == [0, 1, 2]
