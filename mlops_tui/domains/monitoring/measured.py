"""What performance over time is kept as: measures with intervals, groups, gaps, stretches of time. No numbers are computed here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

BLIND = "an estimate without labels: it holds while inputs lead to the same outcomes and cannot see concept drift"
"""Stands wherever an estimate is shown."""
HIGHER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "roc_auc", "r2"})


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with the interval it lies in (95 %) and how that was found: wilson, normal, delta, delong, bootstrap."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """The predictions with one level of a column; `measures` of those with labels, and the selection of all."""

    column: str
    level: str
    rows: int
    labelled: int
    measures: list[Measure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Gap:
    """Largest minus smallest value of a measure over the groups of a column that have enough rows."""

    column: str
    measure: str
    value: float
    low: float
    high: float
    lowest: str
    highest: str
    groups: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Labelled predictions of one part of the inputs, and how much worse they are than the others.

    `difference` is of the mean error, slice minus rest; `p` is Holm's over all slices looked at.
    """

    words: str
    rows: int
    measure: Measure
    rest: float
    difference: float
    low: float
    high: float
    p: float
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known of the labels of a stretch: of `rows` predictions, and how late they came (median, ms)."""

    rows: int = 0
    labelled: int = 0
    delay_ms: int | None = None
    repeated: int = 0
    contradicted: int = 0

    @property
    def coverage(self) -> float:
        """The share of predictions with a label so far."""
        return self.labelled / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """How right one version was on what it answered in [since, until), by what is known today. `measured` counts the rows read:
    fewer than `labels.rows` where there were too many to read them all.
    """

    deployment: str
    version: int
    since: int
    until: int
    measured: int
    labels: Labels
    metrics: list[Measure] = field(default_factory=list)
    estimates: list[Measure] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def metric(self, name: str) -> Measure | None:
        """A measure from labels."""
        return next((one for one in self.metrics if one.name == name), None)

    def estimate(self, name: str) -> Measure | None:
        """The same without labels."""
        return next((one for one in self.estimates if one.name == name), None)

    def gap(self, measure: str) -> Gap | None:
        """The widest gap of a measure over the sensitive columns."""
        found = [one for one in self.gaps if one.measure == measure]
        return max(found, key=lambda one: one.value, default=None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A version as a whole: all it answered in the days that are looked at, the weakest slices, and the stretches in order."""

    whole: Stretch
    metric: str
    baseline: float | None
    slices: list[Slice] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def to_values(one: Any) -> Any:
    """A record as JSON values."""
    return dataclasses.asdict(one)


def stretch_of(values: dict[str, Any]) -> Stretch:
    """The stretch of `to_values`' values."""
    return Stretch(
        **{
            **values,
            "labels": Labels(**values["labels"]),
            "metrics": [Measure(**one) for one in values["metrics"]],
            "estimates": [Measure(**one) for one in values["estimates"]],
            "groups": [
                Group(**{**one, "measures": [Measure(**each) for each in one["measures"]]}) for one in values["groups"]
            ],
            "gaps": [Gap(**one) for one in values["gaps"]],
        }
    )


def slice_of(values: dict[str, Any]) -> Slice:
    """The slice of `to_values`' values."""
    return Slice(**{**values, "measure": Measure(**values["measure"])})
