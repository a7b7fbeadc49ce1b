"""The newest predictions of one version, out of the prediction log's Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.monitoring.scan import Source
from mlops_tui.domains.serving.records import OWN_COLUMNS, input_column, input_name

if TYPE_CHECKING:
    from mlops_tui.core.lake import Lake

ANSWERED = 200


@dataclass(frozen=True, slots=True)
class Traffic:
    """Every request of a version since a time: counts, share of failures, latency of the answered in ms, time of the first and last."""

    seen: int = 0
    answered: int = 0
    error_rate: float | None = None
    latency_p95_ms: float | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Answered predictions of a version: where to read them, and which inputs were not there or not known."""

    source: Source | None = None
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def traffic(lake: Lake, files: Sequence[Path], version: int, since: int) -> Traffic:
    """Count requests of `version` after `since` (ms). A client's mistake (4xx) is not the model's error."""
    if not files:
        return Traffic()
    row = lake.query(
        f"""SELECT count(*) AS seen, count(*) FILTER (status = {ANSWERED}) AS answered,
              count(*) FILTER (status >= 500) AS failed,
              min("at") AS "since", max("at") AS "until", quantile_cont(latency_ms, 0.95) FILTER (status = {ANSWERED}) AS p95
            FROM read_parquet(?, union_by_name=true, hive_partitioning=false) WHERE version = ? AND "at" > ?""",
        [_names(files), version, since],
    )[0]
    if not row["seen"]:
        return Traffic()
    p95 = None if row["p95"] is None else float(row["p95"])
    return Traffic(row["seen"], row["answered"], row["failed"] / row["seen"], p95, row["since"], row["until"])


def newest(
    lake: Lake, files: Sequence[Path], version: int, since: int, inputs: Sequence[str], limit: int, answered: int
) -> Window:
    """The newest `limit` of the `answered` predictions of `version` after `since` (ms); nothing is read but the columns' names."""
    if not files or not answered:
        return Window(missing=[])
    everything = source(files, version, since, answered)
    types = everything.types(lake)
    return Window(
        source=everything if answered <= limit else source(files, version, since, limit, cut=True),
        missing=[name for name in inputs if input_column(name) not in types],
        unknown=_unknown(lake, files, version, since, list(types), list(map(input_column, inputs))),
    )


def source(
    files: Sequence[Path], version: int | None, since: int, rows: int, *, until: int | None = None, cut: bool = False
) -> Source:
    """Answered predictions with `since` < at < `until` (ms), of one version or of all; `cut` to the newest `rows` of them."""
    sql = f'SELECT * FROM read_parquet(?, union_by_name=true, hive_partitioning=false) WHERE "at" > ? AND status = {ANSWERED}'
    params: list[Any] = [_names(files), since]
    for condition, value in (("version = ?", version), ('"at" < ?', until)):
        if value is not None:
            sql, params = f"{sql} AND {condition}", [*params, value]
    if cut:
        sql, params = f'{sql} ORDER BY "at" DESC, id DESC LIMIT ?', [*params, rows]
    return Source(sql, tuple(params), key="id", rows=rows, time='"at"')


def _unknown(
    lake: Lake, files: Sequence[Path], version: int, since: int, there: Sequence[str], known: Sequence[str]
) -> list[str]:
    """Logged inputs that the reference does not have and this version was really given."""
    extra = [column for column in there if column not in OWN_COLUMNS and column not in known]
    if not extra:
        return []
    counts = ", ".join(f"count({_quoted(column)}) AS {_quoted(column)}" for column in extra)
    row: dict[str, Any] = lake.query(
        f"""SELECT {counts} FROM read_parquet(?, union_by_name=true, hive_partitioning=false)
            WHERE version = ? AND "at" > ?""",
        [_names(files), version, since],
    )[0]
    return [input_name(column) for column in extra if row[column]]


def _names(files: Sequence[Path]) -> list[str]:
    return [str(path) for path in files]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
