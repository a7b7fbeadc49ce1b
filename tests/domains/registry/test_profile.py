from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.registry.profile import build_profile, count_like, describe, level_text


def test_a_numeric_column_has_100_quantile_edges_and_6_in_the_tails():
    values = pd.Series(np.random.default_rng(0).lognormal(size=20_000))
    values[:50] = np.nan
    column = describe(values)
    assert (column["kind"], column["nulls"], column["count"]) == ("numeric", 50, 19_950)
    assert len(column["edges"]) == 106
    assert len(column["counts"]) == 107
    assert sum(column["counts"]) == 19_950
    assert column["edges"][0] == column["min"]
    assert column["counts"][-1] == 0


def test_bins_are_closed_on_the_right():
    column = describe(pd.Series([1.5, 2.5, 3.5]), categorical=False)
    column["edges"] = [2.0, 3.0]
    assert count_like(pd.Series([2.0, 2.1, 3.0, 3.1, None]), column) == ([1, 2, 1], 1)


def test_infinite_values_fall_in_the_outer_bins():
    column = describe(pd.Series([*np.linspace(0.1, 0.9, 50), np.inf, -np.inf]))
    assert column["max"] == pytest.approx(0.9)
    assert column["counts"][-1] == 1
    json.dumps(column, allow_nan=False)


def test_few_whole_numbers_and_bools_are_levels():
    assert describe(pd.Series([1, 2, 3, 4] * 20))["levels"] == ["1", "2", "3", "4"]
    assert describe(pd.Series([True, False, True]))["levels"] == ["true", "false"]
    assert describe(pd.Series([1.0, 2.0, None] * 20))["levels"] == ["1", "2"]
    assert describe(pd.Series(range(100)))["kind"] == "numeric"


def test_rare_levels_and_new_levels_are_counted_as_other():
    column = describe(pd.Series([f"city {place:03d}" for place in range(60)] + ["city 000"] * 5))
    assert len(column["levels"]) == 50
    assert column["other"] == 10
    counts, nulls = count_like(pd.Series(["city 000", "never seen", None]), column)
    assert (counts[0], counts[-1], nulls) == (1, 1, 1)


def test_a_column_of_nulls_is_described():
    column = describe(pd.Series([None, None], dtype="float64"))
    assert (column["nulls"], column["count"]) == (2, 0)


def test_regression_baseline_has_mae_rmse_and_the_errors_in_row_order():
    profile = build_profile(pd.DataFrame({"x": [1.0, 2.0]}), [1.0, 4.0], [2.0, 1.0], task="regression")
    assert profile["baseline"]["mae"] == 2.0
    assert profile["baseline"]["rmse"] == pytest.approx(np.sqrt(5))
    assert profile["errors"] == [1.0, 3.0]


def test_classification_baseline_has_accuracy_and_log_loss():
    profile = build_profile(
        pd.DataFrame({"x": [1.0, 2.0]}),
        ["a", "a"],
        ["a", "b"],
        probabilities=[[0.5, 0.5], [0.75, 0.25]],
        labels=["a", "b"],
    )
    assert profile["baseline"]["accuracy"] == 0.5
    assert profile["baseline"]["log_loss"] == pytest.approx(-(np.log(0.5) + np.log(0.25)) / 2)
    assert profile["errors"] == [0.0, 1.0]
    assert profile["prediction"]["kind"] == "categorical"


def test_a_long_error_list_is_thinned_evenly():
    n = 5000
    profile = build_profile(pd.DataFrame({"x": np.arange(n)}), np.zeros(n), np.arange(n), task="regression")
    assert len(profile["errors"]) == 1000
    assert profile["errors"] == sorted(profile["errors"])
    assert profile["errors"][-1] == n - 1


def test_correlations_are_by_rank():
    x = np.linspace(0.1, 5, 300)
    profile = build_profile(pd.DataFrame({"x": x, "y": np.exp(x), "z": -x}))
    assert profile["correlations"]["matrix"][0] == [1.0, 1.0, -1.0]


def test_level_text_is_one_spelling_per_value():
    assert [level_text(value) for value in (True, np.bool_(False), 3, 3.0, np.int64(3), "x")] == [
        "true",
        "false",
        "3",
        "3",
        "3",
        "x",
    ]


def test_edges_of_a_few_rows_are_those_rows():
    described = describe(pd.Series([3.0, 1.5, 2.5, 9.0, 4.5]))
    assert described["edges"] == [1.5, 2.5, 3.0, 4.5, 9.0]
    assert described["counts"] == [1, 1, 1, 1, 1, 0]


def test_numbers_whose_squares_are_none_have_a_mean_and_a_spread():
    described = describe(pd.Series([1.5e308, 1e308, -1e308, np.inf] * 10), categorical=False)
    assert described["mean"] == pytest.approx(5e307)
    assert described["std"] == pytest.approx(1.0801e308, rel=1e-4)
    assert described["infinite"] == 10


def test_long_texts_and_lists_are_counted_and_not_listed():
    described = describe(pd.Series(["a" * 201, "a" * 201, "b", [1, 2], [1, 2], True, 1, None], dtype=object))
    assert described["levels"] == ["[1, 2]", "1", "b", "true"]
    assert (described["other"], described["nulls"], described["distinct"]) == (2, 1, 5)
