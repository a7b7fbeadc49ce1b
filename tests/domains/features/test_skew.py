"""Served vectors against the offline join: nothing to tell while both agree, and every way in which they may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlops_tui.core import segments
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features.records import Found
from mlops_tui.domains.features.served import Served

HOUR_MS = 3_600_000


@pytest.fixture
def room(workbench, clock):
    """A table online whose lookups are all logged, with an aggregate and a view."""
    features = workbench.features
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    features.create("f", ["k"], time="t", ttl="3h")
    rows = [
        {"k": k, "t": now - timedelta(hours=n), "v": k + n / 10, "n": n, "s": "ab"[k - 1]}
        for k in (1, 2)
        for n in (1, 2)
    ]
    features.ingest("f", rows)
    features.add_aggregates("f", ["sum(v) over 90m as total"])
    features.add_view("view", sql="v * factor AS x", inputs=["f:v"], request={"factor": "DOUBLE"})
    features.materialize("f")
    features.log_lookups("f", 1.0)
    return features


def ask(features):
    features.lookup("f", [{"k": 1}, {"k": 2}, {"k": 9}])
    features.lookup("f", [{"k": 1}], columns=["total", "t"])
    features.lookup("view", [{"k": 1, "factor": 2.0}, {"k": 2, "factor": None}])


def differing(report):
    return {one.column: one.differing for one in report.columns if one.differing}


def test_nothing_differs_while_both_sides_are_the_same(room, clock):
    for _ in range(5):  # the last ones are asked when the time to live is over
        ask(room)
        clock.advance(HOUR_MS)
    report = room.skew("f")
    assert (report.verdict, differing(report)) == ("pass", {})
    assert {one.column: one.compared for one in report.columns} == {"v": 25, "n": 15, "s": 15, "total": 5, "t": 5}
    view = room.skew("view")
    assert (view.verdict, view.vectors, differing(view)) == ("pass", 10, {})


def test_what_was_online_too_late_is_told_with_examples(room, clock):
    moment = datetime.fromtimestamp(clock.now / 1000, UTC)
    room.ingest("f", [{"k": 1, "t": moment, "v": 5.0, "n": 7, "s": "z"}])
    ask(room)  # it was not materialised
    report = room.skew("f")
    assert (report.verdict, differing(report)) == ("fail", {"v": 2, "n": 1, "s": 1, "total": 1, "t": 1})
    (v,) = [one for one in report.columns if one.column == "v"]
    assert (v.share, v.largest) == (2 / 5, pytest.approx(3.9))
    assert v.examples[0] == {"row": {"k": 1}, "at": clock.now, "served": 1.1, "offline": 5.0}
    assert room.skew("f", tolerate=1.0).verdict == "pass"
    assert differing(room.skew("view")) == {"x": 1}


def test_a_version_of_a_view_is_compared_with_what_it_served(room):
    ask(room)
    room.add_view("view", sql="v * factor + 1 AS x", inputs=["f:v"], request={"factor": "DOUBLE"})
    assert room.skew("view").verdict == "empty"
    room.lookup("view", [{"k": 1, "factor": 2.0}])
    assert (room.skew("view").vectors, room.skew("view").verdict) == (1, "pass")
    assert (room.skew("view@1").vectors, room.skew("view@1").verdict) == (2, "pass")
    room.log_lookups("view", 0.0)
    ask(room)
    assert room.skew("view").vectors == 1


def test_small_differences_and_old_vectors_can_be_left_out(room, clock):
    ask(room)
    since = clock.now + 1
    clock.advance(HOUR_MS)
    moment = datetime.fromtimestamp(clock.now / 1000, UTC)
    room.ingest("f", [{"k": 1, "t": moment, "v": 1.1001, "n": 1, "s": "a"}])
    room.lookup("f", [{"k": 1}], columns=["v"])
    assert room.skew("f", since=since).vectors == 1
    assert room.skew("f", since=since).verdict == "fail"
    assert room.skew("f", since=since, difference=0.001).verdict == "pass"
    assert room.skew("f", limit=1).vectors == 1


def test_pushed_rows_and_corrections_are_no_skew(room, clock):
    moment = datetime.fromtimestamp(clock.now / 1000, UTC).isoformat()
    room.push("f", [{"k": 1, "t": moment, "v": 5.0, "n": 7, "s": "z"}])
    ask(room)
    assert room.skew("f").verdict == "pass"
    room.compact("f")
    room.materialize("f")
    ask(room)
    assert room.skew("f").verdict == "pass"


def test_without_served_vectors_there_is_no_verdict(room):
    report = room.skew("f")
    assert (report.verdict, report.vectors, report.columns) == ("empty", 0, ())
    room.log_lookups("f", 0.0)
    ask(room)
    assert room.skew("f").verdict == "empty"


def test_a_running_process_sees_the_new_share(room, workbench):
    room.lookup("f", [{"k": 1}])
    workbench.features.log_lookups("f", 0.0)
    room.lookup("f", [{"k": 1}])
    assert room.skew("f").vectors == 1
    with pytest.raises(InvalidInput, match="no share"):
        room.log_lookups("f", 2)
    room.create("g", ["k"])
    with pytest.raises(NotFound, match="not online"):
        room.log_lookups("g", 0.5)
    with pytest.raises(NotFound, match="'h'"):
        room.skew("h")


def test_a_table_made_anew_is_not_compared_with_the_old_one(room):
    ask(room)
    room.remove("f")
    room.create("f", ["k"], time="t")
    room.ingest("f", [{"k": 1, "t": "2025-01-01", "v": 0.0}])
    assert room.skew("f").verdict == "empty"


def test_the_log_is_bounded_and_never_fails_a_lookup(tmp_path):
    served = Served(tmp_path, file_bytes=2_000, all_bytes=6_000)
    found = [Found({"k": 1}, {"v": "x" * 100}, "ok", 0)] * 30
    for at in range(40):
        served.add("f", 1, at, ["v"], found)
    files = segments.segments(tmp_path)
    assert sum(path.stat().st_size for path in files) < 12_000
    kept = {one["at"]: len(one["rows"]) for one in served.read("f", 1, 0)}
    assert (max(kept), kept[max(kept)]) == (39, 20)
    served.add("f", 1, 40, ["v"], [Found({"k": object()}, {"v": 1}, "ok", 0)])
    served.close()
    blocked = tmp_path / "file"
    blocked.write_text("")
    Served(blocked / "below").add("f", 1, 0, ["v"], found)
