"""How a deployment treats its requests beside routing: a shadow version, sticky keys, and what becomes of odd rows. Rules only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from mlops_tui.core.errors import InvalidInput

POLICIES = ("off", "flag", "reject", "fallback")
_CLOSE = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Handling:
    """`shadow`: a version that is asked too, after the reply. `route_by`: `header:NAME` or `field:INPUT`, whose value decides
    which version a caller meets. `guard`: what is done about rows unlike the training data; `fallback` is the answer to them.
    """

    shadow: int | None = None
    route_by: str = ""
    guard: str = "off"
    fallback: Any = None

    @property
    def header(self) -> str:
        """The header to route by, "" when it is not one."""
        return self.route_by.removeprefix("header:") if self.route_by.startswith("header:") else ""

    @property
    def field(self) -> str:
        """The model input to route by, "" when it is not one."""
        return self.route_by.removeprefix("field:") if self.route_by.startswith("field:") else ""


@dataclasses.dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What a shadow version answered beside the one that was replied: `failed` had no answer, `dropped` were not asked.

    `agreed` rows had the same label, or the same number to nine digits; `largest` is the largest difference of numbers.
    """

    deployment: str
    version: int
    rows: int = 0
    agreed: int = 0
    failed: int = 0
    dropped: int = 0
    largest: float = 0.0


def checked(handling: Handling, inputs: Mapping[str, str], labels: tuple[Any, ...], numeric: bool) -> Handling:
    """Return a handling that makes sense for a model with these inputs (name to type); InvalidInput otherwise."""
    kind, _, name = handling.route_by.partition(":")
    if handling.route_by and (kind not in {"header", "field"} or not name):
        raise InvalidInput(
            f"{handling.route_by!r} is nothing to route by.", hint="Use header:x-user or field:customer."
        )
    if kind == "field" and name not in inputs:
        raise InvalidInput(f"The model has no input {name!r} to route by.", hint=f"Its inputs: {', '.join(inputs)}.")
    if handling.guard not in POLICIES:
        raise InvalidInput(f"{handling.guard!r} is no policy.", hint=f"Use {', '.join(POLICIES)}.")
    if handling.guard != "fallback":
        return dataclasses.replace(handling, fallback=None)
    value = handling.fallback
    if value is None:
        raise InvalidInput("A fallback needs the answer to give.", hint="For example --policy fallback --answer 0")
    if labels and value not in labels:
        raise InvalidInput(f"{value!r} is none of the labels.", hint=f"They are {', '.join(map(str, labels))}.")
    if not labels and numeric and not isinstance(value, int | float):
        raise InvalidInput(f"{value!r} is no number.", hint="The model answers numbers.")
    return handling


def routing_key(handling: Handling, headers: Mapping[str, str], columns: Mapping[str, list[Any]] | None) -> str | None:
    """Return what decides the version, None when the request says nothing of it."""
    if handling.field:
        values = (columns or {}).get(handling.field)
        return str(values[0]) if values and values[0] is not None else None
    return headers.get(handling.header.lower()) if handling.header else None


def compare(one: list[Any], other: list[Any]) -> tuple[int, float]:
    """Return how many answers are the same, and the largest difference of numbers."""
    agreed, largest = 0, 0.0
    for left, right in zip(one, other, strict=False):
        if isinstance(left, float) and isinstance(right, float):
            gap = abs(left - right)
            agreed += gap <= _CLOSE * max(1.0, abs(left))
            largest = max(largest, gap if math.isfinite(gap) else 0.0)
        else:
            agreed += left == right
    return agreed, largest
