"""Every kind of check against an answer worked out by hand, failing rows, declared checks, suggestions, history."""

from __future__ import annotations

import pandas as pd
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.features import checks as engine
from mlops_tui.domains.features import declared
from mlops_tui.domains.features.check_records import Check


@pytest.fixture
def features(workbench):
    room = workbench.features
    room.create("stations", ["id"])
    room.ingest("stations", [{"id": n, "k": n} for n in range(8)])
    room.create("trips", ["bike"], time="at")
    rows = [
        {
            "bike": n,
            "at": "2025-10-09T08:00",
            "km": float(n),
            "mail": f"a{n}@b.de" if n else "nobody",
            "station": n,
            "fast": n > 7,
        }
        for n in range(10)
    ]
    room.ingest("trips", rows)
    return room


def one(features, **check):
    (result,) = features.check("trips", [check]).results
    return result


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        ({"kind": "regex", "column": "mail", "pattern": r"[a-z0-9]+@[a-z.]+"}, 1),
        ({"kind": "length", "column": "mail", "low": 7}, 1),
        ({"kind": "length", "column": "mail", "high": 6}, 9),
        ({"kind": "foreign_key", "column": "station", "to": "stations:id"}, 2),
        ({"kind": "foreign_key", "column": "station", "to": "stations@1:k"}, 2),
        ({"kind": "sql", "where": "km > 5 AND NOT fast"}, 2),
        ({"kind": "mean", "column": "km", "low": 4.5, "high": 4.5}, 0),
        ({"kind": "mean", "column": "km", "high": 4}, 1),
        ({"kind": "std", "column": "km", "low": 3.02, "high": 3.03}, 0),
        ({"kind": "quantile", "column": "km", "share": 0.5, "low": 4, "high": 5}, 0),
        ({"kind": "quantile", "column": "km", "share": 0.9, "high": 5}, 1),
        ({"kind": "row_change", "low": -0.1, "high": 0.1}, 0),
        ({"kind": "unique", "columns": ["station", "fast"]}, 0),
        ({"kind": "unique", "columns": ["at", "fast"]}, 8),
        ({"kind": "distribution", "column": "km", "against": 1}, 0),
        ({"kind": "freshness", "column": "at", "max_age": "1h"}, 0),
    ],
)
def test_each_kind_counts_what_fails(features, check, bad):
    result = one(features, **check)
    assert (result.bad, result.ok) == (bad, bad == 0)


def test_checks_of_the_same_few_columns_take_one_query_and_each_foreign_key_one_of_its_own(features, monkeypatch):
    asked = []
    monkeypatch.setattr(
        engine, "fetch", lambda connection, sql: asked.append(sql) or connection.sql(sql).to_arrow_table()
    )
    report = features.check(
        "trips",
        [
            {"kind": "foreign_key", "column": "bike", "to": "trips:bike"},
            {"kind": "foreign_key", "column": "station", "to": "trips:station"},
            {"kind": "unique", "columns": ["bike", "at"]},
            {"kind": "range", "column": "km", "low": 0},
            {"kind": "row_count", "low": 1},
        ],
    )
    assert (report.verdict, len(asked)) == ("pass", 3)
    assert sum("JOIN" in sql for sql in asked) == 2


def test_a_row_change_looks_at_the_version_before(features):
    features.ingest("trips", [{"bike": 1, "at": "2025-10-09", "km": 1.0, "mail": "x", "station": 1, "fast": True}] * 20)
    result = one(features, kind="row_change", high=1.0)
    assert (result.ok, result.detail) == (False, "+200.0% since @1")
    assert (
        features.check("trips@1", [{"kind": "row_change", "high": 0.0}]).results[0].detail == "nothing to compare with"
    )


def test_a_distribution_that_moved_fails(features):
    frame = features.frame("trips").assign(km=lambda data: data["km"] + 100)
    features.ingest("trips", frame, mode="replace")
    assert not one(features, kind="distribution", column="km", against=1).ok
    assert not one(features, kind="distribution", column="km").ok  # the version before is the yardstick
    assert one(features, kind="distribution", column="fast", against=1).ok
    assert one(features, kind="distribution", column="mail", against=1, high=99).ok


def test_an_info_that_fails_stops_nothing(features):
    report = features.check("trips", [{"kind": "row_count", "low": 99, "severity": "info"}])
    assert (report.verdict, len(report.failed)) == ("pass", 1)


@pytest.mark.parametrize(
    ("check", "stations"),
    [
        ({"kind": "foreign_key", "column": "station", "to": "stations:id"}, [8, 9]),
        ({"kind": "sql", "where": "km > 5 AND NOT fast"}, [6, 7]),
        ({"kind": "unique", "column": "fast"}, list(range(10))),
        ({"kind": "regex", "column": "mail", "pattern": ".+@.+"}, [0]),
        ({"kind": "range", "column": "km", "low": 1, "high": 8}, [0, 9]),
    ],
)
def test_rows_that_fail_can_be_looked_at(features, check, stations):
    rows = features.failing("trips", Check.from_dict(check))
    assert sorted(row["station"] for row in rows) == stations
    assert len(features.failing("trips", Check.from_dict(check), limit=1)) == 1
    sample = one(features, **check).sample
    assert len(sample) == min(len(stations), 5)
    assert set(sample[0]) == {"bike", "at", "km", "mail", "station", "fast"}


def test_the_rows_kept_with_a_report_come_back_from_the_store(features):
    report = features.check("trips", [{"kind": "range", "column": "km", "high": 8, "name": "km"}])
    assert features.last_check("trips") == report
    assert report.results[0].sample[0]["bike"] == 9
    assert report.results[0].sample[0]["at"] == "2025-10-09T08:00:00Z"


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "sql", "where": "1) OR (SELECT count(*) FROM x) > (0"},
        {"kind": "sql", "where": "nothing > 1"},
        {"kind": "regex", "column": "km", "pattern": "x"},
        {"kind": "regex", "column": "mail", "pattern": "("},
        {"kind": "quantile", "column": "km", "low": 1},
        {"kind": "quantile", "column": "km", "low": 1, "share": 2},
        {"kind": "foreign_key", "column": "station", "to": "stations"},
        {"kind": "foreign_key", "column": "station", "to": "stations:nothing"},
        {"kind": "range", "column": "km", "low": "1"},
        {"kind": "mean", "column": "mail", "low": 1},
        {"kind": "distribution", "column": "at"},
    ],
)
def test_a_check_that_makes_no_sense_is_told(features, check):
    with pytest.raises(InvalidInput):
        features.check("trips", [check])


def test_declared_checks_run_with_the_defaults_and_live_in_a_file_people_can_edit(features):
    fresh = features.add_checks("trips", ["range column=km low=0 high=5", 'sql name=slow where="km > 5 AND NOT fast"'])
    assert [check.name for check in fresh] == ["range_km", "slow"]
    path = features.checks_file("trips")
    path.write_text("# ours\n" + path.read_text())
    features.add_checks("trips", ["unique columns=bike,at severity=error"])
    assert path.read_text().startswith("# ours\n")
    report = features.check("trips")
    assert [result.name for result in report.failed] == ["range_km", "slow"]
    assert report.verdict == "fail"
    uniques = [check for check in features.checks("trips") if check.kind == "unique"]
    assert [check.severity.value for check in uniques] == ["error"]  # the declared one stands in for the default
    assert [row["bike"] for row in features.failing("trips", "slow")] == [6, 7]
    features.drop_check("trips", "slow")
    assert [result.name for result in features.check("trips").failed] == ["range_km"]


def test_what_cannot_be_declared_changes_nothing(features):
    for words in ("range column=kn low=1", "range km", 'range "km', "rnge column=km low=1"):
        with pytest.raises(InvalidInput):
            features.add_checks("trips", ["not_null column=km", words])
    assert not features.checks_file("trips").exists()
    features.add_checks("trips", ["not_null column=km name=km"])
    assert features.add_checks("trips", ["not_null column=km"]) == []  # it is there, under another name
    with pytest.raises(NotFound):
        features.drop_check("trips", "kn")
    with pytest.raises(NotFound):
        features.failing("trips", "kn")
    with pytest.raises(InvalidInput):
        features.failing("trips", "row_count")
    features.checks_file("trips").write_text("[[checks]]\nkind = 1\n[x")
    with pytest.raises(InvalidInput, match=r"trips\.toml"):
        features.check("trips")


def test_two_checks_of_one_name_are_refused(features):
    features.add_checks("trips", ["range column=km low=0 name=a"])
    with pytest.raises(AlreadyExists):
        declared.add(features.checks_file("trips"), [Check("row_count", low=1, name="a")])


def test_suggested_checks_hold_for_the_version_they_come_from_and_not_for_a_broken_one(features):
    frame = features.frame("trips")
    many = [frame.assign(bike=n, at=frame["at"] + pd.Timedelta(n, "h")) for n in range(10)]
    features.ingest("trips", pd.concat(many), mode="replace")
    suggested = features.suggest_checks("trips")
    assert {"range", "not_null", "row_change", "distribution", "mean"} <= {check.kind for check in suggested}
    assert features.check("trips", suggested).failed == ()
    assert features.add_checks("trips", suggested) == suggested
    assert features.add_checks("trips", suggested) == []
    broken = features.frame("trips").assign(km=-500.0)
    features.ingest("trips", broken, mode="replace")
    assert {"range_km", "mean_km", "distribution_km"} <= {result.name for result in features.check("trips").failed}


def test_the_history_has_a_report_for_each_version_that_was_checked(features):
    features.check("trips@1")
    features.ingest("trips", features.frame("trips"))
    features.check("trips@2")
    assert [(report.version, report.verdict) for report in features.check_history("trips")] == [
        (2, "warn"),
        (1, "pass"),
    ]
