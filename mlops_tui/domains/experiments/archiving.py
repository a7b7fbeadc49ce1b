"""Points of runs that ended long ago move to Parquet: written beside, checked, then swapped in with one transaction.

A process that dies before the swap leaves a file nobody names, which is removed later; after it, nothing is left to do.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.context import Context
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.points_store import FOLDER
from mlops_tui.domains.experiments.store import ExperimentsStore

if TYPE_CHECKING:
    import pyarrow.parquet as pq

FILE_POINTS = 300_000
"""A file is closed after so many points: the transaction that swaps them in holds the lock for about half a second."""
_BATCH_RUNS = 2000
_GROUP = 100_000
_ORPHAN_AGE_S = 600  # no writer needs so long between the rename and the commit


@dataclass(frozen=True, slots=True)
class Archived:
    """What was moved, and which files nobody named any more were removed."""

    runs: int = 0
    points: int = 0
    files: int = 0
    removed_files: int = 0


def archive(context: Context, audit: Audit, store: ExperimentsStore, *, before: int) -> Archived:
    """Move the points of all runs that ended before a time (ms). Runs that change meanwhile stay for the next time."""
    runs = points = files = 0
    points_store = store.numbers.points
    tried: set[int] = set()
    while batch := [
        found for found in points_store.to_archive(before, _BATCH_RUNS + len(tried)) if found[0] not in tried
    ]:
        while batch:
            taken, moved = _one_file(context, store, batch)
            tried.update(number for number, _ in batch[:taken])
            batch = batch[taken:]
            runs, points, files = runs + len(moved), points + sum(moved.values()), files + bool(moved)
    if runs:
        with context.catalog.write() as tx:
            audit.note(tx, "archive", "run", "*", after={"runs": runs, "points": points})
    return Archived(runs, points, files, collect_files(context, store))


def _one_file(context: Context, store: ExperimentsStore, batch: list[tuple[int, str]]) -> tuple[int, dict[int, int]]:
    """Write the points of the next runs into one file and swap it in: (runs looked at, points of each that was moved)."""
    points = store.numbers.points
    path = f"{FOLDER}/{ids.new_id()}.parquet"
    staged = context.lake.stage()
    written: dict[int, int] = {}
    states: dict[int, tuple[Any, ...]] = {}
    try:
        with _Writer(staged) as file:
            for number, run_id in batch:
                states[number] = points.state_of(number)
                written[number] = 0
                for page in points.pages(number, run_id):
                    file.add(page)
                    written[number] += len(page)
                if file.points >= FILE_POINTS:
                    break
        with context.metrics.write() as tx:
            same = {number: count for number, count in written.items() if points.state_of(number) == states[number]}
            moved = {number: count for number, count in same.items() if count == states[number][0]}
            if moved:
                context.lake.publish(staged, context.lake.root / path)
                points.move(tx, list(moved.items()), path)
                store.upkeep.done(tx, "archive", context.now())
    finally:
        staged.unlink(missing_ok=True)
    if moved:
        with context.metrics.write() as tx:
            tx.execute("PRAGMA incremental_vacuum(20000)").fetchall()
    return len(written), moved


def collect_files(context: Context, store: ExperimentsStore) -> int:
    """Remove files that no run names and that have lain there for a while; how many. It commits before it unlinks."""
    folder = context.lake.root / FOLDER
    youngest = time.time() - _ORPHAN_AGE_S  # the clock of the files, which is the machine's
    if not folder.is_dir():
        return 0
    with context.metrics.write() as tx:
        store.upkeep.done(tx, "collect points", context.now())
    named = store.numbers.points.files()
    return sum(_remove(path, youngest) for path in folder.glob("*.parquet") if f"{FOLDER}/{path.name}" not in named)


def _remove(path: Path, youngest: float) -> bool:
    with suppress(FileNotFoundError):
        if path.stat().st_mtime <= youngest:
            path.unlink()
            return True
    return False


class _Writer:
    """Rows (run id, key, step, ts, value) into a Parquet file, a row group of 100,000 at a time."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        self._schema = pa.schema(
            [
                ("run", pa.string()),
                ("key", pa.string()),
                ("step", pa.int64()),
                ("ts", pa.int64()),
                ("value", pa.float64()),
            ]
        )
        self._file: pq.ParquetWriter = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []
        self.points = 0

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        self.points += len(rows)
        self._rows += rows
        if len(self._rows) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            self._file.write_table(self._pa.table(columns, schema=self._schema))
            self._rows = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._flush()
        self._file.close()
