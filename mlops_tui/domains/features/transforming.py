"""Running transformations: the one place where a SELECT or someone's function is applied, offline and at request time alike."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound, WorkbenchError
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.derived_records import Transform
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, quote, text

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

ROW = "_row"
_DTYPES = {BIGINT: "Int64", BOOLEAN: "boolean", DOUBLE: "float64", VARCHAR: "str", TIMESTAMP: "datetime64[us, UTC]"}
_WORDS = {
    BIGINT: "a whole number",
    DOUBLE: "a number",
    VARCHAR: "a text",
    BOOLEAN: "true or false",
    TIMESTAMP: "a time",
}


class Transforms:
    """Applies transformations; keeps loaded functions and engines, as a server asks for the same ones again and again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._functions: dict[str, Callable[..., Any]] = {}
        self._engines: dict[str, duckdb.DuckDBPyConnection] = {}

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
        found = self._by_sql(view, frame) if view.kind == "sql" else self._call(view, frame)
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
        frame = self.evaluate(view, given, rows)
        columns = {}
        for name, kind in view.outputs.items():
            values = frame[name].astype("object").where(frame[name].notna(), None).tolist()
            if kind == TIMESTAMP:
                values = [None if value is None else value.isoformat().replace("+00:00", "Z") for value in values]
            columns[name] = values
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _by_sql(self, view: Transform, frame: pd.DataFrame) -> pd.DataFrame:
        import duckdb

        from mlops_tui.core.lake import plain_error

        engine = self._engines.get(view.code_hash)
        if engine is None:
            engine = self._engines[view.code_hash] = self._context.lake.connect()
            close_doors(engine, None)
        engine.register("given", frame.assign(**{ROW: range(len(frame))}))
        try:
            relation = engine.sql(f"SELECT {view.body}\n, {ROW} FROM given ORDER BY {ROW}")
            found: pd.DataFrame = relation.to_arrow_table().to_pandas()
        except duckdb.Error as error:
            raise plain_error(error) from error
        finally:
            engine.unregister("given")
        return found.drop(columns=ROW)

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
            function = self._functions[one.code_hash] = load(one, self._context.workspace.project)
        try:
            return function(*frames)
        except WorkbenchError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"{one.body} failed: {type(error).__name__}: {error}.", hint=f"It is version {one.reference}."
            ) from error


def typed(name: str, values: Any, kind: str) -> Any:
    """Values as a pandas array whose type depends on the column's type alone, never on which values are missing.

    BIGINT is Int64, BOOLEAN boolean (both with missing values), DOUBLE float64, VARCHAR str, TIMESTAMPTZ datetime64[us, UTC].
    Raises InvalidInput for a value of another type.
    """
    import pandas as pd

    try:
        if kind == TIMESTAMP:
            return pd.Series(pd.to_datetime(pd.Series(values), utc=True, format="ISO8601")).dt.as_unit("us").array
        series = pd.Series(values)
        missing = series.isna()
        if missing.all():
            return pd.Series([None] * len(series), dtype=_DTYPES[kind]).array
        if kind == VARCHAR:
            wrong = not all(isinstance(value, str) for value in series[~missing])
        else:
            whole = pd.api.types.is_bool_dtype(series[~missing].infer_objects())
            wrong = whole is not (kind == BOOLEAN)
        if wrong:
            raise TypeError
        if kind in (BIGINT, DOUBLE):
            series = pd.to_numeric(series.astype("object").where(~missing, None).infer_objects())
            numbers = not any(isinstance(value, str) for value in pd.Series(values))
            if not numbers:
                raise TypeError
        return series.astype(pd.api.types.pandas_dtype(_DTYPES[kind])).array
    except (TypeError, ValueError, OverflowError) as error:
        hint = f"The column is {kind}."
        raise InvalidInput(f"'{name}' has a value that is not {_WORDS[kind]}.", hint=hint) from error


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


# -- code --------------------------------------------------------------------------------------------------------------


def find_source(place: str, project: Path) -> str:
    """The text of the module in `module:function` or `file.py:function`. Raises NotFound, InvalidInput."""
    module, colon, function = place.partition(":")
    if not colon or not function.isidentifier():
        raise InvalidInput(f"'{place}' names no function.", hint="Write module:function, as in features_code:ratios")
    path = project / module if module.endswith(".py") else _origin(module, project)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{path} cannot be read: {error}.", hint="Paths start in the project folder.") from error


def _origin(module: str, project: Path) -> Path:
    near = project.joinpath(*module.split("."))
    for path in (near.with_suffix(".py"), near / "__init__.py"):
        if path.is_file():
            return path
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise NotFound(
            f"There is no module '{module}'.", hint=f"Put {module}.py into {project}, or install the package."
        )
    return Path(spec.origin)


def load(one: Transform, project: Path) -> Callable[..., Any]:
    """The function of a transformation, from the text that was kept when it was registered. Raises InvalidInput."""
    place, _, name = one.body.partition(":")
    module = types.ModuleType(f"mlops_transform_{one.code_hash}")
    if not place.endswith(".py") and "." in place:
        module.__package__ = place.rpartition(".")[0]
    module.__file__ = f"<{one.reference} {place}>"
    if str(project) not in sys.path:
        sys.path.append(str(project))  # what the module itself imports
    sys.modules[module.__name__] = module  # dataclasses and pickle look there
    try:
        exec(compile(one.source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - the user's own registered code
    except Exception as error:
        del sys.modules[module.__name__]
        raise InvalidInput(f"{place} cannot be run: {type(error).__name__}: {error}.", hint="Correct it.") from error
    found = getattr(module, name, None)
    if not callable(found):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise NotFound(
            f"{place} has no function '{name}'.", hint=did_you_mean(name, known, f"It has: {', '.join(known)}.")
        )
    return found  # type: ignore[no-any-return]


# -- SQL ---------------------------------------------------------------------------------------------------------------


def close_doors(connection: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
    """From now on this connection reads nothing outside `folder` (None: nothing at all) and writes nothing."""
    if folder is not None:
        connection.execute(f"SET allowed_directories = [{text(str(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def tables_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The tables a SELECT reads, by what it calls them. Raises InvalidInput unless it is SQL."""
    from mlops_tui.domains.features import offline

    nodes = list(offline.nodes_of(offline.parsed(connection, query, query)))
    own = {str(entry.get("key")) for node in nodes for entry in node.get("map", []) if isinstance(entry, dict)}
    names = dict.fromkeys(str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE")
    return [name for name in names if name not in own]


def check_row_wise(connection: duckdb.DuckDBPyConnection, body: str, kinds: Mapping[str, str]) -> dict[str, str]:
    """The outputs (name -> type) of a select list over one row of `kinds`, as in `temp - base AS warmer, hum / 100 AS share`.

    Raises InvalidInput for anything that could tell one row from another: FROM, aggregates, windows, sub-queries.
    """
    from mlops_tui.domains.features import ingest, offline

    tree = offline.parsed(connection, f"SELECT {body}\n, {ROW} FROM given", body)
    nodes = list(offline.nodes_of(tree))
    selects = sum(node.get("type") == "SELECT_NODE" for node in nodes)
    windows = any(str(node.get("class")) == "WINDOW" for node in nodes)
    base = tree["statements"][0]["node"]
    plain = base.get("from_table", {}).get("type") == "BASE_TABLE" and not base.get("where_clause")
    tail = base.get("modifiers") or base.get("group_expressions") or base.get("having") or base.get("qualify")
    if len(tree["statements"]) != 1 or selects != 1 or windows or not plain or tail:
        raise InvalidInput(
            f"'{body}' does more than work out columns of one row.",
            hint="Write: temp - base AS warmer, hum / 100 AS share",
        )
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in kinds.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS SELECT {columns or '1 AS _none'}, 0 AS {ROW}")
    described = connection.execute(f"DESCRIBE SELECT {body}\n, {ROW} FROM given").fetchall()
    found = connection.execute(f"SELECT {body}\n, {ROW} FROM (SELECT * FROM given UNION ALL SELECT * FROM given)")
    if len(found.fetchall()) != 2:
        raise InvalidInput(f"'{body}' gives other rows than it was given.", hint="Give one row per row.")
    connection.execute("DROP TABLE given")
    outputs = {row[0]: ingest.canonical(row[0], row[1]) or DOUBLE for row in described if row[0] != ROW}
    twice = [name for name in outputs if name in kinds]
    if not outputs or twice:
        name = twice[0] if twice else "nothing"
        raise InvalidInput(f"It gives {name} that was there before.", hint="Name what is worked out: ... AS warmer")
    return outputs
