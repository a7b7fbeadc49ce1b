"""Checks values from outside against a model's signature: columns in, columns out. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import nearest
from mlops_tui.domains.serving.records import Column, Signature

_NUMBERS = frozenset({int, float, type(None)})
_INT64 = 2**63
_FLOAT = {float}
_PLAIN = {"float64": float, "string": str}


def checked(signature: Signature, columns: Mapping[str, list[Any]]) -> tuple[dict[str, list[Any]], int]:
    """Return the columns in the signature's order, values fit for their types, and the number of rows.

    A null stands for a missing value and is left to the model. Raises InvalidInput naming the first column that is
    missing, unknown, of another length or of another type.
    """
    if tuple(columns) == signature.names and set(map(len, columns.values())) == {1}:
        plain = plain_row(signature, [values[0] for values in columns.values()])
        if plain is not None:
            return plain, 1
    check_names(signature, columns)
    lengths = {name: len(columns[name]) for name in columns}
    rows = next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != rows:
            raise InvalidInput(
                f"Column {name!r} has {length} rows where others have {rows}.", hint="Send equal lengths."
            )
    if not rows:
        raise InvalidInput("The request holds no rows.", hint="Send at least one row.")
    return {column.name: values_of(column, columns[column.name]) for column in signature.inputs}, rows


def plain_row(signature: Signature, row: list[Any]) -> dict[str, Any] | None:
    """The columns of one row in the signature's order whose values are of their types as they are, which most requests hold;
    None for any other.
    """
    if len(row) != len(signature.names):
        return None
    if signature.all_floats:
        if set(map(type, row)) != _FLOAT:
            return None
        total = sum(row)
        if total - total != 0.0:  # not for infinity and not for NaN
            return None
    else:
        for column, value in zip(signature.inputs, row, strict=True):
            if type(value) is not _PLAIN.get(column.type) or (type(value) is float and value - value != 0.0):
                return None
    return dict(zip(signature.names, zip(row), strict=True))  # tuples of one


def check_names(signature: Signature, given: Iterable[str]) -> None:
    """Raise InvalidInput unless `given` are exactly the signature's inputs."""
    known = [column.name for column in signature.inputs]
    names = set(given)
    if len(names) == len(known) and names.issuperset(known):
        return
    missing = [name for name in known if name not in names]
    extra = sorted(names.difference(known))
    if extra:
        near = nearest(extra[0], missing or known)
        meant = f" Did you mean {near!r}?" if near else ""
        raise InvalidInput(f"The model has no input {extra[0]!r}.{meant}", hint=f"Its inputs are {_listed(known)}.")
    raise InvalidInput(
        f"The input {missing[0]!r} is missing" + (f" (and {len(missing) - 1} more)." if len(missing) > 1 else "."),
        hint=f"The model needs {_listed(known)}; send null for an unknown value.",
    )


def values_of(column: Column, values: list[Any]) -> list[Any]:
    """Return `values` fit for the column's type; raises InvalidInput naming the first row that is not."""
    if column.type == "float64":
        return _floats(column, values)
    if column.type == "int64":
        return _integers(column, values)
    if column.type == "bool":
        return _booleans(column, values)
    if column.type == "datetime":
        return [_time(column, row, value) for row, value in enumerate(values)]
    for row, value in enumerate(values):
        if value is not None and type(value) is not str:
            raise _wrong(column, row, value, "a string")
    return values


def text_values(column: Column, texts: list[str]) -> list[Any]:
    """Turn the texts of a CSV column into values: empty is null; numbers and true/false by the column's type."""
    converters: dict[str, Callable[[str], Any]] = {"float64": float, "int64": _integer_text, "bool": _bool_text}
    convert = converters.get(column.type, str)
    values: list[Any] = []
    for row, text in enumerate(texts):
        try:
            values.append(convert(text) if text else None)
        except ValueError:
            raise _wrong(column, row, text, f"of type {column.type}") from None
    return values


def _floats(column: Column, values: list[Any]) -> list[Any]:
    if int in _refuse_others(column, values):  # one beyond 64 bits goes into no frame and no log as it is
        values = [float(v) if type(v) is int and not -_INT64 <= v < _INT64 and _finite(v) else v for v in values]
    try:
        total = math.fsum(value for value in values if value is not None)
    except OverflowError:
        total = math.inf
    if not math.isfinite(total):  # rare: look for the row that is not finite (a sum may also overflow by itself)
        for row, value in enumerate(values):
            if value is not None and not _finite(value):
                raise _wrong(column, row, value, "a finite number")
    return values


def _integers(column: Column, values: list[Any]) -> list[Any]:
    _refuse_others(column, values)
    whole: list[Any] = []
    for row, value in enumerate(values):
        if value is not None and not (_finite(value) and value == int(value) and -_INT64 <= value < _INT64):
            raise _wrong(column, row, value, "a whole number")
        whole.append(value if value is None else int(value))
    return whole


def _booleans(column: Column, values: list[Any]) -> list[Any]:
    for row, value in enumerate(values):
        if value is not None and type(value) is not bool and value not in (0, 1):
            raise _wrong(column, row, value, "true or false")
    return [value if value is None else bool(value) for value in values]


def _refuse_others(column: Column, values: list[Any]) -> set[type]:
    """The types of the values, which are numbers and nulls."""
    kinds = set(map(type, values))
    if not _NUMBERS.issuperset(kinds):
        for row, value in enumerate(values):
            if type(value) not in _NUMBERS:
                raise _wrong(column, row, value, "a number")
    return kinds


def _time(column: Column, row: int, value: Any) -> Any:
    if value is None:
        return None
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong(column, row, value, "an ISO 8601 time") from None
    return value


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of a double
        return False


def _integer_text(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _bool_text(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError(text)
    return text.lower() in {"true", "1"}


def _wrong(column: Column, row: int, value: Any, wanted: str) -> InvalidInput:
    try:
        shown = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        shown = "a very large number"
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InvalidInput(
        f"Column {column.name!r}, row {row}: {shown} is not {wanted}.", hint=f"The model takes {column.type} there."
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
