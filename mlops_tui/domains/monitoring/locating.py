"""Where a column moved: parts of the predictions in which it moved more, or less, than in the others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.monitoring.explained import Moved, Where
from mlops_tui.domains.monitoring.measures import texts
from mlops_tui.domains.serving.records import input_column

if TYPE_CHECKING:
    from mlops_tui.core.lake import Lake

LEAST = 30
MOST_LEVELS = 12
SHOWN = 3
ALPHA = 0.01
ANSWERED = 200
# In-between is of no use to a person: elsewhere it moved at least this much less.
CLEARER = 0.5


def rows(
    lake: Lake, files: Sequence[Path], version: int, inputs: Sequence[str], span: tuple[int, int], most: int
) -> pd.DataFrame:
    """Inputs of answered predictions of a version within [since, until), by name; at most `most`, drawn by chance."""
    if not files:
        return pd.DataFrame()
    source, names = "read_parquet(?, union_by_name=true, hive_partitioning=false)", [str(path) for path in files]
    there = {row["column_name"] for row in lake.query(f"DESCRIBE SELECT * FROM {source}", [names])}
    known = [name for name in inputs if input_column(name) in there]
    if not known:
        return pd.DataFrame()
    listed = ", ".join(f"{_quoted(input_column(name))} AS {_quoted(name)}" for name in known)
    return lake.frame(
        f"""SELECT {listed} FROM {source} WHERE version = ? AND status = {ANSWERED} AND "at" >= ? AND "at" < ?
            ORDER BY hash(id) LIMIT {most}""",
        [names, version, *span],
    )


def located(one: Moved, before: pd.DataFrame, now: pd.DataFrame) -> Moved:
    """The column with the parts in which its move is concentrated: differences of differences, Holm over all parts."""
    if before.empty or now.empty or one.name not in before or one.name not in now:
        return one
    old, new = _values(before[one.name], now[one.name])
    found = []
    for words, mine_before, mine_now in _parts(before, now, one.name):
        where = _compared(words, old, new, mine_before, mine_now)
        if where is not None:
            found.append(where)
    found.sort(key=lambda where: where.p)
    kept = []
    for place, where in enumerate(found):
        inside, outside = abs(where.now - where.before), abs(where.rest_now - where.rest_before)
        if where.p * (len(found) - place) > ALPHA:
            break
        if outside <= CLEARER * inside:
            kept.append(where)
    return dataclasses.replace(one, where=kept[:SHOWN])


def _values(before: pd.Series[Any], now: pd.Series[Any]) -> tuple[Any, Any]:
    """Numbers as they are (missing ones as whether they are); of a category whether it is the level that moved most."""
    if pd.api.types.is_numeric_dtype(now) and not pd.api.types.is_bool_dtype(now):
        old, new = (pd.to_numeric(part, errors="coerce").to_numpy(dtype=float) for part in (before, now))
        if abs(np.isnan(new).mean() - np.isnan(old).mean()) > 0.05:
            return np.isnan(old).astype(float), np.isnan(new).astype(float)
        return old, new
    first, second = (texts(part).where(part.notna(), "missing") for part in (before, now))
    shares = second.value_counts(normalize=True).sub(first.value_counts(normalize=True), fill_value=0.0)
    level = shares.abs().idxmax()
    return (first == level).to_numpy(dtype=float), (second == level).to_numpy(dtype=float)


def _parts(before: pd.DataFrame, now: pd.DataFrame, without: str) -> Iterator[tuple[str, Any, Any]]:
    """Levels of the other columns, halves of their numbers, in words, with their rows before and now."""
    for name in before.columns.intersection(now.columns):
        if name == without:
            continue
        number = pd.api.types.is_numeric_dtype(before[name]) and not pd.api.types.is_bool_dtype(before[name])
        if number and before[name].nunique() > MOST_LEVELS:
            middle = float(before[name].median())
            old, new = before[name].to_numpy(dtype=float), now[name].to_numpy(dtype=float)
            yield f"{name} <= {middle:.4g}", old <= middle, new <= middle
            yield f"{name} > {middle:.4g}", old > middle, new > middle
            continue
        first, second = texts(before[name]), texts(now[name])
        for level in first.value_counts().index[:MOST_LEVELS]:
            yield f"{name} = {level}", (first == level).to_numpy(), (second == level).to_numpy()


def _compared(words: str, old: Any, new: Any, mine_before: Any, mine_now: Any) -> Where | None:
    sides = [old[mine_before], new[mine_now], old[~mine_before], new[~mine_now]]
    sides = [part[np.isfinite(part)] for part in sides]
    if min(part.size for part in sides) < LEAST:
        return None
    means = [float(part.mean()) for part in sides]
    error = math.sqrt(sum(float(part.var(ddof=1)) / part.size for part in sides))
    difference = abs(means[1] - means[0]) - abs(means[3] - means[2])
    p = 1.0 if error == 0 or difference <= 0 else math.erfc(difference / error / math.sqrt(2))
    return Where(words, int(mine_now.sum()), means[0], means[1], means[2], means[3], p)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
