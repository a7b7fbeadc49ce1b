"""What this room keeps: queues, their rows, labels; and what it works out of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Order(StrEnum):
    """Which rows come first."""

    RANDOM = "random"
    UNCERTAINTY = "uncertainty"  # rows a model, or a given score, cannot tell apart
    DISAGREEMENT = "disagreement"  # rows models, or labellers, answer differently
    GIVEN = "given"  # as in the table


class Measure(StrEnum):
    """How uncertain probabilities are, 0 sure to 1 (B. Settles, Active Learning Literature Survey, 2009, section 3.1)."""

    MARGIN = "margin"  # 1 minus the lead of the likeliest class over the second
    ENTROPY = "entropy"  # entropy over that of a fair die
    CONFIDENCE = "confidence"  # what the likeliest class lacks to 1, over what it lacks at most


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows of a snapshot (`orders@3`) or predictions of a deployment (`deployment:churn`) to be given one of `classes`.

    `keys`, `time` and `types` say how labels are keyed when they are published as the feature table `to`; `votes` is how many
    people label each row. `labelled` rows have all their votes, `labels` counts single labels, `unpublished` those of them
    (and those taken back) that the table has not got yet.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    order: str
    why: str  # what the order was made from
    seed: int
    votes: int
    to: str
    keys: tuple[str, ...]
    time: str | None
    types: dict[str, str]
    rows: int
    labelled: int
    labels: int
    unpublished: int
    created_at: int
    created_by: str
    last_at: int | None
    id: int = 0

    @property
    def deployment(self) -> str:
        """The deployment whose predictions these are, "" for rows of a table."""
        kind, _, name = self.source.partition(":")
        return name if kind == "deployment" else ""


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a queue. `position` (from 1) names it, `key` are the values of key and time columns, `values` all others;
    `score` is why it stands where it stands.
    """

    position: int
    key: dict[str, Any]
    values: dict[str, Any]
    score: float | None


@dataclass(frozen=True, slots=True)
class Label:
    """What one person said of one row: a class, or None for skipped."""

    position: int
    label: str | None
    labeller: str
    note: str
    at: int
    id: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one labeller is: `done` and `skipped` by them, `left` open to them; `per_hour` from their last ten minutes."""

    labeller: str
    rows: int
    done: int
    skipped: int
    left: int
    labelled: int
    per_hour: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """How far two people agree over the `rows` both labelled; `kappa` None where it is not defined (one class only)."""

    one: str
    other: str
    rows: int
    agreed: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """All pairs; with three or more people Fleiss' kappa over the rows that two or more labelled."""

    rows: int
    disputed: int
    labellers: tuple[str, ...]
    pairs: tuple[Pair, ...]
    fleiss: float | None


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that may be wrong: `label` is what people said, `suggested` what the other rows say, with their probabilities;
    `confident` where it is off the diagonal of the confident joint.
    """

    position: int
    key: dict[str, Any]
    label: str
    suggested: str
    p_label: float
    p_suggested: float
    confident: bool


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did. `version` is None when nothing had changed."""

    table: str
    version: int | None
    labels: int
    taken_back: int
    feedback: int
