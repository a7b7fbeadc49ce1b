"""Taking data in: snapshots, types, rows set aside, bad files, and nothing left behind on failure."""

from __future__ import annotations

import errno
import gzip

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable


@pytest.fixture
def features(workbench):
    return workbench.features


@pytest.fixture
def trips(features):
    features.create("trips", ["bike"], time="at")
    return features


def write(tmp_path, text, name="trips.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def left_behind(workbench, name="trips"):
    """Files in staging and in the table's folder."""
    context = workbench.context
    staging = (
        [path for path in context.workspace.tmp.rglob("*") if path.is_file()] if context.workspace.tmp.exists() else []
    )
    return staging, list(context.lake.root.rglob(f"{name}.*/*"))


def test_a_csv_becomes_a_typed_snapshot(trips, tmp_path):
    path = write(
        tmp_path,
        "bike,at,km,code,ok,seen\n1,2024-01-01T10:00:00Z,1.5,007,true,2024-01-01\n2,2024-01-02,NA,008,false,\n",
    )
    snapshot = trips.ingest("trips", path, message="first")
    assert (snapshot.version, snapshot.kind, snapshot.rows, snapshot.author) == (1, "append", 2, "tester")
    assert snapshot.columns == {
        "bike": "BIGINT",
        "at": "TIMESTAMPTZ",
        "km": "DOUBLE",
        "code": "VARCHAR",
        "ok": "BOOLEAN",
        "seen": "TIMESTAMPTZ",
    }
    assert trips.rows("trips") == [
        {"bike": 1, "at": "2024-01-01T10:00:00Z", "km": 1.5, "code": "007", "ok": True, "seen": "2024-01-01T00:00:00Z"},
        {"bike": 2, "at": "2024-01-02T00:00:00Z", "km": None, "code": "008", "ok": False, "seen": None},
    ]
    assert snapshot.min_time == 1_704_103_200_000
    table = trips.get("trips")
    assert (table.latest_version, table.rows, table.features) == (1, 2, ("km", "code", "ok", "seen"))


def test_times_of_mixed_zones_are_one_clock_in_microseconds(trips, tmp_path):
    path = write(
        tmp_path, "bike,at\n1,2024-01-01T12:00:00+02:00\n2,2024-01-01 10:00\n3,2024-01-01T05:00:00.000001-05:00\n"
    )
    trips.ingest("trips", path)
    assert [row["at"] for row in trips.rows("trips")] == [
        "2024-01-01T10:00:00Z",
        "2024-01-01T10:00:00Z",
        "2024-01-01T10:00:00.000001Z",
    ]
    assert str(trips.frame("trips")["at"].dtype) == "datetime64[us, UTC]"
    stored = pq.read_schema(trips.files("trips")[0]).field("at").type
    assert stored == pa.timestamp("us", "UTC")


def test_broken_rows_are_set_aside_with_line_column_and_reason(trips, tmp_path):
    good = "".join(f"{n},2024-01-01,1.5,x\n" for n in range(20))
    text = (
        "bike,at,km,name\n"  # line 1
        + good  # 2-21
        + 'a,2024-01-01,1,"two\nlines"\n'  # 22-23
        + "\n"  # 24
        + "30,2024-01-01,1\n"  # 25
        + "31,2024-01-01,1,x,y\n"  # 26
        + "32,someday,1,x\n"  # 27
        + "33,2024-01-01,far,x\n"  # 28
        + ",2024-01-01,1,x\n"  # 29
        + "34,,1,x\n"  # 30
        + "35,2024-01-01,2,last\n"  # 31
    )
    snapshot = trips.ingest("trips", write(tmp_path, text))
    assert (snapshot.rows, snapshot.quarantined) == (21, 7)
    bad = trips.quarantine("trips")
    assert [(row.line, row.column) for row in bad] == [
        (22, "bike"),
        (25, "name"),
        (26, ""),
        (27, "at"),
        (28, "km"),
        (29, "bike"),
        (30, "at"),
    ]
    assert bad[0].reason == "'a' is not a whole number"
    assert "too few columns" in bad[1].reason
    assert "too many columns" in bad[2].reason
    assert bad[3].reason == "'someday' is not a time (ISO 8601)"
    assert bad[4].content == "33,2024-01-01,far,x"
    assert bad[5].reason == "the key is missing"
    assert bad[6].reason == "the event time is missing"
    assert {row.version for row in bad} == {1}
    trips.ingest("trips", write(tmp_path, "bike,at,km,name\n1,2024-01-02,1,x\n"))
    assert trips.quarantine("trips@2") == []
    assert len(trips.quarantine("trips")) == 7


def test_invalid_bytes_and_open_quotes_do_not_stop_the_rest(trips, tmp_path):
    text = b'bike,at\n1,2024-01-01\n2,2024-01-01\xff\n3,2024-01-01\n4,"2024-01-01\n'
    snapshot = trips.ingest("trips", write(tmp_path, text))
    assert snapshot.rows == 2
    assert [(row.line, row.reason) for row in trips.quarantine("trips")] == [
        (3, "not UTF-8 text"),
        (5, "a quote is not closed"),
    ]


def test_line_numbers_hold_for_windows_line_ends_a_byte_order_mark_and_gzip(trips, tmp_path):
    text = b'\xef\xbb\xbfbike;at;note\r\n1;2024-01-01;x\r\n2\r\n\r\n3;2024-01-01;"a\r\nb"\r\n4\r\n5;never;x\r\n'
    trips.ingest("trips", write(tmp_path, text))
    assert [row.line for row in trips.quarantine("trips@1")] == [3, 7, 8]
    trips.ingest("trips", write(tmp_path, gzip.compress(text), "trips.csv.gz"))
    assert [row.line for row in trips.quarantine("trips@2")] == [3, 7, 8]


def test_appending_grows_and_old_versions_stay_as_they_were(trips, tmp_path):
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01", "km": 1}])
    before = trips.frame("trips@1")
    second = trips.ingest("trips", [{"bike": 2, "at": "2024-01-02", "km": 2.5, "color": "red"}])
    assert second.changes == ("widened km (BIGINT -> DOUBLE)", "added color (VARCHAR)")
    assert (second.rows, second.added_rows) == (2, 1)
    third = trips.ingest("trips", [{"bike": 9, "at": "2024-01-03"}], mode="replace")
    assert (third.rows, third.kind, set(third.changes)) == (1, "replace", {"removed km", "removed color"})
    pd.testing.assert_frame_equal(trips.frame("trips@1"), before)
    assert trips.snapshot("trips@1").columns["km"] == "BIGINT"
    assert trips.rows("trips@2")[0] == {"bike": 1, "at": "2024-01-01T00:00:00Z", "km": 1.0, "color": None}
    assert [row["bike"] for row in trips.rows("trips@latest")] == [9]
    assert [snapshot.version for snapshot in trips.history("trips")] == [3, 2, 1]
    back = trips.restore("trips@2")
    assert (back.version, back.kind, back.rows) == (4, "restore", 2)
    assert [row["bike"] for row in trips.rows("trips")] == [1, 2]
    assert [row["bike"] for row in trips.rows("trips@3")] == [9]


def test_removed_and_narrowed_columns_are_refused_all_at_once(trips):
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01", "km": 1.5, "name": "a", "n": 1}])
    with pytest.raises(InvalidInput) as caught:
        trips.ingest("trips", [{"bike": 1, "at": "2024-01-01", "km": "far", "n": True}])
    message = caught.value.message
    assert "'km' is DOUBLE in the table but VARCHAR here" in message
    assert "'n' is BIGINT in the table but BOOLEAN here" in message
    assert "lacks column 'name'" in message
    assert "replace" in caught.value.hint
    assert trips.get("trips").latest_version == 1


def test_whole_numbers_fit_a_table_of_floats_and_back_when_whole(trips):
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01", "km": 1.5}])
    assert trips.ingest("trips", [{"bike": 1, "at": "2024-01-02", "km": 2}]).columns["km"] == "DOUBLE"
    frame = pd.DataFrame({"bike": [2.0, None], "at": pd.to_datetime(["2024-01-03", "2024-01-03"]), "km": [1.0, 2.0]})
    snapshot = trips.ingest("trips", frame)
    assert (snapshot.columns["bike"], snapshot.added_rows, snapshot.quarantined) == ("BIGINT", 1, 1)


def test_a_csv_text_where_the_table_has_numbers_is_refused_but_a_few_bad_values_are_set_aside(trips, tmp_path):
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01", "km": 1.5}])
    with pytest.raises(InvalidInput, match="km"):
        trips.ingest("trips", write(tmp_path, "bike,at,km\n1,2024-01-02,far\n2,2024-01-02,near\n3,2024-01-02,1\n"))
    snapshot = trips.ingest("trips", write(tmp_path, "bike,at,km\n1,2024-01-02,far\n2,2024-01-02,2\n3,2024-01-02,1\n"))
    assert (snapshot.added_rows, snapshot.quarantined) == (2, 1)


def test_types_can_be_fixed_by_the_caller(trips, tmp_path):
    path = write(tmp_path, "bike,at,zip\n1,2024-01-01,2100\n")
    assert trips.ingest("trips", path, types={"zip": "VARCHAR"}).columns["zip"] == "VARCHAR"
    with pytest.raises(InvalidInput, match="no type"):
        trips.ingest("trips", path, types={"zip": "TEXT"})
    with pytest.raises(InvalidInput, match="'zap'"):
        trips.ingest("trips", path, types={"zap": "VARCHAR"})


def test_a_batch_seen_before_changes_nothing(trips):
    rows = [{"bike": 1, "at": "2024-01-01"}]
    first = trips.ingest("trips", rows, batch_id="b1")
    assert trips.ingest("trips", rows, batch_id="b1") == first
    assert trips.ingest("trips", rows, batch_id="b2").rows == 2


def test_of_two_processes_with_one_batch_the_second_gets_the_snapshot_of_the_first(trips, monkeypatch):
    from mlops_tui.domains.features import ingest

    real, rows = ingest.write, [{"bike": 1, "at": "2024-01-01"}]

    def overtaken(*args):
        monkeypatch.setattr(ingest, "write", real)
        trips.ingest("trips", rows, batch_id="b", message="the faster one")
        return real(*args)

    monkeypatch.setattr(ingest, "write", overtaken)
    assert trips.ingest("trips", rows, batch_id="b").message == "the faster one"
    assert (trips.get("trips").latest_version, trips.get("trips").rows) == (1, 1)


def test_a_number_with_an_exponent_is_not_cut_to_a_whole_one(trips, tmp_path):
    trips.ingest("trips", write(tmp_path, "bike,at,km\n1,2024-01-01,1e-1\n1,2024-01-01,2\n"))
    assert [row["km"] for row in trips.rows("trips")] == [0.1, 2.0]


def test_duplicates_are_counted_and_kept(trips):
    rows = [{"bike": 1, "at": "2024-01-01", "km": n} for n in range(3)]
    snapshot = trips.ingest("trips", rows)
    assert (snapshot.rows, snapshot.duplicates) == (3, 2)


def test_parquet_with_nanoseconds_categories_and_small_numbers_is_taken_in(trips, tmp_path):
    path = tmp_path / "trips.parquet"
    table = pa.table(
        {
            "bike": pa.array([1, 2], pa.int8()),
            "at": pa.array([1_704_067_200_000_000_001] * 2, pa.timestamp("ns", "UTC")),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "km": pa.array([float("nan"), 2.0], pa.float32()),
            "none": pa.nulls(2),
        }
    )
    pq.write_table(table, path)
    snapshot = trips.ingest("trips", path)
    assert list(snapshot.columns.values()) == ["BIGINT", "TIMESTAMPTZ", "VARCHAR", "DOUBLE", "DOUBLE"]
    assert trips.rows("trips")[0] == {"bike": 1, "at": "2024-01-01T00:00:00Z", "kind": "a", "km": None, "none": None}
    assert (snapshot.quarantined, snapshot.rows) == (0, 2)


def test_bad_files_say_what_is_wrong_and_leave_nothing(workbench, trips, tmp_path):
    def refused(path, kind=InvalidInput):
        with pytest.raises(kind) as caught:
            trips.ingest("trips", path)
        assert "\n" not in caught.value.message
        assert caught.value.hint
        return caught.value.message

    assert "empty" in refused(write(tmp_path, ""))
    assert "no rows" in refused(write(tmp_path, "bike,at\n"))
    assert "'at'" in refused(write(tmp_path, "bike,when\n1,2024-01-01\n"))
    assert "two columns named" in refused(write(tmp_path, "bike,at,At\n1,2024-01-01,x\n"))
    assert "no name" in refused(write(tmp_path, "bike,at,\n1,2024-01-01,x\n"))
    assert "_seq" in refused(write(tmp_path, "bike,at,_seq\n1,2024-01-01,1\n"))
    assert "UTF-8" in refused(write(tmp_path, b"\xff\xfe\x00b\n"))
    assert "None of the 2 rows" in refused(write(tmp_path, "bike,at\n1,soon\n2,later\n"))
    assert "no file" in refused(tmp_path / "nothing.csv", NotFound)
    assert "folder" in refused(tmp_path)
    assert "cannot be read as Parquet" in refused(write(tmp_path, b"PAR1 and then rubbish", "x.parquet"))
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"bike": list(range(1000)), "at": [0] * 1000}), whole)
    assert "Parquet" in refused(write(tmp_path, whole.read_bytes()[:-200], "cut.parquet"))
    assert "holds" in refused([{"bike": 1, "at": "2024-01-01", "tags": ["a"]}])
    assert "laid out" in refused([{"bike": 1, "at": "2024-01-01"}, {"bike": {"a": 1}, "at": "2024-01-01"}])
    assert "no rows" in refused(pd.DataFrame())
    assert "no rows" in refused([])
    assert left_behind(workbench) == ([], [])
    assert trips.history("trips") == []


def test_a_full_disk_while_writing_changes_nothing(workbench, trips, monkeypatch):
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01"}])
    _, before = left_behind(workbench)
    assert len(before) == 1

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    for target in (
        "mlops_tui.core.lake.sync_file",
        "mlops_tui.domains.features.ingest.write",
        "mlops_tui.domains.features.ingest.write_quarantine",  # the data are staged already
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, full)
            with pytest.raises(Unavailable, match="disk is full"):
                trips.ingest("trips", [{"bike": 2, "at": "2024-01-01"}, {"bike": 2, "at": None}])
    assert left_behind(workbench) == ([], before)
    assert trips.get("trips").latest_version == 1


def test_an_error_while_committing_takes_the_published_files_back(workbench, trips, monkeypatch, tmp_path):
    monkeypatch.setattr(workbench.audit, "note", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trips.ingest("trips", write(tmp_path, "bike,at\n1,2024-01-01\n2,never\n"))
    assert left_behind(workbench) == ([], [])
    assert trips.history("trips") == []


def test_a_table_removed_during_an_ingest_gets_nothing(trips, monkeypatch):
    from mlops_tui.domains.features import ingest

    real = ingest.write

    def remove_then_write(*args):
        trips.remove("trips")
        return real(*args)

    monkeypatch.setattr(ingest, "write", remove_then_write)
    with pytest.raises(NotFound, match="meanwhile"):
        trips.ingest("trips", [{"bike": 1, "at": "2024-01-01"}])


def test_progress_is_told_in_steps(trips):
    told = []
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01"}], progress=lambda *step: told.append(step))
    assert [step[0] for step in told] == [0, 1, 2, 3, 4]
    assert {step[1] for step in told} == {4}


def test_names_and_columns_of_a_table_are_checked(features):
    features.create("a", ["k"])
    with pytest.raises(AlreadyExists):
        features.create("a", ["k"])
    for arguments in ({"keys": []}, {"keys": ["_k"]}, {"keys": ["k"], "time": "k"}, {"keys": ["k"], "ttl": 0}):
        with pytest.raises(InvalidInput):
            features.create("b", **arguments)
    with pytest.raises(InvalidInput):
        features.create("a/b", ["k"])
    with pytest.raises(InvalidInput, match="mode"):
        features.ingest("a", [{"k": 1}], mode="upsert")


def test_removing_takes_files_and_versions_and_a_new_table_starts_empty(workbench, trips):
    trips.ingest("trips", [{"bike": 1, "at": "2024-01-01"}])
    files = trips.files("trips")
    trips.remove("trips", why="test")
    assert trips.collect(deleted_ms=0).versions == ("trips (removed)",)
    assert not files[0].exists()
    with pytest.raises(NotFound):
        trips.get("trips")
    table = trips.create("trips", ["bike"])
    assert (table.latest_version, trips.history("trips")) == (0, [])
    assert [entry.verb for entry in workbench.audit.list(kind="feature table")] == [
        "create",
        "collect",
        "remove",
        "ingest",
        "create",
    ]
