"""The engine of looking around: windows that cost what they show, counts, and a query as a stream that can be stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.lake import plain_error
from mlops_tui.domains.features import offline
from mlops_tui.domains.features.records import SEQUENCE, quote

if TYPE_CHECKING:
    from mlops_tui.core.lake import Lake
    from mlops_tui.domains.features.snapshots import Snapshots

_BATCH = 8192
_QUOTES = "Quote text in single, names in double quotes."


def lying(
    connection: offline.Connection, source: str, columns: Mapping[str, str], where: str | None, limit: int, offset: int
) -> Any:
    """An Arrow table of a window of rows in the order of the files. Raises InvalidInput."""
    if where:
        offline.check_expression(connection, where, columns)
    picked = ", ".join(quote(name) for name in columns)
    condition = f" WHERE ({where}\n)" if where else ""
    window = f" LIMIT {max(int(limit), 0)} OFFSET {max(int(offset), 0)}"
    return offline.fetch(connection, f"SELECT {picked} FROM {source}{condition}{window}")


def ordered(
    connection: offline.Connection,
    source: str,
    columns: Mapping[str, str],
    where: str | None,
    order: Sequence[str],
    limit: int,
    offset: int,
    rows: int | None,
) -> Any:
    """As `lying`, in `order`: first the rows are found, and only these read whole.

    Of `rows` in all, where that is known, those of the second half are looked for from the end.
    """
    import pyarrow as pa

    if where:
        offline.check_expression(connection, where, columns)
    condition = f" WHERE ({where}\n)" if where else ""
    terms = [*offline.order_terms(order, columns), SEQUENCE]
    turned = rows is not None and offset > rows // 2
    if rows is not None and turned:
        terms = [_turned(term) for term in terms]
        limit = min(limit, max(rows - offset, 0))
        offset = rows - offset - limit
    window = f" LIMIT {max(int(limit), 0)} OFFSET {max(int(offset), 0)}"
    found = offline.fetch(connection, f"SELECT {SEQUENCE} FROM {source}{condition} ORDER BY {', '.join(terms)}{window}")
    numbers = found.column(0).to_pylist()
    numbers = numbers[::-1] if turned else numbers
    picked = ", ".join(quote(name) for name in columns)
    listed = ", ".join(map(str, numbers)) or "NULL"
    arrow = offline.fetch(connection, f"SELECT {picked}, {SEQUENCE} FROM {source} WHERE {SEQUENCE} IN ({listed})")
    places = {number: at for at, number in enumerate(arrow.column(SEQUENCE).to_pylist())}
    return arrow.drop_columns([SEQUENCE]).take(pa.array([places[number] for number in numbers], pa.int64()))


def _turned(term: str) -> str:
    """A term of an order the other way round."""
    bare = term.removesuffix(" NULLS LAST")
    nulls = " NULLS FIRST" if bare != term else ""
    return f"{bare.removesuffix(' DESC')}{nulls}" if bare.endswith(" DESC") else f"{bare} DESC{nulls}"


def count(connection: offline.Connection, source: str, columns: Mapping[str, str], where: str) -> int | None:
    """How many rows meet a condition; None when the connection was interrupted meanwhile."""
    offline.check_expression(connection, where, columns)
    try:
        found = connection.execute(f"SELECT count(*) FROM {source} WHERE ({where}\n)").fetchone()
    except duckdb.InterruptException:
        return None
    return int(found[0]) if found else 0


def frequencies(
    connection: offline.Connection, source: str, columns: Mapping[str, str], column: str, where: str | None, limit: int
) -> tuple[int, list[tuple[Any, int]]]:
    """How many rows there are, and the commonest values of a column with their counts; ties in order of value."""
    offline.require_column(column, columns)
    if where:
        offline.check_expression(connection, where, columns)
    condition = f" WHERE ({where}\n)" if where else ""
    arrow = offline.fetch(
        connection,
        f"SELECT value, n, sum(n) OVER () AS total FROM (SELECT {quote(column)} AS value, count(*) AS n"
        f" FROM {source}{condition} GROUP BY 1) ORDER BY n DESC, value NULLS LAST LIMIT {int(limit)}",
    )
    rows = offline.as_rows(arrow)
    return int(rows[0]["total"]) if rows else 0, [(row["value"], int(row["n"])) for row in rows]


# -- SQL as a stream -----------------------------------------------------------------------------------------------------


@contextmanager
def stream(
    query: str, snapshots: Snapshots, lake: Lake, folder: Path, running: Callable[[Callable[[], None]], None]
) -> Iterator[Any]:
    """The Arrow batches of one SELECT over tables as views; `running` gets the function that stops it."""
    with snapshots.held() as hold:
        connection = lake.connect()
        running(connection.interrupt)
        try:
            _check_syntax(connection, query)
            ready = offline.prepare(connection, query, lambda ref: hold(*snapshots.resolve(ref)), folder)
            yield connection.sql(ready).to_arrow_reader(_BATCH)
        except duckdb.Error as error:
            raise _placed(error, query) from error
        finally:
            connection.close()


def taken(reader: Any, limit: int | None) -> Any:
    """The rows of a stream as an Arrow table, at most `limit` of them; what comes after is not worked out."""
    import pyarrow as pa

    batches, rows = [], 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if limit is not None and rows >= limit:
            break
    return pa.Table.from_batches(batches, schema=reader.schema).slice(0, limit)


def _check_syntax(connection: offline.Connection, query: str) -> None:
    """Raise InvalidInput with a caret where the parser stopped; what else is wrong is said by `offline.prepare`."""
    found = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    tree: dict[str, Any] = json.loads(found[0][0])
    if tree.get("error") and "position" in tree:
        said = str(tree.get("error_message", "")).split("\n", 1)[0]
        raise InvalidInput(f"{said}\n{_pointed(query, int(tree['position']))}", hint=_QUOTES)


def _placed(error: duckdb.Error, query: str) -> Exception:
    """An error of the engine with the line and a caret below the place; what it proposes is the hint."""
    if isinstance(error, (duckdb.InterruptException, duckdb.OutOfMemoryException, duckdb.IOException)):
        return plain_error(error)
    head, _, place = str(error).partition("\nLINE ")
    said, _, more = head.strip().partition("\n")
    why = said.partition(": ")[2] or said
    if place:
        line, _, marks = place.partition("\n")
        number, _, code = line.partition(": ")
        pointed = f"{code}\n{marks[len('LINE ') + len(number) + 2 :]}"
    else:
        named = re.search('"([^"]+)"', why)
        at = query.find(named[1]) if named else -1
        pointed = _pointed(query, at, len(named[1])) if named and at >= 0 else ""
    return InvalidInput(f"{why}\n{pointed}" if pointed else why, hint=" ".join(more.split())[:200])


def _pointed(query: str, at: int, length: int = 1) -> str:
    """The line of a query that holds a place, and carets below it."""
    start = query.rfind("\n", 0, at) + 1
    end = query.find("\n", at)
    return f"{query[start : len(query) if end < 0 else end]}\n{' ' * (at - start)}{'^' * length}"


def _write_parquet(reader: Any, path: Path) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_csv(reader: Any, path: Path) -> int:
    import pyarrow.csv as csv

    rows = 0
    with csv.CSVWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


WRITERS: dict[str, Callable[[Any, Path], int]] = {".csv": _write_csv, ".parquet": _write_parquet}


def write(reader: Any, path: Path, suffix: str) -> int:
    """Write all batches as the ending says; how many rows."""
    return WRITERS[suffix](reader, path)
