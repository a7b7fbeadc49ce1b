"""Groups and gaps: what differs is found with its size, what does not is not made up, what is too few is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlops_tui.domains.monitoring.fairness import Declared, gaps, groups, levels_of
from mlops_tui.domains.monitoring.measures import Task
from mlops_tui.domains.monitoring.slices import weakest

BINARY, NUMBERS = Task(True, ("no", "yes")), Task(False)
DECLARED = Declared(("sex",))


def people(random: np.random.Generator, rows: int, *, apart: float = 0.0) -> pd.DataFrame:
    sex = random.choice(["f", "m"], rows)
    true = random.uniform(size=rows) < 0.5
    right = random.uniform(size=rows) < np.where(sex == "f", 0.8 - apart, 0.8)
    return pd.DataFrame(
        {
            "input.sex": sex,
            "input.age": random.normal(40, 10, rows),
            "prediction": np.where(true == right, "yes", "no"),
            "label": np.where(true, "yes", "no"),
            "score": np.nan,
        }
    )


def test_rates_of_groups_are_those_of_a_table() -> None:
    rows = people(np.random.default_rng(1), 600)
    women = rows[rows["input.sex"] == "f"]
    found = {group.level: group for group in groups(rows, BINARY, DECLARED)}
    measures = {one.name: one for one in found["f"].measures}
    said, true = women["prediction"] == "yes", women["label"] == "yes"
    assert measures["selection"].value == pytest.approx(said.mean())
    assert measures["tpr"].value == pytest.approx(said[true].mean())
    assert measures["fpr"].value == pytest.approx(said[~true].mean())
    assert measures["error"].value == pytest.approx((said != true).mean())
    assert (found["f"].rows, found["f"].labelled) == (len(women), len(women))


def test_a_planted_gap_is_found_with_its_size() -> None:
    rows = people(np.random.default_rng(2), 3000, apart=0.2)
    found = {one.measure: one for one in gaps(groups(rows, BINARY, DECLARED), 30)}
    assert found["error"].low > 0.1
    assert found["error"].low < 0.2 < found["error"].high
    assert (found["error"].lowest, found["error"].highest) == ("m", "f")
    assert found["selection"].low < 0.05


def test_groups_that_do_not_differ_have_no_sure_gap() -> None:
    random, sure, rounds = np.random.default_rng(3), 0, 30
    for _ in range(rounds):
        sure += any(
            gap.low > 0 and gap.measure == "error" for gap in gaps(groups(people(random, 400), BINARY, DECLARED), 30)
        )
    assert sure <= stats.binom.ppf(0.999, rounds, 0.05)


def test_small_groups_are_shown_and_not_compared() -> None:
    rows = people(np.random.default_rng(4), 200)
    rows.loc[:4, "input.sex"] = "x"
    rows.loc[5:9, "input.sex"] = None
    found = groups(rows, BINARY, DECLARED)
    assert {group.level for group in found} == {"f", "m", "x", "missing"}
    assert all(gap.groups == 2 for gap in gaps(found, 30))
    assert gaps([group for group in found if group.level == "f"], 30) == []


def test_without_labels_the_selection_is_compared_all_the_same() -> None:
    rows = people(np.random.default_rng(5), 400).assign(label=None)
    found = groups(rows, BINARY, DECLARED)
    assert {gap.measure for gap in gaps(found, 30)} == {"selection"}
    assert groups(rows, BINARY, Declared(("height",))) == []


def test_the_good_answer_may_be_the_other_one() -> None:
    rows = people(np.random.default_rng(6), 400)
    share = (rows["prediction"] == "no").groupby(rows["input.sex"]).mean()
    found = {group.level: group.measures[0].value for group in groups(rows, BINARY, Declared(("sex",), "no"))}
    assert found == pytest.approx(dict(share))


def test_numbers_of_people_have_mean_answers_and_errors() -> None:
    random = np.random.default_rng(7)
    rows = pd.DataFrame({"input.sex": random.choice(["f", "m"], 1000), "label": 10.0, "score": np.nan})
    rows["prediction"] = 10 + random.normal(0, np.where(rows["input.sex"] == "f", 3, 1))
    found = {one.measure: one for one in gaps(groups(rows, NUMBERS, DECLARED), 30)}
    assert found["error"].low > 1
    assert found["selection"].low == 0


def test_numbers_of_many_values_are_four_groups_with_names() -> None:
    levels = levels_of(pd.Series([*range(100), None], dtype="float64"))
    quarters = {"0 to 24.75": 25, "24.75 to 49.5": 25, "49.5 to 74.25": 25, "74.25 to 99": 25}
    assert levels.value_counts().to_dict() == quarters | {"missing": 1}
    assert set(levels_of(pd.Series([True, False, None], dtype="object"))) == {"true", "false", "missing"}


def test_a_weak_slice_is_found_and_named() -> None:
    random = np.random.default_rng(8)
    rows = people(random, 1500)
    weak = ((rows["input.sex"] == "f") & (rows["input.age"] > 45)).to_numpy()
    flip = weak & (random.uniform(size=len(rows)) < 0.5)
    rows["prediction"] = np.where(flip, np.where(rows["prediction"] == "yes", "no", "yes"), rows["prediction"])
    found = weakest(rows, BINARY, ["sex", "age"])
    assert found[0].p < 0.01
    assert "sex = f" in found[0].words
    assert "age = 4" in found[0].words
    assert found[0].low > 0


def test_slices_that_are_equally_right_are_seldom_called_weak() -> None:
    random, called, rounds = np.random.default_rng(9), 0, 20
    for _ in range(rounds):
        called += bool(weakest(people(random, 400), BINARY, ["sex", "age"]))
    assert called <= stats.binom.ppf(0.999, rounds, 0.05)


def test_declared_slices_are_shown_however_right_they_are() -> None:
    found = weakest(people(np.random.default_rng(10), 400), BINARY, ["sex", "age"], ["sex"])
    assert {one.words for one in found if one.declared} == {"sex = f", "sex = m"}
    assert weakest(people(np.random.default_rng(10), 40), BINARY, ["sex"], ["sex"]) == []
