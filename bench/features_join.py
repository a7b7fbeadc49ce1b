"""Point-in-time joins: ours against the bare DuckDB query, pandas merge_asof and, where they are installed, polars and Feast.

    MLOPS_BENCH_PEERS=~/peers/bin/python OMP_NUM_THREADS=1 python bench/features_join.py [--rows 1000000] [--spine 100000]

A spine of 100,000 rows meets two tables of a million rows each, once with even keys (50,000 keys) and once with hot ones (200).
Times tie, rows are corrected later, some features are missing. All answers are compared cell by cell before times are told. The
peers' interpreter needs `pip install polars feast[duckdb]`; Feast's default offline store takes minutes and gigabytes at full size, so it
joins a tenth of the spine with a tenth of the rows, and so do we beside it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from features import PEERS, peer, race, told

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

EVEN, HOT = 50_000, 200
TTL = "2d"


def make(bench: Workbench, folder: Path, rows: int, spine: int, keys: int) -> None:
    """Tables `a` and `b` and the spine, in the workspace and as Parquet files."""
    import duckdb

    con = duckdb.connect()
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    for number, name in enumerate("ab"):
        con.execute(
            f"COPY (SELECT (hash(i * 3 + {number}) % {keys})::BIGINT AS user_id,"
            f" TIMESTAMPTZ '2025-01-01' + to_seconds((hash(i * 5 + {number}) % {max(rows // 100, 1) * 60})::BIGINT // 60 * 60) AS event_at,"
            f" TIMESTAMPTZ '2025-01-01' + to_microseconds(i * 1000) AS known_at,"
            f" CASE WHEN i % 17 > 0 THEN i / 7.0 END AS {name}1, i % 1000 / 3.0 AS {name}2"
            f" FROM range({rows}) r(i)) TO '{folder / name}.parquet' (FORMAT parquet)"
        )
        bench.features.create(name, ["user_id"], time="event_at", created="known_at", ttl=TTL)
        bench.features.ingest(name, folder / f"{name}.parquet")
    con.execute(
        f"COPY (SELECT (hash(i * 11) % {keys + keys // 50})::BIGINT AS user_id, TIMESTAMPTZ '2025-01-01'"
        f" + to_seconds((hash(i * 13) % {max(rows // 100, 1) * 60})::BIGINT) AS event_at, i AS row"
        f" FROM range({spine}) r(i)) TO '{folder / 'spine.parquet'}' (FORMAT parquet)"
    )


def bare(bench: Workbench, spine: Any) -> Any:
    """The query a person would write over the same files, with the composite as-of key that settles ties."""
    ends, never = "'infinity'::timestamptz", "9223372036854775807"
    with bench.context.lake.connection() as con:
        con.register("given", spine)
        sides = {name: ", ".join(f"'{path}'" for path in bench.features.files(name)) for name in "ab"}
        joins = " ".join(
            f"ASOF LEFT JOIN read_parquet([{files}]) {name} ON s.user_id = {name}.user_id"
            f" AND row(s.event_at, {ends}, {never}) >= row({name}.event_at, {name}.known_at, {name}._seq)"
            for name, files in sides.items()
        )
        picked = ", ".join(
            f"CASE WHEN {name}.event_at >= s.event_at - INTERVAL 2 DAY THEN {name}.{name}{n} END AS {name}{n}"
            for name in "ab"
            for n in (1, 2)
        )
        return con.sql(f"SELECT s.*, {picked} FROM given s {joins} ORDER BY s.row").to_arrow_table().to_pandas()


def pandas_asof(folder: Path, spine: Any) -> Any:
    """merge_asof over sorted frames, ties settled by keeping the last known row of each key and time."""
    import pandas as pd

    left = spine.sort_values("event_at", kind="stable")
    for name in "ab":
        right = pd.read_parquet(folder / f"{name}.parquet")
        right = right.sort_values(["event_at", "known_at"], kind="stable").drop_duplicates(
            ["user_id", "event_at"], keep="last"
        )
        right = right.drop(columns="known_at")
        left = pd.merge_asof(left, right, on="event_at", by="user_id", tolerance=pd.Timedelta(days=2))
    return left.sort_values("row").reset_index(drop=True)


def same(ours: Any, theirs: Any) -> int:
    """Cells of the feature columns that differ."""
    wrong = 0
    for name in ("a1", "a2", "b1", "b2"):
        left, right = ours[name].to_numpy(dtype=float), theirs[name].to_numpy(dtype=float)
        wrong += int((~((left == right) | ((left != left) & (right != right)))).sum())
    return wrong


def memory(bench: Workbench, folder: Path) -> float:
    """Peak memory in MB of a process of its own that only does the join."""
    code = (
        "import sys, pandas as pd; from pathlib import Path; from mlops_tui.core.workspace import Workspace;"
        "from mlops_tui.workbench import Workbench; b = Workbench(Workspace.find(Path(sys.argv[1])), actor='bench');"
        "f = b.features.join(pd.read_parquet(sys.argv[2]), ['a', 'b']); b.close();"
        "print([int(l.split()[1]) / 1000 for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"
    )
    command = [sys.executable, "-c", code, str(bench.workspace.root), str(folder / "spine.parquet")]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def compare(rows: int, spine_rows: int, keys: int, title: str, *, feast: bool = False) -> None:
    import pandas as pd

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with Workbench(Workspace.create(folder / "project"), actor="bench") as bench:
            make(bench, folder, rows, spine_rows, keys)
            spine = pd.read_parquet(folder / "spine.parquet")
            ours = bench.features.join(spine, ["a", "b"])
            contestants: dict[str, Any] = {
                "bare DuckDB query": lambda: bare(bench, spine),
                "ours": lambda: bench.features.join(spine, ["a", "b"]),
                "pandas merge_asof": lambda: pandas_asof(folder, spine),
            }
            wrong = {name: same(ours, work()) for name, work in contestants.items()}
            assert wrong["bare DuckDB query"] == 0, wrong
            if feast:
                del contestants["pandas merge_asof"]
            times = race(contestants)
            others = {"polars": "polars join_asof", "feast_duckdb": "feast (DuckDB store)"}
            for short, name in ({"feast": "feast (default store)"} if feast else others).items():
                found = peer(short, folder)
                if found:
                    answer = pd.read_parquet(found["answer"])
                    times[name] = found["cpu"]
                    there = ours.merge(answer, on="row", suffixes=("", "_theirs"))
                    wrong[name] = sum(
                        int(
                            (
                                (there[c] != there[f"{c}_theirs"]) & ~(there[c].isna() & there[f"{c}_theirs"].isna())
                            ).sum()
                        )
                        for c in ("a1", "a2", "b1", "b2")
                    )
                    if "memory" in found:
                        print(f"  {name}: at most {found['memory']:,.0f} MB")
                    if len(answer) != len(ours):
                        print(f"  {name} gave {len(answer):,} of {len(ours):,} rows")
            peak = memory(bench, folder)
        print(
            f"{title}: {spine_rows:,} x (2 x {rows:,}) rows, {keys:,} keys; ours at most {peak:,.0f} MB in its own process"
        )
        told(times, "bare DuckDB query")
        print(f"  cells that differ from ours, of {4 * spine_rows:,}: {wrong}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--spine", type=int, default=100_000)
    asked = parser.parse_args()
    compare(asked.rows, asked.spine, EVEN, "even keys")
    compare(asked.rows, asked.spine, HOT, "hot keys")
    if PEERS:
        compare(asked.rows // 10, asked.spine // 10, EVEN // 10, "Feast, a tenth", feast=True)
    print(f"this process at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:,.0f} MB")
