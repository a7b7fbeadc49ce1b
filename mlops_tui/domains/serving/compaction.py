"""Moves the log from segments to Parquet: exactly once, whoever dies when.

How far each segment was taken in is written in the same transaction that makes the new files visible, so a compaction that
dies before it changes nothing, and one that dies after it leaves only files to sweep. One compaction runs at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import segments
from mlops_tui.core.clock import DAY, MINUTE, iso
from mlops_tui.core.context import Context
from mlops_tui.core.ids import prediction_time
from mlops_tui.domains.serving import tables
from mlops_tui.domains.serving.log import FEEDBACK, PREDICTIONS
from mlops_tui.domains.serving.matching import match
from mlops_tui.domains.serving.records import LogFile, Signature
from mlops_tui.domains.serving.store import ServingStore
from mlops_tui.domains.serving.waiting_store import WaitingStore

if TYPE_CHECKING:
    import pyarrow as pa

# A batch of segments becomes one transaction: bounds the memory a backlog can take.
BATCH_BYTES = 32 * 1024 * 1024
MERGE_FROM = 16
# Labels by key that are looked up in one query.
MATCH_ROWS = 50_000
# Readers list files and then open them; a replaced file stays for the longest such query.
KEEP_RETIRED_MS = 10 * MINUTE

Signatures = Callable[[str, int], Signature | None]
Group = tuple[str, str, int, str]  # kind, deployment, version, day


class Compaction:
    """Takes in segments, merges small files, drops what retention no longer keeps."""

    def __init__(self, context: Context, store: ServingStore, signatures: Signatures) -> None:
        self._context = context
        self._store = store
        self._waiting = WaitingStore(context)
        self._signatures = signatures

    def run(self) -> int:
        """Take in everything that was appended; the number of rows. 0 when another process is at it."""
        with _only_one(self._context.workspace.run / "compact.lock") as mine:
            if not mine:
                return 0
            rows = sum(self._take_in(batch) for batch in self._batches())
            self._match()
            self._merge()
            self._expire()
            self._unlink()
            return rows

    def _batches(self) -> Iterator[list[Path]]:
        offsets = self._store.offsets()
        batch: list[Path] = []
        size = 0
        for path in segments.segments(self._context.workspace.segments):
            batch.append(path)
            size += path.stat().st_size - offsets.get(path.name, 0)
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _take_in(self, batch: list[Path]) -> int:
        offsets = self._store.offsets()
        # Asked before reading: what a writer appends and then dies is left for the next time, not lost.
        ended = [path for path in batch if _ended(path)]
        groups: dict[Group, list[dict[str, Any]]] = {}
        waiting: list[dict[str, Any]] = []
        reached: dict[str, int] = {}
        for path in batch:
            reached[path.name] = offsets.get(path.name, 0)
            for record, offset in segments.read(path, reached[path.name]):
                reached[path.name] = offset
                waiting += _by_key(path, record)
                for group, part in _parts(path, record):
                    groups.setdefault(group, []).append(part)
        if any(offset > offsets.get(name, 0) for name, offset in reached.items()):
            self._commit(groups, reached, waiting)
        for path in ended:
            _put_away(path, reached[path.name])
        return sum(_size(part) for parts in groups.values() for part in parts)

    def _match(self) -> None:
        """Give labels that came by key to their predictions, which may have come after them; the others go on waiting."""
        after = 0
        while rows := self._waiting.list(MATCH_ROWS, after):
            after = rows[-1]["id"]
            found: dict[int, str] = {}
            for name in sorted({row["deployment"] for row in rows}):
                mine = [row for row in rows if row["deployment"] == name]
                files = self._store.files("prediction", name, until=max(row["before"] for row in mine) + 1)
                found.update(match(self._context.lake, [self._context.lake.root / file.path for file in files], mine))
            groups: dict[Group, list[dict[str, Any]]] = {}
            for row in rows:
                if row["id"] in found:
                    name = found[row["id"]]
                    group, part = _label({"id": name, "label": row["label"], "at": row["at"]}, row["received_at"])
                    groups.setdefault(group, []).append(part)
            if groups:
                self._commit(groups, {}, matched=list(found))

    def _commit(
        self,
        groups: dict[Group, list[dict[str, Any]]],
        reached: dict[str, int],
        waiting: Sequence[dict[str, Any]] = (),
        matched: Sequence[int] = (),
    ) -> None:
        made = [(group, self._table(group, parts)) for group, parts in groups.items()]
        staged = [(group, table, self._stage(table)) for group, table in made]
        try:
            with self._context.catalog.write() as tx:
                for group, table, path in staged:
                    self._store.add_file(tx, self._publish(group, table, path))
                self._store.forget_segments(tx, self._context.workspace.segments)
                self._store.put_offsets(tx, reached, self._context.now())
                self._waiting.add(tx, waiting)
                self._waiting.remove(tx, matched)
        finally:
            for _, _, path in staged:
                path.unlink(missing_ok=True)

    def _table(self, group: Group, parts: list[dict[str, Any]]) -> pa.Table:
        kind, _, version, _ = group
        if kind == "label":
            return tables.label_table(parts)
        return tables.prediction_table(parts, self._signatures(parts[0]["model"], version))

    def _stage(self, table: pa.Table) -> Path:
        import pyarrow.parquet as pq

        path = self._context.lake.stage()
        pq.write_table(table, path, compression="zstd", row_group_size=100_000)
        return path

    def _publish(self, group: Group, table: pa.Table, staged: Path, created_at: int | None = None) -> LogFile:
        kind, deployment, version, day = group
        name = f"{version}-{uuid.uuid4().hex[:12]}.parquet"
        dest = self._context.lake.root / f"{kind}s" / deployment / day / name
        size = staged.stat().st_size
        self._context.lake.publish(staged, dest)
        times = table.column("at" if kind == "prediction" else "prediction_at").to_pylist()
        path = dest.relative_to(self._context.lake.root).as_posix()
        made = created_at if created_at is not None else self._context.now()
        return LogFile(path, kind, deployment, version, len(times), size, min(times), max(times), made)

    def _merge(self) -> None:
        """Make one file of the many small ones of a day."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        groups: dict[Group, list[LogFile]] = {}
        for file in self._store.all_files():
            day = Path(file.path).parent.name
            groups.setdefault((file.kind, file.deployment, file.version, day), []).append(file)
        for group, files in groups.items():
            if len(files) < MERGE_FROM:
                continue
            parts = [pq.read_table(self._context.lake.root / file.path, partitioning=None) for file in files]
            table = pa.concat_tables(parts, promote_options="permissive")
            staged = self._stage(table)
            try:
                with self._context.catalog.write() as tx:
                    newest = max(file.created_at for file in files)
                    self._store.add_file(tx, self._publish(group, table, staged, newest))
                    self._store.retire_files(tx, [file.path for file in files], self._context.now())
            finally:
                staged.unlink(missing_ok=True)

    def _expire(self) -> None:
        now = self._context.now()
        before = now - self._context.settings.retention.predictions_days * DAY
        old = [file.path for file in self._store.all_files() if file.max_at < before]
        if old:
            with self._context.catalog.write() as tx:
                self._store.retire_files(tx, old, now)
        with self._context.catalog.write() as tx:
            self._waiting.drop(tx, before)
        self._store.drop_intervals(before)

    def _unlink(self) -> None:
        before = self._context.now() - KEEP_RETIRED_MS
        done = [file.path for file in self._store.all_files(retired=True) if (file.retired_at or 0) < before]
        if not done:
            return
        with self._context.catalog.write() as tx:
            self._store.forget_files(tx, done)
        for path in done:  # after the commit: a crash in between leaves a file no row names, never a row without a file
            (self._context.lake.root / path).unlink(missing_ok=True)


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[bool]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def _ended(path: Path) -> bool:
    """Whether nothing more will be appended: the writer is gone, or has opened its next file."""
    if not segments.is_live(path):
        return True
    writer, number, _ = path.name.rsplit(".", 2)
    return any(other.name.rsplit(".", 2)[1] > number for other in path.parent.glob(f"{writer}.*{segments.SUFFIX}"))


def _put_away(path: Path, reached: int) -> None:
    """Remove a segment that was taken in; one with a torn or damaged rest is kept under another name."""
    if path.stat().st_size > reached:
        path.rename(path.with_suffix(".torn"))
    else:
        path.unlink()


def _parts(path: Path, record: dict[str, Any]) -> Iterator[tuple[Group, dict[str, Any]]]:
    kind = path.name.partition(".")[0]
    if kind == PREDICTIONS:
        yield ("prediction", record["deployment"], record["version"], _day(record["at"])), record
    elif kind == FEEDBACK:
        for row in record["rows"]:
            if "id" in row:
                yield _label(row, record["at"])


def _label(row: dict[str, Any], received_at: int) -> tuple[Group, dict[str, Any]]:
    at = prediction_time(row["id"]) or 0
    return ("label", "", 0, _day(at)), {**row, "prediction_at": at, "received_at": received_at}


def _by_key(path: Path, record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Labels that name no prediction."""
    if path.name.partition(".")[0] == FEEDBACK:
        yield from ({**row, "received_at": record["at"]} for row in record["rows"] if "id" not in row)


def _size(part: dict[str, Any]) -> int:
    return len(part["ids"]) if "ids" in part else 1


def _day(at: int) -> str:
    return str(iso(at))[:10]
