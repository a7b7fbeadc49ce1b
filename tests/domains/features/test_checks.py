"""Data checks: what each kind finds, tolerance and severity, and checks that make no sense."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.check_records import Check, Severity

DAY = 86_400_000


@pytest.fixture
def features(workbench):
    workbench.features.create("trips", ["bike"], time="at")
    rows = [
        {"bike": n, "at": "2025-10-09T08:00", "km": float(n), "kind": "x" if n < 8 else "y", "n": str(n)}
        for n in range(10)
    ]
    rows[0]["km"] = None
    rows[9]["n"] = "nine"
    workbench.features.ingest("trips", rows, types={"n": "VARCHAR"})
    return workbench.features


def one(features, **check):
    (result,) = features.check("trips", [check]).results
    return result


@pytest.mark.parametrize(
    ("check", "bad"),
    [
        ({"kind": "not_null", "column": "km"}, 1),
        ({"kind": "not_null", "column": "bike"}, 0),
        ({"kind": "unique", "columns": ["bike", "at"]}, 0),
        ({"kind": "unique", "column": "kind"}, 8),
        ({"kind": "range", "column": "km", "low": 2, "high": 8}, 2),
        ({"kind": "range", "column": "bike", "low": -1.5}, 0),
        ({"kind": "in_set", "column": "kind", "values": ["x", "it's"]}, 2),
        ({"kind": "in_set", "column": "bike", "values": range(9)}, 1),
        ({"kind": "type", "column": "n", "type": "BIGINT"}, 1),
        ({"kind": "row_count", "low": 11}, 1),
        ({"kind": "row_count", "low": 10, "high": 10}, 0),
        # the fixture's clock says 2025-10-09T08:53:20Z
        ({"kind": "freshness", "column": "at", "max_age": DAY}, 0),
        ({"kind": "freshness", "column": "at", "max_age": 1000}, 1),
    ],
)
def test_each_kind_counts_what_fails(features, check, bad):
    result = one(features, **check)
    assert (result.bad, result.ok) == (bad, bad == 0)
    assert result.detail


def test_a_tolerated_share_passes_up_to_the_share_itself(features):
    assert one(features, kind="not_null", column="km", tolerate=0.1).ok
    assert not one(features, kind="not_null", column="km", tolerate=0.09).ok


def test_the_verdict_is_fail_for_errors_and_warn_for_warnings_only(features):
    warning = Check("not_null", ("km",), severity=Severity.WARN)
    error = Check("row_count", low=99)
    assert features.check("trips", []).verdict == "pass"
    assert features.check("trips", [warning]).verdict == "warn"
    report = features.check("trips", [warning, error])
    assert (report.verdict, report.rows, len(report.failed)) == ("fail", 10, 2)


def test_the_report_stays_with_its_snapshot(features):
    assert features.last_check("trips") is None
    report = features.check("trips")
    assert report.verdict == "pass"
    assert features.last_check("trips@1") == report
    again = features.check("trips", [Check("row_count", low=99)])
    assert features.last_check("trips") == again
    features.ingest("trips", features.frame("trips"))
    assert features.last_check("trips") is None
    assert [result.check for result in features.check("trips").failed] == ["unique(bike, at)"]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"kind": "nul", "column": "km"}, "no check"),
        ({"kind": "not_null", "column": "kms"}, "no column 'kms'"),
        ({"kind": "not_null"}, "needs one column"),
        ({"kind": "not_null", "columns": ["km", "n"]}, "needs one column"),
        ({"kind": "range", "column": "km"}, "low or high"),
        ({"kind": "range", "column": "kind", "low": 1}, "not a number"),
        ({"kind": "in_set", "column": "kind"}, "values"),
        ({"kind": "type", "column": "kind", "type": "TEXT"}, "a type of"),
        ({"kind": "freshness", "column": "km", "max_age": 1}, "not a time"),
        ({"kind": "freshness", "column": "at"}, "max_age"),
        ({"kind": "row_count"}, "low or high"),
        ({"kind": "not_null", "column": "km", "tolerate": 2}, "share"),
        ({"kind": "not_null", "column": "km", "severity": "loud"}, "severity"),
        ({"kind": "not_null", "column": "km", "colour": "red"}, "colour"),
        ({"column": "km"}, "no kind"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(features, check, said):
    with pytest.raises(InvalidInput) as caught:
        features.check("trips", [check])
    assert said in f"{caught.value.message} {caught.value.hint}"
