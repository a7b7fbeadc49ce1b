"""From a comparison as written to the test it means in one list: its field, and its value as text, number, time or size."""

from __future__ import annotations

import re

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import nearest
from mlops_tui.core.query_syntax import Compare, Op, Stumble
from mlops_tui.core.query_values import Field, Fields, Interval, Kind, Test, Want, as_number

_LIMIT = 2**62  # what fits a column of integers with room to spare
_ORDERED = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_AGO = re.compile(r"-?\s*[\d.]+\s*[a-z]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MINUTE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")


def bind(node: Compare, fields: Fields, now: int) -> tuple[Test, ...]:
    """The tests a comparison means in this list, one of which must hold: several for `state:f`, the beginning of several states.

    Raises Stumble where its field, operator or value does not fit.
    """
    found = fields.find(node)
    if found.keyed and not node.key:
        if node.op in _ORDERED:
            raise Stumble(
                f"Which of the {found.name}?",
                node.at,
                node.value_at - node.at,
                f"Write {found.name}.NAME{node.op}{node.value}",
            )
        return (Test(found, "", node.op, node.value, whole_key=True),)
    if found.kind is Kind.CHOICE and node.op is Op.HAS and not node.quoted:
        wanted = node.value.lower()
        begins = [one for one in found.choices if one.lower().startswith(wanted)]
        if begins and wanted not in (one.lower() for one in begins):
            return tuple(Test(found, "", Op.EQ, one) for one in begins)
    return (Test(found, node.key, node.op, _want(node, found, now)),)


def _want(node: Compare, found: Field, now: int) -> Want:
    kind, name = found.kind, node.field + (f".{node.key}" if node.key else "")
    if kind in (Kind.TEXT, Kind.CHOICE) and node.op in _ORDERED:
        raise Stumble(
            f"'{name}' is text, which has no order.", node.at, node.value_at - node.at, "Use = != : or ~ (contains)."
        )
    if kind not in (Kind.TEXT, Kind.CHOICE, Kind.MIXED) and node.op is Op.CONTAINS:
        raise Stumble(
            f"'{name}' is no text that could contain something.", node.at, node.value_at - node.at, "Use = != < <= > >="
        )
    match kind:
        case Kind.TEXT:
            return node.value
        case Kind.CHOICE:
            return node.value if node.op is Op.CONTAINS else _choice(node, found)
        case Kind.TIME:
            return _interval(node, now)
        case Kind.MIXED:
            return _mixed(node, name)
        case _:
            return _number(node, kind, name)


def _choice(node: Compare, found: Field) -> str:
    for one in found.choices:
        if one.lower() == node.value.lower():
            return one
    near = nearest(node.value.lower(), {one.lower(): one for one in found.choices})
    hint = f"Did you mean '{near}'?" if near else "There is: " + ", ".join(found.choices) + "."
    raise _no_value(node, f"No {found.name} is called '{node.value}'.", hint)


def _mixed(node: Compare, name: str) -> Want:
    number = None if node.quoted or node.op is Op.CONTAINS else as_number(node.value)
    if number is None and node.op in _ORDERED:
        raise _no_value(node, f"'{name}{node.op}' needs a number.", "As in 0.9, 12 or 1e-3.")
    return node.value if number is None else number


def _number(node: Compare, kind: Kind, name: str) -> int | float:
    if kind is Kind.SPAN:
        try:
            return clock.parse_span(node.value)
        except (InvalidInput, OverflowError):
            raise _no_value(node, f"'{node.value}' is not a length of time.", "As in 30s, 15m, 6h or 7d.") from None
    if kind is Kind.SIZE:
        size = _SIZE.fullmatch(node.value.strip())
        if size is None:
            raise _no_value(node, f"'{node.value}' is not a size.", "As in 500, 20kB, 1.5MB or 2GB.")
        return float(size[1]) * 1000.0 ** " kmgt".index(size[2].lower() or " ")
    try:
        whole = int(node.value)
        return whole if abs(whole) < _LIMIT else float(whole)
    except (ValueError, OverflowError):
        pass
    try:
        return float(node.value)
    except ValueError:
        raise _no_value(node, f"'{name}{node.op}' needs a number.", "As in 0.9, 12 or 1e-3.") from None


def _interval(node: Compare, now: int) -> Interval:
    """A span is that long ago (`:2d` and `=2d` is since then), a day or a minute is all of it, anything else a moment."""
    text = node.value.strip()
    try:
        if text in ("today", "yesterday"):
            start = now - now % clock.DAY - (clock.DAY if text == "yesterday" else 0)
            return Interval(start, start + clock.DAY)
        start = clock.parse_time(text, now=now)
    except (InvalidInput, OverflowError, ValueError):
        hint = "As in 2d, 3h, today, 2026-11-21 or 2026-11-21T09:30 (UTC)."
        raise _no_value(node, f"'{node.value}' is not a time.", hint) from None
    if abs(start) > _LIMIT:
        raise _no_value(node, f"'{node.value}' is too long ago.", "As in 2d or 3h.")
    if _DAY.fullmatch(text):
        return Interval(start, start + clock.DAY)
    if _MINUTE.fullmatch(text):
        return Interval(start, start + clock.MINUTE)
    since = _AGO.fullmatch(text) and node.op in (Op.EQ, Op.HAS, Op.NE)
    return Interval(start, max(start, now) + 1 if since else start + 1)


def _no_value(node: Compare, message: str, hint: str) -> Stumble:
    return Stumble(message, node.value_at, max(1, node.end - node.value_at), hint)
