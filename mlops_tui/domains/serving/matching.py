"""Labels by key and time to the predictions they are of: the newest answered one with that key, made at that time or before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_tui.core.lake import Lake
from mlops_tui.domains.serving.records import input_column

REQUEST_ID = "request_id"


def column_of(name: str) -> str:
    """The log's column for one part of a key: a model input, or the request's own id."""
    return "_request_id" if name == REQUEST_ID else input_column(name)


def match(lake: Lake, files: Sequence[Path], waiting: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Prediction ids by the `id` of what waits. All of `waiting` belong to the deployment of `files`."""
    if not files or not waiting:
        return {}
    paths = [str(path) for path in files]
    described = lake.query(
        "DESCRIBE SELECT * FROM read_parquet(?, union_by_name=true, hive_partitioning=false)", [paths]
    )
    known = {row["column_name"] for row in described}
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in waiting:
        groups.setdefault(tuple(sorted(row["key"])), []).append(row)
    found: dict[int, str] = {}
    for names, rows in groups.items():
        if known.issuperset(map(column_of, names)):
            found.update(_matched(lake, paths, names, rows))
    return found


def _matched(lake: Lake, paths: list[str], names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    given = ", ".join(f"unnest(?) AS k{place}" for place in range(len(names)))
    same = " AND ".join(f"{_plain(f'w.k{i}')} = {_plain(_quoted(column_of(name)))}" for i, name in enumerate(names))
    sql = (
        f'SELECT w.n AS n, arg_max(p.id, p."at") AS id FROM (SELECT unnest(?) AS n, unnest(?) AS before, {given}) w '
        f"JOIN read_parquet(?, union_by_name=true, hive_partitioning=false) p "
        f'ON {same} AND p."at" <= w.before AND p.status = 200 GROUP BY w.n'
    )
    keys = [[_text(row["key"][name]) for row in rows] for name in names]
    params = [[row["id"] for row in rows], [row["before"] for row in rows], *keys, paths]
    return {row["n"]: row["id"] for row in lake.query(sql, params)}


def _plain(expression: str) -> str:
    """Numbers and their texts alike: 7, 7.0 and "7" are one key."""
    return f"coalesce(TRY_CAST({expression} AS DOUBLE)::VARCHAR, {expression}::VARCHAR)"


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _quoted(name: str) -> str:
    return 'p."' + name.replace('"', '""') + '"'
