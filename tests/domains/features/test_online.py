"""The online side: what lookups answer, what replaces what, late rows, pushes and flushes."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from mlops_tui import job
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.domains.features import online
from mlops_tui.domains.features.online_store import OnlineStore

DAY = 86_400_000


@pytest.fixture
def room(workbench, clock):
    """Customers 1 to 3; the clock stands at 2025-10-09T08:53:20Z."""
    workbench.features.create("customers", ["id"], time="at", created="seen", ttl="30d")
    rows = [
        {
            "id": 1,
            "at": "2025-10-01T00:00",
            "seen": "2025-10-01T00:00",
            "spend": 1.5,
            "name": "Ana",
            "vip": True,
            "last": "2025-09-30",
        },
        {
            "id": 1,
            "at": "2025-10-05T00:00",
            "seen": "2025-10-05T00:00",
            "spend": 2.5,
            "name": None,
            "vip": False,
            "last": "2025-10-04",
        },
        {
            "id": 2,
            "at": "2025-08-01T00:00",
            "seen": "2025-08-01T00:00",
            "spend": 9.0,
            "name": "Bo",
            "vip": True,
            "last": None,
        },
        {
            "id": 3,
            "at": "2025-10-08T00:00",
            "seen": "2025-10-08T00:00",
            "spend": None,
            "name": None,
            "vip": None,
            "last": None,
        },
    ]
    workbench.features.ingest("customers", rows, types={"last": "TIMESTAMPTZ"})
    workbench.features.materialize("customers")
    return workbench.features


def one(room, key, **options):
    (found,) = room.lookup("customers", [{"id": key}], **options)
    return found


def row(key=1, at="2025-10-06", seen=None, **values):
    return {"id": key, "at": at, "seen": seen or at, "spend": None, "name": None, "vip": None, "last": None, **values}


def test_a_lookup_gives_the_newest_values_their_status_and_age(room):
    found = one(room, 1)
    assert found.values == {"spend": 2.5, "name": None, "vip": False, "last": "2025-10-04T00:00:00Z"}
    assert (found.status, found.age_ms) == ("ok", 4 * DAY + (8 * 3600 + 53 * 60 + 20) * 1000)
    assert [(one(room, key).status, one(room, key).values["spend"]) for key in (2, 3, 4)] == [
        ("expired", None),
        ("null", None),
        ("missing", None),
    ]
    assert one(room, 1, columns=["spend"]).values == {"spend": 2.5}
    assert one(room, 1, columns=["at"]).values == {"at": "2025-10-05T00:00:00Z"}


def test_the_time_to_live_counts_to_the_millisecond(room, clock):
    clock.now = 1_759_622_400_000 + 30 * DAY  # 2025-10-05 and thirty days
    assert one(room, 1).status == "ok"
    clock.advance(1)
    assert one(room, 1).status == "expired"


@pytest.mark.parametrize("count", [3, 30])
def test_many_keys_are_answered_in_the_order_asked_repeated_ones_too(room, count):
    keys = ([3, 1, 7, 1] * count)[:count]
    assert [found.status for found in room.lookup("customers", [{"id": key} for key in keys])] == [
        {1: "ok", 3: "null", 7: "missing"}[key] for key in keys
    ]


def test_what_is_online_agrees_with_the_offline_join(room, clock):
    spine = pd.DataFrame({"id": [1, 2, 3, 4], "at": pd.Timestamp(clock.now, unit="ms", tz="UTC")})
    joined = room.join(spine, ["customers:spend"])
    served = [found.values["spend"] for found in room.lookup("customers", [{"id": key} for key in spine["id"]])]
    assert [None if pd.isna(value) else value for value in joined["spend"]] == served


def test_an_older_row_never_replaces_a_newer_one(room):
    room.ingest("customers", [row(at="2025-10-02", spend=7.0)])
    done = room.materialize("customers")
    assert (done.since, done.read, done.written, one(room, 1).values["spend"]) == (1, 1, 0, 2.5)
    room.ingest("customers", [row(at="2025-10-05", seen="2025-10-07", spend=8.0)])  # a correction of the same moment
    room.materialize("customers")
    assert one(room, 1).values["spend"] == 8.0


def test_late_rows_are_not_missed(room):
    room.ingest("customers", [row(key=5, at="2025-10-08")])
    room.materialize("customers")
    room.ingest("customers", [row(key=6, at="2025-09-20", spend=6.0)])  # older than anything brought online before
    done = room.materialize("customers")
    assert (done.read, done.written, one(room, 6).values["spend"]) == (1, 1, 6.0)
    assert room.materialize("customers").read == 0


def test_compaction_changes_nothing_online_and_replacing_makes_it_anew(room):
    room.ingest("customers", [row(key=5)])
    room.compact("customers")
    assert room.materialize("customers").entities == 4
    room.collect(keep=1)
    room.ingest("customers", [row(key=6, at="2025-10-09", spend=1.0)])
    assert room.materialize("customers").entities == 5
    room.ingest("customers", [{"id": "a", "at": "2025-10-09", "seen": "2025-10-09", "spend": "much"}], mode="replace")
    assert room.materialize("customers").since == 0
    assert one(room, "a").values == {"spend": "much"}
    with pytest.raises(InvalidInput, match="id is 1"):
        one(room, 1)


def test_a_plan_made_before_a_new_column_is_made_again(room):
    assert set(one(room, 1).values) == {"spend", "name", "vip", "last"}
    room.ingest("customers", [{**row(), "new": 3}])
    room.materialize("customers")
    assert one(room, 1).values["new"] == 3


def test_keys_that_do_not_fit_are_told(room):
    for key in ("1", 1.5, True, None, 2**70):
        with pytest.raises(InvalidInput):
            one(room, key) if key is not None else room.lookup("customers", [{"ident": 1}])
    assert one(room, 1.0).status == "ok"  # pandas makes floats of whole numbers
    assert one(room, pd.Series([1])[0]).status == "ok"
    with pytest.raises(InvalidInput, match="'spent'"):
        one(room, 1, columns=["spent"])
    with pytest.raises(NotFound, match="not online"):
        room.lookup("customer", [{"id": 1}])


def test_keys_of_several_columns_and_texts(room):
    room.create("shops", ["city", "number"])
    room.ingest("shops", [{"city": "Oslo", "number": n, "size": n * 10} for n in range(20)])
    room.materialize("shops")
    asked = [{"city": "Oslo", "number": n} for n in range(25)]
    assert [found.values["size"] for found in room.lookup("shops", asked)] == [*range(0, 200, 10), *[None] * 5]
    assert room.lookup("shops", asked[:1])[0].age_ms is None
    room.ingest("shops", [{"city": "Oslo", "number": 1, "size": 99}])
    room.materialize("shops")
    assert room.lookup("shops", asked[1:2])[0].values["size"] == 99  # without a time the last to come counts


def test_a_push_is_there_at_once_and_in_the_lake_after_a_flush(room):
    assert room.push("customers", [{"id": 1, "at": "2025-10-09T08:00", "spend": 70}]) == 1
    assert one(room, 1).values["spend"] == 70.0
    assert room.push("customers", [{"id": 1, "at": "2025-10-03", "spend": 60.0}]) == 0  # older
    assert one(room, 1).values["spend"] == 70.0
    assert (room.get("customers").latest_version, room.waiting("customers")) == (1, 2)
    assert room.flush("customers") == 2
    assert (room.get("customers").rows, room.waiting("customers"), room.flush("customers")) == (6, 0, 0)
    assert room.count("customers", where="spend IN (60, 70)") == 2
    assert room.materialize("customers").written in (0, 1)
    assert one(room, 1).values["spend"] == 70.0


def test_a_push_of_something_wrong_changes_nothing(room):
    for wrong in ({"id": 1}, {"at": "2025-10-09"}, row(spend="x"), row(at="soon"), {**row(), "odd": 1}, row(vip=1)):
        with pytest.raises(InvalidInput):
            room.push("customers", [row(key=77), wrong])
    assert (one(room, 77).status, room.waiting("customers")) == ("missing", 0)


def test_a_flush_killed_between_lake_and_buffer_doubles_nothing(room, monkeypatch):
    room.push("customers", [row(key=8, at="2025-10-09", spend=8.0)])
    monkeypatch.setattr(OnlineStore, "forget", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        room.flush("customers")
    monkeypatch.undo()
    room.push("customers", [row(key=9, at="2025-10-09", spend=9.0)])
    assert room.flush("customers") == 2
    assert room.count("customers", where="id = 8") == 1
    assert room.count("customers", where="id = 9") == 1


def test_a_push_during_a_rebuild_is_not_lost(room, monkeypatch):
    added = type(room)._added

    def slow(self, *given):
        room.push("customers", [row(key=8, at="2025-10-09", spend=8.0)])
        return added(self, *given)

    monkeypatch.setattr(type(room), "_added", slow)
    room.materialize("customers", full=True)
    assert one(room, 8).values["spend"] == 8.0


def test_a_removed_table_is_offline_and_one_made_anew_starts_empty(room):
    room.lookup("customers", [{"id": 1}])
    room.push("customers", [row(key=8)])
    room.remove("customers")
    with pytest.raises(NotFound):
        room.lookup("customers", [{"id": 1}])
    room.create("customers", ["id"])
    room.ingest("customers", [{"id": 5, "spend": 1.0}])
    room.materialize("customers")
    assert [found.status for found in room.lookup("customers", [{"id": 1}, {"id": 5}])] == ["missing", "ok"]


def test_a_lookup_loads_no_engine(room, workspace):
    code = (
        "import sys; from pathlib import Path; from mlops_tui.workbench import Workbench; from mlops_tui.core.workspace import Workspace;"
        f"b = Workbench(Workspace(Path({str(workspace.root)!r})), actor='x');"
        "assert b.features.lookup('customers', [{'id': 1}])[0].status == 'expired'; b.close();"
        "print([m for m in ('duckdb', 'pandas', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_pushes_are_due_after_five_seconds_and_of_a_stream_once_a_minute(room, clock):
    assert room.flush_due() == []
    room.push("customers", [row(at="2025-10-09")])
    assert room.flush_due() == []
    clock.advance(5_000)
    assert room.flush_due() == ["customers"]
    room.flush("customers")
    room.push("customers", [row(at="2025-10-09")])
    clock.advance(59_999)
    assert room.flush_due() == []
    clock.advance(1)
    assert room.flush_due() == ["customers"]


def test_many_pushes_are_due_at_once(room, monkeypatch):
    monkeypatch.setattr(online, "FLUSH_ROWS", 2)
    room.push("customers", [row(at="2025-10-09")] * 2)
    assert room.flush_due() == ["customers"]


def test_two_flushes_at_once_take_every_push_once(room, monkeypatch):
    room.push("customers", [row(key=8, at="2025-10-09", spend=8.0)])
    taken = type(room)._take_in

    def slow(self, *given):
        monkeypatch.undo()
        assert self.flush("customers") == 1  # another process was faster with the same batch
        return taken(self, *given)

    monkeypatch.setattr(type(room), "_take_in", slow)
    room.flush("customers")
    assert (room.count("customers", where="id = 8"), room.waiting("customers")) == (1, 0)


def test_the_job_flushes_what_is_due_and_one_table_in_trouble_stops_no_other(room, workbench, clock, monkeypatch):
    room.create("shops", ["city"])
    room.ingest("shops", [{"city": "Bergen", "size": 7}])
    room.push("shops", [{"city": "Oslo", "size": 8}])
    room.push("customers", [row(at="2025-10-09")])
    clock.advance(5_000)
    flush = type(room).flush
    monkeypatch.setattr(
        type(room),
        "flush",
        lambda self, name: (
            (_ for _ in ()).throw(Unavailable("disk full")) if name == "customers" else flush(self, name)
        ),
    )
    with pytest.raises(InvalidInput, match="customers: disk full"):
        job._flush(workbench, None, None)
    assert (room.waiting("shops"), room.waiting("customers")) == (0, 1)
    monkeypatch.undo()
    assert job._flush(workbench, None, None) == {"rows": 1}


def test_closing_the_workbench_closes_the_online_side(room, workbench):
    room.lookup("customers", [{"id": 1}])
    workbench.close()
    assert room._online.db._connection is None
