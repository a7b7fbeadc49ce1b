"""Rows of windows online: of tables with aggregates the recent rows of each entity, exact, so that any moment can be answered.

A row is told by its arrival number; a pushed one that the lake has not got yet by the number of its push, negative. Once the
lake has it (`_landed`: in which version), the row read from there takes its place.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mlops_tui.core.db import Database
from mlops_tui.domains.features.derived_records import Aggregate
from mlops_tui.domains.features.records import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, quote

SQLITE = {BOOLEAN: "INTEGER", BIGINT: "INTEGER", DOUBLE: "REAL", VARCHAR: "TEXT", TIMESTAMP: "INTEGER"}
EARLY = -(2**62)  # us; stands for a created time that is missing


@dataclass(frozen=True, slots=True)
class WindowLayout:
    """Which rows and columns of a table lie there: those of the last `span` ms, keys first."""

    table_id: int
    generation: int
    version: int
    span: int
    columns: dict[str, str]
    aggregates: tuple[Aggregate, ...]

    @property
    def physical(self) -> str:
        return f"window_{self.table_id}_{self.generation}"


class WindowStore:
    """SQL of the rows of windows. Methods that take `tx` run inside the caller's `write()`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, table_id: int) -> WindowLayout | None:
        row = self._db.one("SELECT * FROM online_window WHERE table_id = ?", (table_id,))
        if row is None:
            return None
        aggregates = tuple(Aggregate(**one) for one in json.loads(row["aggregates"]))
        columns = json.loads(row["columns"])
        return WindowLayout(table_id, row["generation"], row["version"], row["span"], columns, aggregates)

    def make(self, tx: sqlite3.Connection, layout: WindowLayout, keys: Sequence[str]) -> None:
        """An empty place for the rows of a table. Its generation must be new."""
        columns = ", ".join(f"{quote(name)} {SQLITE[kind]}" for name, kind in layout.columns.items())
        tx.execute(
            f"CREATE TABLE {layout.physical} ({columns}, _e INTEGER NOT NULL, _c INTEGER NOT NULL, _seq INTEGER NOT NULL,"
            f" _landed INTEGER, PRIMARY KEY ({', '.join(map(quote, keys))}, _e, _seq)) STRICT, WITHOUT ROWID"
        )
        tx.execute(
            "INSERT INTO online_window VALUES (?, ?, ?, ?, ?, ?)",
            (
                layout.table_id,
                layout.generation,
                layout.version,
                layout.span,
                json.dumps(layout.columns),
                json.dumps([asdict(one) for one in layout.aggregates]),
            ),
        )

    def remove(self, tx: sqlite3.Connection, layout: WindowLayout) -> None:
        tx.execute(f"DROP TABLE IF EXISTS {layout.physical}")
        tx.execute("DELETE FROM online_window WHERE table_id = ?", (layout.table_id,))

    def put(self, tx: sqlite3.Connection, layout: WindowLayout, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows: the columns, event and created time in us, arrival number. One that is there already stays one."""
        names = ", ".join([*map(quote, layout.columns), "_e", "_c", "_seq"])
        places = ", ".join("?" * (len(layout.columns) + 3))
        tx.executemany(f"INSERT OR REPLACE INTO {layout.physical} ({names}) VALUES ({places})", rows)

    def advance(self, tx: sqlite3.Connection, layout: WindowLayout, version: int, oldest_us: int) -> None:
        """The rows are those of `version` now; of pushed ones only those it has not got stay, and none that has aged out."""
        tx.execute(f"DELETE FROM {layout.physical} WHERE _landed <= ? OR _e <= ?", (version, oldest_us))
        tx.execute("UPDATE online_window SET version = ? WHERE table_id = ?", (version, layout.table_id))

    def land(self, tx: sqlite3.Connection, table_id: int, batch: str, version: int) -> None:
        """The pushed rows of a batch are in `version` of the table."""
        layout = self.get(table_id)
        if layout is not None:
            tx.execute(
                f"UPDATE {layout.physical} SET _landed = ? WHERE _seq IN"
                " (SELECT -id FROM online_push WHERE table_id = ? AND batch = ?)",
                (version, table_id, batch),
            )

    def waits(self, layout: WindowLayout, version: int) -> bool:
        """Whether there are pushed rows that landed after `version`: only the next version has them."""
        return bool(self._db.value(f"SELECT EXISTS (SELECT 1 FROM {layout.physical} WHERE _landed > ?)", (version,)))


def questions(layout: WindowLayout, keys: Sequence[str], wanted: Sequence[Aggregate]) -> list[tuple[str, list[str]]]:
    """(SQL, names of its columns) that answer aggregates for one entity: parameters `now` (us) and `k0`, `k1`... its key."""
    key = " AND ".join(f"{quote(name)} = :k{place}" for place, name in enumerate(keys))
    found = []
    for corrected in (False, True):
        group = [one for one in wanted if one.corrected is corrected]
        if not group:
            continue
        longest = max(one.window for one in group) * 1000
        rows = f"SELECT * FROM {layout.physical} WHERE {key} AND _e > :now - {longest} AND _e <= :now"
        if corrected:
            newest = "_c DESC, _seq < 0 DESC, abs(_seq) DESC"
            rows = f"SELECT * FROM ({rows.replace('*', f'*, row_number() OVER (PARTITION BY _e ORDER BY {newest}) AS _n', 1)})"
            rows += " WHERE _n = 1"
        picked = ", ".join(_answer(layout, one, key) for one in group)
        found.append((f"SELECT {picked} FROM ({rows})", [one.name for one in group]))
    return found


def _answer(layout: WindowLayout, one: Aggregate, key: str) -> str:
    inside = f"_e > :now - {one.window * 1000}"
    value = quote(one.column)
    if one.function == "last":
        return (
            f"(SELECT {value} FROM {layout.physical} WHERE {key} AND {inside} AND _e <= :now"
            " ORDER BY _e DESC, _c DESC, _seq < 0 DESC, abs(_seq) DESC LIMIT 1)"
        )
    if not one.column:
        return f"count(CASE WHEN {inside} THEN 1 END)"
    case = f"CASE WHEN {inside} THEN {value} END"
    return {
        "sum": f"sum(CAST({case} AS REAL))",
        "mean": f"avg(CAST({case} AS REAL))",
        "count": f"count({case})",
        "distinct": f"count(DISTINCT {case})",
        "min": f"min({case})",
        "max": f"max({case})",
    }[one.function]
