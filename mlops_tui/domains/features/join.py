"""Point-in-time joins: for each spine row, what a table said at that moment; one output row per spine row, in spine order.

A row of a table counts at time t when its event time is at most t. Of several, the one with the greatest (event time, created
time, sequence) wins: an as-of key of all three, because an as-of join on the event time alone picks any of the tied rows.
In `known` mode a row counts only once it was recorded too (created time at most t); the winner at t is then the running
maximum of (event time, created time, sequence) over the rows in the order they became known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.aggregating import Windows
from mlops_tui.domains.features.derived_records import Aggregate
from mlops_tui.domains.features.offline import fetch
from mlops_tui.domains.features.records import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    SEQUENCE,
    TIMESTAMP,
    VARCHAR,
    JoinMode,
    JoinReport,
    Snapshot,
    Table,
    quote,
)

if TYPE_CHECKING:
    import pandas as pd

_LAST = "9223372036854775807"
_EVER = "'infinity'::TIMESTAMPTZ"
_NEVER = "'-infinity'::TIMESTAMPTZ"
_FAMILY = {BIGINT: "number", DOUBLE: "number", VARCHAR: "text", TIMESTAMP: "time", BOOLEAN: "boolean"}


@dataclass(frozen=True)
class Part:
    """One table of a join: the snapshot, SQL that reads it, the columns to bring and their names in the result."""

    table: Table
    snapshot: Snapshot
    source: str
    columns: dict[str, str]  # column or aggregate -> name in the result
    ttl: int | None  # ms
    aggregates: Mapping[str, Aggregate] = field(default_factory=dict)
    exact: bool = False  # whole numbers stay so where some are missing, instead of becoming floats

    @property
    def timed(self) -> bool:
        return self.table.time is not None

    @property
    def plain(self) -> dict[str, str]:
        """The columns that are no aggregates."""
        return {name: shown for name, shown in self.columns.items() if name not in self.aggregates}


def name_columns(taken: Sequence[str], wanted: Sequence[tuple[str, Sequence[str]]]) -> list[dict[str, str]]:
    """The result name of every column wanted of each table: its own, or `table__column` where that name is taken twice.

    Raises InvalidInput when names would still meet.
    """
    counts: dict[str, int] = dict.fromkeys(taken, 1)
    for _, names in wanted:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    named = [{name: f"{table}__{name}" if counts[name] > 1 else name for name in names} for table, names in wanted]
    final = [*taken, *(name for part in named for name in part.values())]
    twice = next((name for name in final if final.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput(
            f"The result would have two columns '{twice}'.", hint="Name each table once, or pick its columns: table:a,b"
        )
    return named


def join(
    connection: duckdb.DuckDBPyConnection, spine: pd.DataFrame, time: str | None, parts: Sequence[Part], mode: JoinMode
) -> tuple[pd.DataFrame, list[JoinReport]]:
    """`spine` with the columns of `parts` beside its own (index, order and dtypes kept), and a report per part.

    `time` is the spine's time column: naive times are UTC; None only when no part has a time. Rows without a key, a time
    or a match stay, with missing values. Raises InvalidInput for missing key columns and keys that cannot be compared.
    """
    import pandas as pd

    arrow = _spine_table(spine, time, parts)
    connection.register("given", arrow)
    kinds = {row[0]: row[1] for row in connection.execute("DESCRIBE given").fetchall()}
    keys = list(dict.fromkeys(key for part in parts for key in part.table.keys))
    selected = [f"{_spine_key(key, kinds[key], parts)} AS {quote(key)}" for key in keys]
    # A row without a time gets one before all events: in a comparison of rows NULL counts as the greatest value.
    # TIMESTAMPTZ from naive values reads them in the session's zone, which the lake sets to UTC.
    moment = f"CAST({quote(time)} AS TIMESTAMPTZ)" if time else "CAST(NULL AS TIMESTAMPTZ)"
    try:
        connection.execute(
            f"CREATE TEMP TABLE spine AS SELECT *, coalesce(_t, {_NEVER}) AS _at, {_EVER} AS _ever FROM"
            f" (SELECT row_number() OVER () AS _row, {moment} AS _t, {', '.join(selected)} FROM given)"
        )
    except duckdb.ConversionException as error:
        raise InvalidInput(
            f"The spine's time column '{time}' has a value that is not a time.",
            hint="Use ISO 8601 or a datetime column.",
        ) from error
    joined, reports = [spine], []
    for part in parts:
        brought, report = _join_one(connection, part, mode, len(spine))
        if part.aggregates:
            wanted = {part.columns[name]: one for name, one in part.aggregates.items()}
            windows = Windows(connection, part.table, part.source, part.snapshot.columns, wanted).brought(
                mode, exact=part.exact
            )
            brought = pd.concat([brought, windows], axis=1)[list(part.columns.values())]
        brought.index = spine.index
        joined.append(brought)
        reports.append(report)
    return pd.concat(joined, axis=1), reports


def _join_one(
    connection: duckdb.DuckDBPyConnection, part: Part, mode: JoinMode, rows: int
) -> tuple[pd.DataFrame, JoinReport]:
    keys = [quote(key) for key in part.table.keys]
    same = " AND ".join(f"s.{key} = f.{key}" for key in keys)
    dated = part.timed or (mode == JoinMode.KNOWN and part.table.created is not None)
    moment = "s._at" if dated else "s._ever"
    fresh = "true"
    if part.timed and part.ttl is not None:
        fresh = f"f._event >= s._t - INTERVAL ({int(part.ttl)}) MILLISECOND"
    brought = [f"CASE WHEN {fresh} THEN f.{quote(name)} END AS {quote(shown)}" for name, shown in part.plain.items()]
    age = "CASE WHEN isfinite(f._event) THEN epoch_ms(s._t) - epoch_ms(f._event) END" if part.timed else "NULL"
    state = (
        f"CASE WHEN f.{SEQUENCE} IS NULL THEN CASE WHEN k.{keys[0]} IS NULL OR {str(dated).lower()} AND s._t IS NULL"
        f" THEN 'missing' ELSE 'future' END WHEN {fresh} THEN 'matched' ELSE 'expired' END"
    )
    if mode == JoinMode.KNOWN:
        on = f"row({moment}, {_EVER}, {_EVER}, {_LAST}) >= row(f._known, f._event, f._created, f.{SEQUENCE})"
    else:
        on = f"row({moment}, {_EVER}, {_LAST}) >= row(f._event, f._created, f.{SEQUENCE})"
    connection.execute("DROP TABLE IF EXISTS side")
    connection.execute(f"CREATE TEMP TABLE side AS {_side(part, mode)}")
    known_key = ", ".join(keys)
    exists = " AND ".join(f"s.{key} = k.{key}" for key in keys)
    arrow = fetch(
        connection,
        f"SELECT {', '.join([*brought, f'{state} AS _state', f'{age} AS _age'])} FROM spine s"
        f" ASOF LEFT JOIN side f ON {same} AND {on}"
        f" LEFT JOIN (SELECT DISTINCT {known_key} FROM side) k ON {exists} ORDER BY s._row",
    )
    frame = arrow.to_pandas(integer_object_nulls=part.exact)
    counts = frame["_state"].value_counts()
    matched = frame.loc[frame["_state"] == "matched", "_age"].dropna()
    report = JoinReport(
        table=part.table.name,
        version=part.snapshot.version,
        rows=rows,
        matched=int(counts.get("matched", 0)),
        expired=int(counts.get("expired", 0)),
        future_only=int(counts.get("future", 0)),
        missing=int(counts.get("missing", 0)),
        max_age=int(matched.max()) if len(matched) else None,
        columns=tuple(part.columns.values()),
    )
    return frame.drop(columns=["_state", "_age"]), report


def _side(part: Part, mode: JoinMode) -> str:
    """SQL of the table's side: its rows with `_event` and `_created` (and `_known`), ready for the as-of key.

    A table without times says the same at every moment; an unknown created time counts as known with the event.
    """
    table = part.table
    event = quote(table.time) if table.time else _NEVER
    created = f"coalesce({quote(table.created)}, {_NEVER})" if table.created else _NEVER
    needed = ", ".join(quote(name) for name in dict.fromkeys([*table.keys, *part.plain, SEQUENCE]))
    rows = f"SELECT {needed}, {event} AS _event, {created} AS _created FROM {part.source}"
    if mode == JoinMode.EVENT:
        return rows
    keys = ", ".join(quote(key) for key in table.keys)
    order = f"_known, _event, _created, {SEQUENCE}"
    # A row that an earlier known one outranks can never win, so only new maxima are kept: then the last one by t is the winner.
    return (
        f"SELECT * EXCLUDE (_best) FROM (SELECT *, max(row(_event, _created, {SEQUENCE})) OVER"
        f" (PARTITION BY {keys} ORDER BY {order} ROWS UNBOUNDED PRECEDING) AS _best"
        f" FROM (SELECT *, greatest(_event, _created) AS _known FROM ({rows})))"
        f" WHERE _best = row(_event, _created, {SEQUENCE})"
    )


# -- the spine ---------------------------------------------------------------------------------------------------------


def _spine_table(spine: pd.DataFrame, time: str | None, parts: Sequence[Part]) -> Any:
    """Only the spine's keys and time go to the engine; its other columns keep whatever Python types they have."""
    import pyarrow as pa

    names = [str(name) for name in spine.columns]
    needed = list(dict.fromkeys([key for part in parts for key in part.table.keys] + ([time] if time else [])))
    for name in needed:
        if names.count(name) != 1:
            what = "twice a" if name in names else "no"
            raise InvalidInput(
                f"The spine has {what} column '{name}', which the join needs.",
                hint=did_you_mean(name, names, f"It has: {', '.join(names)}."),
            )
    frame = spine[needed]
    if time is not None and str(frame[time].dtype).startswith("datetime64[ns"):
        frame = frame.assign(**{time: frame[time].dt.floor("us")})  # a cast would round up, past events yet to come
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InvalidInput(
            f"The spine's keys or times cannot be read: {str(error).split(chr(10), 1)[0]}",
            hint="Give each column one type.",
        ) from error


def _spine_key(key: str, kind: str, parts: Sequence[Part]) -> str:
    """SQL of a spine key in the type of the tables' keys. Raises InvalidInput when text would meet numbers."""
    column = quote(key)
    wanted = ""
    for part in parts:
        if key in part.table.keys:
            wanted = part.snapshot.columns[key]
            if "NULL" not in kind and _family(kind) != _FAMILY[wanted]:
                raise InvalidInput(
                    f"The key '{key}' is {kind} in the spine but {wanted} in '{part.snapshot.reference}'.",
                    hint="Bring the spine's key to the table's type.",
                )
    if "NULL" in kind:
        return f"CAST(NULL AS {wanted})"
    if wanted == BIGINT and _family(kind) == "number":  # pandas makes floats of whole numbers when one is missing
        return f"CASE WHEN {column} = trunc({column}) THEN TRY_CAST({column} AS BIGINT) END"
    return f"CAST({column} AS {wanted})"


def _family(kind: str) -> str:
    if kind in ("VARCHAR", "UUID") or kind.startswith("ENUM"):
        return "text"
    if kind == "BOOLEAN":
        return "boolean"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return "time"
    return "number" if kind.startswith(("DECIMAL", "FLOAT", "DOUBLE")) or kind.endswith(("INT", "INTEGER")) else kind


def spine_time(frame: pd.DataFrame, tables: Sequence[Table], named: str | None) -> str | None:
    """The spine's time column: the one named, else the tables' own time column, else its only datetime column.

    None when no table has times. Raises InvalidInput when it cannot be told.
    """
    names = [str(name) for name in frame.columns]
    if named is not None:
        return named
    wanted = list(dict.fromkeys(name for table in tables for name in (table.time, table.created) if name))
    if not wanted:
        return None
    shared = [name for name in wanted if name in names]
    if len(shared) == 1:
        return shared[0]
    times = [name for name, kind in zip(names, frame.dtypes, strict=True) if str(kind).startswith("datetime64")]
    if len(times) == 1:
        return times[0]
    if times:
        raise InvalidInput("The spine has several time columns.", hint=f"Name one (time=...) of: {', '.join(times)}.")
    raise InvalidInput("The spine has no time column.", hint=f"Name one (time=...), or call it '{wanted[0]}'.")


def read_spine(path: Path) -> pd.DataFrame:
    """A spine from a CSV or Parquet file. Raises NotFound, InvalidInput."""
    import pandas as pd

    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Name a feature table, or a CSV or Parquet file.")
    try:
        return pd.read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else pd.read_csv(path)
    except (ValueError, OSError) as error:  # pandas' and Arrow's own errors are ValueErrors
        why = str(error).split("\n", 1)[0].rstrip(".")
        raise InvalidInput(
            f"{path.name} cannot be read: {why}.", hint="Give a CSV with a header, or Parquet."
        ) from error
