from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlops_tui.core import db as db_module
from mlops_tui.core.db import Database
from mlops_tui.core.errors import Unavailable


def m001_things(db) -> None:
    db.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")


def m002_colour(db) -> None:
    db.execute("ALTER TABLE thing ADD COLUMN colour TEXT")


@pytest.fixture
def db(tmp_path: Path):
    database = Database(tmp_path / "x.db")
    database.migrate("things", [m001_things])
    yield database
    database.close()


def test_a_write_lands_whole(db: Database) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('a')")
        tx.execute("INSERT INTO thing(name) VALUES ('b')")
    assert [row["name"] for row in db.read("SELECT name FROM thing ORDER BY id")] == ["a", "b"]


def test_an_exception_takes_everything_back(db: Database) -> None:
    with pytest.raises(RuntimeError), db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('a')")
        raise RuntimeError
    assert db.value("SELECT count(*) FROM thing") == 0


def test_a_write_inside_a_write_joins_it(db: Database) -> None:
    with pytest.raises(RuntimeError), db.write():
        with db.write() as inner:
            inner.execute("INSERT INTO thing(name) VALUES ('a')")
        raise RuntimeError
    assert db.value("SELECT count(*) FROM thing") == 0
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('b')")
    assert db.value("SELECT count(*) FROM thing") == 1


def test_what_comes_afterwards_comes_once_the_outermost_write_is_there_and_never_for_one_that_was_not(
    db: Database,
) -> None:
    seen: list[int] = []
    other = Database(db.path)

    def count() -> None:
        seen.append(other.value("SELECT count(*) FROM thing"))

    with db.write() as tx:
        with db.write():
            db.afterwards(count)
        tx.execute("INSERT INTO thing(name) VALUES ('a')")
        assert seen == []
    assert seen == [1]
    with pytest.raises(ValueError, match="no"), db.write():
        db.afterwards(count)
        raise ValueError("no")
    with db.write():
        pass
    assert seen == [1]
    db.afterwards(count)
    assert seen == [1, 1]
    other.close()


def test_data_version_moves_for_own_and_for_foreign_commits(db: Database, tmp_path: Path) -> None:
    first = db.data_version()
    assert db.data_version() == first
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('a')")
    second = db.data_version()
    assert second != first
    other = Database(tmp_path / "x.db")
    with other.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('b')")
    other.close()
    assert db.data_version() != second


def test_migrations_run_once_and_only_what_is_missing(db: Database) -> None:
    db.migrate("things", [m001_things, m002_colour])
    db.migrate("things", [m001_things, m002_colour])
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name, colour) VALUES ('a', 'red')")
    assert db.value("SELECT colour FROM thing") == "red"


def test_a_failing_migration_leaves_no_trace(db: Database) -> None:
    def m003_bad(library) -> None:
        library.execute("CREATE TABLE half (id INTEGER)")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        db.migrate("things", [m001_things, m003_bad])
    assert db.value("SELECT count(*) FROM sqlite_master WHERE name = 'half'") == 0


def _insert_many(path: Path, count: int) -> None:
    database = Database(path, durability="normal")
    database.migrate("things", [m001_things])
    for i in range(count):
        with database.write() as tx:
            seen = tx.execute("SELECT count(*) FROM thing").fetchone()[0]  # read, then write: fails without the lock
            tx.execute("INSERT INTO thing(name) VALUES (?)", (f"{os.getpid()}-{i}-{seen}",))


def test_four_processes_opening_a_new_file_and_writing_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_insert_many, args=(path, 100)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    database = Database(path)
    assert database.value("SELECT count(*) FROM thing") == 400
    database.close()


def _insert_forever(path: Path, acknowledged) -> None:
    database = Database(path)
    while True:
        with database.write() as tx:
            tx.execute("INSERT INTO thing(name) VALUES ('x')")
        acknowledged.value += 1


def test_a_killed_writer_blocks_nobody_and_loses_nothing_it_acknowledged(db: Database, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    acknowledged = context.Value("i", 0)
    worker = context.Process(target=_insert_forever, args=(tmp_path / "x.db", acknowledged))
    worker.start()
    while acknowledged.value < 20:
        time.sleep(0.01)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('after')")
    assert db.value("SELECT count(*) FROM thing WHERE name = 'x'") >= acknowledged.value


def test_a_forked_child_reopens_the_file_and_the_parent_keeps_its_lock(db: Database) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('parent')")
        child = os.fork()
        if child == 0:
            os._exit(0 if db.value("SELECT count(*) FROM thing") == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        tx.execute("INSERT INTO thing(name) VALUES ('still parent')")
    assert db.value("SELECT count(*) FROM thing") == 2


def test_a_file_that_is_no_database_is_named_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(b"this is not a database at all, not even a little bit of one" * 50)
    with pytest.raises(Unavailable, match="cannot be read as a database") as caught:
        Database(path).read("SELECT 1")
    assert "doctor" in caught.value.hint


def test_a_full_disk_is_told_in_words_and_changes_nothing(db: Database) -> None:
    connection = db._open()
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="disk is full"), db.write() as tx:
        tx.executemany("INSERT INTO thing(name) VALUES (?)", [("x" * 1000,)] * 100)
    assert db.value("SELECT count(*) FROM thing") == 0


def test_a_folder_that_is_gone_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Cannot open"):
        Database(tmp_path / "no" / "where.db").read("SELECT 1")


def test_backup_is_a_whole_copy(db: Database, tmp_path: Path) -> None:
    with db.write() as tx:
        tx.execute("INSERT INTO thing(name) VALUES ('a')")
    db.backup(tmp_path / "copy.db")
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT name FROM thing").fetchall() == [("a",)]
    copy.close()
    assert db.check() == []


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ({"f_flag": os.ST_RDONLY, "f_bavail": 1000}, "is read-only"),
        ({"f_flag": 0, "f_bavail": 1}, "The disk is full"),
        ({"f_flag": 0, "f_bavail": 1000}, "cannot be read as a database: disk I/O error"),
    ],
)
def test_a_file_that_cannot_be_opened_says_what_the_disk_has_against_it(tmp_path, monkeypatch, disk, said):
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_frsize=4096, **disk))
    found = db_module._damaged(tmp_path / "c.db", sqlite3.OperationalError("disk I/O error"))
    assert said in found.message
    assert "restore" in db_module._damaged(tmp_path / "c.db", sqlite3.DatabaseError("not a database")).hint
