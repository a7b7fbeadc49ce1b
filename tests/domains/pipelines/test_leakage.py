from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_tui.domains.pipelines.leakage import found
from mlops_tui.domains.pipelines.making import Split


def frame(rows=400):
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "at": pd.date_range("2026-01-01", periods=rows, freq="h", tz="UTC"),
            "person": np.arange(rows) % 40,
            "x": generator.normal(size=rows),
            "left": generator.integers(0, 2, rows),
        }
    )


def leaks(rows, split=None, *, inputs=("x",), time=None, newest=False):
    parts = np.zeros(len(rows), dtype=int)
    parts[-100:] = 2
    if not newest:
        parts = np.random.default_rng(1).permutation(parts)
    return found(rows, parts, split or Split(by="random"), inputs=list(inputs), target="left", time=time)


def test_clean_rows_give_nothing_away():
    assert leaks(frame()) == []


def test_the_same_inputs_on_both_sides_are_counted():
    rows = frame()
    rows["x"] = rows["x"].round(1)
    (text,) = leaks(rows)
    assert "of 100 test rows have the same inputs" in text


def test_a_group_on_both_sides_is_named_where_the_split_does_not_keep_it_together():
    split = Split(by="random", group="person")
    assert "values of person are learned from and tested on" in leaks(frame(), split)[0]
    assert not any("person" in text for text in leaks(frame(), Split(by="group", group="person")))


def test_test_rows_older_than_what_is_learned_from_are_a_look_into_the_future():
    assert "of the test rows are older" in leaks(frame(), time="at")[0]
    assert leaks(frame(), time="at", newest=True) == []


def test_a_column_that_is_the_target_is_named_also_under_other_units():
    rows = frame().assign(copy=lambda rows: rows["left"], word=lambda rows: np.where(rows["left"] == 1, "yes", "no"))
    texts = leaks(rows, inputs=["x", "copy", "word"])
    assert "copy equals the target left" in texts
    assert any(text.startswith("word alone tells the target left") for text in texts)
    rows["left"] = rows["x"] * 3 + 1
    assert leaks(rows) == ["x equals the target left"]


def test_a_column_of_names_tells_nothing_although_each_has_one_label():
    rows = frame().assign(name=[f"n{place}" for place in range(400)])
    assert leaks(rows, inputs=["x", "name"]) == []
