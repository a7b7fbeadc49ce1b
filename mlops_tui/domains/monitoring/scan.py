"""One pass of DuckDB over a window: the counts of every column over the bins of its reference, and a sample of rows.

All distances, limits and checks are computed from what comes back, a few kilobytes whatever the window's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.features.records import quote
from mlops_tui.domains.monitoring import counting
from mlops_tui.domains.monitoring.counting import Column, Counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlops_tui.core.lake import Lake

SAMPLE = 5000


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass found: `rows`, each column, `sample` (rows x the columns in `sampled`, NaN where missing), times in ms."""

    rows: int
    columns: dict[str, Counted]
    sample: NDArray[np.float64]
    sampled: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to scan: SQL that gives them, its parameters, an expression that tells them apart, to sample by, and their time."""

    sql: str
    params: tuple[Any, ...] = ()
    key: str = ""
    rows: int = 0  # how many there are at most, 0 when unknown
    time: str = ""

    def types(self, lake: Lake) -> dict[str, str]:
        """The DuckDB type of each column that is there."""
        return {row["column_name"]: row["column_type"] for row in lake.query(f"DESCRIBE {self.sql}", list(self.params))}


def scan(
    lake: Lake,
    source: Source,
    reference: Mapping[str, tuple[str, Column]],
    *,
    sampled: Sequence[str] = (),
    sample: int = SAMPLE,
    group: str = "",
) -> dict[Any, Scan]:
    """Count `reference` (name -> physical column, described column) in one pass over `source`.

    `sampled` names numeric columns to bring along for rank correlations, about `sample` rows of them. `group` is any SQL
    expression over the source (an hour, a slice): one `Scan` per value of it, else one under None. Columns that are not in the
    source are left out; of times only how many are missing, and the first and last (seconds).
    """
    types = source.types(lake)
    wanted = [(name, field, types[field], column) for name, (field, column) in reference.items() if field in types]
    places = {name: place for place, (name, *_) in enumerate(wanted)}
    listed = tuple(name for name in sampled if name in places and wanted[places[name]][3]["kind"] == "numeric")
    inner = [
        f"{counting.value(field, kind, column)} AS v{place}" for place, (_, field, kind, column) in enumerate(wanted)
    ]
    inner += [f"{quote(field)} AS r{place}" for place, (_, field, *_) in enumerate(wanted)]
    extra = [name for name in sampled if name not in listed and reference.get(name, ("", {}))[0] in types]
    inner += [
        f"{counting.number(reference[name][0], types[reference[name][0]])} AS s{at}" for at, name in enumerate(extra)
    ]
    inner += [f"hash({source.key}) AS k"] if source.key else []
    inner += [f"{group} AS g"] if group else []
    inner += [f"{source.time} AS moment"] if source.time else []
    outer = [
        "count(*) AS n",
        *(("min(moment) AS since", "max(moment) AS until") if source.time else ()),
        *(part for place, one in enumerate(wanted) for part in counting.aggregates(place, one[2], one[3])),
    ]
    if listed or extra:
        outer.append(
            _sampling(
                [*(f"v{places[name]}" for name in listed), *(f"s{at}" for at in range(len(extra)))], source, sample
            )
        )
    head = "g, " if group else ""
    rows = lake.query(
        f"WITH source AS ({source.sql}), clean AS (SELECT {', '.join(inner) or '1 AS one'} FROM source) "
        f"SELECT {head}{', '.join(outer)} FROM clean{' GROUP BY g ORDER BY g' if group else ''}",
        list(source.params),
    )
    dirty = [
        place
        for place, one in enumerate(wanted)
        if any(row.get(f"t{place}", row[f"c{place}"]) != row[f"c{place}"] for row in rows)
    ]
    if dirty:
        rows = _with_infinite(lake, source, rows, {place: wanted[place] for place in dirty}, group)
    return {row.get("g"): _scan(row, wanted, (*listed, *extra)) for row in rows}


def _with_infinite(
    lake: Lake,
    source: Source,
    rows: list[dict[str, Any]],
    dirty: Mapping[int, tuple[str, str, str, Column]],
    group: str,
) -> list[dict[str, Any]]:
    """Rows with the infinite values of the columns that hold more than finite numbers, which few do."""
    parts = [f"{group or 'NULL'} AS g"]
    for place, (_, field, kind, _) in dirty.items():
        raw = f"TRY_CAST({quote(field)} AS DOUBLE)"
        if kind in counting.FLOATS or kind == "VARCHAR":
            parts.append(f"count(*) FILTER ({raw} = 'inf'::DOUBLE) AS p{place}")
            parts.append(f"count(*) FILTER ({raw} = '-inf'::DOUBLE) AS q{place}")
            parts.append(f"count(*) FILTER (isnan({raw})) AS w{place}")
    found = lake.query(f"SELECT {', '.join(parts)} FROM ({source.sql}) GROUP BY g", list(source.params))
    by_group = {row["g"]: row for row in found}
    return [row | by_group[row.get("g")] for row in rows]


def _sampling(columns: Sequence[str], source: Source, sample: int) -> str:
    packed = f"list([{', '.join(columns)}])"
    if not source.rows or source.rows <= sample or not source.key:
        return f"{packed} AS sample"
    kept = f"k % {max(1, source.rows // sample)} = 0"
    # Inside CASE the lists of other rows are never made; a FILTER alone would make all and then throw them away.
    return f"list(CASE WHEN {kept} THEN [{', '.join(columns)}] END) FILTER ({kept}) AS sample"


def _scan(row: dict[str, Any], wanted: Sequence[tuple[str, str, str, Column]], sampled: tuple[str, ...]) -> Scan:
    rows = int(row["n"])
    columns = {name: counting.read(row, place, rows, column) for place, (name, _, _, column) in enumerate(wanted)}
    values = np.array(row.get("sample") or np.empty((0, len(sampled))), dtype=np.float64)
    return Scan(rows, columns, values, sampled, row.get("since"), row.get("until"))
