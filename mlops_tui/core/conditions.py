"""Conditions and orders as values: what a door understood of somebody's filter, before a store turns it into SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_tui.core.errors import InvalidInput

NUMERIC = frozenset({">", ">=", "=", "!=", "<", "<="})
TEXTUAL = frozenset({"=", "!=", "LIKE", "ILIKE"})
AMONG = frozenset({"IN", "NOT IN"})
PRESENCE = frozenset({"IS NULL", "IS NOT NULL"})


@dataclass(frozen=True, slots=True)
class Condition:
    """`entity` (metric, param, tag, attribute, dataset) and `key` name a value; `op` is one of the sets above, in capitals."""

    entity: str
    key: str
    op: str
    value: str | float | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by a value, ascending or not."""

    entity: str
    key: str
    ascending: bool = True


def compared(column: str, condition: Condition) -> tuple[str, list[str | float]]:
    """SQL that compares a column (an expression of ours) as the condition says, and its parameters.

    LIKE tells upper from lower case, ILIKE does not. Raises InvalidInput for a comparison without a value.
    """
    op, value = condition.op, condition.value
    if op in PRESENCE:
        return f"{column} {op}", []
    if op in AMONG and isinstance(value, tuple):
        return f"{column} {op} ({', '.join('?' * len(value))})", list(value)
    if value is None or isinstance(value, tuple):
        raise InvalidInput(f"{condition.key} {op} needs one value.", hint="Write key = 'value'.")
    if op == "LIKE":
        return f"{column} GLOB ?", [_glob(str(value))]
    if op == "ILIKE":
        return f"lower({column}) GLOB ?", [_glob(str(value).lower())]
    return f"{column} {op} ?", [value]


def _glob(pattern: str) -> str:
    """A LIKE pattern as a GLOB pattern, which tells upper from lower case whatever SQLite is set to."""
    return "".join({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}.get(letter, letter) for letter in pattern)


def all_of(parts: Sequence[tuple[str, Sequence[str | float]]]) -> tuple[str, list[str | float]]:
    """The parts joined by AND as one condition that may stand behind WHERE, and their parameters in order."""
    texts = [f"({text})" for text, _ in parts]
    return " AND ".join(texts) or "1", [value for _, values in parts for value in values]
