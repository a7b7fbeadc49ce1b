"""What this room keeps: experiments, runs, metric points and artifacts. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_KEY = 250
MAX_PARAM = 6000
MAX_TAG = 8000
MAX_NOTE = 100_000
MAX_ERROR = 20_000
SILENT_TIMES = 10
SILENT_AT_LEAST_MS = 60_000
NOTE_TAG = "note"
REMOTE = "remote"  # stands in the place of the boot of a run whose process is not known, because it logs over HTTP
SPOOL = "runs"  # the part of the workspace's spool that holds the segments of runs


class MarkKind(StrEnum):
    """What can be wrong with the numbers of a run, the worst first."""

    DIVERGED = "diverged"
    OVERFITTING = "overfitting"
    STALLED = "stalled"
    SILENT = "silent"


class RunState(StrEnum):
    """`crashed` is what others say of a run whose process is gone; the other ends are what the run said of itself."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs."""

    name: str
    runs: int
    running: int
    last_started_at: int | None
    created_at: int
    created_by: str
    description: str = ""
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """What the runs of an experiment keep: points (those in Parquet among them) and bytes of files, each content once."""

    name: str
    runs: int
    points: int
    archived: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Freed:
    """What was, or would be, removed for good: runs, files nobody named any more with their bytes, whole experiments."""

    runs: tuple[str, ...]
    files: int
    bytes: int
    dry_run: bool = False
    experiments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataInput:
    """A data set a run read. Of a feature snapshot `source` is the reference, such as orders@12."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Sequence[Any], tags: Mapping[str, str]) -> DataInput:
        """The first six fields in their order, then the tags. Raises ValueError for another number of them."""
        name, digest, source_type, source, schema, profile = map(str, values)
        return cls(name, digest, source_type, source, schema, profile, dict(tags))


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known of a run when it starts. `pid`, `process_started` and `boot` identify its process on this machine."""

    id: str
    experiment: str
    name: str
    started_at: int
    user: str = ""
    host: str = ""
    source: str = ""
    command: str = ""
    python: str = ""
    git_commit: str = ""
    git_branch: str = ""
    git_dirty: bool = False
    parent: str = ""
    pid: int = 0
    process_started: int = 0
    boot: str = ""
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One execution. `seen_at` is the newest sign of life; a crashed run ended when it was last seen. `marks`: see MarkKind."""

    id: str
    experiment: str
    name: str
    state: RunState
    started_at: int
    ended_at: int | None
    seen_at: int | None
    user: str
    host: str
    source: str
    command: str
    python: str
    git_commit: str
    git_branch: str
    git_dirty: bool
    parent: str
    error: str
    pid: int
    tags: dict[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    deleted_at: int | None = None

    @property
    def duration(self) -> int | None:
        """Milliseconds from start to end, to the last sign of life while it runs; None when neither is known."""
        end = self.ended_at or self.seen_at
        return None if end is None else max(0, end - self.started_at)


@dataclass(frozen=True, slots=True)
class LatestMetric:
    """The value at the highest step with the range over all steps. NaN is kept as a value but is in no range."""

    value: float
    step: int
    ts: int
    min: float | None
    max: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Point:
    step: int
    ts: int
    value: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that is wrong with a run: since which step, in words."""

    kind: MarkKind
    key: str
    step: int
    detail: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A metric on training and on validation data.

    `gap` is validation against training, above zero when validation is worse (mean of the newest tenth), `gap_slope` its change
    a step over the newer half. `worse_since` is the step from which validation got worse, None while it does not. `stop` is
    advice: the best was `patience` points ago or more, and what followed goes the wrong way.
    """

    train: str
    valid: str
    lower: bool
    gap: float = 0.0
    gap_slope: float = 0.0
    best_step: int = 0
    best_value: float = math.nan
    worse_since: int | None = None
    patience: int = 0
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """What the points of a run say about it; no marks is good news."""

    run_id: str
    marks: tuple[Mark, ...] = ()
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class RunArtifact:
    """A file of a run: `path` as the run named it, content under `sha` in the artifact store, `size` in bytes."""

    path: str
    sha: str
    size: int
    logged_at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side: for each key one value per run, in the order of `runs`; None where a run has none.

    `packages` are those whose versions differ, `code` the commits (with a + for changes on top), `data` what was read by name;
    `best` is the place of the run with the best value of a metric, for metrics whose values differ.
    """

    runs: tuple[Run, ...]
    params: dict[str, tuple[str | None, ...]]
    metrics: dict[str, tuple[float | None, ...]]
    packages: dict[str, tuple[str | None, ...]] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    data: dict[str, tuple[str | None, ...]] = field(default_factory=dict)
    best: dict[str, int] = field(default_factory=dict)

    @property
    def differing(self) -> tuple[str, ...]:
        """Parameters that are not the same in all runs."""
        return tuple(key for key, values in self.params.items() if len(set(values)) > 1)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs with the same values of some parameters (None: not given), and a metric over them.

    `std` is the sample's deviation, None of one run; `left_out` runs had no finite value.
    """

    values: tuple[str | None, ...]
    runs: int
    mean: float
    std: float | None
    min: float
    max: float
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Importance:
    """How much each parameter mattered for a metric: shares of 1, the largest first.

    `score` is R² on runs the model had not seen, `skipped` parameters that only name a run, `warning` why to take care.
    """

    metric: str
    runs: int
    score: float
    params: tuple[tuple[str, float], ...]
    skipped: tuple[str, ...] = ()
    warning: str = ""


def number_of(text: str) -> float | None:
    """A parameter as a number for sorting and filtering, or None when it is none (NaN counts as none)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value


def silent(last_at: int, interval: int | None, now: int) -> bool:
    """Whether a running run that logged every `interval` ms has said nothing for ten times as long, and for a minute."""
    return interval is not None and now - last_at > max(SILENT_TIMES * interval, SILENT_AT_LEAST_MS)
