"""Monitors, what one check found, and how it is kept as JSON. No numbers are computed here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class MonitorState(StrEnum):
    """A removed monitor is remembered, or the next look at its deployment would bring it back."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


class Verdict(StrEnum):
    """The one word of a report, the worst that is true."""

    PERFORMANCE = "performance"  # it is wrong more often or by more than before
    UNHEALTHY = "unhealthy"  # too many errors, or too slow
    DRIFT = "drift"  # inputs or predictions moved beyond what chance does
    OK = "ok"
    NO_REFERENCE = "no reference"  # the version has no profile to compare with
    WAITING = "waiting"  # too few new predictions and no new labels


@dataclass(frozen=True, slots=True)
class Monitor:
    """How one deployment is watched. `until` is the time of the newest prediction that was checked.

    A check that found too little moves `checked_at` and leaves no report, so `reported_at` stays behind.

    `alpha` is the chance of a false alarm per window over all columns together; a drift alert needs `need` drifted windows
    of the last `of`. `margin` is how much worse than the baseline is bad (0.1: ten percent).
    """

    deployment: str
    state: MonitorState = MonitorState.ACTIVE
    min_rows: int = 200
    max_rows: int = 2000
    alpha: float = 0.01
    need: int = 2
    of: int = 3
    margin: float = 0.1
    min_labels: int = 50
    max_error_rate: float = 0.05
    max_latency_ms: float = 500.0
    created_at: int | None = None
    checked_at: int | None = None
    reported_at: int | None = None
    verdict: Verdict | None = None
    version: int | None = None
    until: int | None = None


SETTINGS = (
    "min_rows",
    "max_rows",
    "alpha",
    "need",
    "of",
    "margin",
    "min_labels",
    "max_error_rate",
    "max_latency_ms",
)


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One column of a window against the reference.

    `psi` and `ks` past their thresholds mean drift; `wasserstein` is in standard deviations of the reference, `js` runs
    from 0 to 1, `chi2_p` is a p-value. None is "does not apply". `bins`, `reference` and `current` are shares to draw.
    """

    name: str
    kind: str
    psi: float | None = None
    psi_threshold: float | None = None
    ks: float | None = None
    ks_threshold: float | None = None
    js: float | None = None
    wasserstein: float | None = None
    chi2_p: float | None = None
    nulls_reference: float = 0.0
    nulls: float = 0.0
    new_share: float = 0.0
    mean_reference: float | None = None
    mean: float | None = None
    drifted: bool = False
    note: str = ""
    bins: list[str] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)
    current: list[float] = field(default_factory=list)

    @property
    def size(self) -> float:
        """How far past its threshold the worse of the two statistics is: 1 is just there."""
        ratios = [
            value / limit
            for value, limit in ((self.psi, self.psi_threshold), (self.ks, self.ks_threshold))
            if value is not None and limit
        ]
        return max(ratios, default=0.0)


@dataclass(frozen=True, slots=True)
class Performance:
    """How right the model was on the newest `labels` labelled predictions.

    `value` of `metric` lies between `low` and `high` with the confidence the monitor asks for; `worse` compares it with
    `baseline`. `concept_drift` says that the stream of errors rose (ADWIN) at `concept_at` and has not come back.
    """

    metric: str
    value: float
    low: float
    high: float
    baseline: float | None
    labels: int
    new_labels: int
    since: int
    until: int
    worse: bool = False
    concept_drift: bool = False
    concept_at: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    baseline_metrics: dict[str, float] = field(default_factory=dict)
    label_shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What one check found. `rows` were compared, `seen` answered since the check before; shares from 0 to 1, times ms."""

    id: int
    deployment: str
    model: str
    version: int
    at: int
    since: int | None
    until: int | None
    rows: int
    seen: int
    verdict: Verdict
    error_rate: float | None = None
    latency_p95_ms: float | None = None
    features: list[FeatureDrift] = field(default_factory=list)
    prediction: FeatureDrift | None = None
    performance: Performance | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def drifted(self) -> list[FeatureDrift]:
        """The columns past a threshold, predictions among them, furthest first."""
        columns = [*self.features, *([self.prediction] if self.prediction else [])]
        return sorted((column for column in columns if column.drifted), key=lambda column: -column.size)

    @property
    def max_psi(self) -> float | None:
        """The largest PSI of any column."""
        return max((column.psi for column in self.features if column.psi is not None), default=None)


@dataclass(frozen=True, slots=True)
class Detector:
    """What is kept between checks of one deployment's version: the error stream since its last alarm, and that alarm.

    `errors` are the values fed, as packed 32-bit floats; `before` the mean error when the alarm came.
    """

    version: int
    errors: bytes = b""
    concept_at: int | None = None
    before: float | None = None


def to_document(report: Report) -> dict[str, Any]:
    """The report as JSON values; `from_document` turns them back."""
    return dataclasses.asdict(report)


def from_document(document: dict[str, Any]) -> Report:
    """The report of `to_document`'s values; fields added since are given their defaults."""
    values = dict(document)
    values["verdict"] = Verdict(values["verdict"])
    values["features"] = [FeatureDrift(**column) for column in values["features"]]
    if values["prediction"] is not None:
        values["prediction"] = FeatureDrift(**values["prediction"])
    if values["performance"] is not None:
        values["performance"] = Performance(**values["performance"])
    return Report(**values)
