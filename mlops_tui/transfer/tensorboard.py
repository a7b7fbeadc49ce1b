"""`mlops import tensorboard`: a folder with event files is a run."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.arrivals import Arrival
from mlops_tui.domains.experiments.records import MAX_PARAM, RunState
from mlops_tui.transfer.event_file import Value, events
from mlops_tui.transfer.protobuf import Value as Field
from mlops_tui.transfer.protobuf import fields, message, real, text
from mlops_tui.transfer.records import Head, Progress, Report
from mlops_tui.transfer.taking import take

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

PREFIX = "tensorboard:"
PATTERN = "*tfevents*"
_HPARAMS = "hparams"
_SESSION = "_hparams_/session_start_info"


def import_tensorboard(workbench: Workbench, folder: Path, experiment: str, progress: Progress) -> Report:
    """Take over all runs below a folder. A run that has grown is written anew. Raises InvalidInput when there are none."""
    return take(workbench, _Reader(folder, experiment), progress)


class _Reader:
    def __init__(self, folder: Path, experiment: str) -> None:
        self._folder = folder
        self._experiment = experiment

    def heads(self, report: Report) -> Iterator[Head]:
        runs: dict[Path, list[Path]] = {}
        for path in sorted(self._folder.rglob(PATTERN)):
            if path.is_file():
                runs.setdefault(path.parent, []).append(path)
        if not runs:
            raise InvalidInput(
                f"There is no event file below {self._folder}.", hint=f"Such files are called {PATTERN}."
            )
        for folder, paths in runs.items():
            name = folder.relative_to(self._folder).as_posix()
            name = self._folder.resolve().name if name == "." else name
            # The first file bears time, host and process; with the run's name it stays the same when the folder moves.
            source = PREFIX + hashlib.sha256(f"{name}\0{paths[0].name}".encode("utf-8", "replace")).hexdigest()[:32]
            stamp = f"{len(paths)} {sum(path.stat().st_size for path in paths)}"
            yield Head(source, stamp, name, partial(self._load, source, stamp, name, paths, report))

    def _load(self, source: str, stamp: str, name: str, paths: list[Path], report: Report) -> Arrival:
        found = _Found()
        for path in paths:
            try:
                for event in events(path):
                    found.add(event.at, event.step, event.values)
            except ValueError as error:
                report.note(f"{name}: {error}; what comes before was read.")
        if found.first is None:
            raise InvalidInput("it has no event")
        for kind, count in sorted(found.left_out.items()):
            report.note(f"{name}: {count} values for {kind} were left out.")
        return Arrival(
            source=source,
            stamp=stamp,
            experiment=self._experiment,
            name=name[:1000],
            state=RunState.FINISHED,
            started_at=found.first,
            ended_at=found.last,
            params=found.params,
            series=found.series.items(),
        )


class _Found:
    """What the events of a run said."""

    def __init__(self) -> None:
        self.series: dict[str, list[tuple[float, int, int]]] = {}
        self.params: dict[str, str] = {}
        self.left_out: Counter[str] = Counter()
        self.first: int | None = None
        self.last: int | None = None

    def add(self, at: int, step: int, values: list[Value]) -> None:
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)
        for value in values:
            key = key_of(value.tag)
            if value.kind == "scalar":
                self.series.setdefault(key, []).append((value.number, at, step))
            elif value.kind == "text":
                self.params[key] = value.text[:MAX_PARAM]
            elif value.kind == _HPARAMS and value.tag == _SESSION:
                self.params.update(hyperparameters(value.content))
            elif value.kind != _HPARAMS:
                self.left_out[value.kind] += 1


def key_of(tag: str) -> str:
    """A tag as the name of a metric: no empty parts, no `.` and `..` between slashes."""
    parts = [part for part in tag.split("/") if part.strip() and part not in (".", "..")]
    return "".join(letter if letter.isprintable() else "?" for letter in "/".join(parts))[:250] or "value"


def hyperparameters(content: bytes) -> dict[str, str]:
    """What `add_hparams` said: HParamsPluginData.session_start_info.hparams, a map of Struct values."""
    found: dict[str, str] = {}
    for number, session in fields(content):
        for inner, entry in fields(message(session)) if number == 3 else ():
            if inner == 1:
                pair = dict(fields(message(entry)))
                found[key_of(text(pair.get(1, b"")))] = _plain(pair.get(2, b""))
    return found


def _plain(value: Field) -> str:
    """A google.protobuf.Value as text."""
    for number, one in fields(message(value)):
        if number == 2:
            return f"{real(one):.12g}"
        if number == 3:
            return text(one)[:MAX_PARAM]
        if number == 4:
            return "True" if one else "False"
    return ""
