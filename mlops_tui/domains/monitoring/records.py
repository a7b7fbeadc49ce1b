"""What one check found, and how it is kept as JSON. No numbers are computed here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """The one word of a report, the worst that is true."""

    PERFORMANCE = "performance"  # it is wrong more often or by more than before
    UNHEALTHY = "unhealthy"  # too many errors, or too slow
    DRIFT = "drift"  # inputs or predictions moved beyond what chance does
    QUALITY = "quality"  # requests are malformed: missing, out of range, unseen, too many or too few
    OK = "ok"
    NO_REFERENCE = "no reference"  # the version has no profile to compare with
    WAITING = "waiting"  # too few new predictions and no new labels


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One column of a window against the reference.

    `psi`, `ks` or `rank_shift` (its size) past its threshold means drift. `rank_shift` is the chance that a value of the window
    lies above one of the reference, less one half. `wasserstein` is in standard deviations of the reference, `js` runs
    from 0 to 1, `chi2_p` is a p-value. None is "does not apply". `bins`, `reference` and `current` are shares to draw.
    `moves`: the thresholds allow for what moved within the reference. `seasonal`: it differs from the reference and is as
    it was at the same times before.
    """

    name: str
    kind: str
    psi: float | None = None
    psi_threshold: float | None = None
    ks: float | None = None
    ks_threshold: float | None = None
    rank_shift: float | None = None
    rank_threshold: float | None = None
    js: float | None = None
    wasserstein: float | None = None
    chi2_p: float | None = None
    nulls_reference: float = 0.0
    nulls: float = 0.0
    new_share: float = 0.0
    mean_reference: float | None = None
    mean: float | None = None
    drifted: bool = False
    moves: bool = False
    seasonal: bool = False
    note: str = ""
    bins: list[str] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)
    current: list[float] = field(default_factory=list)

    @property
    def size(self) -> float:
        """How far past its threshold the worst of the statistics is: 1 is just there."""
        pairs = (
            (self.psi, self.psi_threshold),
            (self.ks, self.ks_threshold),
            (self.rank_shift, self.rank_threshold),
        )
        ratios = [abs(value) / limit for value, limit in pairs if value is not None and limit]
        return max(ratios, default=0.0)


@dataclass(frozen=True, slots=True)
class Quality:
    """One check of how well-formed requests are: shares of rows for `missing`, `type`, `infinite`, `range` and `unseen` of a
    column, answers per hour for `volume`, seconds for `freshness` and `clock`. Past `limit` it failed.
    """

    column: str
    check: str
    value: float
    reference: float | None = None
    limit: float | None = None
    failed: bool = False
    note: str = ""

    @property
    def text(self) -> str:
        """`temp: 12.0% missing (0.5% in the training data)`."""
        said = QUALITY.get(self.check)
        if said is None or self.note:
            return f"{self.column or 'requests'}: {self.check}. {self.note}".strip()
        before = f" ({self.reference:.1%} in the training data)" if self.reference is not None else ""
        return f"{self.column}: {self.value:.1%} {said}{before}"


QUALITY = {
    "missing": "missing",
    "type": "of another type",
    "infinite": "infinite",
    "range": "out of range",
    "unseen": "of levels never seen",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two columns' rank correlation in the reference and in the window; apart by more than `threshold` is drift."""

    first: str
    second: str
    reference: float
    current: float
    threshold: float

    @property
    def size(self) -> float:
        """How far apart, in thresholds."""
        return abs(self.current - self.reference) / self.threshold if self.threshold else 0.0

    @property
    def drifted(self) -> bool:
        """Whether the pair is past its threshold."""
        return self.size > 1

    @property
    def name(self) -> str:
        """`temp with humidity`."""
        return f"{self.first} with {self.second}"


@dataclass(frozen=True, slots=True)
class Apart:
    """How well a classifier tells `rows` of a window from `before` rows of `against`: AUC with its 99 % interval, and by what.

    `columns` are the AUC lost without each of them, largest first.
    """

    auc: float
    low: float
    high: float
    rows: int
    before: int
    against: str
    columns: dict[str, float] = field(default_factory=dict)

    @property
    def told(self) -> bool:
        """Whether it can tell them at all."""
        return self.low > 0.5


@dataclass(frozen=True, slots=True)
class Joint:
    """How columns go together: `pairs` were compared over `rows` rows, the `furthest` are kept."""

    pairs: int
    rows: int
    furthest: list[Pair] = field(default_factory=list)

    @property
    def drifted(self) -> list[Pair]:
        """Pairs past their threshold, furthest first."""
        return [pair for pair in self.furthest if pair.drifted]


@dataclass(frozen=True, slots=True)
class Performance:
    """How right the model was on the newest `labels` labelled predictions.

    `value` of `metric` lies between `low` and `high` with the confidence the monitor asks for; `worse` compares it with
    `baseline`. `concept_drift` says that the stream of errors rose at `concept_at`, as the
    detector `concept_by` noticed, and has not come back; `evidence` is what a bet on that has made of its stake (100 is certain).
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
    concept_by: str = ""
    evidence: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    baseline_metrics: dict[str, float] = field(default_factory=dict)
    label_shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What one check found. `rows` were compared, `seen` answered since the check before; shares from 0 to 1, times ms.

    `label` compares the true values that came in with those of the reference, `joint` columns in pairs. `alpha` is the
    chance that a window in which nothing changed has anything past a threshold.
    """

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
    joint: Joint | None = None
    label: FeatureDrift | None = None
    alpha: float | None = None
    quality: list[Quality] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def drifted(self) -> list[FeatureDrift]:
        """The columns past a threshold, predictions and labels among them, furthest first."""
        columns = [*self.features, *(one for one in (self.prediction, self.label) if one)]
        return sorted((column for column in columns if column.drifted), key=lambda column: -column.size)

    @property
    def malformed(self) -> list[Quality]:
        """The checks of data quality that failed."""
        return [check for check in self.quality if check.failed]

    @property
    def moved(self) -> bool:
        """Whether anything at all is past a threshold: a column, or a pair of them."""
        return bool(self.drifted or (self.joint and self.joint.drifted))

    @property
    def max_psi(self) -> float | None:
        """The largest PSI of any column."""
        return max((column.psi for column in self.features if column.psi is not None), default=None)


def figures(found: FeatureDrift) -> list[tuple[str, float, float | None, str]]:
    """Every figure of a column: (name, value, its limit where it is held against one, what it means)."""
    rows: list[tuple[str, float | None, float | None, str]] = [
        ("PSI", found.psi, found.psi_threshold, "shares of ten bins"),
        ("KS", found.ks, found.ks_threshold, "largest distance of the distribution functions"),
        ("rank shift", found.rank_shift, found.rank_threshold, "chance to lie above the training data, less 1/2"),
        ("JS", found.js, None, "Jensen-Shannon distance, 0 to 1"),
        ("Wasserstein", found.wasserstein, None, "in standard deviations"),
        ("chi-squared p", found.chi2_p, None, "of this column alone"),
        ("missing", found.nulls, None, f"{found.nulls_reference:.2%} at training"),
        ("new", found.new_share, None, "never seen, or out of range"),
        ("mean", found.mean, None, "" if found.mean_reference is None else f"{found.mean_reference:.5g} at training"),
    ]
    return [(name, value, limit, says) for name, value, limit, says in rows if value is not None]


def to_document(report: Report) -> dict[str, Any]:
    """The report as JSON values; `from_document` turns them back."""
    return dataclasses.asdict(report)


def from_document(document: dict[str, Any]) -> Report:
    """The report of `to_document`'s values; fields added since are given their defaults."""
    values = dict(document)
    values["verdict"] = Verdict(values["verdict"])
    values["features"] = [FeatureDrift(**column) for column in values["features"]]
    for outcome in ("prediction", "label"):
        if values.get(outcome) is not None:
            values[outcome] = FeatureDrift(**values[outcome])
    values["quality"] = [Quality(**one) for one in values.get("quality", ())]
    if values.get("joint") is not None:
        values["joint"] = Joint(
            **values["joint"] | {"furthest": [Pair(**pair) for pair in values["joint"]["furthest"]]}
        )
    if values["performance"] is not None:
        values["performance"] = Performance(**values["performance"])
    return Report(**values)
