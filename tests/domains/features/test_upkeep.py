"""Compaction and garbage collection: what stays, what goes, and a kill at every step of either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from mlops_tui.domains.features import compacting, pins

OLD = 0  # ms: a file of any age may go


@pytest.fixture
def room(workbench):
    workbench.features.create("t", ["k"], time="at", created="seen")
    for batch in range(3):
        rows = [{"k": k, "at": "2025-01-01", "seen": f"2025-01-0{3 - batch}", "x": batch * 10 + k} for k in range(4)]
        workbench.features.ingest("t", rows)
    return workbench.features


def content(room, ref="t"):
    return room.sql(f'SELECT * FROM "{ref}"').to_dict("records")


def on_disk(room):
    return sorted((room._context.lake.root / "features").glob("*/*.parquet"))


def test_compaction_keeps_every_row_its_order_and_its_joins(room):
    before = content(room)
    spine = room.frame("t", columns=["k"]).assign(at="2025-06-01")
    joined = [room.join(spine, ["t"], mode=mode, time="at") for mode in ("event", "known")]
    snapshot = room.compact("t", message="tidy")
    assert (snapshot.version, snapshot.kind, snapshot.rows, snapshot.added_rows) == (4, "compact", 12, 0)
    assert len(room.files("t")) == 1
    assert sorted(map(str, content(room))) == sorted(map(str, before))
    assert room.rows("t", columns=["x"]) == room.rows("t@3", columns=["x"])  # as they arrived
    for mode, was in zip(("event", "known"), joined, strict=True):
        assert room.join(spine, ["t"], mode=mode, time="at").equals(was)
    assert len(content(room, "t@2")) == 8
    assert room.compact("t").version == 4  # one file already


def test_rows_that_came_during_a_compaction_stay(room, monkeypatch):
    rewrite = compacting.ingest.rewrite

    def slow(*given):
        room.ingest("t", [{"k": 9, "at": "2025-02-01", "seen": "2025-02-01", "x": 99}])
        return rewrite(*given)

    monkeypatch.setattr(compacting.ingest, "rewrite", slow)
    snapshot = room.compact("t")
    assert (snapshot.version, snapshot.rows, len(room.files("t"))) == (5, 13, 2)
    assert room.count("t", where="x = 99") == 1


def test_a_compaction_of_what_was_replaced_meanwhile_is_given_up(room, monkeypatch):
    rewrite = compacting.ingest.rewrite

    def slow(*given):
        room.ingest("t", [{"k": 9, "at": "2025-02-01", "seen": "2025-02-01", "x": 99}], mode="replace")
        return rewrite(*given)

    monkeypatch.setattr(compacting.ingest, "rewrite", slow)
    with pytest.raises(Unavailable):
        room.compact("t")
    assert (room.get("t").latest_version, room.get("t").rows) == (4, 1)
    assert len(on_disk(room)) == 4


def test_without_keep_only_nameless_files_go_and_only_old_ones(room):
    folder = on_disk(room)[0].parent
    stray = folder / "stray.parquet"
    stray.write_bytes(b"x")
    assert room.collect().files == 0  # young
    os.utime(stray, (time.time() - 3600, time.time() - 3600))
    rehearsed = room.collect(dry_run=True)
    assert (rehearsed.files, stray.exists()) == (1, True)
    assert room.collect().files == 1
    assert not stray.exists()
    assert len(content(room)) == 12


def test_old_versions_go_and_keep_their_place_in_the_history(room):
    room.compact("t")
    room.check("t@1")
    rehearsed = room.collect(keep=2, dry_run=True)
    assert (rehearsed.versions, len(on_disk(room))) == (("t@2", "t@1"), 4)
    assert room.rows("t@1", limit=1)
    found = room.collect(keep=1, hold={"t@2"})
    assert (found.versions, found.files) == (("t@3", "t@1"), 1)  # t@2 still has the first two files
    assert [one.expired_at is None for one in room.history("t")] == [True, False, True, False]
    assert (len(content(room)), len(content(room, "t@2"))) == (12, 8)
    with pytest.raises(NotFound, match="collected"):
        room.rows("t@1")
    with pytest.raises(NotFound, match="collected"):
        room.restore("t@1")
    assert room.collect(keep=1).versions == ("t@2",)
    assert len(on_disk(room)) == 1
    with pytest.raises(InvalidInput):
        room.collect(keep=0)


def test_a_batch_of_a_collected_version_is_still_not_taken_in_twice(room):
    rows = [{"k": 1, "at": "2025-02-01", "seen": "2025-02-01", "x": 1}]
    room.ingest("t", rows, batch_id="b")
    room.compact("t")
    room.collect(keep=1)
    room.ingest("t", rows, batch_id="b")
    assert room.get("t").rows == 13


def test_a_version_that_is_being_read_stays_and_goes_the_next_time(room):
    room.compact("t")
    with room._snapshots.reading("t@1") as (connection, source, _, _):
        found = room.collect(keep=1)
        assert "t@1" not in found.versions
        assert connection.sql(f"SELECT count(*) AS n FROM {source}").to_arrow_table().to_pylist() == [{"n": 4}]
    assert room.collect(keep=1).versions == ("t@1",)


def test_a_reader_that_pins_just_before_the_commit_keeps_its_files(room, monkeypatch):
    room.compact("t")
    look = pins.live
    monkeypatch.setattr(pins, "live", lambda run: set())  # the reader was not there yet when the collector looked first
    pinned = pins.Pins(room._context.workspace.run)
    table = room.get("t")

    def second(run):
        monkeypatch.setattr(pins, "live", look)
        pinned.add(table.id, 1)
        return set()

    monkeypatch.setattr(pins, "live", second)
    found = room.collect(keep=1)
    assert ("t@1" in found.versions, found.files, found.postponed) == (True, 0, 3)
    assert len(on_disk(room)) == 4
    pinned.__exit__(None, None, None)
    assert room.collect(min_age_ms=OLD).files == 3


def test_a_version_collected_while_its_files_are_listed_is_not_read_as_empty(room, monkeypatch):
    room.compact("t")
    listed = room._store.files

    def late(table, version):
        monkeypatch.setattr(room._store, "files", listed)
        monkeypatch.setattr(pins, "live", lambda run: set())
        room.collect(keep=1)
        return listed(table, version)

    monkeypatch.setattr(room._store, "files", late)
    with pytest.raises(NotFound, match="collected"):
        room.rows("t@1")


def test_pins_of_dead_processes_count_for_nothing(room, workspace):
    folder = workspace.run / "pins"
    folder.mkdir(exist_ok=True)
    (folder / f"999999-1-{room.get('t').id}-1-0").touch()
    assert pins.live(workspace.run) == set()
    assert list(folder.iterdir()) == []


CHILD = """
import os, signal, sys
from pathlib import Path
from mlops_tui.core.workspace import Workspace
from mlops_tui.core import lake
from mlops_tui.domains.features.store import FeatureStore
from mlops_tui.workbench import Workbench

root, what, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def deadly(owner, name, after):
    real = getattr(owner, name)
    def call(*given, **named):
        if not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, call)

owner, name = {"publish": (lake.Lake, "publish"), "drop": (FeatureStore, "drop_files"), "version": (FeatureStore, "add_version"),
    "expire": (FeatureStore, "expire"), "begin": (FeatureStore, "begin_collection"), "unlink": (Path, "unlink"),
    "sweep": (lake.Lake, "sweep_staging")}[where.partition("-")[0]]
deadly(owner, name, where.endswith("after"))
bench = Workbench(Workspace(root), actor="victim")
bench.features.compact("t") if what == "compact" else bench.features.collect(keep=1, min_age_ms=0)
"""


def killed(workspace, what, where):
    command = [sys.executable, "-c", CHILD, str(workspace.root), what, where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("where", ["publish-before", "publish-after", "drop-after", "version-before", "version-after"])
def test_a_compaction_killed_anywhere_changes_nothing_and_leaves_only_debris(room, workspace, where):
    before = content(room)
    killed(workspace, "compact", where)
    assert (room.get("t").latest_version, content(room)) == (3, before)
    room.collect(min_age_ms=OLD)
    assert len(on_disk(room)) == 3
    assert list(workspace.tmp.glob("*.parquet")) == []
    assert room.compact("t").rows == 12


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("where", ["expire-before", "expire-after", "begin-after", "sweep-before", "unlink-after"])
def test_a_collection_killed_anywhere_loses_nothing_and_is_finished_by_the_next(room, workspace, where):
    room.compact("t")
    before = content(room)
    killed(workspace, "collect", where)
    assert content(room) == before
    for one in room.history("t"):  # a version is there whole, or says that it is not
        if one.expired_at is None:
            assert len(content(room, one.reference)) == one.rows
    room.collect(keep=1, min_age_ms=OLD)
    assert (len(on_disk(room)), content(room)) == (1, before)


def test_a_removed_table_comes_back_as_it_was(room, workbench, clock):
    room.add_aggregates("t", ["sum(x) over 7d as total"])
    room.materialize("t")
    room.push("t", [{"k": 1, "at": "2025-01-02", "seen": "2025-01-02", "x": 500}])
    room.check("t")
    files, profile = set(on_disk(room)), room.profile("t@3")
    room.remove("t", why="by mistake")
    assert [(one.name, one.version, one.rows) for one in room.removed()] == [
        ("t", 4, 13)
    ]  # the pushed row is there too
    with pytest.raises(NotFound):
        room.lookup("t", [{"k": 1}])
    room.create("other", ["k"])
    room.ingest("other", [{"k": 1}])  # takes numbers that files of `t` had
    room.collect(min_age_ms=OLD, deleted_ms=1000)  # removed too lately
    assert files <= set(on_disk(room))
    back = room.bring_back("t")
    assert (back.latest_version, back.rows, room.removed()) == (4, 13, [])
    assert [len(content(room, f"t@{version}")) for version in (1, 2, 3, 4)] == [4, 8, 12, 13]
    assert room.kept_profile("t@3") == profile
    assert room.last_check("t@3") is not None
    assert [one.name for one in room.aggregates("t")] == ["total"]
    room.materialize("t")
    assert room.lookup("t", [{"k": 1}])[0].values["x"] == 500
    assert room.ingest("t", [{"k": 5, "at": "2025-01-03", "seen": "2025-01-03", "x": 1}]).version == 5
    verbs = [entry.verb for entry in workbench.audit.list(name="t")]
    assert verbs.index("bring back") == verbs.index("remove") - 1


def test_a_removed_table_waits_for_its_name_and_goes_for_good_when_collected(room, clock):
    room.remove("t")
    room.create("t", ["k"])
    room.ingest("t", [{"k": 1}])
    with pytest.raises(AlreadyExists):
        room.bring_back("t")
    room.remove("t")
    clock.advance(1000)
    assert room.bring_back("t").rows == 1  # the one removed last
    with pytest.raises(NotFound, match="was removed"):
        room.bring_back("tt")
    found = room.collect(min_age_ms=OLD, deleted_ms=1000, dry_run=True)
    assert (found.versions, len(room.removed())) == (("t (removed)",), 1)
    room.collect(min_age_ms=OLD, deleted_ms=1000)
    assert (room.removed(), len(on_disk(room)), room.count("t")) == ([], 1, 1)
