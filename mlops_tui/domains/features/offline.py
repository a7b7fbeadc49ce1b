"""Reading snapshots with DuckDB: a window of rows, a frame, and read-only SQL over tables as views."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.core.ids import did_you_mean
from mlops_tui.core.lake import plain_error
from mlops_tui.domains.features.records import SEQUENCE, quote, text

if TYPE_CHECKING:
    import pandas as pd

Connection = duckdb.DuckDBPyConnection


def scan(files: Sequence[Path], columns: Mapping[str, str]) -> str:
    """SQL that reads a snapshot: its files by name, whatever columns and widths each of them was written with."""
    wanted = {**columns, SEQUENCE: "BIGINT"}
    if not files:
        empty = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in wanted.items())
        return f"(SELECT {empty} WHERE false)"
    listed = ", ".join(text(str(file)) for file in files)
    casts = ", ".join(f"CAST({quote(name)} AS {kind}) AS {quote(name)}" for name, kind in wanted.items())
    return f"(SELECT {casts} FROM read_parquet([{listed}], union_by_name = true))"


def select(
    connection: Connection,
    source: str,
    columns: Mapping[str, str],
    *,
    shown: Sequence[str] | None = None,
    where: str | None = None,
    order: str | Sequence[str] | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> Any:
    """An Arrow table of `shown` columns. `where` is one SQL expression; `order` names columns, `-name` for descending.

    Without an order rows come as they arrived. Raises InvalidInput for an unknown column or an expression that is more
    than an expression.
    """
    names = list(shown) if shown is not None else list(columns)
    for name in names:
        require_column(name, columns)
    if where:
        check_expression(connection, where, columns)
    picked = ", ".join(quote(name) for name in names) or "NULL"
    sql = f"SELECT {picked} FROM {source}" + (f" WHERE ({where}\n)" if where else "")
    sql += f" ORDER BY {', '.join([*order_terms(order, columns), SEQUENCE])}"
    if limit is not None:
        sql += f" LIMIT {max(int(limit), 0)} OFFSET {max(int(offset), 0)}"
    return fetch(connection, sql)


def fetch(connection: Connection, sql: str) -> Any:
    """A query's result as an Arrow table; DuckDB's errors in plain words, Unavailable when a file has gone meanwhile."""
    try:
        return connection.sql(sql).to_arrow_table()
    except duckdb.IOException as error:
        if "No files found" in str(error) or "No such file" in str(error):
            raise Unavailable("The table was removed or changed meanwhile.", hint="Try again.") from error
        raise plain_error(error) from error
    except duckdb.Error as error:
        raise plain_error(error) from error


def as_rows(arrow: Any) -> list[dict[str, Any]]:
    """JSON-ready dicts: times as ISO 8601 UTC text."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = arrow.to_pylist()
    times = [
        name for name, kind in zip(arrow.column_names, arrow.schema.types, strict=True) if pa.types.is_timestamp(kind)
    ]
    for row in rows:
        for name in times:
            if row[name] is not None:
                row[name] = row[name].isoformat().replace("+00:00", "Z")
    return rows


def as_frame(arrow: Any) -> pd.DataFrame:
    frame: pd.DataFrame = arrow.to_pandas()
    return frame


def require_column(name: str, columns: Iterable[str]) -> str:
    """`name` when it is one of `columns`; InvalidInput with the nearest name otherwise."""
    known = list(columns)
    if name not in known:
        raise InvalidInput(
            f"There is no column '{name}'.", hint=did_you_mean(name, known, f"There are: {', '.join(known) or 'none'}.")
        )
    return name


def order_terms(order: str | Sequence[str] | None, columns: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in order.split(",")] if isinstance(order, str) else list(order or ())
    terms = []
    for name in names:
        down = name.startswith("-")
        terms.append(quote(require_column(name.removeprefix("-"), columns)) + (" DESC" if down else "") + " NULLS LAST")
    return terms


# -- SQL from outside --------------------------------------------------------------------------------------------------


def check_expression(connection: Connection, where: str, columns: Mapping[str, str]) -> None:
    """Raise InvalidInput unless `where` is a single expression over one table: no second statement, no sub-query."""
    plain = f"SELECT 1 FROM t WHERE ({where}\n)"
    tree = parsed(connection, plain, where)
    nodes = list(nodes_of(tree))
    kinds = [node.get("type") for node in nodes]
    selects = sum(kind in ("SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE") for kind in kinds)
    body = tree["statements"][0]["node"]
    if len(tree["statements"]) != 1 or selects != 1 or body.get("type") != "SELECT_NODE" or _tail(body):
        raise InvalidInput(f"'{where}' is more than a filter.", hint="Write one condition, as in: temp > 20 AND hr = 8")
    for node in nodes:
        if node.get("type") == "COLUMN_REF":
            require_column(str(node["column_names"][-1]), columns)


def _tail(body: Mapping[str, Any]) -> bool:
    """Whether a parsed SELECT has more than a WHERE: someone closed our bracket early."""
    return bool(
        body.get("modifiers")
        or body.get("group_expressions")
        or body.get("having")
        or body.get("qualify")
        or body.get("sample")
        or body.get("from_table", {}).get("type") != "BASE_TABLE"
    )


def query(
    connection: Connection, sql: str, view: Callable[[str], str], folder: Path, *, limit: int | None = None
) -> Any:
    """Run one SELECT over tables as views; an Arrow table. See `prepare`."""
    inner = prepare(connection, sql, view, folder)
    return fetch(connection, f"SELECT * FROM ({inner}\n) LIMIT {int(limit)}" if limit is not None else inner)


def prepare(connection: Connection, sql: str, view: Callable[[str], str], folder: Path) -> str:
    """Make a connection ready for one SELECT over tables as views, and shut everything else off; the SELECT to run.

    `view` turns a table reference ("orders", "orders@3") into SQL that reads it, and raises NotFound for an unknown one.
    Nothing outside `folder` can be read and nothing can be written. Raises InvalidInput for anything but one SELECT.
    """
    tree = parsed(connection, sql, sql)
    if len(tree["statements"]) != 1:
        raise InvalidInput("Only one statement at a time is run.", hint="Write a single SELECT.")
    nodes = list(nodes_of(tree))
    own = {str(entry.get("key")) for node in nodes for entry in node.get("map", []) if isinstance(entry, dict)}
    for name in dict.fromkeys(str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE"):
        if name not in own:
            connection.execute(f"CREATE TEMP VIEW {quote(name)} AS SELECT * EXCLUDE ({SEQUENCE}) FROM {view(name)}")
    connection.execute(f"SET allowed_directories = [{text(str(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return sql.strip().rstrip(";").rstrip()


def parsed(connection: Connection, sql: str, shown: str) -> dict[str, Any]:
    """DuckDB's own parse tree; it exists for SELECT statements only, which is what makes this a safe gate."""
    found = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    tree: dict[str, Any] = json.loads(found[0][0])
    if tree.get("error"):
        why = str(tree.get("error_message", "")).split("\n", 1)[0]
        if "Only SELECT" in why:
            raise InvalidInput(
                "Only SELECT is allowed; tables are immutable.", hint="Change data with: mlops features ingest"
            )
        raise InvalidInput(
            f"'{shown}' cannot be read as SQL: {why}", hint="Quote text in single, names in double quotes."
        )
    return tree


def nodes_of(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from nodes_of(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes_of(value)
