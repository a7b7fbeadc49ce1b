"""What could come next at the cursor of a query: fields, keys of fields, values."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlops_tui.core.query_syntax import Op, bare_or_quoted
from mlops_tui.core.query_values import Field, Fields, Kind

_LIMIT = 50
_OPERATOR = re.compile(r"!=|<=|>=|==|[=<>~:]")
_FIRST = {Kind.TEXT: Op.CONTAINS, Kind.MIXED: Op.EQ, Kind.CHOICE: Op.HAS, Kind.NUMBER: Op.GE, Kind.SIZE: Op.GT, Kind.SPAN: Op.GT,
          Kind.TIME: Op.GT}  # fmt: skip
_TIMES = ("today", "yesterday", "1h", "24h", "7d", "30d")


def token(text: str, cursor: int) -> tuple[int, int]:
    """From where to where the piece reaches that a completion at the cursor replaces: (start, cursor).

    Quotes hold pieces together; parentheses, `|` and a leading minus are not part of them.
    """
    start, mark, at = 0, "", 0
    while at < cursor:
        one = text[at]
        if mark:
            at += one == "\\"
            mark = "" if one == mark else mark
        elif one in "\"'" and (at == start or text[at - 1] in ".=<>~:"):
            mark = one
        elif one.isspace() or one in "()|" or (one == "-" and at == start):
            start = at + 1
        at += 1
    return start, cursor


def complete(text: str, cursor: int, fields: Fields) -> list[str]:
    """What may stand in place of the `token` at the cursor, most likely first; never raises."""
    cursor = max(0, min(cursor, len(text)))
    start, end = token(text, cursor)
    piece = text[start:end]
    operator = _OPERATOR.search(piece)
    if operator:
        return _values(piece[: operator.start()], operator[0], piece[operator.end() :].lstrip("\"'"), fields)
    name, dot, key = piece.partition(".")
    found = fields.get(name)
    if dot and found is not None and found.keyed:
        return _matching(key.strip("\"'`"), _known(found), f"{name}.", _FIRST[found.kind])
    return _names(piece, fields)


def _names(piece: str, fields: Fields) -> list[str]:
    wanted = piece.lower()
    out = [_ready(one) for one in fields.all if one.name.startswith(wanted)]
    out += [_ready(one) for one in fields.all if any(name.startswith(wanted) for name in one.aliases)]
    for one in fields.all:
        if one.keyed and piece:
            out += _matching(piece, _known(one), f"{one.name}.", _FIRST[one.kind])
    return list(dict.fromkeys(out))[:_LIMIT]


def _ready(field: Field) -> str:
    """A field as far as it can be typed: up to its value or the name of its part."""
    return f"{field.name}." if field.keyed else f"{field.name}{_FIRST[field.kind]}"


def _values(name: str, operator: str, piece: str, fields: Fields) -> list[str]:
    field = fields.get(name.partition(".")[0])
    if field is None:
        return []
    if field.kind is Kind.TIME:
        return _matching(piece, _TIMES, f"{name}{operator}")
    whole_key = field.keyed and "." not in name
    known = _known(field) if whole_key or not field.keyed else ()
    return _matching(piece, field.choices or known, f"{name}{operator}")


def _matching(piece: str, known: Iterable[str], before: str, after: str = "") -> list[str]:
    """The known ones that begin with what is typed, then those that contain it."""
    wanted = piece.lower()
    found = sorted(one for one in set(known) if wanted in one.lower())
    found.sort(key=lambda one: not one.lower().startswith(wanted))
    return [f"{before}{bare_or_quoted(one)}{after}" for one in found[:_LIMIT]]


def _known(field: Field) -> Iterable[str]:
    return field.known() if field.known else ()
