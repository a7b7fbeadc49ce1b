"""What is in a snapshot: two passes of aggregates over its files, led by a small sample.

The sample says where values lie and which texts are common. The first pass counts, averages and finds the ranges; the second
counts the rows between cut points, which gives the histogram, quantiles, zeros and negatives at once, and settles exactly what
the first only suspected (uniqueness, equal columns). A third reads only columns with missing values, for which of them are
missing together. Sketches (t-digest) over all rows would cost three times as much.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.features import cuts, profile_pairs
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
GUIDE_ROWS = 50_000  # what says where the cut points go
_LEVELS = 20  # whole numbers with at most so many values show each of them
_NUMBERS = (BIGINT, DOUBLE)
_STEPS = 4
_AT_ONCE = 4  # columns a query
_SAMPLED = "sampled_rows"


def sample(source: str, rows: int, wanted: int = SAMPLE_ROWS) -> str:
    """SQL that reads about `wanted` rows of `source`, whole vectors at a time and the same ones each time."""
    share = min(100.0, max(100.0 * wanted / max(rows, 1), 0.001))
    return f"(SELECT * FROM {source} USING SAMPLE {share:.4f} PERCENT (system, 7))"


def keep_sample(connection: duckdb.DuckDBPyConnection, source: str, rows: int, wanted: int) -> str:
    """The name of a table of the connection with about `wanted` rows of `source`, read once for all that look at them."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {_SAMPLED} AS SELECT * FROM {sample(source, rows, wanted)}")
    return _SAMPLED


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
    some = keep_sample(connection, source, rows, GUIDE_ROWS if exact else SAMPLE_ROWS)
    looked_at = source if exact else some
    guides = cuts.guides(connection, some, columns)
    tell(1, "counts and means")
    first = _asked(connection, _first_pass(columns, guides), looked_at)
    seen = int(first["n"])
    profiles = [
        _first(name, kind, place, first, seen, _middle(guides[name]))
        for place, (name, kind) in enumerate(columns.items())
    ]
    twins = profile_pairs.suspected_twins(profiles)
    lines = [
        cuts.edges(profile.type, first.get(f"min{place}"), first.get(f"max{place}"), guides[profile.name])
        for place, profile in enumerate(profiles)
    ]
    tell(2, "histograms and quantiles")
    found = _asked(connection, _second_pass(profiles, lines, guides, twins), looked_at)
    profiles = [_second(profile, place, lines[place], found) for place, profile in enumerate(profiles)]
    equal = [pair for number, pair in enumerate(twins) if not found.get(f"twin{number}")]
    profiles = _warned(profiles, equal, table)
    tell(3, "what goes together")
    pairs, pair_rows = profile_pairs.correlations(connection, some, profiles)
    return Profile(
        table.name,
        version,
        now,
        rows,
        seen,
        exact,
        tuple(profiles),
        profile_pairs.patterns(connection, looked_at, profiles),
        pairs,
        pair_rows,
    )


# -- first pass --------------------------------------------------------------------------------------------------------


def _first_pass(columns: Mapping[str, str], guides: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    wanted = [["count(*) AS n"]]
    for place, (name, kind) in enumerate(columns.items()):
        column = quote(name)
        here = [f"count({column}) AS there{place}", f"approx_count_distinct({column}) AS distinct{place}"]
        if kind in _NUMBERS:
            here += [f"{part} AS {what}{place}" for what, part in _moments(column, kind, _middle(guides[name])).items()]
        elif kind == VARCHAR:
            here += [f"{part}(length({column})) AS length_{part}{place}" for part in ("min", "avg", "max")]
        elif kind == BOOLEAN:
            here += [f"count(*) FILTER (NOT {column}) AS zeros{place}", f"avg({column}::INT) AS mean{place}"]
        else:
            here += [f"epoch_us(min({column})) AS min{place}", f"epoch_us(max({column})) AS max{place}"]
        wanted.append(here)
    return wanted


def _moments(column: str, kind: str, middle: float) -> dict[str, str]:
    """Least, greatest, and the sums of the first three powers of the distance from `middle`, a value in the midst of them.

    Sums cost half of what the engine's own deviation and skewness do; around the middle they lose no digits. Infinity would
    swallow them; it is counted on its own.
    """
    value = f"CASE WHEN isfinite({column}) THEN {column} END" if kind == DOUBLE else column
    away = f"({value} - {middle!r}::DOUBLE)"
    return {
        "min": f"min({value})",
        "max": f"max({value})",
        "finite": f"count({value})",
        "sum": f"sum({away})",
        "squares": f"sum({away} * {away})",
        "cubes": f"sum({away} * {away} * {away})",
    }


def _middle(guide: Sequence[Any]) -> float:
    """A value in the midst of a column's values: the median of the sample, 0 when there are none."""
    middle = guide[len(guide) // 2] if guide and not isinstance(guide[0], str) else 0.0
    return float(middle)


def _first(name: str, kind: str, place: int, row: Mapping[str, Any], rows: int, middle: float) -> ColumnProfile:
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
    finite = int(got("finite"))
    profile = replace(profile, min=got("min"), max=got("max"), infinite=there - finite)
    mean, std, skew = _shape(finite, middle, got("sum"), got("squares"), got("cubes"))
    return replace(profile, mean=mean, std=std, skew=skew)


def _shape(
    count: int, middle: float, first: float | None, second: float | None, third: float | None
) -> tuple[float | None, float | None, float | None]:
    """Mean, sample deviation and sample skewness (G1) from the sums of the powers of the distance from `middle`."""
    if not count or first is None or second is None or third is None:
        return None, None, None
    off = first / count
    m2 = max(second / count - off * off, 0.0)
    m3 = third / count - 3 * off * second / count + 2 * off**3
    std = math.sqrt(m2 * count / (count - 1)) if count > 1 else None
    skew = None
    if count > 2 and m2 > 1e-30 + 1e-14 * off * off:
        skew = math.sqrt(count * (count - 1)) / (count - 2) * m3 / m2**1.5
    return _finite(middle + off), _finite(std), _finite(skew)


# -- second pass -------------------------------------------------------------------------------------------------------


def _second_pass(
    profiles: Sequence[ColumnProfile],
    lines: Sequence[Sequence[float]],
    guides: Mapping[str, Sequence[Any]],
    twins: Sequence[tuple[str, str]],
) -> list[list[str]]:
    wanted: list[list[str]] = []
    for place, profile in enumerate(profiles):
        column, here = quote(profile.name), list[str]()
        if lines[place]:
            value = f"epoch_us({column})" if profile.type == TIMESTAMP else column
            here.append(f"histogram({value}, {cuts.literal(lines[place])}) AS bins{place}")
        if profile.type == BOOLEAN or (profile.type == BIGINT and profile.distinct <= _LEVELS):
            here.append(f"histogram({column}) AS levels{place}")
        elif profile.type == VARCHAR and guides[profile.name]:
            among = ", ".join(text(value) for value in guides[profile.name])
            here.append(f"histogram(CASE WHEN {column} IN ({among}) THEN {column} END) AS levels{place}")
        if _maybe_unique(profile):
            wanted.append([f"count(DISTINCT {column}) AS exact{place}"])
        wanted.append(here)
    wanted += [
        [f"count(*) FILTER ({quote(left)} IS DISTINCT FROM {quote(right)}) AS twin{number}"]
        for number, (left, right) in enumerate(twins)
    ]
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


# -- values ------------------------------------------------------------------------------------------------------------


def _asked(connection: duckdb.DuckDBPyConnection, wanted: Sequence[Sequence[str]], source: str) -> dict[str, Any]:
    """The values of aggregates, listed by column: a few columns a query, as each more makes all of them slower."""
    found: dict[str, Any] = {}
    there = [here for here in wanted if here]
    for at in range(0, len(there), _AT_ONCE):
        listed = ", ".join(one for here in there[at : at + _AT_ONCE] for one in here)
        found |= fetch(connection, f"SELECT {listed} FROM {source}").to_pylist()[0]
    return found


def _same(value: Value) -> Value:
    return value


def _moment(us: Any) -> str | None:
    if us is None:
        return None
    moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=int(us))
    return moment.isoformat().replace("+00:00", "Z")


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
