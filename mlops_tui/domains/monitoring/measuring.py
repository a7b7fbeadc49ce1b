"""Measure a version over stretches of time, again wherever predictions or labels have come since. Reads the log; keeps nothing."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
COUNTS = ("rows", "labelled", "repeated", "contradicted")
_NO_LABEL = {
    "label_at": "BIGINT",
    "text": "VARCHAR",
    "number": "DOUBLE",
    "kind": "VARCHAR",
    "times": "BIGINT",
    "contradicted": "BOOLEAN",
}
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
    """Answered predictions of one version since a time, with the labels in the lake today; everything is joined in the data engine."""

    def __init__(self, lake: Lake, serving: Serving, wanted: Wanted, since: int) -> None:
        self._lake, self._wanted, self._since = lake, wanted, since
        self._files = [str(path) for path in serving.prediction_files(wanted.deployment, since, version=wanted.version)]
        self._labels = [str(path) for path in serving.label_files(since)]
        self._inputs = self._there()

    def per_minute(self) -> pd.DataFrame:
        """By minute (ms): `rows` answered, `labelled`, of these `repeated` and `contradicted`, and a `mark` of what the labels say."""
        if not self._files:
            return pd.DataFrame({name: pd.Series(dtype="int64") for name in ("minute", *COUNTS)})
        return self._lake.frame(
            f"""SELECT (p."at" // {MINUTE}) * {MINUTE} AS minute, count(*) AS rows, count(l.id) AS labelled,
                  count(*) FILTER (l.times > 1) AS repeated, count(*) FILTER (l.contradicted) AS contradicted,
                  coalesce(bit_xor(hash(l.id, l.label_at, l.times, l.text)), 0)::VARCHAR AS mark
                FROM (SELECT DISTINCT id, "at" FROM {_SOURCE} WHERE version = ? AND status = {ANSWERED} AND "at" >= ?) p
                LEFT JOIN {self._known} l ON l.id = p.id GROUP BY 1 ORDER BY 1""",
            [self._files, self._wanted.version, self._since, *self._label_params],
        )

    def rows(self, since: int, until: int) -> pd.DataFrame:
        """Predictions of [since, until) as id, at, prediction, score, label, label_at and `input.NAME`; at most 20,000, by chance."""
        listed = ", ".join(
            ['p.id, p."at", prediction, _score AS score']
            + [f"{_quoted(input_column(name))} AS {_quoted(INPUT + name)}" for name in self._inputs]
        )
        frame = self._lake.frame(
            f"""SELECT {listed}, l.text, l.number, l.kind, l.label_at
                FROM (SELECT * FROM {_SOURCE} WHERE version = ? AND status = {ANSWERED} AND "at" >= ? AND "at" < ?
                      ORDER BY hash(id) LIMIT {MOST_ROWS}) p LEFT JOIN {self._known} l ON l.id = p.id
                ORDER BY p."at", p.id""",
            [self._files, self._wanted.version, max(since, self._since), until, *self._label_params],
        )
        frame = frame.drop_duplicates("id", ignore_index=True)
        return frame.assign(label=_values(frame)).drop(columns=["text", "number", "kind"])

    @property
    def _known(self) -> str:
        """The label that counts of each prediction: the latest known, then the latest received."""
        if not self._labels:
            return f"(SELECT NULL::VARCHAR AS id, {', '.join(f'NULL::{kind} AS {name}' for name, kind in _NO_LABEL.items())})"
        return """(SELECT id, "at" AS label_at, text, number, kind, count(*) OVER same AS times,
                     min(text) OVER same <> max(text) OVER same AS contradicted
                   FROM read_parquet(?, union_by_name=true, hive_partitioning=false)
                   WINDOW same AS (PARTITION BY id)
                   QUALIFY row_number() OVER (PARTITION BY id ORDER BY "at" DESC, received_at DESC) = 1)"""

    @property
    def _label_params(self) -> list[list[str]]:
        return [self._labels] if self._labels else []

    def _there(self) -> list[str]:
        if not self._files:
            return []
        known = {row["column_name"] for row in self._lake.query(f"DESCRIBE SELECT * FROM {_SOURCE}", [self._files])}
        return [name for name in self._wanted.inputs if input_column(name) in known]

    @property
    def missing(self) -> list[str]:
        """Sensitive columns that no request carried."""
        return [name for name in self._wanted.declared.columns if name not in self._inputs]


def _values(frame: pd.DataFrame) -> pd.Series[Any]:
    """Labels as they were given: numbers, truths, texts; missing where there is none."""
    values = frame["text"].astype(object)
    numbers = frame["kind"].isin(["int", "float"])
    values[numbers] = frame.loc[numbers, "number"].astype(object)
    truths = frame["kind"] == "bool"
    values[truths] = (frame.loc[truths, "text"] == "True").astype(object)
    return values.where(frame["kind"].notna(), None)


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


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of time, what lies in it, and a word for all of it that differs as soon as a prediction or label came."""

    since: int
    until: int
    labels: Labels
    mark: str


def stretches_of(minutes: pd.DataFrame, length: int, settings: str) -> list[Span]:
    """Every stretch with a prediction, on round times. `settings` are part of the mark: others are measured otherwise."""
    out = []
    for since, part in minutes.groupby(minutes["minute"] // length * length):
        counts = {name: int(part[name].sum()) for name in COUNTS}
        told = f"{settings} {counts} {'-'.join(part['mark'])}"
        mark = hashlib.sha256(told.encode()).hexdigest()[:16]
        out.append(Span(int(str(since)), int(str(since)) + length, Labels(**counts), mark))
    return out


def together(spans: Sequence[Span]) -> Span:
    """All of them as one."""
    labels = Labels(**{name: sum(getattr(span.labels, name) for span in spans) for name in COUNTS})
    mark = hashlib.sha256("".join(span.mark for span in spans).encode()).hexdigest()[:16]
    return Span(spans[0].since, spans[-1].until, labels, mark)


def measure(log: Log, wanted: Wanted, span: Span) -> tuple[Stretch, pd.DataFrame]:
    """One stretch, and the predictions it rests on."""
    frame = log.rows(span.since, span.until)
    labelled = frame[frame["label"].notna()]
    late = (labelled["label_at"] - labelled["at"]).clip(lower=0)
    found = groups(frame, wanted.task, wanted.declared)
    stretch = Stretch(
        deployment=wanted.deployment,
        version=wanted.version,
        since=span.since,
        until=span.until,
        measured=len(frame),
        labels=dataclasses.replace(span.labels, delay_ms=int(late.median()) if len(late) else None),
        metrics=measures(labelled, wanted.task),
        estimates=estimates(frame, wanted.task, wanted.learned),
        groups=found,
        gaps=gaps(found, wanted.declared.min_rows),
    )
    return stretch, frame


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
