"""Reading what people bring into one DuckDB table `raw`, in order, nothing dropped.

CSV and Parquet files, DataFrames and lists of dicts here; JSON lines, Arrow, SQLite and SQL in `formats`. Every loader makes
the temporary table `raw` with a running number `_row` from 1. What cannot even be split into columns comes back as bad rows
with line numbers; wrong values are the business of `ingest`.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import duckdb

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.features import formats
from mlops_tui.domains.features.formats import SqliteSource, SqlSource
from mlops_tui.domains.features.records import SEQUENCE, BadRow, text

if TYPE_CHECKING:
    import pandas as pd

    Source = Path | str | pd.DataFrame | list[dict[str, Any]] | SqlSource | SqliteSource

ROW = "_row"
_DELIMITERS = ",;\t|"
_CHUNK = 1 << 20


def _row_numbers(rows: Iterable[int]) -> dict[int, int]:
    """Lines of a source that has none: the row's own number."""
    return {row: row for row in rows}


@dataclass(frozen=True)
class Raw:
    """What a loader found: the columns of `raw` by DuckDB type, rows that could not be split, and how to find a row's line."""

    columns: dict[str, str]
    rows: int
    is_text: bool = False  # every value is still text, as in a CSV file
    delimiter: str = ","
    bad: tuple[BadRow, ...] = ()
    lines: Callable[[Iterable[int]], dict[int, int]] = field(default=_row_numbers)


def load(connection: duckdb.DuckDBPyConnection, source: Source) -> Raw:
    """Fill `raw` from `source`. Raises NotFound for a missing file, InvalidInput for an unreadable, empty or changing one."""
    if isinstance(source, SqlSource):
        raw, name = _load_query(connection, source), "The query"
    elif isinstance(source, SqliteSource):
        _require_file(source.path)
        raw, name = _load_read(connection, formats.read_sqlite(source)), source.path.name
    elif isinstance(source, (str, Path)):
        path = Path(source)
        _require_file(path)
        before = _state(path)
        raw, name = _load_file(connection, path), path.name
        if _state(path) != before:
            raise InvalidInput(f"{name} changed while it was read.", hint="Wait until it is written, and try again.")
    else:
        raw, name = _load_frame(connection, source), "The data"
    if not raw.rows and not raw.bad:
        raise InvalidInput(f"{name} has no rows.", hint="Nothing was changed.")
    return raw


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder.", hint="Name one file, or take all of them in: features.ingest_files")
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Check the path; it is taken from the current folder.")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path.name} is empty.", hint="Nothing was changed.")


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _load_file(connection: duckdb.DuckDBPyConnection, path: Path) -> Raw:
    with path.open("rb") as handle:
        magic = handle.read(16)
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if magic[:4] == b"PAR1" or kind in ("parquet", "pq"):
        return _load_parquet(connection, path)
    if magic[:6] == b"ARROW1" or kind in ("arrow", "arrows", "feather", "ipc"):
        return _load_read(connection, formats.read_arrow(path))
    if magic == b"SQLite format 3\0":
        return _load_read(connection, formats.read_sqlite(SqliteSource(path)))
    if kind in ("jsonl", "ndjson", "json"):
        try:
            with _open(path) as lines:
                return _load_read(connection, formats.read_json(path, lines))
        except (OSError, EOFError) as error:
            raise InvalidInput(f"{path.name} cannot be unpacked: {error}.", hint="Write it again.") from error
    return _load_csv(connection, path)


def _load_query(connection: duckdb.DuckDBPyConnection, source: SqlSource) -> Raw:
    inner = formats.check_query(connection, source.query)
    connection.execute(f"CREATE TEMP TABLE raw AS SELECT *, row_number() OVER () AS {ROW} FROM ({inner}\n)")
    return _described(connection)


def _load_read(connection: duckdb.DuckDBPyConnection, read: formats.Read) -> Raw:
    _unique_names(read.arrow.column_names, "The data")
    if not read.arrow.num_columns:
        return Raw({}, 0, bad=read.bad)
    connection.register("given", read.arrow)
    connection.execute(f"CREATE TEMP TABLE raw AS SELECT *, row_number() OVER () AS {ROW} FROM given")
    connection.unregister("given")
    raw = _described(connection)
    if not read.lines:
        return raw
    lines = read.lines
    return dataclasses.replace(raw, bad=read.bad, lines=lambda rows: {row: lines[row - 1] for row in rows})


# -- Parquet and frames ------------------------------------------------------------------------------------------------


def _load_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> Raw:
    try:
        connection.execute(
            f"CREATE TEMP TABLE raw AS SELECT *, file_row_number + 1 AS {ROW}"
            f" FROM read_parquet({text(str(path))}, file_row_number = true)"
        )
        connection.execute("ALTER TABLE raw DROP COLUMN file_row_number")
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise InvalidInput(
            f"{path.name} cannot be read as Parquet: {_first_line(error)}",
            hint="The file may be cut off or damaged; write it again. Nothing was changed.",
        ) from error
    return _described(connection)


def _load_frame(connection: duckdb.DuckDBPyConnection, source: pd.DataFrame | list[dict[str, Any]]) -> Raw:
    import pyarrow as pa

    try:
        if isinstance(source, list):
            names = list(dict.fromkeys(name for row in source for name in row))
            arrow = pa.table({name: [row.get(name) for row in source] for name in names})
        else:
            _unique_names([str(name) for name in source.columns], "The DataFrame")
            arrow = pa.Table.from_pandas(source, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, AttributeError, TypeError) as error:
        raise InvalidInput(
            f"The data cannot be laid out in columns: {_first_line(error)}", hint="Give every column one type."
        ) from error
    if arrow.num_columns == 0:
        return Raw({}, 0)
    connection.register("given", arrow)
    connection.execute(f"CREATE TEMP TABLE raw AS SELECT *, row_number() OVER () AS {ROW} FROM given")
    connection.unregister("given")
    return _described(connection)


def _described(connection: duckdb.DuckDBPyConnection) -> Raw:
    described = connection.execute("DESCRIBE raw").fetchall()
    columns = {row[0]: row[1] for row in described if row[0] != ROW}
    _unique_names(list(columns), "The data")
    counted = connection.execute("SELECT count(*) FROM raw").fetchall()
    return Raw(columns, int(counted[0][0]))


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _load_csv(connection: duckdb.DuckDBPyConnection, path: Path) -> Raw:
    """All values as text: sniffing types from a sample would make a column text because of one bad row, without a word."""
    header, delimiter = _header(path)
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in header)
    options = (
        f"header = true, auto_detect = false, delim = {text(delimiter)}, quote = '\"', escape = '\"',"
        f" columns = {{{columns}}}, nullstr = '', store_rejects = true, rejects_limit = 0"
    )
    try:
        connection.execute(
            f"CREATE TEMP TABLE raw AS SELECT *, row_number() OVER () AS {ROW}"
            f" FROM read_csv({text(str(path))}, {options})"
        )
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise InvalidInput(
            f"{path.name} cannot be read as CSV: {_first_line(error)}",
            hint="Use UTF-8, one kind of line ending, and double quotes around fields with the delimiter in them.",
        ) from error
    bad = _rejected(connection, path)
    rejected = {row.line for row in bad}
    counted = connection.execute("SELECT count(*) FROM raw").fetchall()
    return Raw(
        dict.fromkeys(header, "VARCHAR"),
        int(counted[0][0]),
        is_text=True,
        delimiter=delimiter,
        bad=tuple(bad),
        lines=lambda rows: _lines_of(path, delimiter, set(rows), rejected),
    )


def _header(path: Path) -> tuple[list[str], str]:
    """The column names and the delimiter, taken from the first line: broken rows further down cannot mislead it."""
    try:
        with _open(path) as handle:
            line = handle.readline(_CHUNK).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise InvalidInput(
            f"{path.name} is not a UTF-8 text file.", hint="Save it as CSV in UTF-8, or as Parquet."
        ) from error
    if "\0" in line or not line.strip():
        raise InvalidInput(
            f"{path.name} does not start with a line of column names.", hint="Put the names in the first line."
        )
    delimiter = max(_DELIMITERS, key=lambda mark: len(next(csv.reader([line], delimiter=mark))))
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    if not all(names):
        raise InvalidInput(
            f"Column {names.index('') + 1} of {path.name} has no name.", hint="Name every column in the first line."
        )
    _unique_names(names, path.name)
    return names, delimiter


def _unique_names(names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        # DuckDB's names do not tell upper from lower case, so two such columns could not be told apart in SQL.
        if name.lower() in seen:
            raise InvalidInput(f"{where} has two columns named '{name}'.", hint="Rename one of them.")
        if name.lower() in (SEQUENCE, ROW):
            raise InvalidInput(
                f"A column cannot be named '{name}'.", hint="The name is used inside; rename the column."
            )
        seen.add(name.lower())


def _rejected(connection: duckdb.DuckDBPyConnection, path: Path) -> list[BadRow]:
    """Rows DuckDB could not split, with true line numbers: its own count records, so quoted line breaks shift them."""
    found = connection.execute(
        "SELECT line_byte_position, any_value(column_name), any_value(error_type)::VARCHAR,"
        " any_value(error_message), any_value(csv_line) FROM reject_errors GROUP BY 1 ORDER BY 1"
    ).fetchall()
    lines = _lines_at(path, [max(int(row[0]) - 1, 0) for row in found])
    reasons = {
        "MISSING COLUMNS": "too few columns",
        "TOO MANY COLUMNS": "too many columns",
        "UNQUOTED VALUE": "a quote is not closed",
        "INVALID ENCODING": "not UTF-8 text",
        "LINE SIZE OVER MAXIMUM": "the line is too long",
    }
    bad = []
    for line, (_, column, kind, message, content) in zip(lines, found, strict=True):
        reason = reasons.get(kind, kind.lower())
        if "COLUMNS" in kind:
            reason += f" ({message.lower()})"
        content = content or ""
        # The position may lie before blank lines, or inside CR LF.
        skipped = content[: len(content) - len(content.lstrip("\r\n"))].count("\n")
        bad.append(BadRow(line + skipped, column or "", reason, content.strip("\r\n")))
    return bad


def _lines_at(path: Path, offsets: list[int]) -> list[int]:
    """The line numbers (from 1) of byte offsets in rising order, in one pass over the file."""
    lines: list[int] = []
    passed, line = 0, 1
    with _open(path) as handle:
        for offset in offsets:
            while passed < offset:
                chunk = handle.read(min(_CHUNK, offset - passed))
                if not chunk:
                    break
                passed += len(chunk)
                line += chunk.count(b"\n")
            lines.append(line)
    return lines


def _lines_of(path: Path, delimiter: str, wanted: set[int], rejected: set[int]) -> dict[int, int]:
    """Where rows of `raw` stand in the file. Reads it once more, in Python, and only when something is wrong with a row."""
    import io

    found: dict[int, int] = {}
    with io.TextIOWrapper(_open(path), encoding="utf-8-sig", errors="replace", newline="") as handle:
        reader = csv.reader(handle, delimiter=delimiter)
        index, start = 0, 1
        try:
            for record in reader:
                line, start = start, reader.line_num + 1
                if line > 1 and record and line not in rejected:
                    index += 1
                    if index in wanted:
                        found[index] = line
        except csv.Error:
            pass  # what is found so far stands; the rest is reported without a line
    return found


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _first_line(error: BaseException) -> str:
    line = str(error).strip().split("\n", 1)[0]
    return line if line.endswith(".") else f"{line}."
