"""What lists can be asked about: fields, the values they take, and one condition on one field in Python and in SQL.

The two are written side by side because they must agree; `tests/core/test_query_agreement.py` holds them together.
Upper and lower case are one for A-Z; other letters match as typed, in lower, in upper and in title case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from mlops_tui.core.ids import nearest
from mlops_tui.core.query_syntax import Compare, Op, Stumble


class Kind(StrEnum):
    """What the values of a field are; MIXED is text that counts as a number where it is one."""

    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    MIXED = "mixed"
    TIME = "time"
    SPAN = "span"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Sql:
    """Where a store keeps a field: `value` is an expression, `number` the numeric one of a MIXED field.

    A value kept in other rows is reached through `within`, a condition with `{}` for one on `value`; for a field with
    keys `{key}` in it stands for a condition on `name`. `nan`: NULL there means NaN, not that nothing is there;
    `folded`: it is kept in lower case. `among` selects, with the same marks, the `row` numbers that meet it, for conditions
    that few rows meet (see `Narrow`).
    """

    value: str
    number: str = ""
    within: str = "{}"
    name: str = ""
    nan: bool = False
    folded: bool = False
    among: str = ""
    row: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask about. `get` reads it from a record: None for nothing, a list for several, a mapping when `keyed`.

    `choices` are all values there are; `known` gives some for completion (of a keyed field: its keys). `searched` fields
    are where words without a field look.
    """

    name: str
    kind: Kind = Kind.TEXT
    get: Callable[[Any], Any] = lambda record: None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    known: Callable[[], Iterable[str]] | None = None
    keyed: bool = False
    searched: bool = False
    sql: Sql | None = None


class Fields:
    """The fields of one list, found by name or alias."""

    def __init__(self, *fields: Field) -> None:
        self.all = fields
        self._by_name = {name: one for one in fields for name in one.aliases} | {one.name: one for one in fields}

    def __iter__(self) -> Any:
        return iter(self.all)

    def get(self, name: str) -> Field | None:
        return self._by_name.get(name) or self._by_name.get(name.lower())

    def known(self) -> Fields:
        """The same with all known values looked up now, so that another thread may use them."""
        return Fields(*(replace(one, known=_constant(one.known())) if one.known else one for one in self.all))

    def find(self, node: Compare) -> Field:
        """The field a comparison names. Raises Stumble with the nearest name, or the key that has this name."""
        found = self.get(node.field)
        if found is None:
            raise Stumble(f"There is no field '{node.field}' here.", node.at, len(node.field), self._meant(node.field))
        if node.key and not found.keyed:
            raise Stumble(f"'{found.name}' has no parts.", node.at, len(node.field) + 1 + len(node.key),
                          f"Write {found.name}{node.op}{node.value}")  # fmt: skip
        return found

    def _meant(self, name: str) -> str:
        for one in self.all:
            if one.keyed and one.known and name in (known := set(one.known())) and known:
                return f"Did you mean '{one.name}.{name}'?"
        near = nearest(name.lower(), self._by_name)
        names = ", ".join(f"{one.name}.NAME" if one.keyed else one.name for one in self.all)
        return f"Did you mean '{self._by_name[near].name}'?" if near else f"Fields: {names}."


def _constant(values: Iterable[str]) -> Callable[[], Iterable[str]]:
    kept = tuple(values)
    return lambda: kept


# -- one condition -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time in ms: from `start`, `end` not included."""

    start: int
    end: int


Want = str | int | float | Interval
Fragment = tuple[str, list[Any]]
Narrow = Callable[[str, list[Any]], "list[int] | None"]
"""A store's way to look ahead: the row numbers a SELECT gives when they are few, else None."""


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison whose field is known and whose value is of its kind. `whole_key`: it asks which keys there are."""

    __test__ = False  # not one of pytest's

    field: Field
    key: str
    op: Op
    want: Want
    whole_key: bool = False

    def holds(self, record: Any) -> bool:
        """Whether a record meets it. What a record lacks meets nothing, not even `!=`."""
        actual = self.field.get(record)
        if self.field.keyed:
            values = actual or {}
            if self.whole_key:
                return any(_holds(Kind.TEXT, self.op, name, self.want) for name in values)
            return self.key in values and _holds(self.field.kind, self.op, values[self.key], self.want)
        if isinstance(actual, (list, tuple, set, frozenset, Mapping)):
            found = any(_holds(self.field.kind, _ANY.get(self.op, self.op), one, self.want) for one in actual)
            return found != (self.op is Op.NE)
        return actual is not None and _holds(self.field.kind, self.op, actual, self.want)

    def sql(self, narrow: Narrow | None = None) -> Fragment:
        """The same as a condition that is never NULL, with its parameters."""
        place = self.field.sql
        assert place is not None, f"{self.field.name} is not kept in a database"
        key, text, params = self._conditions(place)
        if narrow is not None and place.among:
            rows = narrow(place.among.format(text, key=key), params)
            if rows is not None:
                # One parameter whatever their number: SQLite takes 32,766 in all.
                return f"{place.row} IN (SELECT value FROM json_each(?))", [f"[{','.join(map(str, rows))}]"]
        return place.within.format(text, key=key), params

    def _conditions(self, place: Sql) -> tuple[str, str, list[Any]]:
        """On the key, on the value, and the parameters of both."""
        if self.whole_key:
            text, params = _fragment(Kind.TEXT, self.op, Sql(place.name), self.want)
            return text, "1", params
        text, params = _fragment(self.field.kind, self.op, place, self.want)
        return (f"{place.name} = ?", text, [self.key, *params]) if self.field.keyed else ("", text, params)


_ANY = {Op.NE: Op.EQ}  # a list is unlike a value when none of its items is that value


def _holds(kind: Kind, op: Op, actual: Any, want: Want) -> bool:
    if isinstance(want, Interval):
        return _in_time(op, actual, want)
    if isinstance(want, str):
        return _like(op, actual if isinstance(actual, str) else str(actual), want)
    number = as_number(actual) if kind is Kind.MIXED else actual
    if number is None:
        return op is Op.NE
    if math.isnan(want):
        return op in (Op.EQ, Op.HAS, Op.NE) and math.isnan(number) is (op is not Op.NE)
    return bool(_NUMERIC[op](number, want))


_NUMERIC: dict[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: lambda a, b: a == b,
    Op.HAS: lambda a, b: a == b,
    Op.NE: lambda a, b: a != b,
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
    Op.GT: lambda a, b: a > b,
    Op.GE: lambda a, b: a >= b,
}


def _in_time(op: Op, actual: int, want: Interval) -> bool:
    if op in (Op.EQ, Op.HAS, Op.NE):
        return (want.start <= actual < want.end) is (op is not Op.NE)
    return {
        Op.LT: actual < want.start,
        Op.LE: actual < want.end,
        Op.GT: actual >= want.end,
        Op.GE: actual >= want.start,
    }[op]


def _like(op: Op, actual: str, want: str) -> bool:
    match op:
        case Op.EQ:
            return actual == want
        case Op.NE:
            return actual != want
        case Op.HAS:
            return fold(actual) in spellings(want)
        case _:
            folded = fold(actual)
            return any(one in folded for one in spellings(want))


def _fragment(kind: Kind, op: Op, place: Sql, want: Want) -> Fragment:
    value = place.value
    if isinstance(want, Interval):
        return _time_fragment(op, value, want)
    if isinstance(want, str):
        return _text_fragment(op, value, want, value if place.folded else f"lower({value})")
    value = place.number if kind is Kind.MIXED else value
    sign = "=" if op is Op.HAS else op.value
    if math.isnan(want):
        if op not in (Op.EQ, Op.HAS, Op.NE) or not (place.nan or op is Op.NE):
            return "0", []
        return f"{value} IS {'NOT ' if op is Op.NE else ''}NULL", []
    if op is Op.NE and (place.nan or kind is Kind.MIXED):
        return f"{value} IS NOT ?", [want]
    return f"({value} IS NOT NULL AND {value} {sign} ?)", [want]


def _time_fragment(op: Op, value: str, want: Interval) -> Fragment:
    between = f"({value} IS NOT NULL AND {value} >= ? AND {value} < ?)"
    match op:
        case Op.EQ | Op.HAS:
            return between, [want.start, want.end]
        case Op.NE:
            return f"({value} IS NOT NULL AND ({value} < ? OR {value} >= ?))", [want.start, want.end]
        case Op.LT | Op.LE:
            return f"({value} IS NOT NULL AND {value} < ?)", [want.start if op is Op.LT else want.end]
        case _:
            return f"({value} IS NOT NULL AND {value} >= ?)", [want.end if op is Op.GT else want.start]


def _text_fragment(op: Op, value: str, want: str, folded: str) -> Fragment:
    if op in (Op.EQ, Op.NE):
        return f"({value} IS NOT NULL AND {value} {op} ?)", [want]
    forms = spellings(want)
    if op is Op.HAS:
        return f"({value} IS NOT NULL AND {folded} IN ({', '.join('?' * len(forms))}))", list(forms)
    contains = " OR ".join(f"instr({folded}, ?) > 0" for _ in forms)
    return f"({value} IS NOT NULL AND ({contains}))", list(forms)


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def fold(text: str) -> str:
    """`text` with A-Z in lower case and every other letter as it is: SQLite's `lower`."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def spellings(text: str) -> tuple[str, ...]:
    """How the folded form of a text that means `text` may be spelled: one way when all of it is ASCII."""
    if text.isascii():
        return (text.lower(),)
    return tuple(
        dict.fromkeys(fold(one) for one in (text, text.lower(), text.upper(), text.title(), text.capitalize()))
    )


def as_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number
