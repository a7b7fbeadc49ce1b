"""Small tables as files: CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mlops_tui.core.errors import InvalidInput


def encode(data: Any, name: str) -> bytes:
    """A DataFrame, dict of columns or list of dicts as the format that the ending of `name` says.

    JSON is `{"columns": [...], "data": [[...], ...]}`. Raises InvalidInput for another ending, or what is no table.
    """
    ending = PurePosixPath(name).suffix
    if ending == ".parquet":
        return _parquet(data)
    if ending not in {".csv", ".json"}:
        raise InvalidInput(
            f"A table cannot be kept as '{name[:80]}'.", hint="Let the name end in .csv, .json or .parquet."
        )
    columns, rows = _rows(data)
    if ending == ".json":
        return (json.dumps({"columns": columns, "data": rows}, default=_plain, ensure_ascii=False) + "\n").encode()
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _rows(data: Any) -> tuple[list[str], list[list[Any]]]:
    if hasattr(data, "columns") and hasattr(data, "itertuples"):
        return [str(column) for column in data.columns], [list(row) for row in data.itertuples(index=False, name=None)]
    if isinstance(data, Mapping) and all(_is_column(values) for values in data.values()):
        columns = [list(values) for values in data.values()]
        if len({len(column) for column in columns}) > 1:
            raise InvalidInput(
                "The columns of the table are not of one length.",
                hint="They have "
                + ", ".join(f"{name} {len(column)}" for name, column in zip(data, columns, strict=True)),
            )
        return [str(name) for name in data], [list(row) for row in zip(*columns, strict=True)]
    if isinstance(data, Sequence) and not isinstance(data, str) and all(isinstance(row, Mapping) for row in data):
        names = list(dict.fromkeys(name for row in data for name in row))
        return [str(name) for name in names], [[row.get(name) for name in names] for row in data]
    raise InvalidInput(
        f"A value of type {type(data).__name__} is no table.",
        hint="Pass a DataFrame, a dict of columns or a list of dicts.",
    )


def _is_column(values: Any) -> bool:
    return hasattr(values, "__iter__") and hasattr(values, "__len__") and not isinstance(values, (str, bytes, Mapping))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else str(value)


def _parquet(data: Any) -> bytes:
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        columns, rows = _rows(data)
        data = pd.DataFrame(rows, columns=columns)
    file = io.BytesIO()
    try:
        data.to_parquet(file, index=False)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"The table does not fit into Parquet: {error}.", hint="Keep it as .json.") from error
    return file.getvalue()
