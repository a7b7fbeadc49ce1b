"""Transformations: registered by version, run into tables, worked out on demand the same offline and online."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound

CODE = """
from dataclasses import dataclass


@dataclass
class Settings:
    factor: "float" = 2.0


def daily(hourly):
    return hourly.groupby(["city", hourly["t"].dt.floor("D").rename("day")], as_index=False)["temp"].mean()


def felt(frame):
    return frame.assign(felt=frame["temp"] - frame["wind"] * Settings().factor, cold=frame["temp"] < frame["limit"])


def fewer(frame):
    return frame.head(0).assign(x=1.0)


def broken(frame):
    return frame["no such column"]
"""


@pytest.fixture
def room(workbench, workspace, clock):
    """Hourly weather of two cities, online; the clock stands an hour after the last of it."""
    features = workbench.features
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    features.create("hourly", ["city"], time="t")
    rows = [
        {"city": city, "t": now - timedelta(hours=n), "temp": 10.0 + n, "wind": 1.5, "gusts": n}
        for city in ("harbo", "lund")
        for n in range(1, 50)
    ]
    features.ingest("hourly", rows)
    features.create("daily", ["city"], time="day")
    features.materialize("hourly")
    (workspace.project / "weather_code.py").write_text(CODE)
    return features


def spine(room, **columns):
    moment = room.snapshot("hourly").max_time
    times = [pd.Timestamp(moment, unit="ms", tz="UTC")] * 2
    return pd.DataFrame({"city": ["harbo", "nowhere"], "t": times, **columns})


DAILY = "SELECT city, date_trunc('day', t) AS day, avg(temp) AS temp FROM hourly GROUP BY ALL"


@pytest.mark.parametrize("how", [{"sql": DAILY}, {"python": "weather_code:daily", "inputs": ["hourly"]}], ids=str)
def test_a_table_is_filled_and_the_snapshot_knows_by_what(room, how):
    one = room.add_transform("daily", **how)
    assert (one.version, one.on_demand, one.inputs) == (1, False, ("hourly",))
    snapshot = room.run_transform("daily")
    assert snapshot.rows == 6
    (made,) = room.made("daily")
    assert (made.version, made.transform_version, made.code_hash) == (1, 1, one.code_hash)
    assert made.inputs == ("hourly@1",)
    assert "version 1" in snapshot.message


def test_both_ways_of_saying_the_same_give_the_same_rows(room):
    room.add_transform("daily", sql=DAILY)
    by_sql = room.run_transform("daily")
    room.add_transform("daily", python="weather_code:daily", inputs=["hourly"])
    by_python = room.run_transform("daily")
    assert (by_sql.version, by_python.version) == (1, 2)
    pd.testing.assert_frame_equal(room.frame("daily@1"), room.frame("daily@2"))


def test_running_again_makes_a_snapshot_only_when_something_changed(room):
    room.add_transform("daily", sql=DAILY)
    first = room.run_transform("daily")
    assert room.run_transform("daily") == first
    room.ingest("hourly", [{"city": "harbo", "t": "2030-01-01", "temp": 1.0, "wind": 1.0, "gusts": 1}])
    second = room.run_transform("daily")
    assert (second.version, second.rows) == (2, 7)
    room.ingest("daily", [{"city": "x", "day": "2030-01-01", "temp": 1.0}])  # by hand: not what the transformation says
    assert room.run_transform("daily").rows == 7
    assert [made.version for made in room.made("daily")] == [4, 2, 1]


def test_appending_takes_the_same_input_in_once(room):
    room.add_transform("daily", sql=DAILY, mode="append")
    assert room.run_transform("daily").rows == 6
    room.ingest("daily", [{"city": "x", "day": "2030-01-01", "temp": 1.0}])
    assert room.run_transform("daily").rows == 6
    assert room.get("daily").rows == 7


def test_what_runs_is_what_was_registered(room, workspace):
    room.add_transform("daily", python="weather_code:daily", inputs=["hourly"])
    assert room.add_transform("daily", python="weather_code:daily", inputs=["hourly"]).version == 1
    before = room.run_transform("daily")
    path = workspace.project / "weather_code.py"
    path.write_text(CODE.replace('["temp"].mean()', '["temp"].max()'))
    assert room.changed("daily")
    assert room.run_transform("daily") == before
    assert room.add_transform("daily", python="weather_code:daily", inputs=["hourly"]).version == 2
    assert not room.changed("daily")
    assert room.frame(room.run_transform("daily").reference)["temp"].max() > room.frame("daily@1")["temp"].max()
    assert [one.version for one in room.transform("daily")] == [2, 1]


def test_a_transformation_goes_and_what_it_made_stays(room):
    room.add_transform("daily", sql=DAILY)
    room.run_transform("daily")
    room.remove_transform("daily")
    assert room.transforms() == []
    assert (room.get("daily").rows, room.made("daily")[0].transform_version) == (6, 1)
    with pytest.raises(NotFound):
        room.run_transform("daily")


def test_sql_neither_writes_nor_reads_outside(room):
    for sql, why in {
        "DELETE FROM hourly": "Only SELECT",
        "COPY hourly TO 'out.csv'": "Only SELECT",
        "SELECT 1; SELECT 2": "one statement",
        "SELECT * FROM '/etc/passwd'": "no feature table",
        "SELECT * FROM read_text('/etc/passwd')": "Cannot access file",
        "SELECT * FROM hurly": "'hurly'",
    }.items():
        with pytest.raises((InvalidInput, NotFound)) as caught:
            room.add_transform("daily", sql=sql)
        assert why in caught.value.message, sql
    assert room.transforms() == []


def test_what_cannot_be_registered_says_why(room, workspace):
    def refused(kind=InvalidInput, name="daily", **how):
        with pytest.raises(kind) as caught:
            room.add_transform(name, **how)
        return f"{caught.value.message} {caught.value.hint}"

    (workspace.project / "halves.py").write_text("def f(")
    assert "either" in refused()
    assert "'dally'" in refused(NotFound, name="dally", sql=DAILY)
    assert "names no function" in refused(python="weather_code", inputs=["hourly"])
    assert "'daly'" in refused(NotFound, python="weather_code:daly", inputs=["hourly"])
    assert "'daily'" in refused(NotFound, python="weather_code:daly", inputs=["hourly"])
    assert "no module" in refused(NotFound, python="no_such_module:f", inputs=["hourly"])
    assert "SyntaxError" in refused(python="halves:f", inputs=["hourly"])
    assert "tables to read" in refused(python="weather_code:daily")
    assert "no feature table" in refused(NotFound, python="weather_code:daily", inputs=["hurly"])


def test_a_function_that_fails_changes_nothing(room):
    room.add_transform("daily", python="weather_code:broken", inputs=["hourly"])
    with pytest.raises(InvalidInput, match="KeyError"):
        room.run_transform("daily")
    assert room.get("daily").latest_version == 0


# -- on demand ---------------------------------------------------------------------------------------------------------

SQL = "temp - wind * 2.0 AS felt, temp < lim AS cold"


def views(room):
    """The same in both ways, under two names."""
    room.add_view("felt_sql", sql=SQL, inputs=["hourly:temp,wind"], request={"lim": "DOUBLE"})
    room.add_view("felt_py", python="weather_code:felt", inputs=["hourly:temp,wind"], request={"limit": "DOUBLE"})


@pytest.mark.parametrize(("name", "field"), [("felt_sql", "lim"), ("felt_py", "limit")])
def test_lookups_and_joins_give_what_the_same_code_says(room, clock, name, field):
    views(room)
    asked = [{"city": "harbo", field: 11.5}, {"city": "harbo", field: 10}, {"city": "nowhere", field: 5.0}]
    first, second, third = room.lookup(name, asked)
    assert (first.values, first.status, first.age_ms) == ({"felt": 8.0, "cold": True}, "ok", 3_600_000)
    assert second.values == {"felt": 8.0, "cold": False}
    assert (third.values["felt"], third.status, third.age_ms) == (None, "missing", None)
    joined = room.join(spine(room, **{field: [11.5, 5.0]}), [name])
    assert list(joined.columns) == ["city", "t", field, "felt", "cold"]
    assert joined["felt"].iloc[0] == 8.0
    assert bool(joined["cold"].iloc[0]) is True
    for column in ("felt", "cold"):  # missing is less than nothing to pandas, and unknown to SQL
        offline = joined[column].iloc[1]
        assert third.values[column] == (None if pd.isna(offline) else offline)
    assert room.lookup(name, asked[:1], columns=["cold"])[0].values == {"cold": True}


def test_a_view_stands_among_tables_in_a_join(room):
    views(room)
    rows = spine(room, limit=[11.5, 5.0], lim=[11.5, 5.0])
    rows.index = [7, 7]
    joined = room.join(rows, ["felt_py:felt", "hourly:gusts", "felt_sql@1"])
    assert list(joined.columns)[2:] == ["limit", "lim", "felt_py__felt", "gusts", "felt_sql__felt", "cold"]
    assert list(joined.index) == [7, 7]
    _, reports = room.join_with_report(rows, ["felt_py"])
    told = [(one.table, one.matched, one.missing, one.columns) for one in reports]
    assert told == [("hourly", 1, 1, ("temp", "wind"))]


def test_a_view_takes_aggregates_too(room):
    room.add_aggregates("hourly", ["max(temp) over 3h as warmest"])
    room.materialize("hourly")
    room.add_view("drop", sql="warmest - temp AS fall", inputs=["hourly:temp,warmest"])
    (found,) = room.lookup("drop", [{"city": "harbo"}])
    assert found.values == {"fall": 1.0}  # an hour later the window reaches back to the hour before last


def test_versions_of_a_view_can_be_asked_for(room):
    room.add_view("twice", sql="temp * 2 AS x", inputs=["hourly:temp"])
    assert room.add_view("twice", sql="temp * 2 AS x", inputs=["hourly:temp"]).version == 1
    assert room.add_view("twice", sql="temp * 3 AS x", inputs=["hourly:temp"]).version == 2
    asked = [{"city": "harbo"}]
    assert [room.lookup(ref, asked)[0].values["x"] for ref in ("twice", "twice@1", "twice@2")] == [33.0, 22.0, 33.0]
    assert room.join(spine(room), ["twice@1"])["x"].iloc[0] == 22.0
    with pytest.raises(NotFound, match="no version 7"):
        room.lookup("twice@7", asked)


def test_a_join_with_a_view_can_be_repeated(room):
    room.add_view("twice", sql="temp * 2 AS x", inputs=["hourly:temp"])
    refs, snapshots = room.pinned(["twice:x", "hourly:gusts"])
    assert (refs, snapshots) == (["twice@1:x", "hourly@1:gusts"], ["hourly@1"])
    rows = spine(room)
    before = room.join(rows, refs)
    room.ingest("hourly", [{"city": "harbo", "t": rows["t"].iloc[0], "temp": 99.0, "wind": 1.0, "gusts": 1}])
    room.add_view("twice", sql="temp * 3 AS x", inputs=["hourly:temp"])
    after, _ = room.join_with_report(rows, refs, at=snapshots)
    pd.testing.assert_frame_equal(before, after)
    assert room.join(rows, ["twice"])["x"].iloc[0] == 297.0


def test_types_do_not_depend_on_which_values_are_missing(room, workspace):
    (workspace.project / "kinds.py").write_text(
        "def kinds(frame):\n    return frame[[]].assign(kinds=' '.join(map(str, frame.dtypes)))\n"
    )
    request = {"a": "BIGINT", "b": "BOOLEAN", "c": "VARCHAR", "d": "TIMESTAMPTZ", "e": "DOUBLE"}
    room.add_view("kinds", python="kinds:kinds", request=request)
    full = {"a": 1, "b": True, "c": "x", "d": "2025-01-01T00:00Z", "e": 1}
    answers = room.lookup("kinds", [full]) + room.lookup("kinds", [dict.fromkeys(request)])
    answers += room.lookup("kinds", [full, dict.fromkeys(request)])
    assert {one.values["kinds"] for one in answers} == {"Int64 boolean str datetime64[us, UTC] float64"}


def test_large_whole_numbers_stay_exact_beside_missing_ones(room, workspace):
    large = 2**53 + 1
    room.create("ids", ["city"], time="t")
    room.ingest("ids", [{"city": "harbo", "t": "2020-01-01", "id": large}])
    room.materialize("ids")
    (workspace.project / "ids.py").write_text(
        "def last(frame):\n    return frame.assign(last=frame['id'] % 10, text=frame['id'].astype('str'))\n"
    )
    room.add_view("by_py", python="ids:last", inputs=["ids:id"])
    room.add_view("by_sql", sql="id % 10 AS last, id::VARCHAR AS text", inputs=["ids:id"])
    for name in ("by_py", "by_sql"):
        found = room.lookup(name, [{"city": "nowhere"}, {"city": "harbo"}])
        assert [one.values["last"] for one in found] == [None, large % 10]
        joined = room.join(spine(room), [name])
        assert (found[1].values["text"], joined["text"].iloc[0]) == (str(large), str(large))


def test_a_request_field_of_another_type_is_refused(room):
    request = {"a": "BIGINT", "b": "BOOLEAN", "c": "VARCHAR", "d": "TIMESTAMPTZ", "e": "DOUBLE"}
    room.add_view("plain", sql="a AS x, b AS y, c AS z, d AS at, e AS u", request=request)
    good = {"a": 1, "b": True, "c": "x", "d": "2025-01-01T00:00Z", "e": 1}
    values = {"x": 1, "y": True, "z": "x", "at": "2025-01-01T00:00:00Z", "u": 1.0}
    assert room.lookup("plain", [good])[0].values == values
    for field, value in [("a", "1"), ("a", 1.5), ("a", True), ("e", "x"), ("b", 1), ("c", 3), ("d", "soon")]:
        with pytest.raises(InvalidInput, match=f"'{field}'"):
            room.lookup("plain", [good | {field: value}])


def test_sql_on_demand_sees_one_row_and_nothing_else(room):
    for sql in (
        "sum(temp) AS x",
        "lag(temp) OVER () AS x",
        "(SELECT max(temp) FROM given) AS x",
        "temp AS x FROM given WHERE temp > 3 --",
        "temp AS temp",
        "unnest([1, 2]) AS x",
        "temp AS x; DROP TABLE given; SELECT 1",
        "(SELECT content FROM read_text('/etc/passwd')) AS x",
        "nothing AS x",
        "[temp] AS x",
    ):
        with pytest.raises(InvalidInput):
            room.add_view("x", sql=sql, inputs=["hourly:temp"])
    assert room.transforms() == []


def test_what_cannot_be_a_view_says_why(room):
    def refused(kind=InvalidInput, name="v", inputs=("hourly:temp,wind",), **how):
        with pytest.raises(kind) as caught:
            room.add_view(name, inputs=inputs, **how)
        return f"{caught.value.message} {caught.value.hint}"

    views(room)
    assert "feature table 'daily'" in refused(AlreadyExists, name="daily", sql="temp + 1 AS x")
    assert "works on nothing" in refused(sql="1 AS x", inputs=())
    assert "names a version" in refused(sql="temp + 1 AS x", inputs=["hourly@1:temp"])
    assert "on demand itself" in refused(sql="felt + 1 AS x", inputs=["felt_sql"])
    assert "no type" in refused(sql="temp + y AS x", request={"y": "NUMBER"})
    assert "KeyError" in refused(python="weather_code:broken")
    assert "gave 0 rows" in refused(python="weather_code:fewer")
    assert "cannot name" in refused(name="a b", sql="temp + 1 AS x")
    with pytest.raises(AlreadyExists, match="on-demand"):
        room.create("felt_py", ["city"])
    with pytest.raises(InvalidInput, match="lacks 'lim'"):
        room.lookup("felt_sql", [{"city": "harbo"}])
    with pytest.raises(InvalidInput, match="no column 'lim'"):
        room.join(spine(room), ["felt_sql"])
    with pytest.raises(InvalidInput, match="gives no 'fell'"):
        room.lookup("felt_sql", [], columns=["fell"])
    with pytest.raises(InvalidInput, match="nothing to run"):
        room.run_transform("felt_sql")


def test_a_function_that_gives_other_rows_than_it_got_is_refused(room):
    room.add_view("short", python="weather_code:fewer", inputs=["hourly:temp"], outputs={"x": "DOUBLE"})
    with pytest.raises(InvalidInput, match="gave 0 rows for 1"):
        room.lookup("short", [{"city": "harbo"}])


def test_the_code_hash_tells_every_difference(room):
    one = room.add_view("v", sql="temp + y AS x", inputs=["hourly:temp"], request={"y": "DOUBLE"})
    others = [
        dataclasses.replace(one, body="temp - y AS x"),
        dataclasses.replace(one, request={"y": "BIGINT"}),
        dataclasses.replace(one, fields=()),
        dataclasses.replace(one, source="x = 1"),
    ]
    assert len({one.code_hash, *(other.code_hash for other in others)}) == 5
