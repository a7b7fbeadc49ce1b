"""What serving keeps: deployments, their routes, answered predictions and counts of them. Rules need no I/O."""

from __future__ import annotations

import bisect
import dataclasses
import enum
from typing import Any

from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving.handling import Handling


class State(enum.StrEnum):
    """What a deployment (or one of its routes) is doing now."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPED = "stopped"
    FAILED = "failed"


class Wanted(enum.StrEnum):
    """What a person asked for."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A named model input or output; `type` is int64, float64, bool, string or datetime."""

    name: str
    type: str


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives, as `signature.json` of its package says; `names` are those of the inputs."""

    task: str
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    labels: tuple[Any, ...] = ()
    names: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    all_floats: bool = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.inputs))
        object.__setattr__(self, "all_floats", all(column.type == "float64" for column in self.inputs))

    @classmethod
    def of(cls, described: dict[str, Any]) -> Signature:
        """Read the dictionary form."""
        return cls(
            task=str(described.get("task", "")),
            inputs=tuple(Column(str(item["name"]), str(item["type"])) for item in described["inputs"]),
            outputs=tuple(Column(str(item["name"]), str(item["type"])) for item in described["outputs"]),
            labels=tuple(described.get("labels") or ()),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """One version's share of a deployment: `weight` in percent, how its worker does, and how many of them there are."""

    version: int
    weight: float
    state: State = State.STARTING
    pid: int | None = None
    detail: str = ""
    workers: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Deployment:
    """A named endpoint over one or more versions of one model.

    `revision` grows with each change; `previous` holds the weights before the last change of versions, for a rollback.
    """

    name: str
    model: str
    wanted: Wanted
    versions: tuple[Route, ...]
    previous: dict[int, float]
    revision: int
    created_at: int
    updated_at: int
    state: State = State.STARTING
    detail: str = ""
    url: str = ""
    handling: Handling = dataclasses.field(default_factory=Handling)

    @property
    def asked(self) -> tuple[int, ...]:
        """The versions that need a worker: those with traffic, and the shadow."""
        shadow = self.handling.shadow
        routed = tuple(route.version for route in self.versions)
        return routed if shadow is None or shadow in routed else (*routed, shadow)


def weights_of(deployment: Deployment) -> dict[int, float]:
    """Return a deployment's percent per version."""
    return {route.version: route.weight for route in deployment.versions}


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What the gateway needs to serve one version: the package's manifest hash, its signature, and the engine.

    `engine` is "" where only the package says which; `check` is what it has to show before it is ready (`staging.Order`), None
    when it did.
    """

    model: str
    version: int
    package: str
    signature: Signature
    engine: str = ""
    check: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerState:
    """The gateway's word on the workers of one version: its first one's process, how many there are (`workers`), the processes of
    the `others`, and what it showed before it was ready, where it had to.
    """

    model: str
    version: int
    state: State
    pid: int | None = None
    detail: str = ""
    restarts: int = 0
    checks: tuple[Health, ...] = ()
    workers: int = 0
    others: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class RouteState:
    """The gateway's word on one deployment: which revision it serves now."""

    deployment: str
    revision: int
    state: State
    detail: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class GatewayState:
    """The process that answers HTTP, by (pid, start time, boot)."""

    pid: int
    started: int
    boot: str
    host: str
    port: int
    seen_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class Interval:
    """Counts of one deployment's version over `span_ms` from `at`; `histogram` counts latencies per bucket of BOUNDS_MS."""

    deployment: str
    version: int
    at: int
    span_ms: int
    requests: int
    rows: int
    client_errors: int
    server_errors: int
    latency_sum_ms: float
    histogram: tuple[int, ...]


# Upper bounds in ms, a quarter decade apart from 0.1 ms to 100 s: a quantile is right within 33 %, less by interpolation.
BOUNDS_MS = tuple(round(0.1 * 10 ** (step / 8), 4) for step in range(49))


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceStats:
    """Traffic of a deployment since a time: `rate` in requests per second, latencies in ms (None without requests)."""

    requests: int
    errors: int
    rate: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    rows: int = 0
    client_errors: int = 0
    server_errors: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One step of a traffic series that starts at `at`; `in_flight` is how many requests were under way on average (Little's law)."""

    at: int
    requests: int
    errors: int
    rate: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None = None
    in_flight: float = 0.0
    rows: int = 0
    client_errors: int = 0
    server_errors: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """One answered row. `score` is the probability of the second of two labels, or of the label that was predicted.

    `marks`: what was odd about the row, where the deployment has a guard (see `guards.py`).
    """

    id: str
    at: int
    deployment: str
    model: str
    version: int
    latency_ms: float
    status: int
    error: str
    prediction: Any
    score: float | None
    inputs: dict[str, Any]
    request_id: str = ""
    label: Any = None
    label_at: int | None = None
    marks: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class LogFile:
    """One Parquet file of the log, `path` relative to the lake. `kind` is prediction or label; times are of predictions."""

    path: str
    kind: str
    deployment: str
    version: int
    rows: int
    bytes: int
    min_at: int
    max_at: int
    created_at: int
    retired_at: int | None = None


# Columns of every prediction file, before one column per model input.
OWN_COLUMNS = (
    "id",
    "at",
    "version",
    "latency_ms",
    "status",
    "error",
    "prediction",
    "_score",
    "_model",
    "_request_id",
    "_marks",
    "_caller",
)


def input_column(name: str) -> str:
    """Return the Parquet column that holds the model input `name`: itself, unless that is one of OWN_COLUMNS."""
    return f"input.{name}" if name in OWN_COLUMNS or name.startswith("input.") else name


def input_name(column: str) -> str:
    """Undo `input_column`."""
    return column.removeprefix("input.")


def bucket_of(latency_ms: float) -> int:
    """Return the place in a histogram (one more than BOUNDS_MS) that counts this latency."""
    return bisect.bisect_left(BOUNDS_MS, latency_ms)


def quantile(histogram: tuple[int, ...] | list[int], share: float) -> float | None:
    """Estimate a latency quantile in ms by linear interpolation inside the bucket that holds it; None when empty."""
    total = sum(histogram)
    if not total:
        return None
    goal, seen = share * total, 0
    for place, count in enumerate(histogram):
        if count and seen + count >= goal:
            low = BOUNDS_MS[place - 1] if place else 0.0
            high = BOUNDS_MS[place] if place < len(BOUNDS_MS) else BOUNDS_MS[-1]
            return low + (high - low) * max(0.0, goal - seen) / count
        seen += count
    return BOUNDS_MS[-1]


def add_up(histograms: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Add histograms bucket by bucket."""
    return tuple(map(sum, zip(*histograms, strict=True))) if histograms else (0,) * (len(BOUNDS_MS) + 1)
