"""From a raw table to a checked batch of typed rows, and from the batch to a staged Parquet file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.records import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    SEQUENCE,
    TIMESTAMP,
    TYPES,
    VARCHAR,
    BadRow,
    Table,
    quote,
    text,
)
from mlops_tui.domains.features.sources import ROW, Raw

Progress = Callable[[int, "int | None", str], None]

# How missing values are written in text; a text column keeps them as text ("NA" is also Namibia), only '' is missing there.
MISSING = ("na", "n/a", "nan", "null", "none", "-", "?")
# A text column is taken as a typed one when at least this share of its values can be read so; the others are set aside.
_TYPED_SHARE = 0.9
_ROW_GROUP = 122_880
_NARROW = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_WIDE = {"UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE"}


@dataclass(frozen=True)
class Batch:
    """Typed rows in the DuckDB table `batch` (columns plus `_row`), and the rows set aside."""

    columns: dict[str, str]
    rows: int
    duplicates: int  # rows beyond the first of one key at one time
    bad: tuple[BadRow, ...]
    min_time: int | None
    max_time: int | None


def prepare(
    connection: duckdb.DuckDBPyConnection,
    raw: Raw,
    table: Table,
    known: Mapping[str, str],
    wanted: Mapping[str, str],
) -> Batch:
    """Make `batch` from `raw`: pick types, cast, and set aside rows with a value that cannot be read or without key or time.

    `known` are the table's columns so far, `wanted` types asked for by the caller. Raises InvalidInput when a key or time
    column is missing, a column has no usable type, or no good row is left.
    """
    _require_columns(raw, table, wanted)
    types = _targets(connection, raw, table, known, wanted)
    _judge(connection, raw, table, types)
    bad = sorted([*raw.bad, *_set_aside(connection, raw)], key=lambda row: row.line)
    rows, duplicates, low, high = _measure(connection, table)
    if not rows:
        first = bad[0]
        raise InvalidInput(
            f"None of the {len(bad)} rows can be used; line {first.line}: {_told(first)}.", hint="Nothing was changed."
        )
    return Batch(types, rows, duplicates, tuple(bad), low, high)


def write(connection: duckdb.DuckDBPyConnection, table: Table, batch: Batch, number: int, staged: Path) -> str:
    """Write `batch` to `staged`, sorted by key, time, created and arrival; the file's sha256.

    `number` is the ingest's place in line: rows of a later ingest get higher sequence numbers.
    """
    columns = ", ".join(quote(name) for name in batch.columns)
    order = ", ".join(quote(name) for name in (*table.special, ROW))
    connection.execute(
        f"COPY (SELECT {columns}, ({number}::BIGINT << 32) + {ROW} AS {SEQUENCE} FROM batch ORDER BY {order})"
        f" TO {text(str(staged))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
    )
    with staged.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def rewrite(
    connection: duckdb.DuckDBPyConnection, table: Table, source: str, columns: Mapping[str, str], staged: Path
) -> str:
    """Write a snapshot that is there already to one file in the order of `write`; the file's sha256."""
    listed = ", ".join(quote(name) for name in (*columns, SEQUENCE))
    order = ", ".join(quote(name) for name in (*table.special, SEQUENCE))
    connection.execute(
        f"COPY (SELECT {listed} FROM {source} ORDER BY {order})"
        f" TO {text(str(staged))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
    )
    with staged.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_quarantine(connection: duckdb.DuckDBPyConnection, bad: Sequence[BadRow], staged: Path) -> None:
    """Keep the rows set aside as a Parquet file that can be queried: line, column, reason, content."""
    import pyarrow as pa

    arrow = pa.table({name: [getattr(row, name) for row in bad] for name in ("line", "column", "reason", "content")})
    connection.register("set_aside", arrow)
    connection.execute(f"COPY set_aside TO {text(str(staged))} (FORMAT parquet, COMPRESSION zstd)")
    connection.unregister("set_aside")


def _judge(connection: duckdb.DuckDBPyConnection, raw: Raw, table: Table, types: Mapping[str, str]) -> None:
    """Make `judged`: typed columns, `_row` and `problem` (column and reason, or NULL), and `batch`, its rows without one."""
    typed = {name: quote(f"typed {place}") for place, name in enumerate(types)}
    problems = [
        f"CASE WHEN {typed[name]} IS NULL AND {_given(name, kind, raw.is_text)}"
        f" THEN {{'column': {text(name)}, 'reason': {_reason(name, kind)}}} END"
        for name, kind in types.items()
        if kind != VARCHAR
    ]
    needed = [*((key, "the key") for key in table.keys), *([(table.time, "the event time")] if table.time else [])]
    problems += [
        f"CASE WHEN {typed[name]} IS NULL THEN {{'column': {text(name)}, 'reason': {text(what + ' is missing')}}} END"
        for name, what in needed
    ]
    casts = [f"{_cast(name, kind, raw.columns[name], raw.is_text)} AS {typed[name]}" for name, kind in types.items()]
    named = [f"{typed[name]} AS {quote(name)}" for name in types]
    # Two levels, so that each value is cast once.
    connection.execute(
        f"CREATE TEMP TABLE judged AS SELECT {', '.join(named)}, {ROW}, coalesce({', '.join(problems)}) AS problem"
        f" FROM (SELECT *, {', '.join(casts)} FROM raw) AS raw"
    )
    connection.execute("CREATE TEMP VIEW batch AS SELECT * EXCLUDE (problem) FROM judged WHERE problem IS NULL")


# -- types -------------------------------------------------------------------------------------------------------------


def _require_columns(raw: Raw, table: Table, wanted: Mapping[str, str]) -> None:
    for name in (*table.special, *wanted):
        if name not in raw.columns:
            role = "key" if name in table.keys else "time" if name in (table.time, table.created) else "typed"
            raise InvalidInput(
                f"The {role} column '{name}' of table '{table.name}' is not in the data.",
                hint=did_you_mean(name, raw.columns, f"The data has: {', '.join(raw.columns)}."),
            )
    for name, kind in wanted.items():
        if kind not in TYPES:
            raise InvalidInput(f"'{kind}' is no type for column '{name}'.", hint=f"Use one of {', '.join(TYPES)}.")


def _targets(
    connection: duckdb.DuckDBPyConnection,
    raw: Raw,
    table: Table,
    known: Mapping[str, str],
    wanted: Mapping[str, str],
) -> dict[str, str]:
    """The type of every column: times, what the caller asked for, else what the data and the table so far allow."""
    fixed = {**wanted, **{name: TIMESTAMP for name in (table.time, table.created) if name}}
    free = [name for name in raw.columns if name not in fixed]
    if raw.is_text:
        found = _text_targets(connection, free, known)
    else:
        found = {
            name: _typed_target(connection, name, raw.columns[name], known.get(name), is_key=name in table.keys)
            for name in free
        }
    return {name: fixed.get(name) or found[name] for name in raw.columns}


def _typed_target(
    connection: duckdb.DuckDBPyConnection, name: str, source: str, known: str | None, *, is_key: bool
) -> str:
    kind = canonical(name, source)
    if kind is None:  # a column of nothing but NULL
        return known or DOUBLE
    if kind == DOUBLE and (known == BIGINT or is_key):
        # pandas turns whole numbers into floats as soon as one is missing.
        column = quote(name)
        broken = connection.execute(
            f"SELECT count(*) FROM raw WHERE isfinite({column}) AND {column} <> trunc({column})"
        )
        return DOUBLE if broken.fetchall()[0][0] else BIGINT
    if (known, kind) in ((DOUBLE, BIGINT), (TIMESTAMP, VARCHAR)) and known:
        return known
    return kind


def canonical(name: str, source: str) -> str | None:
    """The table type for a DuckDB type; None for a column of NULLs. Raises InvalidInput for nested and binary columns."""
    if source in _NARROW:
        return BIGINT
    if source in _WIDE or source.startswith("DECIMAL"):
        return DOUBLE
    if source == "DATE" or source.startswith("TIMESTAMP"):
        return TIMESTAMP
    if source == "BOOLEAN":
        return BOOLEAN
    if source in ("VARCHAR", "UUID") or source.startswith(("ENUM", "TIME")):
        return VARCHAR
    if "NULL" in source:
        return None
    raise InvalidInput(
        f"Column '{name}' holds {source} values, which a feature table cannot keep.",
        hint="Spread it over plain columns of numbers, text, booleans or times.",
    )


def _text_targets(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], known: Mapping[str, str]
) -> dict[str, str]:
    """Types of text columns from all their values: numbers in one pass, then booleans and times among the others."""
    numbers = _count(connection, names, (DOUBLE, BIGINT))
    others = [name for name in names if numbers[name][DOUBLE] < _TYPED_SHARE * numbers[name][VARCHAR]]
    rest = _count(connection, others, (BOOLEAN, TIMESTAMP))
    chosen = {}
    for name in names:
        counts = {BOOLEAN: 0, TIMESTAMP: 0, **numbers[name], **rest.get(name, {})}
        chosen[name] = _chosen(counts, known.get(name))
    return chosen


def _chosen(counts: Mapping[str, int], known: str | None) -> str:
    """The type for a column of which `counts` values can be read as each type; all can be read as VARCHAR."""
    total = counts[VARCHAR]
    if not total:
        return known or DOUBLE  # nothing but missing values: most features are numbers
    enough = _TYPED_SHARE * total
    found = VARCHAR
    if counts[DOUBLE] >= enough and not counts["codes"]:  # 007 is a code, not seven
        found = BIGINT if counts[BIGINT] == counts[DOUBLE] else DOUBLE
    elif counts[BOOLEAN] >= enough:
        found = BOOLEAN
    elif counts[TIMESTAMP] >= enough:
        found = TIMESTAMP
    if known is None or (known, found) == (BIGINT, DOUBLE):
        return found
    # What the table holds stands as long as half the values fit it; the others are set aside.
    return known if counts[known] >= 0.5 * total else found


def _count(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], kinds: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Per column: values that are there (as VARCHAR), values readable as each of `kinds`, and codes with leading zeros."""
    if not names:
        return {}
    counts = []
    for name in names:
        column = f"raw.{quote(name)}"
        counts.append(f"count(*) FILTER ({_given(name, DOUBLE, True)})")
        counts += [f"count({_cast(name, kind, 'VARCHAR', is_text=True)})" for kind in kinds]
        counts.append(f"count(*) FILTER ({column} LIKE '0_%' AND translate({column}, '0123456789', '') = '')")
    row = connection.execute(f"SELECT {', '.join(counts)} FROM raw").fetchall()[0]
    width = len(kinds) + 2
    labels = [VARCHAR, *kinds, "codes"]
    return {name: dict(zip(labels, row[place * width :], strict=False)) for place, name in enumerate(names)}


def _cast(name: str, kind: str, source: str, is_text: bool) -> str:
    """SQL that reads a column of `raw` as `kind`: NULL where it is missing or cannot be read."""
    column = f"raw.{quote(name)}"
    if kind == VARCHAR:
        return f"CAST({column} AS VARCHAR)"
    if is_text or source == "VARCHAR":
        column = f"trim({column})"
        if kind == BIGINT:  # TRY_CAST would round 1.5 to 2 and 1e-1 to 0
            whole = f"NOT contains({column}, '.') AND NOT contains({column}, 'e') AND NOT contains({column}, 'E')"
            return f"CASE WHEN {whole} THEN TRY_CAST({column} AS BIGINT) END"
        if kind == BOOLEAN:
            return f"CASE lower({column}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    if kind == BIGINT and source in _WIDE:
        return f"CASE WHEN {column} = trunc({column}) THEN TRY_CAST({column} AS BIGINT) END"
    if kind == DOUBLE:
        return f"nullif(TRY_CAST({column} AS DOUBLE), 'nan'::DOUBLE)"
    if kind == TIMESTAMP:
        if source in _NARROW | _WIDE:
            return "CAST(NULL AS TIMESTAMPTZ)"  # seconds or milliseconds? not for us to guess
        moment = f"TRY_CAST({column} AS TIMESTAMPTZ)"
        return f"nullif(nullif({moment}, 'infinity'::TIMESTAMPTZ), '-infinity'::TIMESTAMPTZ)"
    return f"TRY_CAST({column} AS {kind})"


def _given(name: str, kind: str, is_text: bool) -> str:
    """SQL that is true where a value is there at all."""
    column = f"raw.{quote(name)}"
    if is_text and kind != VARCHAR:
        words = ", ".join(text(word) for word in MISSING)
        return f"({column} IS NOT NULL AND trim({column}) <> '' AND lower(trim({column})) NOT IN ({words}))"
    if kind == DOUBLE:
        return f"({column} IS NOT NULL AND lower(CAST({column} AS VARCHAR)) <> 'nan')"
    return f"({column} IS NOT NULL)"


def _reason(name: str, kind: str) -> str:
    words = {BIGINT: "a whole number", DOUBLE: "a number", BOOLEAN: "true or false", TIMESTAMP: "a time (ISO 8601)"}
    return f"'''' || left(CAST(raw.{quote(name)} AS VARCHAR), 60) || ''' is not {words[kind]}'"


# -- rows --------------------------------------------------------------------------------------------------------------


def _set_aside(connection: duckdb.DuckDBPyConnection, raw: Raw) -> list[BadRow]:
    """The rows of `raw` with a problem, with their lines and their text."""
    values = ", ".join(f"coalesce(raw.{quote(name)}, '')" for name in raw.columns) if raw.is_text else ""
    packed = ", ".join(f"{text(name)}: raw.{quote(name)}" for name in raw.columns)
    content = f"concat_ws({text(raw.delimiter)}, {values})" if raw.is_text else f"CAST({{{packed}}} AS VARCHAR)"
    found = connection.execute(
        f"SELECT raw.{ROW}, problem.column, problem.reason, {content} FROM raw JOIN judged USING ({ROW})"
        f" WHERE problem IS NOT NULL ORDER BY 1"
    ).fetchall()
    lines = raw.lines([row[0] for row in found]) if found else {}
    return [BadRow(lines.get(row, 0), column, reason, content) for row, column, reason, content in found]


def _measure(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, int, int | None, int | None]:
    """Rows, duplicates, and the range of the event time in ms."""
    identity = ", ".join(quote(name) for name in (*table.keys, *([table.time] if table.time else [])))
    span = f"epoch_ms(min({quote(table.time)})), epoch_ms(max({quote(table.time)}))" if table.time else "NULL, NULL"
    row = connection.execute(
        f"SELECT count(*), count(*) - (SELECT count(*) FROM (SELECT DISTINCT {identity} FROM batch)), {span} FROM batch"
    ).fetchall()[0]
    return int(row[0]), int(row[1]), row[2], row[3]


def _told(bad: BadRow) -> str:
    return f"column '{bad.column}': {bad.reason}" if bad.column else bad.reason
