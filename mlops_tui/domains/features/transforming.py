"""Running transformations: the one place where a SELECT or someone's function is applied, offline and at request time alike."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features import project_code
from mlops_tui.domains.features.derived_records import Transform
from mlops_tui.domains.features.looking import WORDS, plain_value
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, quote
from mlops_tui.domains.features.row_sql import ROW, close_doors

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_DTYPES = {BIGINT: "Int64", BOOLEAN: "boolean", DOUBLE: "float64", VARCHAR: "str", TIMESTAMP: "datetime64[us, UTC]"}


class Transforms:
    """Applies transformations; keeps loaded functions and engines, as a server asks for the same ones again and again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._functions: dict[str, Callable[..., Any]] = {}
        self._engines: dict[str, duckdb.DuckDBPyConnection] = {}
        context.on_close(self.close)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()

    # -- on demand ---------------------------------------------------------------------------------------------------

    def beside(self, view: Transform, frame: pd.DataFrame, shown: Mapping[str, str], prefix: str) -> pd.DataFrame:
        """`frame` with the outputs of a view (output -> name) beside its columns; what it looks up is there as PREFIXtable:column.

        Raises InvalidInput when a request field is no column of the frame.
        """
        import pandas as pd

        names = [str(name) for name in frame.columns]
        for name in view.request:
            if name not in names:
                raise InvalidInput(
                    f"The spine has no column '{name}', which on-demand '{view.name}' takes with each request.",
                    hint=did_you_mean(name, names, f"Add it: {', '.join(view.request)}."),
                )
        given = {one.name: frame[f"{prefix}{one.table}:{one.column}"] for one in view.fields}
        given |= {name: frame[name] for name in view.request}
        found = self.evaluate(view, {name: values.array for name, values in given.items()}, len(frame))
        taken = pd.DataFrame({name: _plain(found[output]) for output, name in shown.items()}, index=range(len(frame)))
        taken.index = frame.index
        return pd.concat([frame, taken], axis=1)

    def evaluate(self, view: Transform, given: Mapping[str, Any], rows: int) -> pd.DataFrame:
        """The outputs of a view, one row per row given, typed as declared. `given` holds values by input name.

        Raises InvalidInput for values of a wrong type, and for a function that fails or gives something else than it said.
        """
        import pandas as pd

        kinds = {one.name: one.type for one in view.fields} | view.request
        columns = {name: typed(name, given[name], kind) for name, kind in kinds.items()}
        frame = pd.DataFrame(columns, index=pd.RangeIndex(rows))
        if view.kind == "sql":
            import pyarrow as pa

            numbered = frame.assign(**{ROW: range(rows)})
            found = self._by_sql(view, pa.Table.from_pandas(numbered, preserve_index=False)).to_pandas()
        else:
            found = self._call(view, frame)
        if not isinstance(found, pd.DataFrame) or len(found) != rows:
            what = f"{len(found)} rows" if isinstance(found, pd.DataFrame) else type(found).__name__
            raise InvalidInput(
                f"'{view.reference}' gave {what} for {rows} rows.",
                hint="Return a DataFrame with the rows it was given.",
            )
        for name in view.outputs:
            if name not in found.columns:
                raise InvalidInput(
                    f"'{view.reference}' gave no column '{name}'.",
                    hint=f"It gave: {', '.join(map(str, found.columns))}.",
                )
        found = found.reset_index(drop=True)
        return pd.DataFrame({name: typed(name, found[name].array, kind) for name, kind in view.outputs.items()})

    def rows(self, view: Transform, given: Mapping[str, Any], rows: int) -> list[dict[str, Any]]:
        """As `evaluate`, as JSON-ready values: missing ones None, times ISO 8601 text."""
        if view.kind == "sql":  # without pandas, which takes longer than the query
            table = self._by_sql(view, _arrow(view, given, rows))
            columns = {name: table.column(name).to_pylist() for name in view.outputs}
        else:
            frame = self.evaluate(view, given, rows)
            columns = {
                name: frame[name].astype("object").where(frame[name].notna(), None).tolist() for name in view.outputs
            }
        for name, kind in view.outputs.items():
            if kind == TIMESTAMP:
                columns[name] = [None if value is None else _iso(value) for value in columns[name]]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _by_sql(self, view: Transform, given: Any) -> Any:
        """The outputs for an Arrow table of inputs, as an Arrow table of the types declared."""
        import duckdb

        from mlops_tui.core.lake import plain_error

        engine = self._engines.get(view.code_hash)
        if engine is None:
            engine = self._engines[view.code_hash] = self._context.lake.connect()
            engine.execute("SET threads = 1")  # for a few rows more threads only cost
            close_doors(engine, None)
        shown = ", ".join(f"{_missing(name, kind)} AS {quote(name)}" for name, kind in view.outputs.items())
        engine.register("given", given)
        try:
            inner = f"SELECT {view.body}\n, {ROW} FROM given"
            return engine.sql(f"SELECT {shown} FROM ({inner}) ORDER BY {ROW}").to_arrow_table()
        except duckdb.Error as error:
            raise plain_error(error) from error
        finally:
            engine.unregister("given")

    # -- Python ------------------------------------------------------------------------------------------------------

    def call(self, one: Transform, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """What a registered function makes of the frames of its inputs. Raises InvalidInput when it fails."""
        import pandas as pd

        found = self._call(one, *frames)
        if not isinstance(found, pd.DataFrame):
            raise InvalidInput(f"{one.body} returned {type(found).__name__}.", hint="Return a DataFrame.")
        return found

    def _call(self, one: Transform, *frames: pd.DataFrame) -> Any:
        function = self._functions.get(one.code_hash)
        if function is None:
            function = self._functions[one.code_hash] = project_code.load(one, self._context.workspace.project)
        try:
            return function(*frames)
        except WorkbenchError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"{one.body} failed: {type(error).__name__}: {error}.", hint=f"It is version {one.reference}."
            ) from error


def _missing(name: str, kind: str) -> str:
    """SQL of an output in its type; what is no number is missing, as in tables."""
    value = f"CAST({quote(name)} AS {kind})"
    return f"nullif({value}, 'nan'::DOUBLE)" if kind == DOUBLE else value


def _iso(value: datetime.datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _arrow(view: Transform, given: Mapping[str, Sequence[Any]], rows: int) -> Any:
    """The inputs of a view as an Arrow table. Raises InvalidInput for values of a wrong type."""
    import pyarrow as pa

    types = {
        BIGINT: pa.int64(),
        DOUBLE: pa.float64(),
        VARCHAR: pa.string(),
        BOOLEAN: pa.bool_(),
        TIMESTAMP: pa.timestamp("us", "UTC"),
    }
    columns = {}
    for name, kind in ({one.name: one.type for one in view.fields} | view.request).items():
        values = [plain_value(f"'{name}'", kind, value) for value in given[name]]
        if kind == BOOLEAN:
            values = [None if value is None else bool(value) for value in values]
        columns[name] = pa.array([None if value != value else value for value in values], types[kind])
    return pa.table(columns | {ROW: pa.array(range(rows), pa.int64())})


def typed(name: str, values: Any, kind: str) -> Any:
    """Values as a pandas array whose type depends on the column's type alone, never on which values are missing.

    BIGINT is Int64, BOOLEAN boolean (both with missing values), DOUBLE float64, VARCHAR str, TIMESTAMPTZ datetime64[us, UTC].
    Raises InvalidInput for a value of another type.
    """
    import pandas as pd

    types = pd.api.types
    # pandas would make floats of whole numbers in a list where one is missing.
    series = pd.Series(values, dtype="object") if isinstance(values, list) else pd.Series(values)
    missing = series.isna()
    dtype = types.pandas_dtype(_DTYPES[kind])
    if missing.all():
        return pd.Series([None] * len(series), dtype=dtype).array
    number = types.is_numeric_dtype(series.dtype) and not types.is_bool_dtype(series.dtype)
    try:
        if kind == TIMESTAMP:
            return pd.Series(pd.to_datetime(series, utc=True, format="ISO8601")).dt.as_unit("us").array
        if (kind in (BIGINT, DOUBLE) and number) or series.dtype == dtype:
            return series.astype(dtype).array  # a fraction does not become a whole number: that is a TypeError
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"'{name}' has a value that is not {WORDS[kind]}.", hint=f"The column is {kind}.") from error
    plain = [None if gone else plain_value(f"'{name}'", kind, one) for one, gone in zip(series, missing, strict=True)]
    return pd.Series(
        [None if one is None else bool(one) for one in plain] if kind == BOOLEAN else plain, dtype=dtype
    ).array


def _plain(values: pd.Series) -> pd.Series:
    """A column as joins bring it: whole numbers and booleans become int64 and bool, where none is missing."""
    kind = str(values.dtype)
    if kind == "Int64":
        return values.astype("float64" if values.isna().any() else "int64")
    if kind == "boolean":
        return values.astype("object").where(values.notna(), None) if values.isna().any() else values.astype("bool")
    return values


def kind_of(values: pd.Series) -> str:
    """The table type of a column a function gave. Raises InvalidInput for one no table can hold."""
    import pandas as pd

    types_ = pd.api.types
    if types_.is_bool_dtype(values):
        return BOOLEAN
    if types_.is_integer_dtype(values):
        return BIGINT
    if types_.is_numeric_dtype(values):
        return DOUBLE
    if types_.is_datetime64_any_dtype(values):
        return TIMESTAMP
    if all(isinstance(value, str) for value in values.dropna()):
        return VARCHAR
    raise InvalidInput(f"Column '{values.name}' is {values.dtype}.", hint="Give numbers, text, booleans or times.")
