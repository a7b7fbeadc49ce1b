"""`mlops import wandb`: the folders that Weights & Biases keeps of runs, online and offline ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.experiments.arrivals import Arrival
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG, NOTE_TAG, RunState
from mlops_tui.transfer import flat_yaml
from mlops_tui.transfer.mlflow_places import keep_folder
from mlops_tui.transfer.records import Head, Progress, Report
from mlops_tui.transfer.taking import take
from mlops_tui.transfer.tensorboard import key_of
from mlops_tui.transfer.wandb_file import WandbRun, read

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

PREFIX = "wandb:"
_DEEPEST = 3


def import_wandb(workbench: Workbench, folder: Path, experiment: str, progress: Progress) -> Report:
    """Take over all runs below a folder, or the run that it is. Raises InvalidInput when there are none."""
    return take(workbench, _Reader(folder, experiment, workbench.context.artifacts), progress)


class _Reader:
    def __init__(self, folder: Path, experiment: str, store: Artifacts) -> None:
        self._folder = folder
        self._experiment = experiment
        self._store = store

    def heads(self, report: Report) -> Iterator[Head]:
        found = sorted(
            {
                item.resolve()
                for item in [self._folder, *self._folder.rglob("*run-*")]
                if item.is_dir() and _is_run(item)
            }
        )
        if not found:
            hint = "Such folders are called run-... or offline-run-... and lie in a folder wandb."
            raise InvalidInput(f"There is no run of Weights & Biases in {self._folder}.", hint=hint)
        for folder in found:
            run_id = folder.name.rsplit("-", 1)[-1]
            # Run ids are unique within a project only; the folder's name bears the time too.
            source = f"{PREFIX}{folder.name.removeprefix('offline-')}"
            files = [path for path in _sources(folder) if path.exists()]
            stamp = " ".join(str(path.stat().st_size) for path in files)
            yield Head(source, stamp, run_id, partial(self._load, source, stamp, folder, report))

    def _load(self, source: str, stamp: str, folder: Path, report: Report) -> Arrival:
        run, trouble = _read(folder)
        label = run.name or folder.name
        if trouble:
            report.note(f"{label}: {trouble}; what comes before was read.")
        times = [at for _, at, _ in run.history if at is not None]
        started_at = run.started_at if run.started_at is not None else min(times, default=None)
        if started_at is None:
            raise InvalidInput("it says neither when it began nor any value")
        ended_at = max(times, default=started_at + int((run.runtime_s or 0) * 1000))
        inside = folder / "files"
        return Arrival(
            source=source,
            stamp=stamp,
            experiment=self._experiment or run.project or "wandb",
            name=label[:1000],
            state=_state(run.exit_code),
            started_at=started_at,
            ended_at=max(started_at, ended_at),
            git_commit=run.commit,
            params=_params(run.config),
            tags=_tags(run),
            series=_series(run, ended_at).items(),
            files=keep_folder(self._store, inside.resolve()) if inside.is_dir() else [],
        )


def _is_run(folder: Path) -> bool:
    return (
        any(folder.glob("*.wandb"))
        or (folder / "files" / "wandb-summary.json").is_file()
        or (folder / "files" / "wandb-history.jsonl").is_file()
    )


def _sources(folder: Path) -> list[Path]:
    names = ("wandb-history.jsonl", "wandb-summary.json", "config.yaml", "wandb-metadata.json")
    return [*sorted(folder.glob("*.wandb")), *(folder / "files" / name for name in names)]


def _read(folder: Path) -> tuple[WandbRun, str]:
    for path in sorted(folder.glob("*.wandb")):
        run, trouble = read(path)
        if run.id or run.history:
            return run, trouble
        if trouble and not (folder / "files" / "wandb-summary.json").is_file():
            raise InvalidInput(trouble)
    return _read_texts(folder / "files"), ""


def _read_texts(files: Path) -> WandbRun:
    """The run as the files of older versions and of finished online runs have it."""
    run = WandbRun()
    history = files / "wandb-history.jsonl"
    for line in history.read_text(encoding="utf-8").splitlines() if history.is_file() else ():
        values = json.loads(line)
        at = values.get("_timestamp")
        run.history.append((int(values.get("_step", len(run.history))), None if at is None else int(at * 1000), values))
    run.summary = _document(files / "wandb-summary.json")
    if not run.history and run.summary:
        at = run.summary.get("_timestamp")
        run.history.append((int(run.summary.get("_step", 0)), None if at is None else int(at * 1000), run.summary))
    said = _document(files / "wandb-metadata.json")
    run.commit = str((said.get("git") or {}).get("commit") or "")
    run.host = str(said.get("host") or "")
    config = files / "config.yaml"
    try:
        found = flat_yaml.read(config.read_text(encoding="utf-8")) if config.is_file() else {}
    except WorkbenchError:  # a config nested deeper than this reader knows
        found = {}
    run.config = {key: one.get("value") if isinstance(one, dict) else one for key, one in found.items()}
    run.exit_code = 0
    return run


def _document(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _state(exit_code: int | None) -> RunState:
    if exit_code is None:
        return RunState.CRASHED
    return RunState.FINISHED if exit_code == 0 else RunState.FAILED


def _flat(values: Mapping[str, Any], lead: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Nested values by keys joined with dots; deeper ones stay as they are."""
    for key, value in values.items():
        if isinstance(value, Mapping) and depth < _DEEPEST and "_type" not in value:
            yield from _flat(value, f"{lead}{key}.", depth + 1)
        else:
            yield f"{lead}{key}", value


def _params(config: Mapping[str, Any]) -> dict[str, str]:
    plain = {key: value for key, value in config.items() if not key.startswith("_")}
    return {
        key_of(key): (value if isinstance(value, str) else json.dumps(value))[:MAX_PARAM] for key, value in _flat(plain)
    }


def _tags(run: WandbRun) -> dict[str, str]:
    found = {"wandb.group": run.group, "wandb.job_type": run.job_type, "wandb.sweep": run.sweep, "host": run.host}
    found |= {"wandb.tags": ", ".join(run.labels), NOTE_TAG: run.notes}
    best = {key: value for key, value in _flat(run.summary) if not key.startswith("_")}
    logged = {key for _, _, values in run.history for key, _ in _flat(values)}
    # What a script put into the summary by itself stands in no history.
    found |= {f"summary.{key_of(key)}": json.dumps(value) for key, value in best.items() if key not in logged}
    return {key: value[:MAX_TAG] for key, value in found.items() if value}


def _series(run: WandbRun, last: int) -> dict[str, list[tuple[float, int, int]]]:
    found: dict[str, list[tuple[float, int, int]]] = {}
    for step, at, values in run.history:
        for key, value in _flat(values):
            number = _number(value)
            if number is not None and not key.startswith("_"):
                found.setdefault(key_of(key), []).append((number, last if at is None else at, step))
    return found


def _number(value: Any) -> float | None:
    """A number, also NaN and infinities, which stand there as texts; None for anything else."""
    if isinstance(value, (int, float)):
        return float(value)
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else None
