"""Looking around: windows in the order of the files, counts that can be given up, SQL with carets that can be stopped."""

from __future__ import annotations

import threading

import duckdb
import pandas as pd
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from mlops_tui.domains.features import blocks, views


@pytest.fixture
def features(workbench):
    workbench.features.create("trips", ["bike"], time="at")
    for start in (0, 6):
        rows = [
            {"bike": n % 3, "at": f"2025-01-01T{n:02d}:00:00Z", "km": float(n % 4)} for n in range(start, start + 6)
        ]
        workbench.features.ingest("trips", rows)
    return workbench.features


def test_a_window_without_an_order_is_batch_by_batch_by_key_and_time(features):
    whole = features.window("trips")
    assert [row["bike"] for row in whole] == [0, 0, 1, 1, 2, 2] * 2
    assert [row["at"] for row in whole[:2]] == ["2025-01-01T00:00:00Z", "2025-01-01T03:00:00Z"]
    assert features.window("trips", offset=5, limit=3) == whole[5:8]
    assert features.window("trips@1", offset=6) == []


def test_a_sorted_and_filtered_window_is_that_of_the_whole_sorted_table(features):
    whole = features.rows("trips", where="km > 0", order="-km")
    assert [row["km"] for row in whole] == sorted((row["km"] for row in whole), reverse=True)
    windows = [features.window("trips", where="km > 0", order="-km", offset=at, limit=4) for at in range(0, 12, 4)]
    assert [row for window in windows for row in window] == whole


@pytest.mark.parametrize(("where", "order"), [(None, "km"), (None, ["-km", "bike"]), ("km > 0 OR km IS NULL", "-km")])
def test_windows_are_cut_from_blocks_from_either_end(features, monkeypatch, order, where):
    features.ingest("trips", [{"bike": 9, "at": f"2025-02-0{n}T00:00:00Z", "km": None} for n in (1, 2)])
    monkeypatch.setattr(blocks, "ROWS", 5)
    monkeypatch.setattr(blocks, "BLOCKS", blocks.Blocks(kept=2))
    whole = features.rows("trips", where=where, order=order)
    for limit in (1, 2, 5, 20):
        for offset in (0, 2, 3, 7, 13, 30):
            assert (
                features.window("trips", where=where, order=order, offset=offset, limit=limit) == whole[offset:][:limit]
            )
    assert features.window("trips", where="km > 0", offset=2, limit=4) == features.window("trips", where="km > 0")[2:6]


def test_a_pass_over_the_table_is_made_once_for_many_windows(features, monkeypatch):
    passes = []
    ordered = views.ordered
    monkeypatch.setattr(views, "ordered", lambda *given: passes.append(given[6]) or ordered(*given))
    monkeypatch.setattr(blocks, "BLOCKS", blocks.Blocks())
    for offset in (0, 4, 8, 2):
        features.window("trips", order="km", offset=offset, limit=4)
    assert passes == [0]
    features.window("trips@1", order="km")  # another version, another order
    features.window("trips", order="-km")
    assert passes == [0, 0, 0]


def test_rows_that_meet_a_condition_are_counted(features):
    assert features.tally("trips", "km > 2") == 3
    with pytest.raises(InvalidInput):
        features.tally("trips", "kilometres > 2")


def test_a_count_that_is_interrupted_is_none():
    connection = duckdb.connect()
    stop = threading.Timer(0.02, connection.interrupt)
    stop.start()
    assert views.count(connection, "range(100000000000) t(km)", {"km": "BIGINT"}, "km % 7 = 3") is None
    stop.join()


def test_frequencies_count_all_rows_and_name_the_commonest_first(features):
    found = features.frequencies("trips", "km", where="bike < 2", limit=2)
    assert (found.rows, found.more) == (8, True)
    assert found.values == ((0.0, 2), (1.0, 2))
    with pytest.raises(InvalidInput):
        features.frequencies("trips", "kn")


def test_an_answer_has_names_types_and_windows_and_says_when_there_is_more(features):
    answer = features.answer('SELECT bike, max("at") AS last FROM "trips@1" GROUP BY bike ORDER BY bike', limit=2)
    assert (answer.rows, answer.more) == (2, True)
    assert [name for name, _ in answer.columns] == ["bike", "last"]
    assert answer.window(1, 5) == [(1, "2025-01-01T04:00:00Z")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT bike,\n  foo\nFROM trips", 'Referenced column "foo" not found in FROM clause!\n  foo\n  ^^^'),
        ("SELECT km FORM trips t u", 'syntax error at or near "trips"\nSELECT km FORM trips t u\n               ^'),
        ("SELECT CAST('x' AS INT) FROM trips", "Could not convert string 'x' to INT32\nSELECT CAST("),
    ],
)
def test_a_mistake_is_shown_in_its_line(features, query, said):
    with pytest.raises(InvalidInput) as caught:
        features.answer(query)
    assert caught.value.message.startswith(said)


def test_an_answer_reads_tables_only_and_writes_nothing(features, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n", encoding="utf-8")
    for query in (f"SELECT * FROM read_csv('{secret}')", "DELETE FROM trips", f"COPY trips TO '{secret}'"):
        with pytest.raises(InvalidInput):
            features.answer(query)
    with pytest.raises(NotFound):
        features.answer("SELECT * FROM trip")


def test_a_query_that_runs_is_stopped_from_outside(features):
    with pytest.raises(Unavailable, match="cancelled"):
        features.answer(
            "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE a.range * b.range % 7 = 3",
            running=lambda stop: threading.Timer(0.05, stop).start(),
        )


def test_a_whole_answer_is_saved_as_the_ending_says_or_not_at_all(features, tmp_path):
    for name, read in (("a.csv", pd.read_csv), ("a.parquet", pd.read_parquet)):
        assert features.save_answer("SELECT bike, km FROM trips", tmp_path / name) == 12
        assert read(tmp_path / name)["km"].sum() == 18
        with pytest.raises(AlreadyExists):
            features.save_answer("SELECT 1", tmp_path / name)
    for name, query in (
        ("b.txt", "SELECT 1"),
        ("b.csv", "SELECT CAST('x' AS INT) AS x FROM trips"),
        ("no/b.csv", "SELECT 1"),
    ):
        with pytest.raises(InvalidInput):
            features.save_answer(query, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] in ".ab") == ["a.csv", "a.parquet"]
