"""Sources beyond CSV and Parquet, many files at once, and changes of schema that are named and allowed."""

from __future__ import annotations

import gzip
import json
import sqlite3

import pandas as pd
import pyarrow as pa
import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features import sources
from mlops_tui.domains.features.formats import SqliteSource, SqlSource

ROWS = [{"k": n, "t": f"2025-01-{n + 1:02d}", "x": n / 2, "ok": n % 2 == 0, "s": f"v{n}"} for n in range(20)]


@pytest.fixture
def room(workbench):
    workbench.features.create("t", ["k"], time="t")
    return workbench.features


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def same(room):
    assert room.get("t").columns == {"k": "BIGINT", "t": "TIMESTAMPTZ", "x": "DOUBLE", "ok": "BOOLEAN", "s": "VARCHAR"}
    assert room.rows("t", columns=["k", "x", "ok", "s"]) == [
        {name: row[name] for name in ("k", "x", "ok", "s")} for row in ROWS
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz", "list.json", "pretty.json"])
def test_json_lines_and_lists_are_read(room, tmp_path, name):
    path = tmp_path / name
    text = lines(ROWS) if "json" in name and "n" not in name.split(".")[0] else json.dumps(ROWS)
    if name == "list.json":
        text = json.dumps(ROWS)
    if name == "pretty.json":
        text = json.dumps(ROWS, indent=2)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    room.ingest("t", path)
    same(room)


def test_broken_json_lines_are_set_aside_with_their_lines(room, tmp_path):
    text = lines(ROWS).splitlines()
    text[3] = '{"k": 1,'
    text[5] = "[1]"
    text[7] = json.dumps({**ROWS[7], "x": "seven"})
    text[9] = ""
    text[11] = json.dumps({**ROWS[11], "t": "soon"})
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(text))
    snapshot = room.ingest("t", path)
    assert (snapshot.rows, snapshot.quarantined) == (15, 4)
    bad = {row.line: (row.column, row.reason) for row in room.quarantine("t")}
    assert sorted(bad) == [4, 6, 8, 12]
    assert bad[8] == ("x", '"seven" is not a number')
    assert bad[12][0] == "t"
    assert "not JSON" in bad[4][1]


def test_keys_that_come_and_go_and_mixed_kinds_are_missing_values_and_text(room, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(lines([{"k": 1, "t": "2025-01-01", "a": 1}, {"k": 2, "t": "2025-01-01", "a": "x", "b": 2**70}]))
    room.ingest("t", path)
    assert room.rows("t", columns=["a", "b"]) == [{"a": "1", "b": None}, {"a": "x", "b": float(2**70)}]
    path.write_text(lines([{"k": 1, "t": "2025-01-01", "a": {"b": 1}}]))
    with pytest.raises(InvalidInput, match="'a' holds dict"):
        room.ingest("t", path)


@pytest.mark.parametrize("stream", [False, True])
def test_arrow_files_and_streams_are_read(room, tmp_path, stream):
    table = pa.Table.from_pylist(ROWS)
    path = tmp_path / "a.arrow"
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), table.schema) as writer:
        writer.write_table(table)
    room.ingest("t", path)
    same(room)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InvalidInput, match="Arrow"):
        room.ingest("t", path)


def test_feather_is_read(room, tmp_path):
    frame = pd.DataFrame(ROWS)
    frame.to_feather(tmp_path / "a.feather")
    room.ingest("t", tmp_path / "a.feather")
    same(room)


def test_a_table_of_a_sqlite_file_is_read_and_nothing_is_written_to_it(room, tmp_path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE orders (k INTEGER, t TEXT, x REAL, s TEXT)")
    connection.executemany("INSERT INTO orders VALUES (:k, :t, :x, :s)", ROWS)
    connection.execute("INSERT INTO orders VALUES (99, '2025-02-01', 'much', 's')")
    connection.commit()
    before = path.read_bytes()
    snapshot = room.ingest("t", path)
    assert (snapshot.rows, snapshot.quarantined) == (20, 1)
    assert path.read_bytes() == before
    connection.execute("CREATE TABLE other (k)")
    connection.commit()
    connection.close()
    assert room.ingest("t", SqliteSource(path, "orders"), mode="replace").rows == 20
    with pytest.raises(InvalidInput, match="2 tables"):
        room.ingest("t", path)
    with pytest.raises(NotFound, match="'order'"):
        room.ingest("t", SqliteSource(path, "order"))
    broken = tmp_path / "broken.db"
    broken.write_bytes(before[:100] + b"x" * 400)
    with pytest.raises(InvalidInput, match="SQLite"):
        room.ingest("t", broken)


def test_a_query_over_files_is_taken_in_and_nothing_but_a_query(room, tmp_path):
    pd.DataFrame(ROWS).to_parquet(tmp_path / "a.parquet")
    query = f"SELECT k, t, x * 2 AS y FROM '{tmp_path}/*.parquet' WHERE k < 5;"
    assert room.ingest("t", SqlSource(query)).rows == 5
    for text in (f"COPY (SELECT 1) TO '{tmp_path}/out.csv'", "SELECT 1; SELECT 2", "SELECT * FROM 'no.csv'", "SELEC"):
        with pytest.raises(InvalidInput):
            room.ingest("t", SqlSource(text))
    assert not (tmp_path / "out.csv").exists()


def test_every_file_of_a_folder_is_a_batch_of_its_own_and_a_retry_doubles_nothing(room, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(3):
        (folder / f"{part}.jsonl").write_text(lines(ROWS[part * 5 : part * 5 + 5]))
    (folder / "broken.csv").write_text("nothing\n1\n")
    (folder / "notes.txt").write_text("not data")
    first = room.ingest_files("t", folder)
    assert [one.state for one in first] == ["taken", "taken", "taken", "refused"]
    assert "'k'" in first[3].reason
    again = room.ingest_files("t", folder)
    assert [one.state for one in again] == ["known", "known", "known", "refused"]
    assert room.get("t").rows == 15
    (folder / "2.jsonl").write_text(lines(ROWS[15:]))
    states = [(one.state, one.snapshot.version) for one in room.ingest_files("t", str(folder / "*.jsonl"))]
    assert states == [("known", 1), ("known", 2), ("taken", 4)]
    with pytest.raises(NotFound):
        room.ingest_files("t", str(tmp_path / "*.nothing"))


def test_a_file_that_changes_while_it_is_read_is_refused(room, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("k,t\n1,2025-01-01\n")
    read = sources._load_csv

    def grows(connection, path):
        raw = read(connection, path)
        path.write_text("k,t\n1,2025-01-01\n2,2025-01-01\n")
        return raw

    monkeypatch.setattr(sources, "_load_csv", grows)
    with pytest.raises(InvalidInput, match="changed while it was read"):
        room.ingest("t", path)
    assert room.get("t").latest_version == 0


def test_breaking_changes_are_named_and_have_to_be_allowed(room):
    room.ingest("t", ROWS)
    other = [{"k": n, "t": "2025-03-01", "x": "many", "s": "z"} for n in range(3)]
    with pytest.raises(InvalidInput, match=r"'x' is DOUBLE in the table but VARCHAR here; the batch lacks column 'ok'"):
        room.ingest("t", other)
    with pytest.raises(InvalidInput, match="lacks column 'ok'"):
        room.ingest("t", other, allow=["changed"])
    with pytest.raises(InvalidInput):
        room.ingest("t", other, allow=["everything"])
    snapshot = room.ingest("t", other, allow=["changed", "removed"])
    assert set(snapshot.changes) == {"changed x (DOUBLE -> VARCHAR)", "removed ok (missing from here on)"}
    assert room.rows("t", columns=["x", "ok"], order="-t", limit=1) == [{"x": "many", "ok": None}]
    assert room.rows("t", columns=["x"], where="s = 'v3'") == [{"x": "1.5"}]
    assert room.rows("t@1", columns=["x"], limit=1) == [{"x": 0.0}]  # older versions keep their types


def test_keys_and_times_may_not_change_even_when_all_is_allowed(room):
    room.ingest("t", ROWS)
    with pytest.raises(InvalidInput, match="'k' is BIGINT"):
        room.ingest("t", [{"k": "a", "t": "2025-03-01"}], allow=["changed", "removed"])
