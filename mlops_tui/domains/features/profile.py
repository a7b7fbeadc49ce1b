"""What is in a snapshot: two passes of aggregates over its files, led by a small sample.

The sample says where values lie and which texts are common. The first pass counts, averages and finds the ranges; the second
counts the rows between cut points, which gives the histogram, quantiles, zeros and negatives at once, and settles exactly what
the first only suspected (uniqueness, equal columns). A third reads only columns with missing values, for which of them are
missing together. Sketches (t-digest) over all rows would cost three times as much.
"""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.features import cuts
from mlops_tui.domains.features.offline import fetch
from mlops_tui.domains.features.profile_records import ColumnProfile, Profile, Value, with_warnings
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, Table, quote, text

if TYPE_CHECKING:
    import duckdb

    from mlops_tui.domains.features.ingest import Progress

SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
TOP = 10
SAMPLE_ROWS = 100_000  # what a first look reads
PAIR_ROWS = 20_000  # what correlations are computed from
GUIDE_ROWS = 50_000  # what says where the cut points go
_LEVELS = 20  # whole numbers with at most so many values show each of them
_STRONGEST = 20
_MOST_CORRELATED_COLUMNS = 60
_NUMBERS = (BIGINT, DOUBLE)
_STEPS = 4


def sample(source: str, rows: int, wanted: int = SAMPLE_ROWS) -> str:
    """SQL that reads about `wanted` rows of `source`, whole vectors at a time and the same ones each time."""
    share = min(100.0, max(100.0 * wanted / max(rows, 1), 0.001))
    return f"(SELECT * FROM {source} USING SAMPLE {share:.4f} PERCENT (system, 7))"


def build(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    table: Table,
    version: int,
    columns: Mapping[str, str],
    rows: int,
    now: int,
    *,
    exact: bool = True,
    progress: Progress | None = None,
) -> Profile:
    """The profile of `source`, whose columns have these types and which has `rows` rows; with `exact` False of a sample."""

    def tell(step: int, note: str) -> None:
        if progress is not None:
            progress(step, _STEPS, note)

    tell(0, "where the values lie")
    looked_at = source if exact else sample(source, rows)
    guides = cuts.guides(connection, sample(source, rows, GUIDE_ROWS), columns)
    tell(1, "counts and means")
    first = _one(connection, _first_pass(columns), looked_at)
    seen = int(first["n"])
    profiles = [_first(name, kind, place, first, seen) for place, (name, kind) in enumerate(columns.items())]
    twins = _suspected_twins(profiles)
    lines = [
        cuts.edges(profile.type, first.get(f"min{place}"), first.get(f"max{place}"), guides[profile.name])
        for place, profile in enumerate(profiles)
    ]
    second = _second_pass(profiles, lines, guides, twins)
    tell(2, "histograms and quantiles")
    found = _one(connection, second, looked_at) if second else {}
    profiles = [_second(profile, place, lines[place], found) for place, profile in enumerate(profiles)]
    equal = [pair for number, pair in enumerate(twins) if not found.get(f"twin{number}")]
    profiles = _warned(profiles, equal, table)
    tell(3, "what goes together")
    pairs, pair_rows = _correlations(connection, source, rows, profiles)
    return Profile(
        table.name,
        version,
        now,
        rows,
        seen,
        exact,
        tuple(profiles),
        _patterns(connection, looked_at, profiles),
        pairs,
        pair_rows,
    )


# -- first pass --------------------------------------------------------------------------------------------------------


def _first_pass(columns: Mapping[str, str]) -> list[str]:
    wanted = ["count(*) AS n"]
    for place, (name, kind) in enumerate(columns.items()):
        column = quote(name)
        wanted += [f"count({column}) AS there{place}", f"approx_count_distinct({column}) AS distinct{place}"]
        if kind in _NUMBERS:
            # Infinity would swallow means and deviations; it is counted on its own.
            value = f"CASE WHEN isfinite({column}) THEN {column} END" if kind == DOUBLE else column
            sums = {
                "min": "min",
                "max": "max",
                "mean": "avg",
                "std": "stddev_samp",
                "skew": "skewness",
                "finite": "count",
            }
            wanted += [f"{function}({value}) AS {what}{place}" for what, function in sums.items()]
        elif kind == VARCHAR:
            wanted += [f"{part}(length({column})) AS length_{part}{place}" for part in ("min", "avg", "max")]
        elif kind == BOOLEAN:
            wanted += [f"count(*) FILTER (NOT {column}) AS zeros{place}", f"avg({column}::INT) AS mean{place}"]
        else:
            wanted += [f"epoch_us(min({column})) AS min{place}", f"epoch_us(max({column})) AS max{place}"]
    return wanted


def _first(name: str, kind: str, place: int, row: Mapping[str, Any], rows: int) -> ColumnProfile:
    def got(what: str) -> Any:
        return row.get(f"{what}{place}")

    there = int(got("there"))
    profile = ColumnProfile(name, kind, rows, rows - there, min(int(got("distinct") or 0), there))
    if kind == VARCHAR:
        low, mean, high = (got(f"length_{part}") for part in ("min", "avg", "max"))
        return replace(profile, length_min=low, length_mean=_finite(mean), length_max=high)
    if kind == BOOLEAN:
        return replace(profile, zeros=int(got("zeros")), mean=_finite(got("mean")))
    if kind == TIMESTAMP:
        return replace(profile, min=_moment(got("min")), max=_moment(got("max")))
    profile = replace(profile, min=got("min"), max=got("max"), infinite=there - int(got("finite")))
    return replace(profile, mean=_finite(got("mean")), std=_finite(got("std")), skew=_finite(got("skew")))


# -- second pass -------------------------------------------------------------------------------------------------------


def _second_pass(
    profiles: Sequence[ColumnProfile],
    lines: Sequence[Sequence[float]],
    guides: Mapping[str, Sequence[Any]],
    twins: Sequence[tuple[str, str]],
) -> list[str]:
    wanted = []
    for place, profile in enumerate(profiles):
        column = quote(profile.name)
        if lines[place]:
            value = f"epoch_us({column})" if profile.type == TIMESTAMP else column
            wanted.append(f"histogram({value}, {cuts.literal(lines[place])}) AS bins{place}")
        if profile.type == BOOLEAN or (profile.type == BIGINT and profile.distinct <= _LEVELS):
            wanted.append(f"histogram({column}) AS levels{place}")
        elif profile.type == VARCHAR and guides[profile.name]:
            among = ", ".join(text(value) for value in guides[profile.name])
            wanted.append(f"histogram(CASE WHEN {column} IN ({among}) THEN {column} END) AS levels{place}")
        if _maybe_unique(profile):
            wanted.append(f"count(DISTINCT {column}) AS exact{place}")
    for number, (left, right) in enumerate(twins):
        wanted.append(f"count(*) FILTER ({quote(left)} IS DISTINCT FROM {quote(right)}) AS twin{number}")
    return wanted


def _second(profile: ColumnProfile, place: int, lines: Sequence[float], found: Mapping[str, Any]) -> ColumnProfile:
    if (bins := found.get(f"bins{place}")) is not None:
        counted = dict(bins)
        counts = [int(counted.get(line, 0)) for line in lines]
        shown = _moment if profile.type == TIMESTAMP else _same
        quantiles = cuts.quantiles(lines, counts, SHARES, whole=profile.type != DOUBLE)
        edges, bars = cuts.bars(lines, counts, BINS)
        profile = replace(
            profile,
            quantiles=tuple((share, shown(value)) for share, value in zip(SHARES, quantiles, strict=True)),
            edges=tuple(edges),
            counts=tuple(bars),
        )
        if profile.type != TIMESTAMP:
            negatives, zeros = cuts.signs(lines, counts)
            profile = replace(profile, negatives=negatives, zeros=zeros)
    if (levels := found.get(f"levels{place}")) is not None:
        ranked = sorted(dict(levels).items(), key=lambda pair: (-pair[1], str(pair[0])))
        profile = replace(profile, top=tuple((value, int(count)) for value, count in ranked[:TOP]))
        if profile.type != VARCHAR:
            profile = replace(profile, distinct=len(ranked), distinct_exact=True)
    if (exact := found.get(f"exact{place}")) is not None:
        profile = replace(profile, distinct=int(exact), distinct_exact=True)
    return profile


# -- what to look at twice ---------------------------------------------------------------------------------------------


def _maybe_unique(profile: ColumnProfile) -> bool:
    there = profile.rows - profile.missing
    return profile.type in (BIGINT, VARCHAR) and there > 1 and profile.distinct > 0.9 * there


def _suspected_twins(profiles: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    """Pairs of columns whose first numbers are all the same: only these are worth comparing row by row."""

    def face(profile: ColumnProfile) -> tuple[Any, ...]:
        lengths = (profile.length_min, profile.length_mean, profile.length_max)
        numbers = (profile.min, profile.max, profile.mean, profile.zeros)
        return (profile.type, profile.missing, profile.distinct, *numbers, *lengths)

    constant = {profile.name for profile in profiles if profile.distinct < 2}
    ordered = sorted((profile for profile in profiles if profile.name not in constant), key=lambda one: str(face(one)))
    return [(a.name, b.name) for a, b in itertools.pairwise(ordered) if face(a) == face(b)]


def _warned(profiles: Sequence[ColumnProfile], equal: Sequence[tuple[str, str]], table: Table) -> list[ColumnProfile]:
    twins = {right: left for left, right in equal}
    return [with_warnings(profile, *_warnings(profile, table, twins.get(profile.name))) for profile in profiles]


def _warnings(profile: ColumnProfile, table: Table, twin: str | None) -> list[str]:
    there = profile.rows - profile.missing
    found = []
    if profile.rows and not there:
        return ["empty: every value is missing"]
    if profile.missing_share > 0.5:
        found.append(f"mostly missing ({profile.missing_share:.0%})")
    if there > 1 and profile.distinct == 1 and (profile.min == profile.max or profile.type in (VARCHAR, BOOLEAN)):
        found.append("constant: one value only")
    if twin:
        found.append(f"duplicated: the same values as {twin}")
    if profile.distinct_exact and profile.distinct == there > 1 and profile.name not in table.special:
        found.append("unique: a different value in every row, as an id has")
    if profile.skew is not None and abs(profile.skew) > 5:
        found.append(f"skewed (skewness {profile.skew:.1f})")
    if profile.type in _NUMBERS and there and profile.zeros / there > 0.5 and profile.distinct > 1:
        found.append(f"many zeros ({profile.zeros / there:.0%})")
    if profile.infinite:
        found.append(f"{profile.infinite} infinite values")
    if profile.type == VARCHAR and profile.distinct > 1 and profile.top and profile.top[0][1] > 0.95 * there:
        found.append(f"imbalanced: {profile.top[0][1] / there:.0%} are {profile.top[0][0]!r}")
    return found


# -- pairs and patterns ------------------------------------------------------------------------------------------------


def _correlations(
    connection: duckdb.DuckDBPyConnection, source: str, rows: int, profiles: Sequence[ColumnProfile]
) -> tuple[tuple[tuple[str, str, float], ...], int]:
    """Pearson's r of number columns over a sample, strongest first; and the sample's size."""
    import numpy as np

    varied = [p for p in profiles if p.type in (*_NUMBERS, BOOLEAN) and p.distinct > 1]
    names = [p.name for p in varied][:_MOST_CORRELATED_COLUMNS]
    if len(names) < 2:
        return (), 0
    picked = ", ".join(f"{quote(name)}::DOUBLE AS {quote(name)}" for name in names)
    frame = fetch(connection, f"SELECT {picked} FROM {sample(source, rows, PAIR_ROWS)}").to_pandas()
    with np.errstate(all="ignore"):
        matrix = frame.replace([np.inf, -np.inf], np.nan).corr(min_periods=10).to_numpy()
    pairs = [
        (names[i], names[j], round(float(matrix[i, j]), 4))
        for i, j in itertools.combinations(range(len(names)), 2)
        if math.isfinite(matrix[i, j])
    ]
    return tuple(sorted(pairs, key=lambda pair: -abs(pair[2]))[:_STRONGEST]), len(frame)


def _patterns(
    connection: duckdb.DuckDBPyConnection, source: str, profiles: Sequence[ColumnProfile]
) -> tuple[tuple[tuple[str, ...], int], ...]:
    names = [profile.name for profile in profiles if profile.missing][:63]
    if not names:
        return ()
    mask = " + ".join(f"(({quote(name)} IS NULL)::BIGINT << {bit})" for bit, name in enumerate(names))
    found = fetch(
        connection, f"SELECT {mask} AS mask, count(*) AS n FROM {source} GROUP BY 1 ORDER BY n DESC, mask LIMIT 10"
    ).to_pylist()
    return tuple(
        (tuple(name for bit, name in enumerate(names) if row["mask"] >> bit & 1), int(row["n"])) for row in found
    )


# -- values ------------------------------------------------------------------------------------------------------------


def _one(connection: duckdb.DuckDBPyConnection, columns: Sequence[str], source: str) -> dict[str, Any]:
    row: dict[str, Any] = fetch(connection, f"SELECT {', '.join(columns)} FROM {source}").to_pylist()[0]
    return row


def _same(value: Value) -> Value:
    return value


def _moment(us: Any) -> str | None:
    if us is None:
        return None
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=int(us))
    return moment.isoformat().replace("+00:00", "Z")


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
