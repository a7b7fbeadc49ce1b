"""`mlops import csv`: a row is a run, or a row is a point."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.experiments.arrivals import Arrival
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG, RunState
from mlops_tui.transfer.records import Head, Progress, Report
from mlops_tui.transfer.taking import take

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

PREFIX = "csv:"
LONG = ("run", "metric", "value")
_ABOUT = ("run", "name", "experiment", "state", "user", "started_at", "ended_at")
_KINDS = ("params", "metrics", "tags")


@dataclass(slots=True)
class _Told:
    """A run as the file tells it; `mistake` is why it cannot be taken over."""

    name: str
    experiment: str
    about: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    series: dict[str, list[tuple[float, int, int]]] = field(default_factory=dict)
    mistake: str = ""


def import_csv(workbench: Workbench, file: Path, experiment: str, progress: Progress) -> Report:
    """Take over the runs of a file. A run is known by its experiment and name, so that a longer file adds to what is there.

    Raises InvalidInput for a file that is none, or whose header names a column twice.
    """
    now = workbench.context.now()
    return take(workbench, _Reader(file, experiment or file.stem, now), progress)


class _Reader:
    def __init__(self, file: Path, experiment: str, now: int) -> None:
        self._file = file
        self._experiment = experiment
        self._now = now

    def heads(self, report: Report) -> Iterator[Head]:
        header, rows = _read(self._file)
        told = self._long(rows) if set(LONG) <= set(header) else self._wide(header, rows)
        # Times that the file does not say are those of the file, so that they stay the same.
        written = int(self._file.stat().st_mtime * 1000)
        for run in told:
            source = (
                PREFIX + hashlib.sha256(f"{run.experiment}\0{run.name}".encode("utf-8", "replace")).hexdigest()[:32]
            )
            said = repr(
                (
                    sorted(run.about.items()),
                    sorted(run.params.items()),
                    sorted(run.tags.items()),
                    run.series,
                    run.mistake,
                )
            )
            stamp = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
            yield Head(source, stamp, run.name, partial(_arrival, run, source, stamp, written))

    def _long(self, rows: Sequence[Mapping[str, str]]) -> list[_Told]:
        found: dict[tuple[str, str], _Told] = {}
        for line, row in enumerate(rows, 2):
            name, experiment = row["run"], row.get("experiment") or self._experiment
            run = found.setdefault((experiment, name), _Told(name, experiment))
            try:
                points = run.series.setdefault(row["metric"], [])
                step = int(row["step"]) if row.get("step") else len(points)
                at = clock.parse_time(row["time"], now=self._now) if row.get("time") else -1
                points.append((float(row["value"]), at, step))
            except (ValueError, WorkbenchError) as error:
                run.mistake = run.mistake or f"line {line}: {getattr(error, 'message', error)}"
        return list(found.values())

    def _wide(self, header: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[_Told]:
        kinds = {name: _kind(name, [row[name] for row in rows]) for name in header if name not in _ABOUT}
        found: dict[tuple[str, str], _Told] = {}
        for line, row in enumerate(rows, 2):
            name = row.get("run") or row.get("name") or f"row {line - 1}"
            run = _Told(name, row.get("experiment") or self._experiment)
            run.about = {key: row[key] for key in ("state", "user", "started_at", "ended_at") if row.get(key)}
            for column, (kind, key) in kinds.items():
                self._put(run, kind, key, row[column], line)
            if (run.experiment, name) in found:
                run.mistake = f"line {line}: there is a run of that name in an earlier line"
                found[run.experiment, f"{name}\0{line}"] = run
            else:
                found[run.experiment, name] = run
        return list(found.values())

    @staticmethod
    def _put(run: _Told, kind: str, key: str, value: str, line: int) -> None:
        if not value:
            return
        if kind == "params":
            run.params[key] = value[:MAX_PARAM]
        elif kind == "tags":
            run.tags[key] = value[:MAX_TAG]
        else:
            try:
                run.series[key] = [(float(value), -1, 0)]
            except ValueError:
                run.mistake = run.mistake or f"line {line}: {value[:40]!r} is no number for the metric {key}"


def _read(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if not any(header):
                raise InvalidInput(f"{file} is empty.", hint="See what it should hold: mlops import csv --help")
            twice = {name for name in header if header.count(name) > 1}
            if twice or "" in header:
                raise InvalidInput(f"{file} names a column {'twice: ' + min(twice) if twice else 'with no text'}.")
            rows = []
            for cells in reader:
                if len(cells) > len(header):
                    raise InvalidInput(
                        f"{file}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns."
                    )
                if any(cells):
                    rows.append(dict(zip(header, [*cells, *[""] * (len(header) - len(cells))], strict=True)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{file} cannot be read as CSV: {error}.") from None
    if not rows:
        raise InvalidInput(f"{file} has a header and no rows.")
    return header, rows


def _kind(name: str, values: Sequence[str]) -> tuple[str, str]:
    """What a column holds (params, metrics or tags) and its key."""
    lead, _, key = name.partition(".")
    if lead in _KINDS and key:
        return lead, key
    filled = [value for value in values if value]
    numbers = [value for value in filled if _is_number(value)]
    return ("metrics" if filled and len(numbers) == len(filled) else "params"), name


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _arrival(run: _Told, source: str, stamp: str, written: int) -> Arrival:
    if not run.name.strip():
        raise InvalidInput("it has no name")
    if run.mistake:
        raise InvalidInput(run.mistake)
    times = [at for points in run.series.values() for _, at, _ in points if at >= 0]
    about = run.about
    started_at = (
        clock.parse_time(about["started_at"], now=written) if "started_at" in about else min(times, default=written)
    )
    ended_at = clock.parse_time(about["ended_at"], now=written) if "ended_at" in about else max([started_at, *times])
    try:
        state = RunState(about.get("state", "finished").lower())
    except ValueError:
        raise InvalidInput(f"'{about['state'][:40]}' is no state of a run; states: {', '.join(RunState)}") from None
    return Arrival(
        source=source,
        stamp=stamp,
        experiment=run.experiment,
        name=run.name,
        state=RunState.CRASHED if state is RunState.RUNNING else state,
        started_at=started_at,
        ended_at=max(started_at, ended_at),
        user=about.get("user", ""),
        params=run.params,
        tags=run.tags,
        series=[
            (
                key,
                [
                    (value if not math.isnan(value) else math.nan, ended_at if at < 0 else at, step)
                    for value, at, step in points
                ],
            )
            for key, points in run.series.items()
        ],
    )
