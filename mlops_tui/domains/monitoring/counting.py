"""One column of a window: what DuckDB is asked about it, and what comes back, counted over the bins of its reference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.features.records import quote, text
from mlops_tui.domains.registry.profile import count_like

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBERS = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "BOOLEAN",
}
FLOATS = {"DOUBLE", "FLOAT"}
MARK = "="  # before every level where one of them is the empty text, which DuckDB's histogram_exact keeps for what is not listed

Column = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Counted:
    """One column of a window. `counts` are over the reference's bins (`registry.profile`): values between the edges, or
    one per known level and one for every other; `nulls` are missing, `wrong` of them values of another type.

    Numbers also have `infinite` (counted in the outer bins), `outside` (past the least or greatest of the reference), and
    over the finite ones `mean`, `least`, `most`, and the mean excess past the outer edges, `below` and `above`. `distinct`
    is about how many levels there are.
    """

    counts: NDArray[np.float64]
    nulls: int = 0
    wrong: int = 0
    infinite: int = 0
    outside: int = 0
    mean: float | None = None
    least: float | None = None
    most: float | None = None
    below: float = 0.0
    above: float = 0.0
    distinct: int = 0

    @property
    def rows(self) -> int:
        """Values and missing ones."""
        return int(self.counts.sum()) + self.nulls


def counted(values: pd.Series[Any], column: Column) -> Counted:
    """Count values in memory as `scan` counts them in files: for labels, which are few."""
    counts, nulls = count_like(values, column)
    window = np.array(counts, dtype=np.float64)
    missing = len(values) - int(window.sum())  # a text where a number belongs counts as missing
    if column["kind"] != "numeric":
        return Counted(window, missing, distinct=int(values.nunique()))
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    finite = numbers[np.isfinite(numbers)]
    if not finite.size or not column["edges"]:
        return Counted(window, missing, wrong=missing - nulls)
    first, last = column["edges"][0], column["edges"][-1]
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers whose sum is none the mean is left out
        mean, below, above = (
            float(part.mean()) for part in (finite, np.maximum(first - finite, 0), np.maximum(finite - last, 0))
        )
    return Counted(
        window,
        missing,
        wrong=missing - nulls,
        infinite=int(np.isinf(numbers).sum()),
        outside=int(((numbers < first) | (numbers > last)).sum()),
        mean=_finite(mean),
        least=float(finite.min()),
        most=float(finite.max()),
        below=below,
        above=above,
    )


def _exact(kind: str) -> bool:
    """Whether a type holds finite numbers and nothing else."""
    return kind in NUMBERS or kind.startswith("DECIMAL")


def number(field: str, kind: str) -> str:
    """A column as finite DOUBLE, NULL where it is not one."""
    column = quote(field)
    if _exact(kind):
        return f"{column}::DOUBLE"
    if kind in FLOATS:
        return f"CASE WHEN isfinite({column}) THEN {column}::DOUBLE END"
    if kind == "VARCHAR":
        return f"CASE WHEN isfinite(TRY_CAST({column} AS DOUBLE)) THEN TRY_CAST({column} AS DOUBLE) END"
    return "NULL::DOUBLE"  # a time or a list where a number belongs


def value(field: str, kind: str, column: Column) -> str:
    """The value to count: a finite number, the level's text as `registry.profile.level_text` writes it, seconds of a time."""
    if column["kind"] == "time":  # the log has them as texts, as they were sent
        return f"epoch(TRY_CAST({quote(field)} AS TIMESTAMPTZ))"
    if column["kind"] == "numeric":
        return number(field, kind)
    name = quote(field)
    if kind in FLOATS:
        whole = f"{name} = trunc({name}) AND abs({name}) < 9e18"
        return f"CASE WHEN isnan({name}) THEN NULL WHEN {whole} THEN {name}::BIGINT::VARCHAR ELSE {name}::VARCHAR END"
    shown = name if kind == "VARCHAR" else f"{name}::VARCHAR"
    return f"'{MARK}' || {shown}" if _marked(column) else shown


def _marked(column: Column) -> bool:
    return "" in column["levels"]


def aggregates(place: int, kind: str, column: Column) -> list[str]:
    """What to ask about the value `v` and the raw column `r` at `place`, for `read`."""
    value = f"v{place}"
    if column["kind"] == "time":
        return [f"count(r{place}) AS c{place}", f"min({value}) AS l{place}", f"max({value}) AS u{place}"]
    if column["kind"] == "categorical":
        mark = MARK if _marked(column) else ""
        levels = ", ".join(text(mark + level) for level in column["levels"])
        known = f"histogram_exact({value}, [{levels}]::VARCHAR[])" if column["levels"] else "NULL"
        return [f"{known} AS h{place}", f"count({value}) AS c{place}", f"approx_count_distinct({value}) AS d{place}"]
    found = [
        f"count({value}) AS c{place}",
        f"sum({value}) AS m{place}",
        f"min({value}) AS l{place}",
        f"max({value}) AS u{place}",
    ]
    if column["edges"]:
        # One more edge just under the first tells what is less than anything in the reference.
        edges = ", ".join(map(repr, [_under(column), *column["edges"]]))
        found.append(f"histogram({value}, [{edges}]::DOUBLE[]) AS h{place}")
        first, last = (f"({edge!r})" for edge in (column["edges"][0], column["edges"][-1]))
        found.append(f"sum(greatest({value} - {last}, 0)) AS a{place}")
        found.append(f"sum(greatest({first} - {value}, 0)) AS b{place}")
    if not _exact(kind):
        found.append(f"count(r{place}) AS t{place}")
    return found


def _under(column: Column) -> float:
    return math.nextafter(column["edges"][0], -math.inf)


def read(row: dict[str, Any], place: int, rows: int, column: Column) -> Counted:
    """What a row of the aggregates says of the column at `place`, of `rows` rows."""
    return _READERS[column["kind"]](row, place, rows, column)


def _levels(row: dict[str, Any], place: int, rows: int, column: Column) -> Counted:
    given = dict(row[f"h{place}"] or ())
    mark = MARK if _marked(column) else ""
    known = [int(given.get(mark + level, 0)) for level in column["levels"]]
    there = int(row[f"c{place}"])
    return Counted(
        np.array([*known, there - sum(known)], dtype=np.float64), rows - there, distinct=int(row[f"d{place}"])
    )


def _numbers(row: dict[str, Any], place: int, rows: int, column: Column) -> Counted:
    edges, finite = column["edges"], int(row[f"c{place}"])
    given = dict(row.get(f"h{place}") or ())
    less = int(given.get(_under(column), 0)) if edges else 0
    inside = [int(given.get(edge, 0)) for edge in edges]
    inside[:1] = [less + count for count in inside[:1]]
    counts = np.array([*inside, finite - sum(inside)], dtype=np.float64)
    up, down = int(row.get(f"p{place}") or 0), int(row.get(f"q{place}") or 0)
    counts[-1] += up
    counts[0] += down
    numbers = finite + up + down
    return Counted(
        counts,
        nulls=rows - numbers,
        wrong=int(row.get(f"t{place}", numbers)) - numbers - int(row.get(f"w{place}") or 0),
        infinite=up + down,
        outside=less + int(counts[-1]) + down if edges else 0,
        mean=_finite(float(row[f"m{place}"]) / finite) if finite else None,
        least=row[f"l{place}"],
        most=row[f"u{place}"],
        below=float(row.get(f"b{place}") or 0.0) / max(finite, 1),
        above=float(row.get(f"a{place}") or 0.0) / max(finite, 1),
    )


def _finite(value: float) -> float | None:
    """None for a sum that is beyond what a number can be."""
    return value if math.isfinite(value) else None


def _times(row: dict[str, Any], place: int, rows: int, _: Column) -> Counted:
    return Counted(
        np.array([row[f"c{place}"]], dtype=np.float64),
        rows - int(row[f"c{place}"]),
        least=row[f"l{place}"],
        most=row[f"u{place}"],
    )


_READERS = {"numeric": _numbers, "categorical": _levels, "time": _times}
