"""Two snapshots side by side, and which columns give a target away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.features.offline import fetch
from mlops_tui.domains.features.profile import sample
from mlops_tui.domains.features.profile_records import ColumnDiff, Diff
from mlops_tui.domains.features.records import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    TIMESTAMP,
    VARCHAR,
    Snapshot,
    describe_replacement,
    quote,
    text,
)

if TYPE_CHECKING:
    import duckdb

# Under 0.1 a population counts as stable, over 0.25 as another one (Siddiqi, Credit Risk Scorecards, 2006); 0.2 is the usual alarm.
PSI_LIMIT = 0.2
_POINTS = 100
_LEVELS = 20
_BINS = 24
_LEAST_SHARE = 1e-4  # a share of nought would make the index infinite
_LEAK_ROWS = 20_000
_LEAK = 0.98
_EXPLAINED = 0.85


@dataclass(frozen=True)
class Baseline:
    """The cut points of one column on the left side: numbers at percentiles, or its commonest texts."""

    column: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    whole: bool = False

    def aggregate(self, kind: str) -> str:
        """SQL that counts the rows per cut of a column of that type."""
        column = quote(self.column) + ("::VARCHAR" if kind == BOOLEAN else "")
        if self.edges:
            return _binned(column, self.edges)
        among = ", ".join(text(level) for level in self.levels)
        return f"histogram(CASE WHEN {column} IS NULL THEN NULL WHEN {column} IN ({among}) THEN {column} ELSE '' END)"

    @property
    def bins(self) -> tuple[float, ...]:
        """Upper ends of bins to draw, equally wide from the first percentile to the last and a little beyond both."""
        # Estimated percentiles of whole numbers lie between them, where no row is.
        edges = tuple(sorted({float(math.floor(edge)) for edge in self.edges})) if self.whole else self.edges
        if len(edges) <= _BINS:
            return edges
        low, high = self.edges[0], self.edges[-1]
        step = (high - low) / (_BINS - 4)
        return tuple(low + step * place for place in range(-1, _BINS - 2))

    def counts(self, found: Any, edges: Sequence[float] = ()) -> list[int]:
        """The counts of every cut (or of these) in order; what lies outside all of them comes last."""
        given = dict(found or ())
        if self.edges:
            inside = [int(given.get(edge, 0)) for edge in edges or self.edges]
            return [*inside, sum(map(int, given.values())) - sum(inside)]
        inside = [int(given.get(level, 0)) for level in self.levels]
        return [*inside, sum(map(int, given.values())) - sum(inside)]


def _binned(column: str, edges: Sequence[float]) -> str:
    return f"histogram({column}::DOUBLE, [{', '.join(f'({edge!r})' for edge in edges)}]::DOUBLE[])"


def baselines(connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str]) -> list[Baseline]:
    """Cut points of every column of `source` that has a distribution (times have none: they move by nature)."""
    wanted = []
    for place, (name, kind) in enumerate(columns.items()):
        column = quote(name)
        if kind in (BIGINT, DOUBLE):
            shares = ", ".join(f"{point / _POINTS}" for point in range(1, _POINTS))
            finite = f"CASE WHEN isfinite({column}::DOUBLE) THEN {column}::DOUBLE END"
            wanted.append(f"approx_quantile({finite}, [{shares}]) AS c{place}")
        elif kind in (VARCHAR, BOOLEAN):
            value = column if kind == VARCHAR else f"{column}::VARCHAR"
            wanted.append(f"approx_top_k(nullif({value}, ''), {_LEVELS}) AS c{place}")
    if not wanted:
        return []
    row = fetch(connection, f"SELECT {', '.join(wanted)} FROM {source}").to_pylist()[0]
    found = []
    for place, (name, kind) in enumerate(columns.items()):
        values = row.get(f"c{place}") or ()
        if kind in (BIGINT, DOUBLE) and values:
            found.append(Baseline(name, tuple(sorted({float(value) for value in values})), whole=kind == BIGINT))
        elif kind in (VARCHAR, BOOLEAN) and values:
            found.append(Baseline(name, levels=tuple(sorted(value for value in values if value is not None))))
    return [one for one in found if one.edges or one.levels]


def psi(left: Sequence[int], right: Sequence[int]) -> float | None:
    """Population stability index of two lists of counts over the same cuts: sum of (q - p) ln(q / p). None without rows."""
    total_left, total_right = sum(left), sum(right)
    if not total_left or not total_right:
        return None
    total = 0.0
    for one, other in zip(left, right, strict=True):
        p, q = max(one / total_left, _LEAST_SHARE), max(other / total_right, _LEAST_SHARE)
        total += (q - p) * math.log(q / p)
    return total


def ks(left: Sequence[int], right: Sequence[int]) -> float | None:
    """Largest distance of the two distribution functions at the cuts (Kolmogorov-Smirnov). None without rows."""
    total_left, total_right = sum(left), sum(right)
    if not total_left or not total_right:
        return None
    one = other = 0
    largest = 0.0
    for here, there in zip(left, right, strict=True):
        one, other = one + here, other + there
        largest = max(largest, abs(one / total_left - other / total_right))
    return largest


def deciles(counts: Sequence[int], edges: Sequence[float]) -> list[int]:
    """Counts over percentile cuts brought to about ten cuts: PSI over a hundred would mostly measure noise."""
    wanted = max(1, math.ceil(len(edges) / 10))
    inside = counts[:-1]
    merged = [sum(inside[at : at + wanted]) for at in range(0, len(inside), wanted)]
    return [*merged, counts[-1]]


def distances(base: Baseline, left: Sequence[int], right: Sequence[int]) -> tuple[float | None, float | None]:
    """(PSI, KS) of one column; texts have an order only by chance, so their KS is the distance of the shares themselves."""
    if base.edges:
        return psi(deciles(left, base.edges), deciles(right, base.edges)), ks(left, right)
    total_left, total_right = sum(left), sum(right)
    if not total_left or not total_right:
        return None, None
    apart = sum(abs(a / total_left - b / total_right) for a, b in zip(left, right, strict=True)) / 2
    return psi(left, right), apart


def diff(
    connection: duckdb.DuckDBPyConnection, left: Snapshot, left_source: str, right: Snapshot, right_source: str
) -> Diff:
    """Compare two snapshots: schema, and per shared column missing shares, means, distinct values, PSI and KS."""
    shared = {name: kind for name, kind in left.columns.items() if _comparable(kind, right.columns.get(name))}
    bases = baselines(connection, left_source, shared)
    one, other = (_measured(connection, source, shared, bases) for source in (left_source, right_source))
    columns = []
    for name in dict.fromkeys((*left.columns, *right.columns)):
        if name not in shared:
            change = describe_change(left.columns.get(name), right.columns.get(name))
            columns.append(ColumnDiff(name, change))
            continue
        base = next((base for base in bases if base.column == name), None)
        columns.append(_column(name, left, right, one[name], other[name], base))
    return Diff(
        left.reference,
        right.reference,
        left.rows,
        right.rows,
        left.bytes,
        right.bytes,
        describe_replacement(left.columns, right.columns),
        tuple(columns),
    )


def describe_change(before: str | None, after: str | None) -> str:
    """ "" when nothing changed, else added, removed or the two types."""
    if before == after:
        return ""
    if before is None:
        return "added"
    return "removed" if after is None else f"{before} -> {after}"


def _comparable(left: str, right: str | None) -> bool:
    return left == right or {left, right} == {BIGINT, DOUBLE}


def _measured(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str], bases: Sequence[Baseline]
) -> dict[str, dict[str, Any]]:
    """Per column: rows, missing, mean, distinct, and the counts at its cuts; one pass."""
    wanted = ["count(*) AS n"]
    places = {name: place for place, name in enumerate(columns)}
    for name, kind in columns.items():
        column, place = quote(name), places[name]
        wanted += [f"count({column}) AS there{place}", f"approx_count_distinct({column}) AS distinct{place}"]
        if kind in (BIGINT, DOUBLE, BOOLEAN):
            wanted.append(f"avg({column}::DOUBLE) FILTER (isfinite({column}::DOUBLE)) AS mean{place}")
    wanted += [f"{base.aggregate(columns[base.column])} AS cuts{places[base.column]}" for base in bases]
    wanted += [f"{_binned(quote(base.column), base.bins)} AS bins{places[base.column]}" for base in bases if base.edges]
    row = fetch(connection, f"SELECT {', '.join(wanted)} FROM {source}").to_pylist()[0]
    return {
        name: {
            "n": row["n"],
            **{what: row.get(f"{what}{place}") for what in ("there", "distinct", "mean", "cuts", "bins")},
        }
        for name, place in places.items()
    }


def _column(
    name: str, left: Snapshot, right: Snapshot, one: Mapping[str, Any], other: Mapping[str, Any], base: Baseline | None
) -> ColumnDiff:
    far, furthest = (None, None)
    bins: tuple[float | str, ...] = ()
    shapes: list[tuple[int, ...]] = [(), ()]
    if base is not None:
        far, furthest = distances(base, base.counts(one["cuts"]), base.counts(other["cuts"]))
        bins = base.bins or base.levels
        drawn = [side["bins"] if base.edges else side["cuts"] for side in (one, other)]
        shapes = [tuple(base.counts(side, base.bins)) for side in drawn]
    missing = [1 - side["there"] / side["n"] if side["n"] else None for side in (one, other)]
    return ColumnDiff(
        name,
        describe_change(left.columns[name], right.columns[name]),
        missing[0],
        missing[1],
        one["mean"],
        other["mean"],
        min(one["distinct"], one["there"]),
        min(other["distinct"], other["there"]),
        None if far is None else round(far, 4),
        None if furthest is None else round(furthest, 4),
        drifted=far is not None and far >= PSI_LIMIT,
        bins=bins,
        left=shapes[0],
        right=shapes[1],
    )


# -- giving the target away --------------------------------------------------------------------------------------------


def leaks(
    connection: duckdb.DuckDBPyConnection, source: str, rows: int, columns: Mapping[str, str], target: str
) -> dict[str, str]:
    """Columns that all but tell the target by themselves, and how: column -> sentence. Looked for in a sample.

    A number target: Pearson's or Spearman's |r| of 0.98. Any other: 98 % of rows have the commonest target of their group
    (one of 50 quantile bins, or the text itself), and of the rows without the commonest target of all 85 % are told.
    """
    picked = ", ".join(
        f"epoch_us({quote(name)}) AS {quote(name)}" if kind == TIMESTAMP else quote(name)
        for name, kind in columns.items()
    )
    arrow = fetch(connection, f"SELECT {picked} FROM {sample(source, rows, _LEAK_ROWS)}")
    frame = arrow.to_pandas().replace([math.inf, -math.inf], math.nan)
    frame = frame[frame[target].notna()]
    if len(frame) < 20:
        return {}
    numeric_target = columns[target] == DOUBLE or (columns[target] == BIGINT and frame[target].nunique() > 20)
    found = {}
    for name, kind in columns.items():
        if name == target:
            continue
        told = _correlated(frame, name, kind, target) if numeric_target else _explained(frame, name, kind, target)
        if told:
            found[name] = f"leaks {target}: {told}"
    return found


def _correlated(frame: Any, name: str, kind: str, target: str) -> str:
    if kind not in (BIGINT, DOUBLE, BOOLEAN):
        return ""
    both = frame[[name, target]].astype("float64").dropna()
    if len(both) < 20 or both[name].nunique() < 2:
        return ""
    linear, ranked = (both[name].corr(both[target]), both[name].rank().corr(both[target].rank()))
    strongest = max(abs(linear), abs(ranked))
    return f"correlation {strongest:.3f}" if strongest >= _LEAK else ""


def _explained(frame: Any, name: str, kind: str, target: str) -> str:
    import pandas as pd

    base = float(frame[target].value_counts(normalize=True).iloc[0])
    if base == 1:
        return ""
    values = frame[name]
    if kind in (BIGINT, DOUBLE, TIMESTAMP) and values.nunique() > 50:
        values = pd.qcut(values.astype("float64"), 50, duplicates="drop", labels=False)
    elif values.nunique() > len(frame) / 10:
        return ""  # a different text in every row explains anything
    groups = pd.DataFrame({"group": values, "target": frame[target]}).dropna()
    if len(groups) < 20:
        return ""
    right = groups.groupby("group", observed=True)["target"].agg(lambda part: part.value_counts().iloc[0]).sum()
    share = float(right) / len(frame)
    # Of a rare target most rows are told by saying no: what counts is how many of the others are told too.
    explained = (share - base) / (1 - base)
    return f"it alone tells {share:.1%} of rows" if share >= _LEAK and explained >= _EXPLAINED else ""
