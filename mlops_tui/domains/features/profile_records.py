"""What a profile holds: one record per column, the pairs that go together, and what changed between two snapshots."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column. Counts are rows; times are ISO 8601 text; quantiles are interpolated between exact counts at about a
    hundred cut points; `distinct` is estimated (HyperLogLog, within about 5 %) unless `distinct_exact`.

    `edges` and `counts` are a histogram: `counts[i]` rows lie in (edges[i], edges[i+1]], the first edge included.
    """

    name: str
    type: str
    rows: int
    missing: int
    distinct: int
    distinct_exact: bool = False
    infinite: int = 0
    zeros: int = 0
    negatives: int = 0
    min: Value = None
    max: Value = None
    mean: float | None = None
    std: float | None = None
    skew: float | None = None
    quantiles: tuple[tuple[float, Value], ...] = ()
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    top: tuple[tuple[Value, int], ...] = ()
    length_min: int | None = None
    length_mean: float | None = None
    length_max: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def missing_share(self) -> float:
        return self.missing / self.rows if self.rows else 0.0

    def quantile(self, share: float) -> Value:
        """The value at that share of the rows, or None when it was not measured."""
        return next((value for at, value in self.quantiles if at == share), None)


@dataclass(frozen=True, slots=True)
class Profile:
    """All columns of a snapshot. `exact` is False when only `sampled` rows were looked at.

    `missing_patterns`: (columns missing together, rows), commonest first. `correlations`: (column, column, Pearson's r) of
    the strongest pairs of a sample of `correlated_rows` rows.
    """

    table: str
    version: int
    at: int
    rows: int
    sampled: int
    exact: bool
    columns: tuple[ColumnProfile, ...]
    missing_patterns: tuple[tuple[tuple[str, ...], int], ...] = ()
    correlations: tuple[tuple[str, str, float], ...] = ()
    correlated_rows: int = 0

    @property
    def missing_cells(self) -> int:
        return sum(column.missing for column in self.columns)

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """(column, warning) of all columns."""
        return tuple((column.name, text) for column in self.columns for text in column.warnings)

    def column(self, name: str) -> ColumnProfile | None:
        return next((column for column in self.columns if column.name == name), None)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Profile:
        """A profile from its JSON form."""
        given = {**raw, "columns": tuple(_column(entry) for entry in raw["columns"])}
        given["missing_patterns"] = tuple((tuple(names), rows) for names, rows in raw["missing_patterns"])
        given["correlations"] = tuple((a, b, r) for a, b, r in raw["correlations"])
        return cls(**given)


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """One column in two snapshots: shares missing, means, distinct values, and how far the distributions lie apart.

    `psi` is the population stability index over the deciles (or the commonest values) of the left side; `ks` the largest
    distance of the two distribution functions at a hundred points. None: the column is on one side only, or is a time.
    `left` and `right` count the rows of both per bin: of numbers those up to each of `bins` and above them, of texts by value and
    others.
    """

    column: str
    change: str  # "", added, removed, or "BIGINT -> DOUBLE"
    missing_left: float | None = None
    missing_right: float | None = None
    mean_left: float | None = None
    mean_right: float | None = None
    distinct_left: int | None = None
    distinct_right: int | None = None
    psi: float | None = None
    ks: float | None = None
    drifted: bool = False
    bins: tuple[float | str, ...] = ()
    left: tuple[int, ...] = ()
    right: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Diff:
    """Two snapshots of one table side by side."""

    left: str
    right: str
    rows_left: int
    rows_right: int
    bytes_left: int
    bytes_right: int
    schema_changes: tuple[str, ...]
    columns: tuple[ColumnDiff, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        return tuple(column.column for column in self.columns if column.drifted)


def _column(raw: Mapping[str, Any]) -> ColumnProfile:
    given = dict(raw)
    for name in ("quantiles", "top"):
        given[name] = tuple((pair[0], pair[1]) for pair in given[name])
    for name in ("edges", "counts", "warnings"):
        given[name] = tuple(given[name])
    return ColumnProfile(**given)


def with_warnings(column: ColumnProfile, *texts: str) -> ColumnProfile:
    """The column with more warnings."""
    return dataclasses.replace(column, warnings=(*column.warnings, *texts))
