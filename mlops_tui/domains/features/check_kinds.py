"""The kinds of checks: what each needs, and the sentence for one that cannot be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.check_records import Check
from mlops_tui.domains.features.records import BIGINT, DOUBLE, TIMESTAMP, TYPES, VARCHAR

_NUMBERS = (BIGINT, DOUBLE)


@dataclass(frozen=True)
class Kind:
    """What a kind of check needs: how many columns (0, 1, or 2 for one or more), of which types, and which fields."""

    columns: int
    types: tuple[str, ...] = TYPES
    needs: tuple[str, ...] = ()  # one of them must be given
    whole: bool = False  # about the table, not about single rows


KINDS = {
    "not_null": Kind(1),
    "unique": Kind(2),
    "range": Kind(1, _NUMBERS, ("low", "high")),
    "in_set": Kind(1, needs=("values",)),
    "regex": Kind(1, (VARCHAR,), ("pattern",)),
    "length": Kind(1, (VARCHAR,), ("low", "high")),
    "type": Kind(1, needs=("type",)),
    "freshness": Kind(1, (TIMESTAMP,), ("max_age",), whole=True),
    "row_count": Kind(0, needs=("low", "high"), whole=True),
    "row_change": Kind(0, needs=("low", "high"), whole=True),
    "foreign_key": Kind(1, needs=("to",)),
    "mean": Kind(1, _NUMBERS, ("low", "high"), whole=True),
    "std": Kind(1, _NUMBERS, ("low", "high"), whole=True),
    "quantile": Kind(1, _NUMBERS, ("low", "high"), whole=True),
    "sql": Kind(0, needs=("where",)),
    "distribution": Kind(1, (*_NUMBERS, VARCHAR, "BOOLEAN"), whole=True),
}
TABLE_WIDE = frozenset(name for name, kind in KINDS.items() if kind.whole)


def validate(check: Check, columns: Mapping[str, str]) -> None:
    """Raise InvalidInput for an unknown kind or column, a column of the wrong type, or a kind that lacks what it needs."""
    kind = KINDS.get(check.kind)
    if kind is None:
        known = ", ".join(KINDS)
        raise InvalidInput(
            f"There is no check '{check.kind}'.", hint=did_you_mean(check.kind, list(KINDS), f"There are: {known}.")
        )
    for name in check.columns:
        if name not in columns:
            known = ", ".join(columns)
            raise InvalidInput(
                f"There is no column '{name}'.", hint=did_you_mean(name, list(columns), f"There are: {known}.")
            )
    if not 0 <= check.tolerate <= 1:
        raise InvalidInput(
            f"The tolerated share of {check.label} is {check.tolerate}.", hint="Give a share from 0 to 1."
        )
    counted = len(check.columns)
    if (kind.columns == 1 and counted != 1) or (kind.columns == 2 and not counted):
        raise InvalidInput(f"The check {check.kind} needs one column.", hint="Name one, as in: column = 'temp'.")
    trouble = _trouble(check, kind, columns)
    if trouble:
        raise InvalidInput(f"The check {check.label} cannot be run: {trouble}.", hint="Correct the check.")


def _trouble(check: Check, kind: Kind, columns: Mapping[str, str]) -> str:
    for name in check.columns:
        if columns[name] not in kind.types:
            wanted = {_NUMBERS: "a number", (TIMESTAMP,): "a time", (VARCHAR,): "a text"}.get(
                kind.types, "of this kind"
            )
            return f"'{name}' is {columns[name]}, not {wanted}"
    if kind.needs and all(getattr(check, need) in (None, "", ()) for need in kind.needs):
        return f"it needs {' or '.join(kind.needs)}"
    if check.kind == "type" and check.type not in TYPES:
        return f"it needs a type of {', '.join(TYPES)}"
    if check.kind == "quantile" and not (check.share is not None and 0 <= check.share <= 1):
        return "it needs a share from 0 to 1"
    if check.kind == "foreign_key" and ":" not in check.to:
        return "it needs to = 'TABLE:COLUMN'"
    if check.kind == "regex":
        try:
            re.compile(check.pattern)
        except re.error as error:
            return f"the pattern cannot be read ({error})"
    return ""
