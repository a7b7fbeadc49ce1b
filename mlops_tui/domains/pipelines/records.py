"""What pipelines keep: definitions as listed, runs with their steps, and the gate's verdict with every number."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# All there are, in their order; a definition has those it asks for, and its own after `load` (`Recipe.plan`).
STEPS = (
    "load",
    "collect",
    "check",
    "split",
    "preprocess",
    "select",
    "tune",
    "train",
    "calibrate",
    "evaluate",
    "explain",
    "test",
    "gate",
    "register",
    "deploy",
)

# Whether more is better; also the metrics a definition may name.
REGRESSION_METRICS = {"rmse": False, "mae": False, "rmsle": False, "r2": True, "mape": False, "median_ae": False}
CLASSIFICATION_METRICS = {
    "roc_auc": True,
    "f1": True,
    "accuracy": True,
    "precision": True,
    "recall": True,
    "brier": False,
    "log_loss": False,
    "average_precision": True,
    "balanced_accuracy": True,
    "ece": False,
}
# Of the groups found: of the test rows in prepared space, and how alike two fits group them.
CLUSTERING_METRICS = {"silhouette": True, "davies_bouldin": False, "stability": True}
# The first five need labels (1 or true: an anomaly); the last two can always be measured.
ANOMALY_METRICS = {
    "roc_auc": True,
    "average_precision": True,
    "precision": True,
    "recall": True,
    "f1": True,
    "stability": True,
    "flagged": False,
}
# Asked of the saved model in a fresh process, not of its predictions: single-row latency in ms, file size in MB.
PROBE_METRICS = {"latency_p95_ms": False, "size_mb": False}
HIGHER_IS_BETTER = {
    **REGRESSION_METRICS,
    **CLASSIFICATION_METRICS,
    **CLUSTERING_METRICS,
    **ANOMALY_METRICS,
    **PROBE_METRICS,
}
_METRICS = {"regression": REGRESSION_METRICS, "clustering": CLUSTERING_METRICS, "anomaly": ANOMALY_METRICS}
# Tasks that have no target to learn from.
UNSUPERVISED = ("clustering", "anomaly")
# Tasks whose answer is a label.
CLASSES = ("classification", "semi-supervised")


def metrics_of(task: str) -> dict[str, bool]:
    """Return the metrics of a task and whether more is better."""
    return _METRICS.get(task, CLASSIFICATION_METRICS)


class RunState(StrEnum):
    """`blocked`: everything worked and the gate said no. `waiting`: it worked and a person has to decide."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    BLOCKED = "blocked"
    WAITING = "waiting"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


OPEN_STATES = (RunState.QUEUED, RunState.RUNNING)


class StepState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class Outcome(StrEnum):
    BLESSED = "blessed"
    BLOCKED = "blocked"
    NEEDS_PERSON = "needs_person"


@dataclass(frozen=True, slots=True)
class Definition:
    """A pipeline file as listed. A file with mistakes is listed too, with them in `problems`."""

    name: str
    path: str
    description: str = ""
    owner: str = ""
    task: str = ""
    estimator: str = ""
    spine: str = ""
    features: list[str] = field(default_factory=list)
    target: str = ""
    model: str = ""
    deploy_to: str = ""
    deployment: str = ""
    triggers: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    # The package that triggers set off, `bike@3`; empty when they run the file.
    package: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a definition file."""

    file: str
    line: int
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step of one run. `log` is the path of its log file, `detail` one line on what it did or why it failed."""

    name: str
    state: StepState
    started_at: int | None = None
    ended_at: int | None = None
    detail: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One condition of the gate. `passed` None: not decided, for the reason in `detail`. `low`..`high` is an interval."""

    name: str
    passed: bool | None
    value: float | None = None
    limit: str = ""
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    rows_needed: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate decided and every number it looked at. `champion` is the version compared with, or empty."""

    outcome: Outcome
    checks: list[GateCheck]
    champion: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One run of a pipeline. `version` is the registered version (`model/3`), `run_id` its experiment run."""

    id: str
    pipeline: str
    state: RunState
    steps: list[StepRun]
    verdict: GateVerdict | None
    version: str
    run_id: str
    job_id: int | None
    cause: dict[str, Any]
    actor: str
    created_at: int
    started_at: int | None
    ended_at: int | None
    error: str
    # What was asked besides the definition: {"cache": bool, "like": run, "pins": {...}, "override": {"by", "why"},
    # "test": {"rows", "content"}, "package": ref, "bundle": hash, "commit", "environment", "code": hash of the project's own}.
    options: dict[str, Any] = field(default_factory=dict)
    # What it was made of and gave: snapshots, code, environment, seeds, metrics; see `facts.py`.
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """One tried setting of a search. `folds` are the scores so far; a pruned trial has fewer of them than the others."""

    number: int
    state: str
    params: dict[str, Any]
    value: float | None
    folds: list[float]
    error: str = ""
    run: str = ""
    started_at: int | None = None
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a test of a pipeline looked at. `kind`: step, alone, again, contract, tests or whole."""

    kind: str
    subject: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TestReport:
    """What came of testing a pipeline on a sample of `rows`. `content` is the hash of what was tested, `run` its run."""

    __test__ = False  # no test of ours, whatever its name

    pipeline: str
    run: str
    content: str
    passed: bool
    checks: list[Finding]
    rows: int
    at: int
    took_ms: int


class Environment(StrEnum):
    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Package:
    """One immutable version of a pipeline: `sha` of the archive, `content` of what it does, `files` and `lock` by name."""

    pipeline: str
    version: int
    sha: str
    content: str
    definition: str
    files: dict[str, str]
    lock: dict[str, str]
    commit: str
    report: TestReport
    why: str
    created_at: int
    created_by: str

    @property
    def ref(self) -> str:
        return f"{self.pipeline}@{self.version}"


@dataclass(frozen=True, slots=True)
class Placement:
    """A package put into an environment. `state` follows from the run it made there: running, active, replaced, failed."""

    id: int
    pipeline: str
    environment: Environment
    version: int
    action: str
    state: str
    run_id: str
    job_id: int | None
    why: str
    actor: str
    at: int


def decide(checks: list[GateCheck]) -> tuple[Outcome, str]:
    """Combine checks: one failure blocks, one undecided needs a person, else blessed; with the reason in a sentence.

    A check that is only informative has `passed` None and no `rows_needed`, and starts with "charter".
    """
    failed = [check for check in checks if check.passed is False]
    if failed:
        return Outcome.BLOCKED, "; ".join(check.detail or f"{check.name} {check.limit}" for check in failed)
    open_ = [check for check in checks if check.passed is None and not check.name.startswith("charter")]
    if open_:
        return Outcome.NEEDS_PERSON, "; ".join(check.detail for check in open_)
    return Outcome.BLESSED, f"all {sum(check.passed is True for check in checks)} checks passed"
