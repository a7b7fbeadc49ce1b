"""Feature tables against what else there is on this machine, as CPU seconds (user + system, all threads) of one run.

Run by hand: python bench/features.py [profile|lookup|...] [--rows N]. Each line is the median of interleaved rounds, and
answers are compared before times are. MLOPS_BENCH_PEERS names the python of an environment with what
features_peers.py imports; what is not there is passed over.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

ROUNDS = 3
PEERS = os.environ.get("MLOPS_BENCH_PEERS", "")


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process while `work` runs."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def race(contestants: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU seconds of each, rounds interleaved so that a busy machine hurts all alike."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, work in contestants.items():
            times[name].append(cpu(work))
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def peer(name: str, folder: Path) -> dict[str, Any] | None:
    """Run a contestant of the peers' interpreter: its CPU seconds, memory, and where its answer lies."""
    if not PEERS:
        return None
    command = [
        os.environ.get(f"MLOPS_BENCH_{name.upper()}", PEERS),
        str(Path(__file__).with_name("features_peers.py")),
        name,
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        print(f"  {name}: skipped: {done.stderr.strip().splitlines()[-1][:120] if done.stderr.strip() else 'failed'}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def told(times: dict[str, float], yardstick: str) -> None:
    for name, seconds in times.items():
        print(f"  {name:<34} {seconds:8.3f} CPU s   {seconds / times[yardstick]:6.2f} x {yardstick}")


def make_wide(bench: Workbench, folder: Path, rows: int) -> None:
    """`wide`: 20 columns (9 doubles, 5 integers, 5 texts, a time), some with missing values."""
    path = folder / "wide.parquet"
    doubles = ", ".join(
        f"CASE WHEN hash(i * 31 + {n}) % 20 > 0 THEN sqrt(hash(i + {n}) % 1000003) END AS d{n}" for n in range(9)
    )
    whole = ", ".join(f"(hash(i * 7 + {n}) % {10 ** (n + 1)})::BIGINT AS n{n}" for n in range(4))
    texts = ", ".join(f"'v' || (hash(i * 13 + {n}) % {3 ** (n * 2 + 1)}) AS s{n}" for n in range(5))
    at = "TIMESTAMPTZ '2025-01-01' + INTERVAL (i) SECOND AS at"
    bench.context.lake.copy_to_parquet(
        f"SELECT i AS id, {at}, {doubles}, {whole}, {texts} FROM range({rows}) r(i)", path
    )
    bench.features.create("wide", ["id"], time="at")
    bench.features.ingest("wide", path)


def profile(bench: Workbench, folder: Path, rows: int) -> None:
    """A full profile of a table against DuckDB's SUMMARIZE of the same files, and a first look at a sample."""
    from mlops_tui.domains.features import offline
    from mlops_tui.domains.features import profile as engine

    make_wide(bench, folder, rows)
    table, snapshot = bench.features.get("wide"), bench.features.snapshot("wide")
    source = offline.scan(bench.features.files("wide"), snapshot.columns)
    given = (source, table, 1, snapshot.columns, rows, 0)

    def ours(exact: bool) -> Callable[[], object]:
        def work() -> object:
            with bench.context.lake.connection() as connection:
                return engine.build(connection, *given, exact=exact)

        return work

    def summarize() -> list[dict[str, object]]:
        return bench.context.lake.query(f"SUMMARIZE SELECT * FROM {source}")

    theirs = {row["column_name"]: row for row in summarize()}
    for column in ours(True)().columns:  # type: ignore[attr-defined]
        row = theirs[column.name]
        assert abs(column.missing_share * 100 - float(str(row["null_percentage"]))) < 0.01, column.name
        if column.mean is not None and column.type == "DOUBLE":
            assert abs(column.mean - float(str(row["avg"]))) < 1e-6 * abs(column.mean), column.name
    print(f"profile of {rows:,} rows x {len(snapshot.columns)} columns (2 threads, {snapshot.bytes / 1e6:.0f} MB)")
    times = race({"SUMMARIZE": summarize, "full profile": ours(True), "first look (sample)": ours(False)})
    told(times, "SUMMARIZE")
    if found := peer("ydata", folder):
        more = found["cpu"] / 100_000 / (times["full profile"] / rows)
        print(
            f"  ydata-profiling, minimal, without its page: {found['cpu']:.1f} CPU s for 100,000 rows, {more:.0f} x ours a row"
        )


def checks(bench: Workbench, folder: Path, rows: int) -> None:
    """33 checks of every kind that looks at rows against the one query a person would write for them."""
    from mlops_tui.domains.features import offline

    make_wide(bench, folder, rows)
    snapshot = bench.features.snapshot("wide")
    wanted: list[dict[str, object]] = [{"kind": "not_null", "column": f"d{n}", "tolerate": 0.1} for n in range(8)]
    wanted += [{"kind": "range", "column": f"d{n}", "low": 0, "high": 1000} for n in range(8)]
    wanted += [{"kind": "regex", "column": f"s{n}", "pattern": "v[0-9]+"} for n in range(3)]
    wanted += [{"kind": "in_set", "column": f"n{n}", "values": list(range(10 ** (n + 1)))[:10]} for n in range(3)]
    wanted += [{"kind": "length", "column": f"s{n}", "low": 2, "high": 9} for n in range(3)]
    wanted += [
        {"kind": "unique", "column": "id"},
        {"kind": "row_count", "low": 1},
        {"kind": "mean", "column": "d0", "low": 0},
    ]
    wanted += [
        {"kind": "std", "column": "d0", "high": 1e9},
        {"kind": "quantile", "column": "d1", "share": 0.5, "low": 0},
    ]
    wanted += [{"kind": "freshness", "column": "at", "max_age": 10**14}, {"kind": "sql", "where": "d0 > d1 + 2000"}]
    wanted += [{"kind": "type", "column": "s4", "type": "VARCHAR"}]
    by_hand = [f"count(*) FILTER (d{n} IS NULL)" for n in range(8)]
    by_hand += [f"count(*) FILTER (d{n} < 0 OR d{n} > 1000)" for n in range(8)]
    by_hand += [f"count(*) FILTER (NOT regexp_full_match(s{n}, 'v[0-9]+'))" for n in range(3)]
    by_hand += [f"count(*) FILTER (n{n} NOT IN (0, 1, 2, 3, 4, 5, 6, 7, 8, 9))" for n in range(3)]
    by_hand += [f"count(*) FILTER (length(s{n}) < 2 OR length(s{n}) > 9)" for n in range(3)]
    by_hand += ["count(id) - count(DISTINCT id)", "count(*)", "avg(d0)", "stddev(d0)", "approx_quantile(d1, 0.5)"]
    by_hand += ['max("at")', "count(*) FILTER (d0 > d1 + 2000)", "count(*) FILTER (TRY_CAST(s4 AS VARCHAR) IS NULL)"]
    source = offline.scan(bench.features.files("wide"), snapshot.columns)
    query = f"SELECT {', '.join(f'{sql} AS c{place}' for place, sql in enumerate(by_hand))} FROM {source}"
    found = bench.context.lake.query(query)[0]
    report = bench.features.check("wide", wanted)
    assert [result.bad for result in report.results[:25]] == [found[f"c{place}"] for place in range(25)]
    with_rows = [result for result in report.results if result.sample]
    times = race(
        {
            "one query by hand": lambda: bench.context.lake.query(query),
            "checks": lambda: bench.features.check("wide", wanted),
        }
    )
    if found := peer("pandera", folder):
        times["pandera (polars)"] = found["cpu"]
    if found := peer("great_expectations", folder):
        times[f"Great Expectations ({found['checks']} of them)"] = found["cpu"]
        print(f"  Great Expectations: at most {found['memory']:,.0f} MB")
        ours = {
            str(one["column"]): result.bad
            for one, result in zip(wanted, report.results, strict=True)
            if one["kind"] == "in_set"
        }
        assert found["bad"] == ours, (found["bad"], ours)
    print(f"{len(wanted)} checks of {rows:,} rows x 20 columns; {len(with_rows)} fail, with 5 of their rows each")
    told(times, "one query by hand")


def lookup(bench: Workbench, folder: Path, rows: int) -> None:
    """Bringing 100,000 entities online, and what one and a hundred of them cost to look up, as often as 20,000 times."""
    import pandas as pd

    entities = 100_000
    frame = pd.DataFrame(
        {"customer_id": range(entities), **{f"f{n}": [n + k / 7 for k in range(entities)] for n in range(5)}}
    )
    frame["at"] = pd.Timestamp.now("UTC").floor("s")
    bench.features.create("customers", ["customer_id"], time="at", ttl="30d")
    bench.features.ingest("customers", frame)
    seconds = cpu(lambda: bench.features.materialize("customers"))
    size = (bench.workspace.root / "online.db").stat().st_size
    print(
        f"materialize {entities:,} entities x 5 features: {entities / seconds:,.0f} entities per CPU s, {size / 1e6:.1f} MB"
    )
    for count in (1, 8, 100):
        asked = [[{"customer_id": (n * 7919 + k * 13) % entities} for k in range(count)] for n in range(2000)]
        each = []
        for keys in asked * max(1, 10 // count):
            before = time.perf_counter_ns()
            found = bench.features.lookup("customers", keys)
            each.append((time.perf_counter_ns() - before) / 1000)
            assert found[0].status == "ok"
        spent = cpu(lambda asked=asked: [bench.features.lookup("customers", keys) for keys in asked]) / len(asked) * 1e6
        p50, p99 = statistics.median(each), sorted(each)[int(0.99 * len(each))]
        print(f"lookup of {count:>3} entities   p50 {p50:7.1f} us   p99 {p99:7.1f} us   CPU {spent:7.1f} us")


BENCHES = {"profile": profile, "checks": checks, "lookup": lookup}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(BENCHES))
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    for name in asked.names:
        with tempfile.TemporaryDirectory() as temporary:
            workspace = Workspace.create(Path(temporary) / "project")
            with Workbench(workspace, actor="bench") as bench:
                BENCHES[name](bench, Path(temporary), asked.rows)
