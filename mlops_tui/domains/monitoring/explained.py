"""What an explanation of a drift is kept as. No numbers are computed here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Since:
    """When a column changed: between two windows. `first` to `last` hold the time of the change with 95 % confidence.

    `windows` were compared; `at_start` means that it was so in the first window already, so it differs from the training data
    rather than from what was sent before.
    """

    at: int
    first: int
    last: int
    windows: int
    p: float
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """A part of the predictions in which a column moved more, or less, than in the others; means before and now."""

    words: str
    rows: int
    before: float
    now: float
    rest_before: float
    rest_now: float
    p: float


@dataclass(frozen=True, slots=True)
class Effect:
    """The mean answer (the share of `of`, for classes) as it is, and as it were had the column not moved."""

    now: float
    without: float
    flipped: float
    of: str = ""

    @property
    def difference(self) -> float:
        """What the move did to the answers."""
        return self.now - self.without


@dataclass(frozen=True, slots=True)
class Moved:
    """One column: how far past its limit, how much the model looks at it, and what follows. `weight` orders them."""

    name: str
    size: float
    importance: float | None
    weight: float
    words: str
    since: Since | None = None
    where: list[Where] = field(default_factory=list)
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a report's drift is about. `moved` are its columns, those that matter most first."""

    report: int
    deployment: str
    version: int
    at: int
    moved: list[Moved] = field(default_factory=list)
    answers: str = ""
    together: Effect | None = None
    weighted: bool = False
    notes: list[str] = field(default_factory=list)


def explanation_of(values: dict[str, Any]) -> Explanation:
    """The explanation of its values as JSON."""
    return Explanation(
        **{
            **values,
            "moved": [_moved(one) for one in values["moved"]],
            "together": Effect(**values["together"]) if values["together"] else None,
        }
    )


def to_values(one: Explanation) -> dict[str, Any]:
    """The explanation as JSON values."""
    return dataclasses.asdict(one)


def _moved(values: dict[str, Any]) -> Moved:
    return Moved(
        **{
            **values,
            "since": Since(**values["since"]) if values["since"] else None,
            "where": [Where(**one) for one in values["where"]],
            "effect": Effect(**values["effect"]) if values["effect"] else None,
        }
    )
