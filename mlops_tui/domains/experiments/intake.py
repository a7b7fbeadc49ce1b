"""The reading side of run logging: segments of the spool into the databases, each record once, by one reader at a time.

Order of a chunk: catalog first (runs, ends, tags: upserts that may be repeated), then one transaction of metrics.db with the
numbers and the new (segment, offset). A reader that dies between the two repeats the chunk and changes nothing twice.
"""

from __future__ import annotations

import fcntl
import logging
import operator
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from mlops_tui.core import segments
from mlops_tui.core.context import Context
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments import lifecycle, spool
from mlops_tui.domains.experiments.records import DataInput, RunStart, RunState
from mlops_tui.domains.experiments.store import ExperimentsStore

RECOVERED = "recovered"
_CHUNK = 5000
_CHUNK_BYTES = 2 << 20
_START_FIELDS = {item.name for item in fields(RunStart)}
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """Records of one run, folded: of two writes to the same place the later one."""

    events: list[RunStart | tuple[RunState, int, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: dict[str, dict[int, tuple[int, float]]] = field(default_factory=dict)
    files: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    inputs: list[DataInput] = field(default_factory=list)
    first_at: int = 0
    seen_at: int = 0
    records: int = 0
    closed: bool = False

    def add(self, record: Any) -> None:
        """Fold one record in; raises ValueError, TypeError or LookupError when it is none of ours."""
        kind, at, *rest = record
        at = operator.index(at)
        if kind == "metric":
            for key, step, value in rest[0]:
                self.points.setdefault(str(key), {})[operator.index(step)] = (at, float(value))
        elif kind == "params":
            self.params.update(rest[0])
        elif kind == "tags":
            self.tags.update(rest[0])
        elif kind == "files":
            self.files.update({path: (sha, size, at) for path, sha, size in rest[0]})
        elif kind == "inputs":
            self.inputs += [DataInput.of(one[:6], one[6]) for one in rest[0]]
        elif kind == "start":
            # A newer version may write more than this one knows.
            self.events.append(RunStart(**{name: value for name, value in rest[0].items() if name in _START_FIELDS}))
        elif kind == "finish":
            self.events.append((RunState(rest[0]), at, rest[1]))
        elif kind == "close":
            self.closed = True
        self.first_at = self.first_at or at
        self.seen_at = max(self.seen_at, at)
        self.records += 1


class Intake:
    """Moves records of all runs of a workspace; call it from any thread or process, each with its own context."""

    def __init__(self, context: Context, store: ExperimentsStore, audit: Audit) -> None:
        self._context = context
        self._store = store
        self._audit = audit
        self._folder = spool.folder(context.workspace)
        self._ended: list[str] = []

    def take_in(self, *, wait: bool = True) -> int:
        """Move what lies in the spool; the number of records. Without `wait`, 0 at once while another process does it."""
        with _turn(self._context.workspace.run / "intake.lock", wait) as mine:
            return self._take_all() if mine else 0

    def take_ended(self) -> list[str]:
        """Runs whose last word was taken in since this was asked before."""
        ended, self._ended = self._ended, []
        return ended

    def _take_all(self) -> int:
        paths = segments.segments(self._folder)
        offsets = self._store.numbers.offsets()
        taken, complete = 0, []
        for path, following in zip_longest(paths, paths[1:]):
            # Asked before reading, so that nothing can be written after the last look at a segment that is called complete.
            ended = not segments.is_live(path) or (following is not None and _writer(following) == _writer(path))
            records, offset, closed = self._take(path, offsets.pop(path.name, 0), ended=ended)
            taken += records
            if offset is not None and (ended or closed):
                complete.append((path, offset))
        self._remove(complete, stale=list(offsets))
        return taken

    def _take(self, path: Path, offset: int, *, ended: bool) -> tuple[int, int | None, bool]:
        """(records, offset reached, whether the writer said it is done); offset None when the run is not known yet."""
        run_id = path.name[: spool.RUN_ID_LENGTH]
        taken, closed = 0, False
        reader = segments.read(path, offset)
        while chunk := _next_chunk(reader, offset):
            batch = _fold(chunk, path)
            if not self._apply(run_id, batch, path.name, chunk[-1][1], recover=ended):
                return taken, None, False
            offset = chunk[-1][1]
            taken += batch.records
            closed = closed or batch.closed
        return taken, offset, closed

    def _apply(self, run_id: str, batch: Batch, segment: str, offset: int, *, recover: bool) -> bool:
        """Whether the chunk was taken in; not, when its run is unknown and its beginning may still be on the way."""
        known = self._store.number(run_id) is not None
        removed = not known and self._store.was_removed(run_id)
        if not known and not removed and not any(isinstance(event, RunStart) for event in batch.events):
            if not recover:
                return False
            batch.events.insert(0, RunStart(run_id, RECOVERED, run_id[:8], batch.first_at))
        if not removed and (batch.events or batch.tags or batch.inputs):
            self._apply_to_catalog(run_id, batch)
        number = self._store.number(run_id)
        with self._context.metrics.write() as tx:
            if number is not None:
                self._apply_numbers(tx, number, batch)
            self._store.numbers.set_offset(tx, segment, offset)
        if number is not None and any(not isinstance(event, RunStart) for event in batch.events):
            self._ended.append(run_id)
        return True

    def _apply_to_catalog(self, run_id: str, batch: Batch) -> None:
        with self._context.catalog.write() as tx:
            for event in batch.events:
                if isinstance(event, RunStart):
                    lifecycle.begin(tx, self._store, self._audit, event)
                else:
                    lifecycle.end(tx, self._store, self._audit, run_id, *event)
            number = self._store.number(run_id)
            if number is not None and batch.tags:
                self._store.set_tags(tx, number, batch.tags)
            if number is not None and batch.inputs:
                self._store.put_inputs(tx, number, batch.inputs)

    def _apply_numbers(self, tx: Any, number: int, batch: Batch) -> None:
        keys = self._store.numbers.key_ids(tx, {*batch.points, *batch.params})
        for name, points in batch.points.items():
            self._store.numbers.put_points(tx, number, keys[name], points)
        self._store.numbers.put_params(tx, number, keys, batch.params)
        self._store.numbers.put_artifacts(tx, number, batch.files)
        self._store.numbers.saw(tx, number, batch.seen_at)

    def _remove(self, complete: list[tuple[Path, int]], stale: list[str]) -> None:
        """Delete segments that are wholly in the database; what a reader could not understand is kept aside."""
        if complete:
            self._store.numbers.set_offsets_durably([(path.name, offset) for path, offset in complete])
        for path, offset in complete:
            if path.stat().st_size > offset:
                aside = path.parent / "torn"
                aside.mkdir(exist_ok=True)
                path.replace(aside / path.name)
                _log.warning("%s has a damaged tail; it was moved to %s", path.name, aside)
            else:
                path.unlink()
        if complete or stale:
            with self._context.metrics.write() as tx:
                self._store.numbers.forget_segments(tx, [*stale, *(path.name for path, _ in complete)])


def _next_chunk(reader: Iterator[tuple[Any, int]], offset: int) -> list[tuple[Any, int]]:
    """Records of one transaction: not more than 5,000, and no more once they are 2 MiB, for a record may hold many points."""
    chunk: list[tuple[Any, int]] = []
    for record in islice(reader, _CHUNK):
        chunk.append(record)
        if record[1] - offset >= _CHUNK_BYTES:
            break
    return chunk


def _fold(chunk: list[tuple[Any, int]], path: Path) -> Batch:
    batch = Batch()
    for record, offset in chunk:
        try:
            batch.add(record)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # One record that nobody can read must not keep all others out; its bytes were whole, so this is a program's mistake.
            _log.warning("%s: the record before byte %d was left out: %s", path.name, offset, error)
    return batch


def _writer(path: Path) -> str:
    """What the segments of one writer have in common: the name without its number."""
    return path.name.rsplit(".", 2)[0]


_held: set[int] = set()


@contextmanager
def _turn(path: Path, wait: bool) -> Iterator[bool]:
    """Whether this caller is the one reader now; the kernel frees the lock of a dead one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    _held.add(handle)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
    finally:
        _held.discard(handle)
        os.close(handle)


def _let_go() -> None:
    """In a forked child: drop the inherited handle, which would hold the lock on after the parent was killed."""
    for handle in _held:
        os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
