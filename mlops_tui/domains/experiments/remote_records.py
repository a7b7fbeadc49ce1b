"""Runs, experiments and logged models as a client over HTTP sees them. Times are milliseconds since the epoch, UTC."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlops_tui.domains.experiments.records import DataInput as DataInput

DEFAULT_ID = 0
DEFAULT_NAME = "Default"
RUN_NAME_TAG = "mlflow.runName"
PARENT_TAG = "mlflow.parentRunId"
USER_TAG = "mlflow.user"
SOURCE_TAG = "mlflow.source.name"
COMMIT_TAG = "mlflow.source.git.commit"
BRANCH_TAG = "mlflow.source.git.branch"

Points = list[tuple[str, float, int, int]]
"""(key, value, ts, step)"""


@dataclass(frozen=True, slots=True)
class RemoteExperiment:
    id: int
    name: str
    created_at: int
    changed_at: int
    deleted: bool
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """A run with what it logged; `metrics` are the latest points, `models` (id, whether made here, step)."""

    id: str
    experiment_id: int
    name: str
    user: str
    state: str
    started_at: int
    ended_at: int | None
    deleted: bool
    tags: dict[str, str] = field(default_factory=dict)
    params: list[tuple[str, str]] = field(default_factory=list)
    metrics: Points = field(default_factory=list)
    inputs: list[DataInput] = field(default_factory=list)
    models: list[tuple[str, bool, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """A metric logged to a model; it names the run and the data set it is about, where they were given."""

    name: str
    value: float
    ts: int
    step: int
    run_id: str = ""
    dataset: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that a run logged. `status` is PENDING, READY or UPLOAD_FAILED."""

    id: str
    experiment_id: int
    name: str
    run_id: str
    kind: str
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    created_at: int
    updated_at: int
    created_by: str
    metrics: list[ModelPoint] = field(default_factory=list)
