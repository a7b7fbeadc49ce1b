from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import duckdb
import pytest

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.core.lake import Lake
from mlops_tui.core.workspace import Workspace


@pytest.fixture
def lake(workspace: Workspace) -> Lake:
    return Context(workspace, actor="tester").lake


def test_a_query_answers_with_dicts_and_bound_values(lake: Lake) -> None:
    assert lake.query("SELECT i, 'x' || i AS t FROM range(?) r(i)", [2]) == [{"i": 0, "t": "x0"}, {"i": 1, "t": "x1"}]


def test_times_are_utc_whatever_the_machine_says(lake: Lake) -> None:
    [row] = lake.query("SELECT TIMESTAMPTZ '2026-01-01 00:00:00' AS at")
    assert row["at"] == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert str(lake.frame("SELECT TIMESTAMPTZ '2026-01-01' AS at")["at"][0]) == "2026-01-01 00:00:00+00:00"


def test_a_file_appears_whole_and_staging_is_empty(lake: Lake, tmp_path: Path) -> None:
    dest = lake.root / "t" / "a.parquet"
    assert lake.copy_to_parquet("SELECT * FROM range(?) r(i)", dest, [5]) == 5
    assert lake.query(f"SELECT sum(i)::INT AS s FROM '{dest}'") == [{"s": 10}]
    assert [path for path in lake._tmp.iterdir() if path.is_file()] == []


def test_a_failing_query_writes_nothing(lake: Lake) -> None:
    dest = lake.root / "a.parquet"
    with pytest.raises(InvalidInput, match="data engine"):
        lake.copy_to_parquet("SELECT no_such_column FROM range(3)", dest)
    assert not dest.exists()


def test_a_full_disk_is_told_and_nothing_appears(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    dest = lake.root / "a.parquet"
    with pytest.raises(Unavailable, match="disk is full"):
        lake.copy_to_parquet("SELECT 1", dest)
    assert not dest.exists()


def test_nothing_is_downloaded(lake: Lake) -> None:
    with pytest.raises((InvalidInput, Unavailable)):
        lake.query("SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')")


def test_debris_of_dead_processes_is_removed_and_that_of_live_ones_kept(lake: Lake) -> None:
    mine = lake.stage()
    mine.write_text("")
    dead = lake._tmp / "999999-12345-abc.parquet"
    dead.write_text("")
    gone = lake._tmp / "999999-12345-abd"
    (gone / "package").mkdir(parents=True)
    with lake.room() as room:
        assert sorted(lake.sweep_staging()) == [dead, gone]
        assert mine.exists()
        assert room.is_dir()
    assert not room.exists()
    assert not gone.exists()


def test_what_one_piece_of_work_made_is_gone_for_the_next(lake: Lake) -> None:
    with lake.connection() as one, lake.connection() as other:
        one.execute("CREATE TEMP TABLE made AS SELECT 1")
        with pytest.raises(duckdb.Error, match="made"):
            other.execute("SELECT * FROM made")
        with lake.private() as alone:
            alone.execute("SET lock_configuration = true")
        other.execute("SET threads = 2")
    with pytest.raises(InvalidInput, match="made"):
        lake.query("SELECT * FROM made")


def test_a_forked_process_starts_an_engine_of_its_own(lake: Lake) -> None:
    def answers() -> bool:
        return lake.query("SELECT sum(range) AS s FROM range(300000)") == [{"s": 44999850000}]

    assert answers()
    with lake.connection():  # somebody works on it, so it stays while the process forks
        pid = os.fork()
        if pid == 0:
            os._exit(0 if answers() else 1)
        assert os.waitpid(pid, 0)[1] == 0
    pid = os.fork()
    if pid == 0:
        os._exit(0 if answers() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert answers()
