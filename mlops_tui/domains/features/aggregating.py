"""Aggregates by window, point in time: for each spine row, what `sum(amount) over 7d` and its like were at that moment.

A row of a table counts at t when its event time lies in (t - window, t]: a row at t itself counts, one exactly a window ago does
not, so that windows side by side count every row once. In `known` mode it also has to be recorded by t. Nothing in the window
gives 0 for counts and a missing value for the rest; a spine row without key or time gets missing values only.

In `event` mode the spine's moments are laid among the rows and one ordered window runs over both, so that a key with many rows
costs no more than many keys. In `known` mode rows do not enter in the order of their events: each moment then meets the rows
of the two stretches, one window long, that its window touches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tui.domains.features.derived_records import Aggregate
from mlops_tui.domains.features.offline import fetch
from mlops_tui.domains.features.records import SEQUENCE, TIMESTAMP, JoinMode, Table, quote

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_EARLY = -(2**62)  # us; before all times


@dataclass(frozen=True)
class Windows:
    """Aggregates of one table, by their names in the result. The temporary table `spine` is there, as the join makes it."""

    connection: duckdb.DuckDBPyConnection
    table: Table
    source: str
    columns: Mapping[str, str]
    wanted: Mapping[str, Aggregate]

    def brought(self, mode: JoinMode, *, exact: bool = False) -> pd.DataFrame:
        """One row per spine row, in its order; `exact` keeps whole numbers so where some are missing."""
        self._lay_out()
        late = mode == JoinMode.KNOWN and self.table.created is not None
        found = []
        for corrected in (False, True):
            group = {shown: one for shown, one in self.wanted.items() if one.corrected is corrected}
            if group:
                found.append(self._by_stretch(group, corrected) if late else self._by_frame(group, corrected))
        joins = " ".join(f"LEFT JOIN ({sql}) p{place} USING (_row)" for place, sql in enumerate(found))
        shown = ", ".join(f"{self._shown(name, one)} AS {quote(name)}" for name, one in self.wanted.items())
        arrow = fetch(
            self.connection,
            f"SELECT {shown} FROM (SELECT _row FROM spine)"
            f" LEFT JOIN (SELECT _row, true AS _there FROM moments) USING (_row) {joins} ORDER BY _row",
        )
        frame: pd.DataFrame = arrow.to_pandas(integer_object_nulls=exact)
        return frame

    @property
    def _keys(self) -> str:
        return ", ".join(map(quote, self.table.keys))

    @property
    def _values(self) -> dict[str, str]:
        """The column of `counted` that has the values of a column of the table."""
        needed = dict.fromkeys(one.column for one in self.wanted.values() if one.column)
        return {name: f"_v{place}" for place, name in enumerate(needed)}

    def _shown(self, name: str, one: Aggregate) -> str:
        value = quote(name)
        if one.function in ("count", "distinct"):
            return f"CASE WHEN _there THEN coalesce({value}, 0) END"
        return f"make_timestamptz({value})" if one.type_in(self.columns) == TIMESTAMP else value

    def _lay_out(self) -> None:
        """`moments`: spine rows with key and time. `counted`: the rows of their keys, times in us."""
        table = self.table
        assert table.time is not None
        there = " AND ".join(f"{quote(key)} IS NOT NULL" for key in table.keys)
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE moments AS"
            f" SELECT _row, {self._keys}, epoch_us(_t) AS _at FROM spine WHERE isfinite(_t) AND {there}"
        )
        values = [
            f"epoch_us({quote(name)}) AS {value}" if self.columns[name] == TIMESTAMP else f"{quote(name)} AS {value}"
            for name, value in self._values.items()
        ]
        created = str(_EARLY)
        if table.created:
            known = quote(table.created)
            created = f"coalesce(CASE WHEN isfinite({known}) THEN epoch_us({known}) END, {_EARLY})"
        picked = ", ".join([self._keys, f"epoch_us({quote(table.time)}) AS _e", f"{created} AS _c", SEQUENCE, *values])
        same = " AND ".join(f"f.{quote(key)} = m.{quote(key)}" for key in table.keys)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE counted AS SELECT *, greatest(_e, _c) AS _k FROM (SELECT {picked}"
            f" FROM {self.source} f SEMI JOIN moments m ON {same} WHERE isfinite({quote(table.time)}))"
        )

    def _by_frame(self, group: Mapping[str, Aggregate], corrected: bool) -> str:
        """SQL of (_row, aggregates): rows and moments in one order, a frame that ends at each moment."""
        keys, values = self._keys, "".join(f", {value}" for value in self._values.values())
        nothing = ", NULL" * (2 + len(self._values))
        last = f" QUALIFY row_number() OVER (PARTITION BY {keys}, _e ORDER BY _c DESC, {SEQUENCE} DESC) = 1"
        spans = {one.window: f"w{place}" for place, one in enumerate(group.values())}
        worked = ", ".join(
            f"{self._function(one, f' OVER {spans[one.window]}')} AS {quote(n)}" for n, one in group.items()
        )
        frames = ", ".join(
            f"{name} AS (PARTITION BY {keys} ORDER BY _e RANGE BETWEEN {span * 1000 - 1} PRECEDING AND CURRENT ROW)"
            for span, name in spans.items()
        )
        return (
            f"SELECT _row, {', '.join(map(quote, group))} FROM (SELECT _row, {worked} FROM"
            f" (SELECT NULL AS _row, {keys}, _e, _c, {SEQUENCE}{values} FROM counted{last if corrected else ''}"
            f" UNION ALL SELECT _row, {keys}, _at{nothing} FROM moments) WINDOW {frames}) WHERE _row IS NOT NULL"
        )

    def _by_stretch(self, group: Mapping[str, Aggregate], corrected: bool) -> str:
        """SQL of (_row, aggregates): per moment and window the rows of its stretches that were known and not corrected yet."""
        rows = "SELECT *, NULL::BIGINT AS _until FROM counted"
        if corrected:
            rows = (
                f"SELECT *, min(_k) OVER (PARTITION BY {self._keys}, _e ORDER BY _c, {SEQUENCE}"
                " ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS _until FROM counted"
            )
        same = " AND ".join(f"m.{quote(key)} = f.{quote(key)}" for key in self.table.keys)
        spans: dict[int, dict[str, Aggregate]] = {}
        for shown, one in group.items():
            spans.setdefault(one.window * 1000, {})[shown] = one
        found = []
        for us, some in spans.items():
            worked = ", ".join(f"{self._function(one, '')} AS {quote(shown)}" for shown, one in some.items())
            found.append(
                f"SELECT _row, {worked} FROM"
                f" (SELECT *, unnest(range({_stretch(f'_at - {us - 1}', us)}, {_stretch('_at', us)} + 1)) AS _s FROM moments) m"
                f" JOIN (SELECT *, {_stretch('_e', us)} AS _s FROM ({rows})) f ON {same} AND m._s = f._s"
                f" AND f._e > m._at - {us} AND f._e <= m._at AND f._k <= m._at"
                " AND (f._until IS NULL OR m._at < f._until) GROUP BY _row"
            )
        joined = " ".join(f"FULL JOIN ({sql}) USING (_row)" for sql in found[1:])
        return f"SELECT _row, {', '.join(map(quote, group))} FROM ({found[0]}) {joined}"

    def _function(self, one: Aggregate, over: str) -> str:
        """SQL of one aggregate; a row of `counted` has an arrival number, a moment laid among them has none."""
        if not one.column:
            return f"count({SEQUENCE}){over}"
        value = self._values[one.column]
        if one.function == "last":
            newest = f"max({{'e': _e, 'c': _c, 's': {SEQUENCE}, 'v': {value}}}) FILTER ({SEQUENCE} IS NOT NULL){over}"
            return f"struct_extract({newest}, 'v')"
        return {
            "sum": f"sum(CAST({value} AS DOUBLE)){over}",
            "mean": f"avg(CAST({value} AS DOUBLE)){over}",
            "count": f"count({value}){over}",
            "distinct": f"count(DISTINCT {value}){over}",
            "min": f"min({value}){over}",
            "max": f"max({value}){over}",
        }[one.function]


def _stretch(us: str, window: int) -> str:
    return f"CAST(floor(({us}) / {window}) AS BIGINT)"
