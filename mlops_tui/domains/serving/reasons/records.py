"""An explained answer, as the process that loaded the model tells it."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What one input added to the answer: `snapshot` is where training had the column from, "" where that is not known."""

    name: str
    value: Any
    added: float
    snapshot: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Near:
    """A row of training: `distance` in scaled units (1: a standard deviation in every input), `truth` what was true of it."""

    distance: float
    values: dict[str, Any]
    truth: Any = None


@dataclasses.dataclass(frozen=True, slots=True)
class Reasons:
    """`base` and every part together make `answer`, up to `rest`, in the unit `of` says; `method` says how, and how exactly.

    `nearest` come from `source`; rows there have their nearest other row at `typical`, the median.
    """

    of: str
    method: str
    base: float
    answer: float
    rest: float
    parts: tuple[Part, ...]
    nearest: tuple[Near, ...]
    source: str
    typical: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Replayed:
    """A logged row answered again by another version; `difference` of numbers or of the probability of the same label."""

    id: str
    ref: str
    logged: Any
    logged_score: float | None
    other_ref: str
    answer: Any
    score: float | None
    same: bool
    difference: float | None
    error: str = ""
