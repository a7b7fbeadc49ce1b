"""The rows of a feature table, any version: only the window on screen is read, order and filter are the store's work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core import query
from mlops_tui.core.query import Field, Fields, Kind, Sql
from mlops_tui.tui.lines import Span, clean, number
from mlops_tui.tui.screens.section import Ask, Paged
from mlops_tui.tui.widgets.columns import Column
from mlops_tui.workbench import Workbench

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "REAL",
            "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class GridRow:
    """A row of snapshot `ref`: `key` are the values of the table's key and time columns."""

    ref: str
    key: str
    values: Mapping[str, Any]


def read(bench: Workbench, ask: Ask, offset: int, limit: int) -> list[GridRow]:
    """A window of rows. Raises InvalidInput for a filter that cannot be read."""
    if not ask.of:
        return []
    snapshot = bench.features.snapshot(ask.of)
    table = bench.features.get(snapshot.table)
    names = [*table.keys, *([table.time] if table.time else [])]
    found = bench.features.window(
        snapshot.reference,
        where=where(ask.filter, snapshot.columns, bench.context.now()),
        order=ask.order or None,
        limit=limit,
        offset=offset,
    )
    return [GridRow(snapshot.reference, " ".join(str(row.get(name)) for name in names), row) for row in found]


def total(bench: Workbench, ask: Ask) -> int | None:
    """The rows of the snapshot, or those a filter leaves where counting them is quick; a false total is never said."""
    if not ask.of:
        return None
    snapshot = bench.features.snapshot(ask.of)
    condition = where(ask.filter, snapshot.columns, bench.context.now())
    return snapshot.rows if condition is None else bench.features.tally(snapshot.reference, condition)


def columns(bench: Workbench, ask: Ask) -> tuple[Column, ...]:
    """One per column of the snapshot; those at the end leave first when there is no room for all."""
    kinds = bench.features.snapshot(ask.of).columns if ask.of else {}
    return tuple(_column(name, kind, at) for at, (name, kind) in enumerate(kinds.items()))


def _column(name: str, kind: str, at: int) -> Column:
    return Column(
        name,
        lambda row, now: shown(row.values.get(name)),
        width=28,
        right=_is_number(kind),
        rank=at + 1,
        order=name,
        whole=lambda row: row.values.get(name),
    )


def shown(value: Any) -> Span:
    """A value of a row as a cell."""
    if value is None:
        return ("·", "muted")  # nothing, not an empty text
    return (number(value, 6) if isinstance(value, float) else clean(value), "text")


def _is_number(kind: str) -> bool:
    return kind.upper().partition("(")[0] in _NUMBERS


def fields(kinds: Mapping[str, str], known: Mapping[str, Sequence[str]] | None = None) -> Fields:
    """What a filter may ask of rows: every column by its name; bare words look into all of them.

    `known` are common values by column, for completion.
    """
    plain = {
        name: kind for name, kind in kinds.items() if "?" not in name
    }  # `?` is where a value goes in the condition
    every = ", ".join(f"CAST({_quoted(name)} AS VARCHAR)" for name in plain)
    values = known or {}
    return Fields(
        *(_field(name, kind, values.get(name, ())) for name, kind in plain.items()),
        *((Field("text", aliases=("any",), searched=True, sql=Sql(f"concat_ws(' ', {every})")),) if plain else ()),
    )


def known_fields(bench: Workbench, ref: str) -> Fields:
    """The fields of a table or snapshot; the commonest texts of a profile that was kept are offered as values."""
    if not ref:
        return Fields()
    kept = bench.features.kept_profile(ref)
    tops = {one.name: [str(value) for value, _ in one.top] for one in kept.columns if one.top} if kept else {}
    return fields(bench.features.snapshot(ref).columns, tops)


def _field(name: str, kind: str, values: Sequence[str]) -> Field:
    if _is_number(kind):
        return Field(name, Kind.NUMBER, sql=Sql(_quoted(name)))
    if kind.upper().startswith(("TIMESTAMP", "DATE")):
        return Field(name, Kind.TIME, sql=Sql(f"epoch_ms(CAST({_quoted(name)} AS TIMESTAMP))"))
    offered = (lambda: values) if values else None
    return Field(name, Kind.TEXT, known=offered, sql=Sql(f"CAST({_quoted(name)} AS VARCHAR)"))


def where(text: str, kinds: Mapping[str, str], now: int) -> str | None:
    """A filter as one SQL condition over the columns, None for no filter. Raises InvalidInput with a caret."""
    if not text.strip():
        return None
    condition, values = query.read(text, fields(kinds), now).sql()
    pieces = condition.split("?")
    literals = [*(_literal(value) for value in values), ""]
    return "".join(piece + literal for piece, literal in zip(pieces, literals, strict=True))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: Any) -> str:
    return repr(value) if isinstance(value, (int, float)) else "'" + str(value).replace("'", "''") + "'"


def whole(columns: Sequence[Column], record: Any) -> list[tuple[str, Any]]:
    """The values of a row by column, uncut."""
    return [(column.title, column.whole(record)) for column in columns if column.whole is not None]


PAGED = Paged(read, total, columns)
