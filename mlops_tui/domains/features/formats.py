"""Sources that are neither CSV nor Parquet: JSON lines, Arrow, SQLite tables, a SQL query over files. Each fills `raw`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.offline import parsed
from mlops_tui.domains.features.records import BadRow
from mlops_tui.domains.features.store import foreign_rows

# A column is taken as one type when at least this share of its values has it; the rows of the others are set aside.
_TYPED_SHARE = 0.9
_FAMILY = {int: "number", float: "number", bool: "boolean", str: "text"}
_WORDS = {"number": "a number", "boolean": "true or false", "text": "a text"}


@dataclass(frozen=True)
class SqlSource:
    """One SELECT over files, as in `SELECT * FROM 'orders-*.csv' WHERE total > 0`."""

    query: str


@dataclass(frozen=True)
class SqliteSource:
    """A table or view of a SQLite file; `table` may be empty when there is only one."""

    path: Path
    table: str = ""


@dataclass(frozen=True)
class Read:
    """Typed rows as an Arrow table, rows that did not fit, and where the rows stood."""

    arrow: Any
    bad: tuple[BadRow, ...] = ()
    lines: Sequence[int] = ()


def read_arrow(path: Path) -> Read:
    """An Arrow or Feather file, or an Arrow stream. Raises InvalidInput."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            try:
                return Read(pa.ipc.open_file(source).read_all())
            except pa.ArrowInvalid:
                source.seek(0)
                return Read(pa.ipc.open_stream(source).read_all())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        why = str(error).strip().split("\n", 1)[0].rstrip(".")
        raise InvalidInput(
            f"{path.name} cannot be read as Arrow: {why}.", hint="The file may be cut off; write it again."
        ) from error


def read_json(path: Path, lines: Iterable[bytes]) -> Read:
    """JSON objects, one per line, or one list of them. Lines that cannot be read are set aside with their numbers."""
    import msgspec

    decode = msgspec.json.Decoder().decode
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    bad: list[BadRow] = []
    for number, line in enumerate(lines, start=1):
        if not (content := line.strip()):
            continue
        try:
            row = decode(content)
        except msgspec.DecodeError as error:
            if number == 1 and content.startswith(b"["):
                return _read_list(path, decode, content, lines)
            reason = f"not JSON ({str(error).removeprefix('JSON is malformed: ')})"
            bad.append(BadRow(number, "", reason, _shown(content)))
            continue
        if number == 1 and isinstance(row, list):
            return _laid_out(_objects(path, row), range(1, len(row) + 1), ())
        if not isinstance(row, dict):
            bad.append(BadRow(number, "", "not a JSON object", _shown(content)))
            continue
        rows.append(row)
        numbers.append(number)
    return _laid_out(rows, numbers, bad)


def read_sqlite(source: SqliteSource) -> Read:
    """A table of a SQLite file through Python's sqlite3: DuckDB has no reader for it built in."""
    names, rows = foreign_rows(source.path, source.table)
    return _laid_out([dict(zip(names, row, strict=True)) for row in rows], range(1, len(rows) + 1), (), names)


def check_query(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    """The query without its semicolon. Raises InvalidInput unless it is one SELECT."""
    if len(parsed(connection, query, query)["statements"]) != 1:
        raise InvalidInput("Only one statement at a time is run.", hint="Write a single SELECT.")
    return query.strip().rstrip(";").rstrip()


def _read_list(path: Path, decode: Callable[[bytes], Any], start: bytes, rest: Iterable[bytes]) -> Read:
    import msgspec

    try:
        rows = decode(start + b"\n" + b"".join(rest))
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"{path.name} cannot be read as JSON: {error}.", hint="Write one object per line."
        ) from error
    return _laid_out(_objects(path, rows), range(1, len(rows) + 1), ())


def _objects(path: Path, rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"{path.name} is no list of JSON objects.", hint="Write one object per line.")
    return rows


# -- columns -----------------------------------------------------------------------------------------------------------


def _laid_out(
    rows: Sequence[dict[str, Any]], numbers: Sequence[int], bad: Sequence[BadRow], names: Sequence[str] = ()
) -> Read:
    """Rows as typed columns. Of a column of many types the commonest counts; a row of another type is set aside."""
    import pyarrow as pa

    names = list(names) or list(dict.fromkeys(name for row in rows for name in row))
    families = {name: _family(name, [row.get(name) for row in rows]) for name in names}
    kept, places, odd = [], [], list(bad)
    for row, number in zip(rows, numbers, strict=True):
        wrong = next((name for name in names if not _fits(row.get(name), families[name])), None)
        if wrong is None:
            kept.append(row)
            places.append(number)
        else:
            reason = f"{_shown(json.dumps(row[wrong], default=str))} is not {_WORDS[families[wrong]]}"
            odd.append(BadRow(number, wrong, reason, _shown(json.dumps(row, default=str))))
    columns = {name: _array([row.get(name) for row in kept], families[name]) for name in names}
    return Read(pa.table(columns), tuple(odd), places)


def _family(name: str, values: Sequence[Any]) -> str:
    """number, boolean or text: what nine in ten values are, else text; mixed when values of any kind become text."""
    counts: dict[str, int] = {}
    for kind in map(type, values):
        if kind is type(None):
            continue
        family = _FAMILY.get(kind)
        if family is None:
            raise InvalidInput(
                f"Column '{name}' holds {kind.__name__} values, which a feature table cannot keep.",
                hint="Spread it over plain columns of numbers, text, booleans or times.",
            )
        counts[family] = counts.get(family, 0) + 1
    if not counts:
        return "number"
    commonest = max(counts, key=lambda family: counts[family])
    return commonest if counts[commonest] >= _TYPED_SHARE * sum(counts.values()) else "mixed"


def _fits(value: Any, family: str) -> bool:
    return value is None or family == "mixed" or _FAMILY[type(value)] == family


def _array(values: list[Any], family: str) -> Any:
    import pyarrow as pa

    if family == "mixed":
        return pa.array([value if value is None or isinstance(value, str) else json.dumps(value) for value in values])
    if family != "number":
        return pa.array(values, pa.bool_() if family == "boolean" else pa.string())
    if all(value is None or (isinstance(value, int) and -(2**63) <= value < 2**63) for value in values):
        return pa.array(values, pa.int64()) if any(value is not None for value in values) else pa.nulls(len(values))
    return pa.array([math.nan if value is None else float(value) for value in values], pa.float64())


def _shown(content: bytes | str) -> str:
    text = content.decode(errors="replace") if isinstance(content, bytes) else content
    return text if len(text) <= 200 else f"{text[:199]}…"
