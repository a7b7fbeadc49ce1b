"""What columns have to do with each other: equal ones, correlations, and which are missing together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.features.offline import fetch
from mlops_tui.domains.features.profile_records import ColumnProfile
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, quote

if TYPE_CHECKING:
    import duckdb

PAIR_ROWS = 20_000  # what correlations are computed from
STRONGEST = 20
MOST_COLUMNS = 60


def suspected_twins(profiles: Sequence[ColumnProfile]) -> list[tuple[str, str]]:
    """Pairs of columns whose first numbers are all the same: only these are worth comparing row by row."""

    def face(profile: ColumnProfile) -> tuple[Any, ...]:
        lengths = (profile.length_min, profile.length_mean, profile.length_max)
        numbers = (profile.min, profile.max, profile.mean, profile.zeros)
        return (profile.type, profile.missing, profile.distinct, *numbers, *lengths)

    constant = {profile.name for profile in profiles if profile.distinct < 2}
    ordered = sorted((profile for profile in profiles if profile.name not in constant), key=lambda one: str(face(one)))
    return [(a.name, b.name) for a, b in itertools.pairwise(ordered) if face(a) == face(b)]


def correlations(
    connection: duckdb.DuckDBPyConnection, sampled: str, profiles: Sequence[ColumnProfile]
) -> tuple[tuple[tuple[str, str, float], ...], int]:
    """Pearson's r of number columns over a sample, strongest first; and the sample's size."""
    import numpy as np

    varied = [p for p in profiles if p.type in (BIGINT, DOUBLE, BOOLEAN) and p.distinct > 1]
    names = [p.name for p in varied][:MOST_COLUMNS]
    if len(names) < 2:
        return (), 0
    picked = ", ".join(f"{quote(name)}::DOUBLE AS {quote(name)}" for name in names)
    frame = fetch(
        connection, f"SELECT {picked} FROM {sampled} USING SAMPLE {PAIR_ROWS} ROWS (reservoir, 7)"
    ).to_pandas()
    with np.errstate(all="ignore"):
        matrix = frame.replace([np.inf, -np.inf], np.nan).corr(min_periods=10).to_numpy()
    pairs = [
        (names[i], names[j], round(float(matrix[i, j]), 4))
        for i, j in itertools.combinations(range(len(names)), 2)
        if math.isfinite(matrix[i, j])
    ]
    return tuple(sorted(pairs, key=lambda pair: -abs(pair[2]))[:STRONGEST]), len(frame)


def patterns(
    connection: duckdb.DuckDBPyConnection, source: str, profiles: Sequence[ColumnProfile]
) -> tuple[tuple[tuple[str, ...], int], ...]:
    """Which columns are missing together, and in how many rows; the ten most frequent."""
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
