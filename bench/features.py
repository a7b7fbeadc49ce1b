"""Feature tables against what else there is on this machine, as CPU seconds (user + system, all threads) of one run.

Run by hand: python bench/features.py [profile|lookup|...] [--rows N]. Each line is the median of interleaved rounds, and
answers are compared before times are.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

ROUNDS = 3


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
    told(race({"SUMMARIZE": summarize, "full profile": ours(True), "first look (sample)": ours(False)}), "SUMMARIZE")


BENCHES = {"profile": profile}


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
