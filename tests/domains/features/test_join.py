"""Point-in-time joins: the whole matrix of edges, against expectations by hand and against an oracle in plain Python."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.errors import InvalidInput, NotFound

T0 = datetime(2024, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
HOUR_MS = 3_600_000


@pytest.fixture
def features(workbench):
    return workbench.features


def make(features, rows, *, name="f", created=True, **options):
    """A table `f` of (key, event time, created time, value) rows."""
    features.create(name, ["k"], time="t", created="c" if created else None, **options)
    table = [{"k": k, "t": t, "c": c, "v": v} for k, t, c, v in rows]
    if not created:
        for row in table:
            del row["c"]
    features.ingest(name, table)


def spine(*rows):
    return pd.DataFrame(
        {"k": [k for k, _ in rows], "t": pd.to_datetime([t for _, t in rows], utc=True), "i": range(len(rows))}
    )


def values(frame, column="v"):
    return [None if pd.isna(value) else value for value in frame[column]]


@pytest.mark.parametrize("mode", ["event", "known"])
def test_a_row_counts_from_its_own_moment_on(features, mode):
    make(features, [(1, T0, T0, 10)])
    joined = features.join(spine((1, T0 - US), (1, T0), (1, T0 + US)), ["f"], mode=mode)
    assert values(joined) == [None, 10, 10]


def test_the_ttl_includes_both_ends(features):
    make(features, [(1, T0, T0, 10)], ttl="1h")
    rows = spine((1, T0), (1, T0 + HOUR), (1, T0 + HOUR + US))
    assert values(features.join(rows, ["f"])) == [10, 10, None]
    assert values(features.join(rows, ["f"], ttl=2 * HOUR_MS)) == [10, 10, 10]
    assert values(features.join(rows, ["f"], mode="known")) == [10, 10, None]


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_rows_at_one_time_the_latest_created_wins_whatever_the_order(features, newest_first):
    rows = [(1, T0, T0 + HOUR, 1), (1, T0, T0 + 2 * HOUR, 2)]
    make(features, rows[::-1] if newest_first else rows)
    assert values(features.join(spine((1, T0 + 5 * HOUR)), ["f"])) == [2]


def test_of_rows_equal_in_both_times_the_last_to_arrive_wins(features):
    make(features, [(1, T0, T0, 1), (1, T0, T0, 2)])
    features.ingest("f", [{"k": 1, "t": T0, "c": T0, "v": 3}])
    assert values(features.join(spine((1, T0)), ["f"])) == [3]
    assert values(features.join(spine((1, T0)), ["f@1"])) == [2]


def test_a_missing_created_time_ranks_below_any_other_and_is_known_with_the_event(features):
    make(features, [(1, T0, T0 + HOUR, 1), (1, T0, None, 2)])
    assert values(features.join(spine((1, T0)), ["f"])) == [1]
    assert values(features.join(spine((1, T0), (1, T0 + HOUR)), ["f"], mode="known")) == [2, 1]


def test_a_missing_value_in_the_latest_row_stays_missing(features):
    make(features, [(1, T0, T0, 1), (1, T0 + HOUR, T0, None), (2, T0, T0, 5), (2, T0, T0 + HOUR, None)])
    assert values(features.join(spine((1, T0 + HOUR), (2, T0)), ["f"])) == [None, None]


def test_every_spine_row_stays_once_and_in_order(features):
    make(features, [(1, T0, T0, 10), (2, T0, T0, 20)])
    rows = spine((2, T0), (1, T0), (2, T0), (None, T0), (3, T0), (1, None), (1, T0))
    rows.index = [9, 9, 3, 4, 5, 6, 7]
    joined = features.join(rows, ["f"])
    assert list(joined["i"]) == list(range(7))
    assert list(joined.index) == [9, 9, 3, 4, 5, 6, 7]
    assert values(joined) == [20, 10, 20, None, None, None, 10]
    pd.testing.assert_frame_equal(joined[["k", "t", "i"]], rows)


def test_known_sees_late_rows_and_corrections_only_once_they_were_recorded(features):
    day = timedelta(days=1)
    make(
        features,
        [
            (1, T0, T0, 1),
            (1, T0 + day, T0 + 3 * day, 2),  # arrives two days late
            (1, T0, T0 + 4 * day, 3),  # corrects the first, when a newer event is known already
            (2, T0, T0, 4),
            (2, T0, T0 + 2 * day, 5),  # a correction
        ],
    )
    moments = [T0 + n * day for n in range(6)]
    assert values(features.join(spine(*[(1, t) for t in moments]), ["f"])) == [3, 2, 2, 2, 2, 2]
    assert values(features.join(spine(*[(1, t) for t in moments]), ["f"], mode="known")) == [1, 1, 1, 2, 2, 2]
    assert values(features.join(spine(*[(2, t) for t in moments[:4]]), ["f"], mode="known")) == [4, 4, 5, 5]


def test_a_row_recorded_before_its_event_counts_from_the_event_on(features):
    make(features, [(1, T0 + HOUR, T0, 7)])
    assert values(features.join(spine((1, T0), (1, T0 + HOUR)), ["f"], mode="known")) == [None, 7]


def test_naive_and_zoned_and_text_times_of_a_spine_mean_the_same(features):
    make(features, [(1, T0, T0, 1), (1, T0 + HOUR, T0, 2)])
    naive = pd.DataFrame({"k": [1, 1], "t": pd.to_datetime(["2024-01-01T00:30", "2024-01-01T01:30"])})
    zoned = naive.assign(t=naive["t"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    written = naive.assign(t=["2024-01-01T02:30+02:00", "2024-01-01T01:30Z"])
    for rows in (naive, zoned, written):
        assert values(features.join(rows, ["f"])) == [1, 2]
    with pytest.raises(InvalidInput, match="not a time"):
        features.join(naive.assign(t=["soon", "later"]), ["f"])


def test_several_tables_versions_columns_and_composite_keys(features):
    make(features, [(1, T0, T0, 10)])
    features.create("g", ["k", "city"], time="at")
    features.ingest(
        "g", [{"k": 1, "city": "x", "at": T0, "v": 1, "w": "one"}, {"k": 1, "city": "y", "at": T0, "v": 2, "w": "two"}]
    )
    rows = spine((1, T0), (1, T0)).assign(city=["y", "x"])
    joined = features.join(rows, ["f", "g"])
    assert list(joined.columns) == ["k", "t", "i", "city", "f__v", "g__v", "w"]
    assert (values(joined, "g__v"), values(joined, "w")) == ([2, 1], ["two", "one"])
    assert list(features.join(rows, ["g@1:w"]).columns) == ["k", "t", "i", "city", "w"]
    features.create("names", ["k"])  # no times: says the same at every moment
    features.ingest("names", [{"k": 1, "label": "old"}, {"k": 1, "label": "new"}])
    for mode in ("event", "known"):
        assert values(features.join(rows, ["names"], mode=mode), "label") == ["new", "new"]
    assert values(features.join(pd.DataFrame({"k": [1, 2]}), ["names"]), "label") == ["new", None]


def test_a_table_can_be_the_spine(features):
    make(features, [(1, T0, T0, 10)])
    features.create("labels", ["k"], time="when")
    features.ingest("labels", [{"k": 1, "when": T0 + HOUR, "y": 1}, {"k": 1, "when": T0 - HOUR, "y": 0}])
    joined = features.join("labels", ["f"])
    assert list(joined["y"]) == [0, 1]
    assert values(joined) == [None, 10]


def test_the_report_counts_what_was_found(features):
    make(features, [(1, T0, T0, 10), (2, T0 + 9 * HOUR, T0, 20)], ttl="2h")
    rows = spine((1, T0 + HOUR), (1, T0 + 3 * HOUR), (2, T0), (3, T0), (None, T0), (1, None))
    _, (report,) = features.join_with_report(rows, ["f"])
    assert (report.table, report.version, report.rows) == ("f", 1, 6)
    assert (report.matched, report.expired, report.future_only, report.missing) == (1, 1, 1, 3)
    assert report.max_age == HOUR_MS
    assert report.columns == ("v",)


def test_an_empty_spine_gives_an_empty_result_with_all_columns(features):
    make(features, [(1, T0, T0, 10)])
    joined = features.join(spine((1, T0)).iloc[:0], ["f"])
    assert (len(joined), list(joined.columns)) == (0, ["k", "t", "i", "v"])


def test_what_cannot_be_joined_says_why_and_names_the_nearest(features):
    make(features, [(1, T0, T0, 10)])
    rows = spine((1, T0))

    def refused(spine_rows, refs, kind=InvalidInput, **options):
        with pytest.raises(kind) as caught:
            features.join(spine_rows, refs, **options)
        return f"{caught.value.message} {caught.value.hint}"

    features.create("orders", ["k"])
    assert "'orders'" in refused(rows, ["order"], NotFound)
    assert "no snapshot yet" in refused(rows, ["orders"], NotFound)
    assert "no version 7" in refused(rows, ["f@7"], NotFound)
    assert "no snapshot" in refused(rows, ["f@new"])
    assert "no column 'vv'" in refused(rows, ["f:vv"])
    assert "'k'" in refused(rows.rename(columns={"k": "key"}), ["f"])
    assert "VARCHAR in the spine but BIGINT" in refused(rows.assign(k="1"), ["f"])
    assert "no time column" in refused(rows[["k"]], ["f"])
    assert "several time columns" in refused(rows.rename(columns={"t": "a"}).assign(b=T0), ["f"])
    assert "no column 'x'" in refused(rows, ["f"], time="x")
    assert "two columns" in refused(rows, ["f", "f"])
    assert "no mode" in refused(rows, ["f"], mode="future")
    assert "No feature table" in refused(rows, [])
    assert values(features.join(rows.rename(columns={"t": "a"}).assign(b=T0), ["f"], time="a")) == [10]


def oracle(rows, key, moment, mode, ttl):
    """The definition, word for word: of the rows that count, the greatest (event, created, arrival)."""
    best = None
    for seq, (k, event, created, value) in enumerate(rows):
        known = max(event, created) if created else event
        if k == key and event <= moment and (mode == "event" or known <= moment):
            rank = (event, created or datetime.min.replace(tzinfo=UTC), seq)
            if best is None or rank > best[0]:
                best = (rank, value)
    if best is None or (ttl and best[0][0] < moment - ttl):
        return None
    return best[1]


@pytest.mark.parametrize("size", [40, 400])  # DuckDB plans as-of joins of small and of large spines differently
@pytest.mark.parametrize("mode", ["event", "known"])
def test_random_tables_agree_with_the_oracle(features, mode, size):
    source = random.Random(size)
    minutes = timedelta(minutes=1)

    def moment():
        return T0 + source.randrange(60) * minutes

    rows = [
        (
            source.randrange(6),
            moment(),
            None if source.random() < 0.1 else moment(),
            None if source.random() < 0.1 else n,
        )
        for n in range(500)
    ]
    features.create("f", ["k"], time="t", created="c")
    for start in range(0, 500, 125):  # several files
        features.ingest("f", [{"k": k, "t": t, "c": c, "v": v} for k, t, c, v in rows[start : start + 125]])
    asked = [(source.randrange(8), moment()) for _ in range(size)]
    for ttl in (None, 7 * minutes):
        joined = features.join(spine(*asked), ["f"], mode=mode, ttl=int(ttl.total_seconds() * 1000) if ttl else None)
        assert values(joined) == [oracle(rows, k, t, mode, ttl) for k, t in asked]


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s"])
def test_a_spine_in_any_unit_of_time_looks_back_from_its_own_moment(features, unit):
    make(features, [(1, T0, T0, 10)])
    rows = spine((1, T0 - timedelta(seconds=1)), (1, T0))
    rows["t"] = rows["t"].astype(f"datetime64[{unit}, UTC]")
    assert values(features.join(rows, ["f"])) == [None, 10]


def test_a_nanosecond_before_an_event_is_before_it(features):
    make(features, [(1, T0, T0, 10)])
    rows = pd.DataFrame({"k": [1, 1], "t": [pd.Timestamp(T0) - pd.Timedelta(1, "ns"), pd.Timestamp(T0)]})
    assert str(rows["t"].dtype) == "datetime64[ns, UTC]"
    for mode in ("event", "known"):
        assert values(features.join(rows, ["f"], mode=mode)) == [None, 10]


def test_infinite_values_are_values_and_nan_is_missing(features):
    features.create("f", ["k"], time="t")
    numbers = [float("inf"), float("-inf"), float("nan"), 0.0]
    features.ingest("f", pd.DataFrame({"k": range(4), "t": [T0] * 4, "v": numbers}))
    joined = features.join(spine(*[(k, T0) for k in range(4)]), ["f"])
    assert values(joined) == [float("inf"), float("-inf"), None, 0.0]


def by_pandas(table, asked, mode):
    """An independent way to the same answer: ranks, running maxima and pandas' own as-of join."""
    table = table.sort_values(["t", "c"], kind="stable").reset_index(drop=True)
    table["known"] = table[["t", "c"]].max(axis=1) if mode == "known" else table["t"]
    table["rank"] = range(len(table))
    table = table.sort_values(["known", "rank"], kind="stable")
    table["best"] = table.groupby("k")["rank"].cummax()
    ranked = table.sort_values("rank")["v"].to_numpy()
    sides = table[["k", "known", "best"]].drop_duplicates(["k", "known"], keep="last")
    moments = asked.reset_index().sort_values("t", kind="stable")
    found = pd.merge_asof(moments, sides, left_on="t", right_on="known", by="k").sort_values("index")
    return [None if pd.isna(best) else ranked[int(best)] for best in found["best"]]


@pytest.mark.parametrize("keys", [4_000, 20], ids=["even", "hot"])
def test_tables_of_many_rows_agree_with_another_library_to_the_last_cell(features, keys):
    numbers = np.random.default_rng(keys)
    start = pd.Timestamp(T0).as_unit("us")

    def moments(count):
        return start + pd.to_timedelta(numbers.integers(0, 1_000_000, count), unit="s").as_unit("us")

    asked = pd.DataFrame({"k": numbers.integers(0, keys, 2_000), "t": moments(2_000)})
    tables = {}
    for name in ("f", "g"):
        table = pd.DataFrame({"k": numbers.integers(0, keys, 20_000), "t": moments(20_000)})
        table["c"] = table["t"] + pd.to_timedelta(numbers.integers(-5, 40, 20_000) * 10_000, unit="s")
        table[name] = np.arange(20_000)
        features.create(name, ["k"], time="t", created="c")
        features.ingest(name, table)
        tables[name] = table.rename(columns={name: "v"})
    for mode in ("event", "known"):
        joined = features.join(asked, ["f", "g"], mode=mode)
        for name, table in tables.items():
            assert values(joined, name) == by_pandas(table, asked, mode)
