"""SQL of transformations: what it reads, and that one on demand sees nothing but its row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.features.records import DOUBLE, quote, text

if TYPE_CHECKING:
    import duckdb

ROW = "_row"


def close_doors(connection: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
    """From now on this connection reads nothing outside `folder` (None: nothing at all) and writes nothing."""
    if folder is not None:
        connection.execute(f"SET allowed_directories = [{text(str(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def tables_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The tables a SELECT reads, by what it calls them. Raises InvalidInput unless it is SQL."""
    from mlops_tui.domains.features import offline

    nodes = list(offline.nodes_of(offline.parsed(connection, query, query)))
    own = {str(entry.get("key")) for node in nodes for entry in node.get("map", []) if isinstance(entry, dict)}
    names = dict.fromkeys(str(node["table_name"]) for node in nodes if node.get("type") == "BASE_TABLE")
    return [name for name in names if name not in own]


def check_row_wise(connection: duckdb.DuckDBPyConnection, body: str, kinds: Mapping[str, str]) -> dict[str, str]:
    """The outputs (name -> type) of a select list over one row of `kinds`, as in `temp - base AS warmer, hum / 100 AS share`.

    Raises InvalidInput for anything that could tell one row from another: FROM, aggregates, windows, sub-queries.
    """
    from mlops_tui.domains.features import ingest, offline

    tree = offline.parsed(connection, f"SELECT {body}\n, {ROW} FROM given", body)
    nodes = list(offline.nodes_of(tree))
    selects = sum(node.get("type") == "SELECT_NODE" for node in nodes)
    windows = any(str(node.get("class")) == "WINDOW" for node in nodes)
    base = tree["statements"][0]["node"]
    plain = base.get("from_table", {}).get("type") == "BASE_TABLE" and not base.get("where_clause")
    tail = base.get("modifiers") or base.get("group_expressions") or base.get("having") or base.get("qualify")
    if len(tree["statements"]) != 1 or selects != 1 or windows or not plain or tail:
        raise InvalidInput(
            f"'{body}' does more than work out columns of one row.",
            hint="Write: temp - base AS warmer, hum / 100 AS share",
        )
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in kinds.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS SELECT {columns or '1 AS _none'}, 0 AS {ROW}")
    described = connection.execute(f"DESCRIBE SELECT {body}\n, {ROW} FROM given").fetchall()
    found = connection.execute(f"SELECT {body}\n, {ROW} FROM (SELECT * FROM given UNION ALL SELECT * FROM given)")
    if len(found.fetchall()) != 2:
        raise InvalidInput(f"'{body}' gives other rows than it was given.", hint="Give one row per row.")
    connection.execute("DROP TABLE given")
    outputs = {row[0]: ingest.canonical(row[0], row[1]) or DOUBLE for row in described if row[0] != ROW}
    twice = [name for name in outputs if name in kinds]
    if not outputs or twice:
        name = twice[0] if twice else "nothing"
        raise InvalidInput(f"It gives {name} that was there before.", hint="Name what is worked out: ... AS warmer")
    return outputs
