"""Reading snapshots: windows of rows, frames, filters that stay filters, and SQL that can only read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable


@pytest.fixture
def features(workbench):
    workbench.features.create("trips", ["bike"], time="at", description="who rode")
    rows = [{"bike": n % 3, "at": f"2024-01-{10 - n:02d}", "km": n + 0.5, "who": f"a'{n}"} for n in range(9)]
    workbench.features.ingest("trips", rows[:5])
    workbench.features.ingest("trips", rows[5:])
    return workbench.features


def kilometres(features, **options):
    return [row["km"] for row in features.rows("trips", **options)]


def test_rows_come_in_windows_as_they_arrived_or_in_any_order(features):
    assert kilometres(features, limit=3) == [0.5, 1.5, 2.5]
    assert kilometres(features, limit=3, offset=7) == [7.5, 8.5]
    assert kilometres(features, order="-km", limit=2) == [8.5, 7.5]
    assert kilometres(features, order=["bike", "-km"], limit=3) == [6.5, 3.5, 0.5]
    assert kilometres(features, limit=-1) == []
    assert features.rows("trips", columns=["who"], where="who = 'a''2'") == [{"who": "a'2"}]
    assert features.count("trips") == 9
    assert features.count("trips", where="bike = 1 AND km > 2") == 2


@pytest.mark.parametrize(
    "where",
    [
        "km IN (SELECT 1)",
        "1 = 1) UNION SELECT 1 FROM t WHERE (1 = 1",
        "1 = 1) ORDER BY (km",
        "1 = 1) HAVING (true",
        "1 = 1) LIMIT 1 --",
        "1 = 1); DROP TABLE t; --",
        "1 = 1) OR EXISTS (FROM read_text('/etc/hostname')",
        "km >",
        "kilometres > 1",
        "count(*) > 1",
        "who + 1",
    ],
)
def test_a_filter_that_is_more_or_less_than_a_condition_is_refused(features, where):
    with pytest.raises(InvalidInput) as caught:
        features.rows("trips", where=where)
    assert "\n" not in caught.value.message
    with pytest.raises(InvalidInput):
        features.count("trips", where=where)


def test_an_unknown_column_names_the_nearest(features):
    for options in ({"columns": ["kms"]}, {"order": "-kms"}, {"where": "kms > 1"}):
        with pytest.raises(InvalidInput, match="'kms'") as caught:
            features.rows("trips", **options)
        assert "'km'" in caught.value.hint


def test_a_frame_is_in_order_of_time_and_cut_by_it(features):
    frame = features.frame("trips")
    assert frame["at"].is_monotonic_increasing
    assert len(features.frame("trips", since="2024-01-03", until="2024-01-05")) == 2
    assert list(features.frame("trips", columns=["km"], since=1_704_844_800_000)["km"]) == [0.5]
    features.create("plain", ["k"])
    features.ingest("plain", [{"k": "b"}, {"k": "a"}])
    assert list(features.frame("plain")["k"]) == ["a", "b"]
    with pytest.raises(InvalidInput, match="no event time"):
        features.frame("plain", since=0)


def test_references_name_snapshots(features):
    assert features.snapshot("trips").reference == "trips@2"
    assert features.snapshot("trips@latest").version == 2
    assert features.snapshot("trips@1").rows == 5
    assert (len(features.files("trips@1")), len(features.files("trips"))) == (1, 2)
    for reference, kind in (
        ("trips@3", NotFound),
        ("trips@0", NotFound),
        ("trips@one", InvalidInput),
        ("trip", NotFound),
    ):
        with pytest.raises(kind) as caught:
            features.snapshot(reference)
        assert caught.value.hint
    assert [table.name for table in features.list()] == ["trips"]


def test_sql_reads_tables_and_old_snapshots_and_nothing_else(features, tmp_path):
    assert features.sql('SELECT count(*) AS n FROM trips UNION ALL SELECT count(*) FROM "trips@1"')["n"].tolist() == [
        9,
        5,
    ]
    assert features.sql("WITH far AS (SELECT * FROM trips WHERE km > 7) SELECT * FROM far ORDER BY km;", limit=1)[
        "km"
    ].tolist() == [7.5]
    assert list(features.sql("SELECT * FROM trips LIMIT 1").columns) == ["bike", "at", "km", "who"]
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    target = tmp_path / "out.csv"
    for text in (
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{target}'",
        "DROP TABLE trips",
        "SELECT 1; SELECT 2",
        "SELECT FROM WHERE",
        f"ATTACH '{target}' AS x",
        "SET memory_limit = '1GB'",
        "SELECT nothing FROM trips",
    ):
        with pytest.raises(InvalidInput):
            features.sql(text)
    for text in (f"SELECT * FROM '{secret}'", "SELECT * FROM trip"):
        with pytest.raises(NotFound):
            features.sql(text)
    assert not target.exists()


def test_a_file_that_has_gone_is_told_and_not_a_traceback(features):
    features.files("trips")[0].unlink()
    with pytest.raises(Unavailable):
        features.rows("trips")


def test_opening_the_room_and_listing_loads_no_engine(features, workbench):
    features.history("trips")
    code = (
        "import sys; from pathlib import Path; from mlops_tui.workbench import Workbench; from mlops_tui.core.workspace import Workspace;"
        f"b = Workbench(Workspace(Path({str(workbench.context.workspace.root)!r})), actor='x');"
        "b.features.list(); b.features.history('trips'); b.features.snapshot('trips@1'); b.close();"
        "print([m for m in ('duckdb', 'pandas', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
