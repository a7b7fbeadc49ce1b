"""The writing side of run logging: what a training process does for each call. One framed record, one write(2), no database.

A record is a list: its kind, the time in ms, then what the kind says below. Keys are numpy-free: scalars are coerced here,
at the edge, because SQLite would store a numpy integer as a blob.

    start   facts                       a run begins or is resumed (fields of records.RunStart)
    metric  [[key, step, value], ...]   NaN and infinities travel as they are
    params  {key: text}
    tags    {key: text}
    files   [[path, sha, size], ...]    already in the artifact store
    inputs  [[name, digest, kind, source, schema, profile, tags], ...]  data the run read
    alive                               the process still runs
    finish  state, error                the run ended, as it says itself
    close                               this writer will append no more

Segments are named `<run id>-<time><random>...`: the run can be told from the name, a name is never used twice, and the
segments of one run sort by when their writers began.
"""

from __future__ import annotations

import dataclasses
import json
import operator
import os
import secrets
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.records import (
    MAX_ERROR,
    MAX_KEY,
    MAX_PARAM,
    MAX_TAG,
    SPOOL,
    DataInput,
    RunStart,
    RunState,
)

RUN_ID_LENGTH = 16
WRITER_LENGTH = RUN_ID_LENGTH + 1 + 11 + 6
_HELD_RECORDS = 10_000
_RECORD_POINTS = 10_000
_SHOWN = 80
_INT64 = 2**63


def folder(workspace: Workspace) -> Path:
    """Where the segments of runs lie."""
    return workspace.spool / SPOOL


class RunWriter:
    """Appends the records of one run; safe for threads, and after a fork the child writes a segment of its own.

    Nothing here raises because of the disk: the first trouble is said once on stderr, and up to 10,000 records are held back
    and tried again with each later call.
    """

    def __init__(self, workspace: Workspace, run_id: str, *, steps: Mapping[str, int] | None = None) -> None:
        """`steps`: the step that each metric of a resumed run goes on with."""
        self.run_id = run_id
        self._steps = dict(steps or {})
        self._folder = folder(workspace)
        self.place = str(workspace.root)
        self._complaints: set[str] = set()
        self._held: deque[list[Any]] = deque(maxlen=_HELD_RECORDS)
        self._begin()

    def _begin(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._held.clear()  # in a forked child these belong to the parent, which writes them itself
        name = f"{self.run_id}-{clock.now_ms():011x}{secrets.token_hex(3)}"
        self._segment = SegmentWriter(self._folder, name)
        self._closed = False

    # -- what happens to a run ----------------------------------------------------------------------------------------

    def start(self, facts: RunStart) -> None:
        self._append(["start", facts.started_at, dataclasses.asdict(facts)])

    def metrics(self, points: Sequence[tuple[str, Any, Any]], *, at: int | None = None) -> None:
        """Points (key, step, value); a step of None is the one after the highest so far, counted in each process by itself.

        What is no number is reported once per key and left out.
        """
        kept: list[list[Any]] = []
        for key, step, value in points:
            try:
                kept.append([_key(key), None if step is None else _step(step), _number(value)])
            except (TypeError, ValueError, OverflowError) as error:
                self.complain(f"metric {_shown(key)} was not logged: {error}")
        self._number_steps(kept)
        for begun in range(0, len(kept), _RECORD_POINTS):
            points_now = kept[begun : begun + _RECORD_POINTS]
            self._append(["metric", at if at is not None else clock.now_ms(), points_now])

    def _number_steps(self, points: list[list[Any]]) -> None:
        self._own()
        with self._lock:
            for point in points:
                following = self._steps.get(point[0], 0)
                if point[1] is None:
                    point[1] = following
                self._steps[point[0]] = max(following, point[1] + 1)

    def params(self, values: Mapping[str, Any]) -> None:
        """Parameters as text; the last value of a key stays."""
        self._texts("params", values, MAX_PARAM)

    def tags(self, values: Mapping[str, Any]) -> None:
        self._texts("tags", values, MAX_TAG)

    def files(self, entries: Sequence[tuple[str, str, int]]) -> None:
        """Files (path, sha, size in bytes) that are in the artifact store already."""
        self._append(["files", clock.now_ms(), [list(entry) for entry in entries]])

    def inputs(self, inputs: Sequence[DataInput]) -> None:
        """Data sets the run read."""
        entries = [
            [one.name, one.digest, one.source_type, one.source, one.schema, one.profile, one.tags] for one in inputs
        ]
        self._append(["inputs", clock.now_ms(), entries])

    def alive(self) -> None:
        self._append(["alive", clock.now_ms()])

    def finish(self, state: RunState, error: str = "") -> None:
        """The run's own last word; the writer is closed with it."""
        self._append(["finish", clock.now_ms(), state.value, error[-MAX_ERROR:]])
        self.close()

    def close(self) -> None:
        """Say that no more will come from here, so that the segment may go once it is taken in."""
        if self._closed and self._owner == os.getpid():
            return
        self._append(["close", clock.now_ms()])
        with self._lock:
            self._segment.close()
            self._closed = True

    # -- how it is written --------------------------------------------------------------------------------------------

    def complain(self, text: str) -> None:
        """One line on stderr, the same line only once."""
        if text not in self._complaints:
            self._complaints.add(text)
            try:
                print(f"mlops: {text}", file=sys.stderr)  # noqa: T201 - the one place where the SDK speaks
            except (OSError, ValueError):  # stderr is closed
                pass

    def _texts(self, kind: str, values: Mapping[str, Any], limit: int) -> None:
        kept: dict[str, str] = {}
        for key, value in values.items():
            try:
                text = as_text(value).encode("utf-8", "replace").decode()  # lone surrogates fit no file
                kept[_key(key)] = text[:limit]
            except (TypeError, ValueError) as error:
                self.complain(f"{kind[:-1]} {_shown(key)} was not logged: {error}")
                continue
            if len(text) > limit:
                self.complain(f"{kind[:-1]} {_shown(key)} was cut to {limit} characters")
        if kept:
            self._append([kind, clock.now_ms(), kept])

    def _append(self, record: list[Any]) -> None:
        self._own()
        with self._lock:
            if self._closed:  # a late call of another thread: it starts a new segment rather than being lost
                if record[0] == "alive":
                    return
                self._begin_again()
            try:
                while self._held:
                    self._segment.append(self._held[0])
                    self._held.popleft()
                self._segment.append(record)
            except OSError as error:
                self._held.append(record)
                self.complain(
                    f"run {self.run_id} cannot be written ({error.strerror}); training goes on, records are held back"
                )

    def _own(self) -> None:
        """In a forked child: a lock that nobody holds, and a segment of its own."""
        if self._owner != os.getpid():
            self._begin()

    def _begin_again(self) -> None:
        self._segment = SegmentWriter(self._folder, f"{self.run_id}-{clock.now_ms():011x}{secrets.token_hex(3)}")
        self._closed = False


def as_text(value: Any) -> str:
    """A parameter or tag as text: numpy scalars by their plain value, containers as JSON where they fit."""
    if isinstance(value, str):
        return value
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(plain, (dict, list, tuple)):
        try:
            return json.dumps(plain)
        except (TypeError, ValueError):
            return str(plain)
    return str(plain)


def _shown(key: Any) -> str:
    text = repr(key)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _key(key: Any) -> str:
    if not isinstance(key, str) or not key.strip() or len(key) > MAX_KEY or not key.isprintable():
        raise ValueError(f"a name is printable text of 1 to {MAX_KEY} characters")
    return key


def _number(value: Any) -> float:
    if isinstance(value, (str, bytes)) or value is None:
        raise TypeError(f"{str(value)[:80]!r} is not a number")
    if getattr(value, "ndim", 0):  # an array or tensor: only a single number in it can be meant
        if value.size != 1 if isinstance(getattr(value, "size", None), int) else value.numel() != 1:
            raise TypeError("an array is not a number; log its mean, or one metric an element")
        return float(value.item())
    return float(value)


def _step(step: Any) -> int:
    try:
        whole = operator.index(step)
    except TypeError:
        whole = int(step)
        if whole != step:
            raise ValueError(f"step {step!r} is not a whole number") from None
    if not -_INT64 <= whole < _INT64:
        raise ValueError("a step has at most 64 bits")
    return whole
