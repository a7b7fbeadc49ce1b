"""Profiles: numbers that agree with pandas, warnings that fire and do not, comparisons of two snapshots."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features import compare, profile
from mlops_tui.domains.features.profile_records import Profile

N = 4000


def frame(shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(5)
    spend = random.lognormal(3 + shift, 1.3, N)
    return pd.DataFrame(
        {
            "id": np.arange(N) % 400,
            "at": pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(np.arange(N), unit="h"),
            "age": pd.Series(random.integers(18, 80, N)).where(random.random(N) > 0.1),
            "city": random.choice(["Berlin", "Lisbon", "Oslo"], N, p=[0.5, 0.3, 0.2]),
            "spend": spend,
            "copy": spend,
            "zero": np.where(random.random(N) < 0.9, 0.0, 1.5),
            "same": "x",
            "code": [f"c{n:05d}" for n in range(N)],
            "far": np.where(np.arange(N) < 3, np.inf, 1.0 + np.arange(N)),
            "left": spend < 6,
        }
    )


@pytest.fixture
def features(workbench):
    workbench.features.create("people", ["id"], time="at")
    workbench.features.ingest("people", frame())
    return workbench.features


def test_numbers_agree_with_pandas(features):
    found, data = features.profile("people"), frame()
    assert (found.rows, found.exact, len(found.columns)) == (N, True, 11)
    for name in ("age", "spend", "zero"):
        column, series = found.column(name), data[name]
        assert column.missing == series.isna().sum()
        assert column.mean == pytest.approx(series.mean())
        assert column.std == pytest.approx(series.std())
        assert (column.min, column.max) == (series.min(), series.max())
        assert column.zeros == (series == 0).sum()
        for share, value in column.quantiles:
            assert (series.dropna() <= value).mean() == pytest.approx(share, abs=0.02) or name == "zero"
    age = found.column("age")
    assert sum(age.counts) == data["age"].notna().sum()
    for low, high, count in zip(age.edges[1:], age.edges[2:], age.counts[1:], strict=False):
        assert count == ((data["age"] > low) & (data["age"] <= high)).sum()
    city = found.column("city")
    assert dict(city.top) == data["city"].value_counts().to_dict()
    assert (city.length_min, city.length_max) == (4, 6)
    assert found.column("left").mean == pytest.approx(data["left"].mean())
    assert found.column("at").min == "2025-01-01T00:00:00Z"
    assert (("age",), int(data["age"].isna().sum())) in found.missing_patterns


def test_whole_numbers_have_a_bar_each_when_they_are_few(features):
    features.create("hours", ["id"])
    features.ingest("hours", [{"id": n, "hr": n % 12} for n in range(120)])
    column = features.profile("hours").column("hr")
    assert (column.edges, column.counts) == (tuple(range(-1, 12)), (10,) * 12)


def test_each_warning_names_the_column_it_is_about_and_no_other(features):
    warnings = features.profile("people").warnings
    assert {(name, text.split(":")[0].split(" (")[0]) for name, text in warnings} == {
        ("copy", "duplicated"),
        ("spend", "skewed"),
        ("copy", "skewed"),
        ("zero", "many zeros"),
        ("same", "constant"),
        ("code", "unique"),
        ("far", "3 infinite values"),
    }


def test_strong_pairs_come_first(features):
    found = features.profile("people")
    assert found.correlations[0] in [("spend", "copy", 1.0), ("copy", "spend", 1.0)]
    data = frame()
    for left, right, r in found.correlations:
        values = data[[left, right]].astype(float).replace(np.inf, np.nan)
        assert r == pytest.approx(values[left].corr(values[right]), abs=1e-3)


def test_a_column_that_gives_the_target_away_is_named(features):
    told = [name for name, text in features.profile("people", target="left").warnings if "leaks" in text]
    assert told == ["spend", "copy"]
    numbers = [name for name, text in features.profile("people", target="spend").warnings if "leaks" in text]
    assert numbers == ["copy"]
    with pytest.raises(InvalidInput, match="'lef'"):
        features.profile("people", target="lef")


def test_a_rare_target_is_watched_as_well(features):
    data = frame()
    data["left"] = data["spend"] > data["spend"].quantile(0.98)
    features.ingest("people", data)
    features.ingest("people", data, mode="replace")
    told = [name for name, text in features.profile("people", target="left").warnings if "leaks" in text]
    assert told == ["spend", "copy"]


def test_a_profile_is_computed_once_and_read_back_whole(features, monkeypatch):
    first = features.profile("people")
    monkeypatch.setattr(profile, "build", None)
    assert features.profile("people") == first
    assert isinstance(features.profile("people@1", quick=True), Profile)


def test_a_quick_profile_of_a_large_table_reads_a_sample_and_is_not_kept(features, monkeypatch):
    monkeypatch.setattr(profile, "SAMPLE_ROWS", 2000)
    monkeypatch.setattr(profile, "sample", lambda source, rows, wanted=0: f"(SELECT * FROM {source} LIMIT 2048)")
    quick = features.profile("people", quick=True)
    assert (quick.exact, quick.rows, quick.sampled) == (False, N, 2048)
    assert features.profile("people").exact


def test_a_snapshot_of_missing_values_only_has_a_profile(features):
    features.create("empty", ["id"])
    features.ingest("empty", [{"id": 1, "x": None, "s": "a"}, {"id": 2, "x": None, "s": None}])
    found = features.profile("empty")
    assert found.column("x").warnings == ("empty: every value is missing",)
    assert found.column("s").warnings == ()
    assert found.missing_cells == 3


def test_a_diff_says_what_moved_and_what_did_not(features):
    moved = frame(shift=1.0).drop(columns="zero").assign(new=1)
    features.ingest("people", moved, mode="replace")
    found = features.diff("people@1", "people@2")
    assert set(found.drifted) == {"spend", "copy", "left"}
    changes = {one.column: one.change for one in found.columns if one.change}
    assert changes == {"zero": "removed", "new": "added"}
    spend = next(one for one in found.columns if one.column == "spend")
    assert spend.mean_right == pytest.approx(moved["spend"].mean())
    assert spend.ks == pytest.approx(two_sample(frame()["spend"], moved["spend"]), abs=0.02)
    assert spend.psi == pytest.approx(decile_psi(frame()["spend"], moved["spend"]), rel=0.1)
    drift = features.profile("people", since=1).column("spend").warnings
    assert any("drifted since @1" in text for text in drift)


def test_a_snapshot_does_not_differ_from_itself(features):
    found = features.diff("people@1", "people@1")
    assert found.drifted == ()
    assert {one.psi for one in found.columns if one.column != "at"} == {0.0}


def test_tables_that_are_not_the_same_are_not_compared(features):
    features.create("other", ["id"])
    features.ingest("other", [{"id": 1}])
    with pytest.raises(InvalidInput):
        features.diff("people", "other")
    with pytest.raises(NotFound):
        features.diff("people", "people@9")


def test_distances_of_counts():
    assert compare.psi([10, 10], [10, 10]) == 0
    assert compare.psi([1, 1], [0, 0]) is None
    assert compare.psi([50, 50], [90, 10]) == pytest.approx(0.4 * np.log(1.8) + -0.4 * np.log(0.2))
    assert compare.ks([5, 5, 0], [0, 5, 5]) == 0.5


def two_sample(left: pd.Series, right: pd.Series) -> float:
    values = np.sort(np.concatenate([left, right]))
    one = np.searchsorted(np.sort(left), values, side="right") / len(left)
    other = np.searchsorted(np.sort(right), values, side="right") / len(right)
    return float(np.abs(one - other).max())


def decile_psi(left: pd.Series, right: pd.Series) -> float:
    edges = [-np.inf, *left.quantile(np.arange(0.1, 1, 0.1)), np.inf]
    p = np.histogram(left, edges)[0] / len(left)
    q = np.histogram(right, edges)[0] / len(right)
    return float(((q - p) * np.log(q / p)).sum())


def test_deviation_and_skewness_keep_their_digits_far_from_nought(workbench):
    values = 1e9 + np.random.default_rng(3).lognormal(0, 1, N)
    workbench.features.create("far", ["id"])
    workbench.features.ingest("far", pd.DataFrame({"id": range(N), "value": values, "same": 1e9 + 0.5}))
    found, series = workbench.features.profile("far"), pd.Series(values)
    column = found.column("value")
    assert column.mean == pytest.approx(series.mean(), rel=1e-12)
    assert column.std == pytest.approx(series.std(), rel=1e-6)
    assert column.skew == pytest.approx(series.skew(), rel=1e-5)
    assert (found.column("same").std, found.column("same").skew) == (0.0, None)


def test_a_difference_has_the_shape_of_both_sides(workbench):
    features = workbench.features
    features.create("shape", ["k"])
    for shift in (0, 1):
        rows = [
            {"k": k, "whole": k % 3 + shift, "wide": k * 1.0 + 1000 * shift, "word": "ab"[k % 2 * (1 - shift)]}
            for k in range(300)
        ]
        features.ingest("shape", rows, mode="replace")
    found = {one.column: one for one in features.diff("shape@1", "shape@2").columns}
    assert (found["whole"].bins, found["whole"].left, found["whole"].right) == (
        (0.0, 1.0, 2.0),
        (100, 100, 100, 0),
        (0, 100, 100, 100),
    )
    assert (found["word"].bins, found["word"].left, found["word"].right) == (("a", "b"), (150, 150, 0), (300, 0, 0))
    wide = found["wide"]
    assert len(wide.left) == len(wide.bins) + 1 == 24
    assert max(wide.left) < 20  # evenly spread
    assert (sum(wide.left), wide.right[-1]) == (300, 300)
