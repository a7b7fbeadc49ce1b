"""Aggregates by window: what counts at which moment, against a brute-force oracle, and online the same as offline."""

from __future__ import annotations

import math
import random
import statistics
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.features.derived_records import Aggregate, parse_aggregate

T0 = datetime(2025, 1, 1, tzinfo=UTC)
US, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
ALL = ["sum(v)", "count(v)", "count(*)", "mean(v)", "min(v)", "max(v)", "last(v)", "distinct(v)"]


@pytest.fixture
def features(workbench):
    return workbench.features


def make(features, rows, *, created=True, **options):
    """A table `f` of (key, event time, created time, value) rows."""
    features.create("f", ["k"], time="t", created="c" if created else None, **options)
    features.ingest("f", [{"k": k, "t": t, "v": v} | ({"c": c} if created else {}) for k, t, c, v in rows])


def spine(*rows):
    return pd.DataFrame({"k": [k for k, _ in rows], "t": pd.to_datetime([t for _, t in rows], utc=True)})


def values(frame, column):
    return [None if pd.isna(value) else value for value in frame[column]]


def declare(features, window="7d", functions=ALL, **options):
    return [one.name for one in features.add_aggregates("f", [f"{f} over {window}" for f in functions], **options)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sum(amount) over 7d", Aggregate("sum_amount_7d", "sum", "amount", 7 * 86_400_000)),
        (" AVG( amount ) OVER 90m ", Aggregate("mean_amount_90m", "mean", "amount", 90 * 60_000)),
        ("count(*) over 1h", Aggregate("count_1h", "count", "", 3_600_000)),
        ('distinct("a b") over 24h', Aggregate("distinct_a_b_1d", "distinct", "a b", 86_400_000)),
    ],
)
def test_an_aggregate_is_read_as_people_write_it(words, expected):
    assert parse_aggregate(words) == expected


@pytest.mark.parametrize(
    "words", ["sum(v)", "sum v over 7d", "median(v) over 7d", "sum(*) over 7d", "sum(v) over 7 days", "sum(v) over 0d"]
)
def test_what_is_no_aggregate_is_refused(words):
    with pytest.raises(InvalidInput) as caught:
        parse_aggregate(words)
    assert caught.value.hint


@pytest.mark.parametrize("mode", ["event", "known"])
def test_a_row_counts_from_its_moment_until_a_window_later(features, mode):
    make(features, [(1, T0, T0, 10.0)])
    features.add_aggregates("f", ["sum(v) over 1h as s", "count(*) over 1h as n", "last(v) over 1h as l"])
    rows = spine((1, T0 - US), (1, T0), (1, T0 + HOUR - US), (1, T0 + HOUR))
    joined = features.join(rows, ["f:s,n,l"], mode=mode)
    assert values(joined, "s") == [None, 10, 10, None]
    assert values(joined, "n") == [0, 1, 1, 0]
    assert values(joined, "l") == [None, 10, 10, None]


def test_windows_side_by_side_count_every_row_once(features):
    make(features, [(1, T0 + n * HOUR, T0, 1.0) for n in range(48)])
    features.add_aggregates("f", ["count(*) over 6h as n"])
    joined = features.join(spine(*[(1, T0 + HOUR * 6 * n) for n in range(9)]), ["f:n"])
    assert sum(joined["n"]) == 48


@pytest.mark.parametrize("mode", ["event", "known"])
def test_rows_without_key_or_time_and_unseen_keys_stay(features, mode):
    make(features, [(1, T0, T0, 10.0)])
    features.add_aggregates("f", ["sum(v) over 1h as s", "count(v) over 1h as n"])
    rows = pd.DataFrame({"k": [1, None, 1, 9, 1], "t": [T0, T0, None, T0, T0], "i": range(5)}, index=[3, 3, 1, 0, 9])
    joined = features.join(rows, ["f:n,v,s"], mode=mode)
    assert list(joined.columns) == ["k", "t", "i", "n", "v", "s"]
    assert list(joined.index) == [3, 3, 1, 0, 9]
    assert values(joined, "n") == [1, None, None, 0, 1]
    assert values(joined, "s") == [10, None, None, None, 10]


def test_a_late_row_counts_in_known_mode_only_once_it_was_recorded(features):
    make(features, [(1, T0, T0, 1.0), (1, T0 + DAY, T0 + 3 * DAY, 2.0)])
    features.add_aggregates("f", ["sum(v) over 7d as s"])
    rows = spine(*[(1, T0 + n * DAY) for n in (0, 1, 2, 3, 7, 8)])
    assert values(features.join(rows, ["f:s"]), "s") == [1, 3, 3, 3, 2, None]
    assert values(features.join(rows, ["f:s"], mode="known"), "s") == [1, 1, 1, 3, 2, None]


def test_rows_at_one_time_all_count_unless_they_correct_each_other(features):
    make(features, [(1, T0, T0, 5.0), (1, T0, T0 + 2 * HOUR, 7.0), (1, T0 + HOUR, T0 + HOUR, 1.0)])
    features.add_aggregates("f", ["sum(v) over 7d as every"])
    features.add_aggregates("f", ["sum(v) over 7d as latest", "last(v) over 1h as l"], corrected=True)
    rows = spine((1, T0), (1, T0 + HOUR), (1, T0 + 2 * HOUR))
    assert values(features.join(rows, ["f:every"]), "every") == [12, 13, 13]
    joined = features.join(rows, ["f:latest,l"])
    assert (values(joined, "latest"), values(joined, "l")) == ([7, 8, 8], [7, 1, None])
    assert values(features.join(rows, ["f:every,latest"], mode="known"), "latest") == [5, 6, 8]
    assert values(features.join(rows, ["f:every,latest"], mode="known"), "every") == [5, 6, 13]


def oracle(rows, key, moment, window, mode, corrected):
    """The definition, word for word: the values that count, the newest last."""
    known = [r for r in rows if r[0] == key and r[1] <= moment and (mode == "event" or max(r[1], r[2]) <= moment)]
    known = sorted((r for r in known if r[1] > moment - window), key=lambda r: (r[1], r[2], r[4]))
    if corrected:
        known = list({r[1]: r for r in known}.values())
    found = [r[3] for r in known]
    there = [value for value in found if value is not None]
    return {
        "sum(v)": math.fsum(there) if there else None,
        "count(v)": len(there),
        "count(*)": len(found),
        "mean(v)": statistics.fmean(there) if there else None,
        "min(v)": min(there, default=None),
        "max(v)": max(there, default=None),
        "last(v)": found[-1] if found else None,
        "distinct(v)": len(set(there)),
    }


def same(found, wanted):
    return found == wanted or (None not in (found, wanted) and math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9))


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("mode", ["event", "known"])
def test_every_cell_is_what_the_definition_says(features, mode, corrected):
    draw = random.Random(7)
    rows = [
        (
            draw.randrange(4),
            (event := T0 + draw.randrange(200) * HOUR),
            event + draw.choice([-2, 0, 0, 1, 30]) * HOUR,
            draw.choice([None, 1.5, 2.5, draw.random()]),
            place,
        )
        for place in range(300)
    ]
    make(features, [row[:4] for row in rows])
    windows = {"9h": 9 * HOUR, "3d": 3 * DAY}
    names = {window: declare(features, window, corrected=corrected) for window in windows}
    points = [(draw.randrange(5), T0 + draw.randrange(-10, 260) * HOUR) for _ in range(120)]
    joined = features.join(spine(*points), [f"f:{','.join(names['9h'] + names['3d'])}"], mode=mode)
    for window, length in windows.items():
        for place, (key, moment) in enumerate(points):
            wanted = oracle(rows, key, moment, length, mode, corrected)
            for function, name in zip(ALL, names[window], strict=True):
                found = joined[name].iloc[place]
                found = None if pd.isna(found) else found
                assert same(found, wanted[function]), (key, moment, window, function)


def test_texts_times_and_whole_numbers_keep_their_types(features):
    features.create("f", ["k"], time="t")
    rows = [{"k": 1, "t": T0 + n * HOUR, "name": "ab"[n], "n": 2**53 + n, "at": T0 + n * DAY} for n in range(2)]
    features.ingest("f", rows)
    features.add_aggregates("f", ["max(name) over 1d as a", "max(n) over 1d as b", "min(at) over 1d as c"])
    joined = features.join(spine((1, T0 + HOUR)), ["f:a,b,c"])
    assert joined.iloc[0][["a", "b"]].tolist() == ["b", 2**53 + 1]
    assert joined["c"].iloc[0] == pd.Timestamp(T0)


def test_what_cannot_be_declared_says_why(features):
    make(features, [(1, T0, T0, 10.0)])
    features.create("still", ["k"])
    features.ingest("still", [{"k": 1, "name": "x"}])

    def refused(table, expression, kind=InvalidInput):
        with pytest.raises(kind) as caught:
            features.add_aggregates(table, ["count(*) over 1h as fine", expression])
        assert features.aggregates("f") == []
        return f"{caught.value.message} {caught.value.hint}"

    assert "no column 'w'" in refused("f", "sum(w) over 1d")
    assert "needs numbers" in refused("f", "sum(t) over 1d")
    assert "no event time" in refused("still", "count(*) over 1d")
    assert "a column 'v'" in refused("f", "sum(v) over 1d as v", AlreadyExists)
    assert "an aggregate 'fine'" in refused("f", "sum(v) over 1d as fine", AlreadyExists)
    features.add_aggregates("f", ["sum(v) over 1d as s"])
    with pytest.raises(InvalidInput, match="no column 'ss'") as caught:
        features.join(spine((1, T0)), ["f:ss"])
    assert "'s'" in caught.value.hint
    with pytest.raises(NotFound):
        features.remove_aggregate("f", "t")
    features.remove_aggregate("f", "s")
    assert features.aggregates("f") == []


def test_an_aggregate_of_a_column_that_went_says_so(features):
    make(features, [(1, T0, T0, 10.0)], created=False)
    features.add_aggregates("f", ["sum(v) over 1d as s"])
    features.ingest("f", [{"k": 1, "t": T0, "s": 1.0}], mode="replace")
    with pytest.raises(InvalidInput, match="lacks 'v'"):
        features.join(spine((1, T0)), ["f:s"])


# -- online ------------------------------------------------------------------------------------------------------------


def online(features, key, *names):
    (found,) = features.lookup("f", [{"k": key}], columns=list(names))
    return tuple(found.values[name] for name in names)


def agree(features, clock, names, keys):
    """Online now and the offline join at this moment say the same of every key, before and after pushes reach the lake."""
    served = features.lookup("f", [{"k": key} for key in keys], columns=names)
    features.flush("f")
    assert [one.values for one in features.lookup("f", [{"k": key} for key in keys], columns=names)] == [
        one.values for one in served
    ]
    moment = pd.to_datetime([clock.now] * len(keys), unit="ms", utc=True)
    joined = features.join(pd.DataFrame({"k": keys, "t": moment}), [f"f:{','.join(names)}"])
    for place, one in enumerate(served):
        for name in names:
            offline = joined[name].iloc[place]
            assert same(one.values[name], None if pd.isna(offline) else offline), (keys[place], name)


def test_lookups_answer_aggregates_at_the_moment_of_asking(features, clock):
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    make(features, [(1, now - HOUR, now - HOUR, 10.0), (1, now - 2 * HOUR, now, 5.0), (1, now + HOUR, now, 99.0)])
    features.add_aggregates("f", ["sum(v) over 2h as s", "count(*) over 90m as n", "last(v) over 7d as l"])
    features.materialize("f")
    assert online(features, 1, "s", "n", "l") == (10.0, 1, 10.0)
    assert online(features, 2, "s", "n", "l") == (None, 0, None)
    clock.advance(30 * 60_000)
    assert online(features, 1, "n") == (0,)
    clock.advance(30 * 60_000)
    assert online(features, 1, "s", "v", "l") == (99.0, 99.0, 99.0)
    assert "s" not in features.lookup("f", [{"k": 1}])[0].values


def test_a_push_counts_at_once_and_never_twice(features, clock):
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    make(features, [(1, now - HOUR, now - HOUR, 10.0)])
    features.add_aggregates("f", ["sum(v) over 1d as s", "count(*) over 1d as n"])
    features.materialize("f")
    features.push("f", [{"k": 1, "t": now.isoformat(), "v": 1.0}, {"k": 1, "t": now.isoformat(), "v": 1.0}])
    assert online(features, 1, "s", "n") == (12.0, 3)
    features.flush("f")
    assert online(features, 1, "s", "n") == (12.0, 3)
    for step in (features.materialize, features.compact, features.materialize):
        step("f")
        assert online(features, 1, "s", "n") == (12.0, 3)
    features.push("f", [{"k": 1, "t": now.isoformat(), "v": 1.0}])
    features.materialize("f", full=True)
    assert online(features, 1, "s", "n") == (13.0, 4)


def test_a_push_that_another_process_is_taking_in_counts_once(features, clock, monkeypatch):
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    make(features, [(1, now - HOUR, now - HOUR, 10.0)])
    features.add_aggregates("f", ["count(*) over 1d as n"])
    features.materialize("f")
    features.push("f", [{"k": 1, "t": now.isoformat(), "v": 1.0}])
    table = features.get("f")
    (batch,) = features._online.claim(table, "push:other")
    features._take_in(
        table, features._online.pushed(table, batch), batch
    )  # and it is killed before it forgets the batch
    monkeypatch.setattr(features, "_flush", lambda table: 0)
    features.materialize("f")
    assert online(features, 1, "n") == (2,)
    features.materialize("f", full=True)
    assert online(features, 1, "n") == (2,)


def test_declaring_and_forgetting_takes_effect_with_the_next_materialisation(features, clock):
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    make(features, [(1, now - n * HOUR, now, float(n)) for n in range(4)])
    features.materialize("f")
    features.add_aggregates("f", ["sum(v) over 90m as s"])
    with pytest.raises(InvalidInput, match="no column 's' online") as caught:
        online(features, 1, "s")
    assert "materialize f" in caught.value.hint
    features.materialize("f")
    assert online(features, 1, "s") == (1.0,)
    features.remove_aggregate("f", "s")
    features.add_aggregates("f", ["sum(v) over 9h as s"])  # the same name means something else now
    features.materialize("f")
    assert online(features, 1, "s") == (6.0,)
    features.remove_aggregate("f", "s")
    features.materialize("f")
    with pytest.raises(InvalidInput):
        online(features, 1, "s")
    features.remove("f")
    assert features._online.db.value("SELECT count(*) FROM sqlite_master WHERE name LIKE 'window_%'") == 0


def test_online_says_what_the_offline_join_says_whatever_happened(features, clock):
    draw = random.Random(1)
    keys = [1, 2, 3, 4]

    def rows(count):
        now = datetime.fromtimestamp(clock.now / 1000, UTC)
        for _ in range(count):
            event = now - draw.randrange(-2, 60) * HOUR
            value = draw.choice([None, 1.0, 2.5, draw.random()])
            yield {"k": draw.choice(keys[:3]), "t": event, "c": event + draw.choice([0, 5]) * HOUR, "v": value}

    features.create("f", ["k"], time="t", created="c")
    features.ingest("f", list(rows(40)))
    names = declare(features, "12h") + declare(features, "2d", ["sum(v)", "last(v)", "count(*)"], corrected=True)
    features.materialize("f")
    steps = {
        "ingest": lambda: features.ingest("f", list(rows(6))) and features.materialize("f"),
        "push": lambda: features.push("f", [r | {"t": r["t"].isoformat(), "c": r["c"].isoformat()} for r in rows(3)]),
        "flush": lambda: features.flush("f"),
        "compact": lambda: features.compact("f") and features.materialize("f"),
        "replace": lambda: features.ingest("f", list(rows(20)), mode="replace") and features.materialize("f"),
        "restore": lambda: features.restore("f@1") and features.materialize("f"),
        "wait": lambda: clock.advance(draw.randrange(1, 20) * 3_600_000),
    }
    order = ["push", "ingest", "wait", "push", "compact", "push", "replace", "restore", "wait", "flush"]
    for step in order:
        steps[step]()
        agree(features, clock, names, keys)
        if step == "flush":
            features.materialize("f")
