from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.making import Preprocess
from mlops_tui.domains.pipelines.preparing import build, codes_for, kinds

pytestmark = pytest.mark.slow

ROWS = 200
FRAME = pd.DataFrame(
    {
        "price": np.linspace(1, 9, ROWS),
        "rooms": np.arange(ROWS) % 5,
        "city": [f"city {place % 50}" for place in range(ROWS)],
        "colour": pd.Series(["red", "blue", None, "green"] * 50),
        "sold": pd.date_range("2026-01-01", periods=ROWS, freq="D", tz="UTC"),
        "note": [f"a bright flat number {place} near the park" for place in range(ROWS)],
        "one": "same",
    }
)
FRAME.loc[::10, "price"] = np.nan
TARGET = pd.Series(np.arange(ROWS) % 7)


def prepared(settings=None, *, trees=False, labelled=True, frame=FRAME):
    transformer = build(frame, trees=trees, settings=settings, labelled=labelled, continuous=True)
    return transformer, transformer.fit_transform(frame, TARGET if labelled else None)


def names(transformer):
    return list(transformer.get_feature_names_out())


def test_each_column_has_a_kind_by_what_is_in_it():
    assert kinds(FRAME, trees=False) == {
        "price": "number",
        "rooms": "level",
        "city": "many-levels",
        "colour": "level",
        "sold": "time",
        "note": "text",
        "one": "constant",
    }
    assert kinds(FRAME, trees=True)["rooms"] == "number"


def test_every_kind_becomes_numbers_without_gaps_and_says_where_they_came_from():
    transformer, values = prepared(Preprocess(text_features=5))
    assert np.isfinite(values.astype(float)).all()
    found = names(transformer)
    assert len(found) == values.shape[1]
    for name in ("price", "missingindicator_price", "colour_missing", "sold_hour", "note_bright", "city"):
        assert name in found
    assert not any(name.startswith("one") for name in found)


def test_new_levels_times_and_gaps_at_serving_are_no_error():
    transformer, values = prepared()
    strange = FRAME.head(2).assign(city="nowhere", colour="ultraviolet", note=None, rooms=99, price=np.nan, sold=pd.NaT)
    strange["sold"] = pd.to_datetime(strange["sold"], utc=True)
    assert transformer.transform(strange).shape == (2, values.shape[1])


@pytest.mark.parametrize(
    ("settings", "trees", "labelled", "codes"),
    [
        (Preprocess(), True, True, "ordinal"),
        (Preprocess(), False, True, "target"),
        (Preprocess(), False, False, "hash"),
        (Preprocess(categories="target"), False, False, "hash"),  # no target to take a mean of
        (Preprocess(categories="ordinal"), False, True, "ordinal"),
    ],
)
def test_columns_of_many_levels_are_coded_as_asked_or_as_fits_the_model(settings, trees, labelled, codes):
    assert codes_for(settings, trees=trees, labelled=labelled) == codes
    width = 32 if codes == "hash" else 1
    frame = FRAME[["city"]]
    assert prepared(settings, trees=trees, labelled=labelled, frame=frame)[1].shape == (ROWS, width)


def test_a_column_is_prepared_as_the_definition_says():
    columns = {"price": "sklearn.preprocessing.KBinsDiscretizer", "note": "drop", "rooms": "number", "city": "level"}
    frame = FRAME.assign(price=FRAME["price"].fillna(0))
    transformer = build(frame, trees=False, settings=Preprocess(columns=columns))
    assert {name: part for name, _, part in transformer.transformers}["KBinsDiscretizer"] == ["price"]
    assert not any("note" in part for _, _, part in transformer.transformers)
    with pytest.raises(InvalidInput, match="no estimator 'KBinsDiscretiser'"):
        build(frame, trees=False, settings=Preprocess(columns={"price": "sklearn.preprocessing.KBinsDiscretiser"}))


def test_texts_can_be_left_out_or_taken_for_names():
    assert kinds(FRAME, trees=False, settings=Preprocess(text="drop"))["note"] == "drop"
    assert kinds(FRAME, trees=False, settings=Preprocess(text="category"))["note"] == "many-levels"
