"""What could come next at the cursor of a query in SQL: tables after FROM and JOIN, else columns, functions and keywords."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping

KEYWORDS = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "HAVING", "JOIN", "LEFT JOIN", "ASOF JOIN", "ON", "USING", "AS",
    "AND", "OR", "NOT", "NULL", "IS NULL", "IS NOT NULL", "IN", "BETWEEN", "LIKE", "ILIKE", "CASE", "WHEN", "THEN", "ELSE", "END",
    "DISTINCT", "UNION ALL", "WITH", "OVER", "PARTITION BY", "QUALIFY", "DESC", "ASC", "INTERVAL", "CAST", "OFFSET", "EXCEPT",
)  # fmt: skip
FUNCTIONS = (
    "count(*)", "count(DISTINCT ", "sum(", "avg(", "min(", "max(", "median(", "stddev(", "quantile_cont(", "round(", "coalesce(",
    "date_trunc('day', ", "epoch_ms(", "length(", "lower(", "upper(", "row_number() OVER (", "approx_count_distinct(",
)  # fmt: skip
_WORD = re.compile(r'("[^"]*|[\w@.]+)$')
_AFTER_FROM = re.compile(r"\b(from|join)\s+$", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z_]\w*")
_RESERVED = frozenset(
    {"at", "order", "group", "select", "from", "where", "limit", "table", "user", "end", "all", "in", "on", "to"}
)
LIMIT = 50


@dataclasses.dataclass(frozen=True)
class Words:
    """What is known of a workspace for completion: columns by table, versions by table."""

    tables: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, int] = dataclasses.field(default_factory=dict)


def word(text: str, cursor: int) -> int:
    """Where the word that ends at the cursor begins."""
    found = _WORD.search(text[:cursor])
    return found.start() if found else cursor


def offers(text: str, cursor: int, words: Words) -> list[str]:
    """What may stand in place of the word at the cursor, the likeliest first; never raises."""
    start = word(text, cursor)
    piece = text[start:cursor].lstrip('"')
    if _AFTER_FROM.search(text[:start]):
        return _beginning(piece, _references(words, piece))
    owner, dot, column = piece.rpartition(".")
    if dot:
        table = _aliases(text, words).get(owner, owner)
        return [f"{owner}.{name}" for name in _beginning(column, map(quoted, words.tables.get(table, ())))]
    if not piece:
        return [] if not text.strip() else [quoted(name) for name in _columns(text, words)][:LIMIT]
    near = [*map(quoted, _columns(text, words)), *map(quoted, words.tables)]
    upper = piece.isupper()
    spelled = KEYWORDS if upper or piece[:1].isupper() else tuple(one.lower() for one in KEYWORDS)
    return _beginning(piece, [*near, *spelled, *FUNCTIONS])


def quoted(name: str) -> str:
    """A name as SQL takes it: in double quotes unless it is a plain word."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _RESERVED else '"' + name.replace('"', '""') + '"'


def _references(words: Words, piece: str) -> Iterable[str]:
    """Tables; their versions once one is named with @."""
    name, at, _ = piece.partition("@")
    if at:
        return [f'"{name}@{version}"' for version in range(words.versions.get(name, 0), 0, -1)]
    return map(quoted, words.tables)


def _columns(text: str, words: Words) -> list[str]:
    """The columns of the tables a query names; of all tables when it names none yet."""
    named = [name for name in words.tables if re.search(rf"\b{re.escape(name)}\b", text)]
    return list(dict.fromkeys(column for name in named or words.tables for column in words.tables[name]))


def _aliases(text: str, words: Words) -> dict[str, str]:
    found = re.findall(r'\b(?:from|join)\s+"?(\w+)(?:@\w+)?"?\s+(?:as\s+)?(\w+)', text, re.IGNORECASE)
    return {alias: table for table, alias in found if table in words.tables}


def _beginning(piece: str, known: Iterable[str]) -> list[str]:
    """The known ones that begin with what is typed, then those that contain it."""
    wanted = piece.lower()
    listed = list(dict.fromkeys(known))
    first = [one for one in listed if one.lower().lstrip('"').startswith(wanted)]
    rest = [one for one in listed if wanted and wanted in one.lower() and one not in first]
    return [one for one in (*first, *rest) if one != piece][:LIMIT]
