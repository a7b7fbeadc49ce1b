"""Measure a version over stretches of time, again wherever predictions or labels have come since. Reads the log; keeps nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.domains.monitoring.estimate import estimates
from mlops_tui.domains.monitoring.fairness import Declared, gaps, groups
from mlops_tui.domains.monitoring.measured import Labels, Stretch
from mlops_tui.domains.monitoring.measures import INPUT, Task, measures
from mlops_tui.domains.serving.records import input_column

if TYPE_CHECKING:
    from mlops_tui.core.lake import Lake
    from mlops_tui.domains.serving.service import Serving

LENGTHS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY)
MOST_STRETCHES = 60
MOST_ROWS = 20_000
ANSWERED = 200
_SOURCE = "read_parquet(?, union_by_name=true, hive_partitioning=false)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of what to measure: the version of a deployment, what of its inputs is needed, and what is known of it."""

    deployment: str
    version: int
    task: Task
    inputs: tuple[str, ...]
    declared: Declared
    slices: tuple[str, ...] = ()
    learned: dict[str, Any] | None = None
    baseline: float | None = None
    min_rows: int = 200


class Log:
    """Answered predictions of one version since a time, with the labels known today."""

    def __init__(self, lake: Lake, serving: Serving, wanted: Wanted, since: int) -> None:
        self._lake, self._wanted, self._since = lake, wanted, since
        self._files: list[Path] = serving.prediction_files(wanted.deployment, since)
        labelled = serving.labelled(wanted.deployment, since)
        mine = labelled[labelled["version"] == wanted.version]
        self.labels: pd.DataFrame = mine[["id", "at", "label", "label_at"]].reset_index(drop=True)
        self.repeated = serving.relabelled(list(self.labels["id"]), since)
        self._inputs = self._there()

    def per_minute(self) -> pd.DataFrame:
        """Answered predictions by minute: `minute` (ms) and `rows`."""
        if not self._files:
            return pd.DataFrame({"minute": pd.Series(dtype="int64"), "rows": pd.Series(dtype="int64")})
        return self._lake.frame(
            f"""SELECT ("at" // {MINUTE}) * {MINUTE} AS minute, count(*) AS rows FROM {_SOURCE}
                WHERE version = ? AND status = {ANSWERED} AND "at" >= ? GROUP BY 1 ORDER BY 1""",
            [self._names(), self._wanted.version, self._since],
        )

    def rows(self, since: int, until: int) -> pd.DataFrame:
        """Predictions of [since, until) as id, at, prediction, score, label, label_at and `input.NAME`; at most 20,000, by chance."""
        listed = ", ".join(
            ['id, "at", prediction, _score AS score']
            + [f"{_quoted(input_column(name))} AS {_quoted(INPUT + name)}" for name in self._inputs]
        )
        frame = self._lake.frame(
            f"""SELECT {listed} FROM {_SOURCE} WHERE version = ? AND status = {ANSWERED} AND "at" >= ? AND "at" < ?
                ORDER BY hash(id) LIMIT {MOST_ROWS}""",
            [self._names(), self._wanted.version, max(since, self._since), until],
        )
        frame = frame.sort_values(["at", "id"], ignore_index=True).drop_duplicates("id")
        return frame.merge(self.labels[["id", "label", "label_at"]], on="id", how="left")

    def _there(self) -> list[str]:
        if not self._files:
            return []
        known = {row["column_name"] for row in self._lake.query(f"DESCRIBE SELECT * FROM {_SOURCE}", [self._names()])}
        return [name for name in self._wanted.inputs if input_column(name) in known]

    @property
    def missing(self) -> list[str]:
        """Sensitive columns that no request carried."""
        return [name for name in self._wanted.declared.columns if name not in self._inputs]

    def _names(self) -> list[str]:
        return [str(path) for path in self._files]


def length_of(minutes: pd.DataFrame, min_rows: int) -> int:
    """How long a stretch is, in ms: the shortest that gives at most sixty of them, with `min_rows` predictions each on average.

    Where traffic is so thin that none has as many rows, the longest that still gives five, so that there is something over time.
    """
    if not len(minutes):
        return LENGTHS[0]
    counts = {length: int((minutes["minute"] // length).nunique()) for length in LENGTHS}
    total = int(minutes["rows"].sum())
    few = [length for length in LENGTHS if counts[length] <= MOST_STRETCHES]
    full = [length for length in few if total / counts[length] >= min_rows]
    some = [length for length in few if counts[length] >= 5]
    return full[0] if full else some[-1] if some else (few or LENGTHS[-1:])[0]


def stretches_of(minutes: pd.DataFrame, length: int) -> list[tuple[int, int, int]]:
    """(since, until, rows) of every stretch with a prediction, on round times."""
    starts, place = np.unique(minutes["minute"].to_numpy() // length * length, return_inverse=True)
    rows = np.bincount(place, weights=minutes["rows"].to_numpy())
    return [(int(since), int(since) + length, int(count)) for since, count in zip(starts, rows, strict=True)]


def marks(log: Log, spans: Sequence[tuple[int, int, int]], settings: str) -> dict[tuple[int, int], str]:
    """What each stretch is measured from, in a word: it differs as soon as a prediction or a label came or was corrected."""
    labels = log.labels
    told = pd.util.hash_pandas_object(
        labels["id"].astype(str) + "\0" + labels["label"].astype(str), index=False
    ).to_numpy()
    at = labels["at"].to_numpy(dtype=np.int64)
    out = {}
    for since, until, rows in spans:
        inside = told[(at >= since) & (at < until)]
        said = int(np.bitwise_xor.reduce(inside)) if inside.size else 0
        out[since, until] = hashlib.sha256(f"{settings} {rows} {inside.size} {said}".encode()).hexdigest()[:16]
    return out


def measure(log: Log, wanted: Wanted, since: int, until: int, rows: int) -> tuple[Stretch, pd.DataFrame]:
    """One stretch, and the predictions it rests on."""
    frame = log.rows(since, until)
    labelled = frame[frame["label"].notna()]
    late = (labelled["label_at"] - labelled["at"]).clip(lower=0)
    inside = log.labels[(log.labels["at"] >= since) & (log.labels["at"] < until)]
    again = [log.repeated[name] for name in inside["id"] if name in log.repeated]
    labels = Labels(
        rows=rows,
        labelled=len(inside),
        delay_ms=int(late.median()) if len(late) else None,
        repeated=len(again),
        contradicted=sum(values > 1 for _, values in again),
    )
    found = groups(frame, wanted.task, wanted.declared)
    stretch = Stretch(
        deployment=wanted.deployment,
        version=wanted.version,
        since=since,
        until=until,
        measured=len(frame),
        labels=labels,
        metrics=measures(labelled, wanted.task),
        estimates=estimates(frame, wanted.task, wanted.learned),
        groups=found,
        gaps=gaps(found, wanted.declared.min_rows),
    )
    return stretch, frame


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
