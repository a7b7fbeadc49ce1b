"""The newest predictions of one version, out of the prediction log's Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_tui.domains.serving.records import OWN_COLUMNS, input_column, input_name

if TYPE_CHECKING:
    from mlops_tui.core.lake import Lake

ANSWERED = 200


@dataclass(frozen=True, slots=True)
class Traffic:
    """Every request of a version since a time: counts, share of failures, latency of the answered in ms, time of the last."""

    seen: int = 0
    answered: int = 0
    error_rate: float | None = None
    latency_p95_ms: float | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Answered predictions as one frame (`prediction`, and inputs under their logged names), with what was not there."""

    frame: pd.DataFrame
    since: int | None = None
    until: int | None = None
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def traffic(lake: Lake, files: Sequence[Path], version: int, since: int) -> Traffic:
    """Count requests of `version` after `since` (ms). A client's mistake (4xx) is not the model's error."""
    if not files:
        return Traffic()
    row = lake.query(
        f"""SELECT count(*) AS seen, count(*) FILTER (status = {ANSWERED}) AS answered,
              count(*) FILTER (status >= 500) AS failed,
              max("at") AS "until", quantile_cont(latency_ms, 0.95) FILTER (status = {ANSWERED}) AS p95
            FROM read_parquet(?, union_by_name=true, hive_partitioning=false) WHERE version = ? AND "at" > ?""",
        [_names(files), version, since],
    )[0]
    if not row["seen"]:
        return Traffic()
    p95 = None if row["p95"] is None else float(row["p95"])
    return Traffic(row["seen"], row["answered"], row["failed"] / row["seen"], p95, row["until"])


def newest(lake: Lake, files: Sequence[Path], version: int, since: int, inputs: Sequence[str], limit: int) -> Window:
    """Read the newest `limit` answered predictions of `version` after `since`, `inputs` of them, in one scan."""
    source = "read_parquet(?, union_by_name=true, hive_partitioning=false)"
    if not files:
        return Window(pd.DataFrame(columns=["prediction", *map(input_column, inputs)]))
    there = [row["column_name"] for row in lake.query(f"DESCRIBE SELECT * FROM {source}", [_names(files)])]
    columns = [column for column in map(input_column, inputs) if column in there]
    listed = ", ".join(_quoted(column) for column in ["at", "prediction", *columns])
    frame = lake.frame(
        f"""SELECT {listed} FROM {source} WHERE version = ? AND "at" > ? AND status = {ANSWERED}
            ORDER BY "at" DESC, id DESC LIMIT ?""",
        [_names(files), version, since, limit],
    )
    times = frame.pop("at") if "at" in frame else pd.Series(dtype="int64")
    return Window(
        frame=frame,
        since=int(times.min()) if len(times) else None,
        until=int(times.max()) if len(times) else None,
        missing=[name for name in inputs if input_column(name) not in there],
        unknown=_unknown(lake, files, version, since, there, columns),
    )


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
