"""The rows of training a row is nearest to, in scaled space: numbers by their standard deviation, other values alike or not.

A distance is the root of the mean of squares over the inputs, so that it means the same with 4 inputs and with 400: 1 is a
standard deviation in every input. A missing value is as far from a known one as two different levels are.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.serving.reasons.records import Near

MOST_ROWS = 100_000
PROBES = 30
Array = Any


def read(files: list[Path], columns: list[str], target: str) -> pd.DataFrame | None:
    """Rows of Parquet files, evenly spaced when there are very many; None when a column is in none of them."""
    import pandas as pd
    import pyarrow.parquet as pq

    frames = []
    for file in files:
        names = set(pq.read_schema(file).names)
        if not names.issuperset(columns):
            return None
        wanted = [*columns, *([target] if target in names and target not in columns else [])]
        frames.append(pq.ParquetFile(file).read(columns=wanted).to_pandas())
    if not frames:
        return None
    rows = pd.concat(frames, ignore_index=True)
    some: pd.DataFrame = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(MOST_ROWS, len(rows))).astype(int))]
    return some


def nearest(row: pd.DataFrame, rows: pd.DataFrame, count: int) -> tuple[list[tuple[float, int]], float | None]:
    """The nearest rows as (distance, place), and how near rows have their nearest other one: the median of some."""
    inputs = [str(name) for name in row.columns]
    numbers, levels = [], []
    for name in inputs:
        one, many = _numbers(row[name]), _numbers(rows[name])
        if one is None or many is None:
            levels.append((row[name].astype(str).to_numpy(), rows[name].astype(str).to_numpy()))
        else:
            spread = float(np.nanstd(many)) if np.isfinite(many).any() else 0.0
            scale = spread if spread > 0 else 1.0
            numbers.append((one / scale, many / scale))

    def squares(own: list[Array], texts: list[Array]) -> Array:
        total = np.zeros(len(rows))
        for value, (_, many) in zip(own, numbers, strict=True):
            gap = many - value
            holes = np.isnan(gap)
            total += np.where(holes, np.where(np.isnan(many) & np.isnan(value), 0.0, 1.0), gap) ** 2
        for text, (_, known) in zip(texts, levels, strict=True):
            total += known != text
        return total

    def distances(own: list[Array], texts: list[Array]) -> Array:
        return np.sqrt(squares(own, texts) / len(inputs))

    found = distances([one[0] for one, _ in numbers], [one[0] for one, _ in levels])
    places = np.argsort(found, kind="stable")[:count]
    probes = PROBES if len(rows) > 1 else 0
    some = np.unique(np.linspace(0, len(rows) - 1, min(probes, len(rows))).astype(int))
    apart = []
    for place in some:
        own = distances([many[place] for _, many in numbers], [known[place] for _, known in levels])
        own[place] = np.inf
        apart.append(float(own.min()))
    typical = float(np.median(apart)) if apart else None
    return [(float(found[place]), int(place)) for place in places], typical


def records(found: list[tuple[float, int]], rows: pd.DataFrame, inputs: list[str], target: str) -> list[Near]:
    """Places as rows with their values, and the truth where it is known."""
    from mlops_tui.domains.registry.engines.reference import columns_of
    from mlops_tui.domains.serving.reasons.records import Near

    columns = columns_of(rows.iloc[[place for _, place in found]].reset_index(drop=True))
    truth = columns.get(target) if target not in inputs else None
    return [
        Near(distance, {name: columns[name][at] for name in inputs}, truth[at] if truth is not None else None)
        for at, (distance, _) in enumerate(found)
    ]


def _numbers(column: pd.Series[Any]) -> Array | None:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        times = pd.to_datetime(column, utc=True)
        return np.where(times.isna(), np.nan, times.astype("int64").to_numpy(dtype="float64"))
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.astype("float64").to_numpy(dtype="float64", na_value=np.nan)
    return None
