"""One request of an MLflow client as fields, read with the words its errors have; numbers in its JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from mlops_tui.core.errors import InvalidInput

_LARGEST = 1.7976931348623157e308
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Ask:
    """Fields of the query string, of the JSON body, or of one object within it."""

    fields: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str, default: str | None = None) -> str:
        """A text; InvalidInput when it is missing and has no default, or is something else."""
        value = self.fields.get(name)
        if value is None or (value == "" and default is None):
            if default is None:
                raise InvalidInput(f"Missing value for required parameter '{name}'.")
            return default
        if not isinstance(value, str):
            raise _invalid(name, value)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _invalid(name, value.encode("ascii", "replace").decode()) from None
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number, which may stand in quotes as proto-JSON allows."""
        value = self.fields.get(name)
        if value is None or value == "":
            if default is None:
                raise InvalidInput(f"Missing value for required parameter '{name}'.")
            return default
        try:
            whole = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else int(float(value))
            if isinstance(value, float) and whole != value:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            raise _invalid(name, value) from None
        if not -_INT64 <= whole < _INT64:
            raise _invalid(name, value)
        return whole

    def limit(self, name: str, default: int, most: int) -> int:
        """A page size from 1 to `most`."""
        value = self.number(name, default)
        if not 1 <= value <= most:
            raise InvalidInput(f"Invalid value {value} for parameter '{name}' supplied. It must be from 1 to {most}.")
        return value

    def real(self, name: str) -> float:
        """A double; NaN and infinities come as text."""
        value = self.fields.get(name)
        if value is None:
            raise InvalidInput(f"Missing value for required parameter '{name}'.")
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise TypeError
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise _invalid(name, value) from None

    def flag(self, name: str) -> bool:
        """A truth value; False when it is missing."""
        return self.fields.get(name) in (True, "true", "True")

    def texts(self, name: str) -> list[str]:
        """Several texts; one alone counts as a list."""
        value = self.fields.get(name)
        items = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            raise _invalid(name, value)
        return items

    def items(self, name: str) -> Iterator[Ask]:
        """The objects of a list."""
        value = self.fields.get(name)
        if value is not None and (not isinstance(value, list) or not all(isinstance(item, dict) for item in value)):
            raise _invalid(name, value)
        return iter([Ask(item) for item in value or ()])

    def one(self, name: str) -> Ask:
        """An object."""
        value = self.fields.get(name)
        if not isinstance(value, dict):
            raise (
                _invalid(name, value)
                if value is not None
                else InvalidInput(f"Missing value for required parameter '{name}'.")
            )
        return Ask(value)

    def pairs(self, name: str, most: int | None = None) -> dict[str, str]:
        """`[{"key": k, "value": v}, ...]` as a dict; values longer than `most` are cut, as MLflow's server does."""
        return {item.text("key"): item.text("value", "")[:most] for item in self.items(name)}


def _invalid(name: str, value: Any) -> InvalidInput:
    shown = repr(value) if not isinstance(value, str) else f'"{value}"'
    return InvalidInput(f"Invalid value {shown[:200]} for parameter '{name}' supplied.")


def real(value: float) -> float | str:
    """A double as proto-JSON has it."""
    if -_LARGEST <= value <= _LARGEST:
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class Pair(Struct, gc=False):
    """A parameter or a tag. Not a dict: a search answers with tens of thousands, and the collector would visit each."""

    key: str
    value: str


class Point(Struct, gc=False):
    """A value of a metric."""

    key: str
    value: float | str
    timestamp: int
    step: int


def pairs(values: Mapping[str, str]) -> list[Pair]:
    """A dict as proto-JSON's list of pairs."""
    return [Pair(key, value) for key, value in values.items()]
