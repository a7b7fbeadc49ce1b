"""`mlops import mlflow`: runs, logged models and registered models of an MLflow store become ours."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.domains.experiments.arrivals import SOURCE_TAG, Arrival, Series, run_id_of
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG, NOTE_TAG, RunState
from mlops_tui.domains.experiments.remote_records import COMMIT_TAG, PARENT_TAG, USER_TAG
from mlops_tui.domains.experiments.remote_records import SOURCE_TAG as SCRIPT_TAG
from mlops_tui.transfer.mlflow_folder import META, FolderStore
from mlops_tui.transfer.mlflow_models_out import stamps
from mlops_tui.transfer.mlflow_rest import RestStore
from mlops_tui.transfer.mlflow_server import Server
from mlops_tui.transfer.mlflow_source import Found, FoundModel, FoundVersion, Group, MlflowStore
from mlops_tui.transfer.mlflow_sqlite import SqliteStore
from mlops_tui.transfer.records import EXPORT_TAG, AlreadyHere, Head, Progress, Report
from mlops_tui.transfer.taking import BROKEN, reason, take

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench

PREFIX = "mlflow:"
PRODUCTION = "Production"
_NOTE = "mlflow.note.content"
_STATES = {"FINISHED": RunState.FINISHED, "FAILED": RunState.FAILED}
_NO_END = "Where it comes from its end was not recorded; it is taken over again once it has ended there."
_OF_RUN = re.compile(r"(?:^|/)([0-9a-f]{16,32})/artifacts(?:/(.*))?$")
_OF_MODEL = re.compile(r"(?:^|/)models/(m-[0-9a-f]{32})/artifacts(?:/(.*))?$")


def import_mlflow(
    workbench: Workbench,
    source: str,
    progress: Progress,
    *,
    experiments: Sequence[str] = (),
    artifacts: Path | None = None,
) -> Report:
    """Take over a store: a folder, a SQLite file or the address of a server; of `experiments` only, when some are named.

    `artifacts`: a further folder where a moved store's files lie. Raises NotFound, InvalidInput for a source that is none.
    """
    store = open_store(workbench, source, artifacts)
    ours, has = stamps(workbench), workbench.experiments.remote.runs.has
    reader = _Reader(store, experiments, lambda one: one in ours or has(one))
    report = take(workbench, reader, progress)
    try:
        models = store.registered()
    except BROKEN as error:
        report.skipped.append(("the registered models", reason(error)))
        return report
    for model in models:
        kept = [version for version in model.versions if version.tags.get(EXPORT_TAG) not in ours]
        if kept or not model.versions:
            model = dataclasses.replace(model, versions=kept)
            _take_model(workbench, model, report, only_known=bool(experiments))
    return report


def open_store(workbench: Workbench, source: str, artifacts: Path | None = None) -> MlflowStore:
    """The store behind a source."""
    files = workbench.context.artifacts
    if "://" in source and not source.startswith(("file:", "sqlite:")):
        workbench.workspace.tmp.mkdir(parents=True, exist_ok=True)
        return RestStore(Server(source), files, workbench.workspace.tmp)
    path = Path(re.sub(r"^(sqlite:///|file://)", "", source)).expanduser()
    if path.is_file():
        if path.resolve().is_relative_to(workbench.workspace.root):
            raise InvalidInput(f"{path} belongs to this workspace.", hint="Name the database of an MLflow store.")
        return SqliteStore(path, files, artifacts)
    if not path.exists():
        raise NotFound(f"There is no {path}.", hint="Name an mlruns folder, an mlflow.db file or http://host:5000.")
    inside = path / "mlruns"
    if not any(path.glob(f"*/{META}")) and inside.is_dir():
        path = inside
    if not any(path.glob(f"*/{META}")):
        raise InvalidInput(f"{path} is no mlruns folder: no folder in it has a {META}.")
    return FolderStore(path, files, artifacts)


class _Reader:
    """Heads of all runs of a store."""

    def __init__(self, store: MlflowStore, experiments: Sequence[str], is_ours: Callable[[str], bool]) -> None:
        self._store = store
        self._is_ours = is_ours
        self._wanted = experiments

    def heads(self, report: Report) -> Iterator[Head]:
        groups = self._store.groups()
        missing = set(self._wanted) - {group.name for group in groups}
        if missing:
            known = ", ".join(sorted(group.name for group in groups)[:20])
            raise NotFound(f"The source has no experiment '{min(missing)}'.", hint=f"It has: {known}")
        for group in groups:
            if self._wanted and group.name not in self._wanted:
                continue
            if group.broken:
                report.skipped.append((f"experiment {group.name}", group.broken))
                continue
            if group.deleted:
                report.note(f"The experiment '{group.name}' is deleted there; it was left out.")
                continue
            for run_id, name, stamp in self._store.runs(group):
                label = f"{name} ({run_id[:8]})"
                yield Head(PREFIX + run_id, stamp, label, partial(self._load, group, run_id, stamp, report))

    def _load(self, group: Group, run_id: str, stamp: str, report: Report) -> Arrival:
        run = self._store.run(group, run_id)
        if self._is_ours(run.tags.get(EXPORT_TAG, "")):
            raise AlreadyHere
        files = self._store.files(run)
        if files is None:
            report.note(f"The files of run {run.name} ({run_id[:8]}) are at {run.uri[:200]}, which is not read.")
            stamp += " without files"  # so that a later import, which may know where they are, takes the run again
        tags = {key: value for key, value in run.tags.items() if not key.startswith("\0")}
        parent = tags.get(PARENT_TAG, "")
        if parent:
            tags[PARENT_TAG] = run_id_of(PREFIX + parent)
        if tags.get(_NOTE):
            tags.setdefault(NOTE_TAG, tags[_NOTE])
        return Arrival(
            source=PREFIX + run_id,
            stamp=stamp,
            experiment=group.name,
            name=run.name,
            state=_STATES.get(run.status, RunState.CRASHED),
            started_at=run.started_at,
            ended_at=run.ended_at,
            user=run.user or tags.get(USER_TAG, ""),
            script=tags.get(SCRIPT_TAG, ""),
            git_commit=tags.get(COMMIT_TAG, ""),
            parent=PREFIX + parent if parent else "",
            error=_NO_END if run.ended_at is None else "",
            params=_cut(run.params, MAX_PARAM, run, report),
            tags=_cut(tags, MAX_TAG, run, report),
            series=self._series(run),
            files=files or [],
            inputs=run.inputs,
            models=self._store.models(run),
            deleted=run.deleted,
        )

    def _series(self, run: Found) -> Iterator[Series]:
        return self._store.series(run)


def _cut(values: dict[str, str], most: int, run: Found, report: Report) -> dict[str, str]:
    for key, value in values.items():
        if len(value) > most:
            report.note(f"'{key[:80]}' of run {run.name} was cut to {most} of {len(value)} characters.")
    return {key: value[:most] for key, value in values.items()}


# -- the registry ---------------------------------------------------------------------------------------------------------


def _take_model(workbench: Workbench, model: FoundModel, report: Report, *, only_known: bool) -> None:
    """One registered model; `only_known`: only versions whose run was taken over."""
    remote = workbench.registry.remote
    there = remote.tag_values(model.name, SOURCE_TAG)
    new = [version for version in model.versions if _named(model, version) not in there]
    if only_known:
        new = [version for version in new if _has_run(workbench, version.run_id)]
    ready = list(_ready(workbench, model, new, report))
    if not ready and (new or only_known or remote.has(model.name)):
        return
    if not remote.has(model.name):
        try:
            remote.create(model.name, model.description, model.tags)
        except WorkbenchError as error:
            report.skipped.append((f"model {model.name}", reason(error)))
            return
        report.models += 1
    numbers = {}
    for version, source, files in ready:
        try:
            numbers[version.number] = _take_version(workbench, model, version, source, files, report)
            report.versions += 1
        except Unavailable:
            raise
        except (WorkbenchError, OSError) as error:
            report.skipped.append((f"model {model.name}/{version.number}", reason(error)))
    for number, stage in sorted((version.number, version.stage) for version in new if version.number in numbers):
        _set_stage(workbench, model, numbers[number], stage, report)
    for alias, number in model.aliases.items():
        if number in numbers:
            _set_alias(workbench, model.name, alias, numbers[number], report)


def _ready(
    workbench: Workbench, model: FoundModel, versions: Sequence[FoundVersion], report: Report
) -> Iterator[tuple[FoundVersion, str, dict[str, str]]]:
    """Versions whose files are here, with their source in our words and the files; the others are reported."""
    for version in versions:
        try:
            source = _here(version.source)
            files = _files_of(workbench, source)
            if not files:
                raise NotFound(f"there are no files at {version.source[:200]!r}")
            yield version, source, files
        except WorkbenchError as error:
            report.skipped.append((f"model {model.name}/{version.number}", reason(error)))


def _set_stage(workbench: Workbench, model: FoundModel, number: int, stage: str, report: Report) -> None:
    """Its stage there, unless that would take production from a version here."""
    if stage in ("", "None"):
        return
    newest = max((version.number for version in model.versions if version.stage == stage), default=0)
    taken = any(version.stage == PRODUCTION for version in workbench.registry.versions(model.name))
    if stage == PRODUCTION and (taken or newest > number):
        report.note(f"{model.name}/{number} was in {stage} there; here another version is.")
        return
    try:
        workbench.registry.remote.move_stage(model.name, number, stage, False)
    except WorkbenchError as error:
        report.note(f"{model.name}/{number} is not in stage {stage}: {reason(error)}")


def _set_alias(workbench: Workbench, name: str, alias: str, number: int, report: Report) -> None:
    """An alias there is one here, unless it names another version here."""
    current = workbench.registry.alias(name, alias)
    if current not in (None, number):
        report.note(
            f"The alias {name}@{alias} stays at version {current}; there it names what is version {number} here."
        )
        return
    try:
        workbench.registry.remote.set_alias(name, alias, number)
    except WorkbenchError as error:
        report.skipped.append((f"alias {name}@{alias}", reason(error)))


def _named(model: FoundModel, version: FoundVersion) -> str:
    return f"{PREFIX}{model.name}/{version.number}:{version.run_id or version.source}"[:MAX_TAG]


def _has_run(workbench: Workbench, run_id: str) -> bool:
    return bool(run_id) and workbench.experiments.remote.runs.has(run_id_of(PREFIX + run_id))


def _take_version(
    workbench: Workbench,
    model: FoundModel,
    version: FoundVersion,
    source: str,
    files: dict[str, str],
    report: Report,
) -> int:
    """Its number here: that of the source, or the next one where that is taken."""
    made = workbench.registry.remote.add_version(
        model.name,
        source,
        files,
        run_id=run_id_of(PREFIX + version.run_id) if _has_run(workbench, version.run_id) else "",
        logged_model=source.removeprefix("models:/").partition("/")[0] if source.startswith("models:/m-") else "",
        description=version.description,
        tags={**version.tags, SOURCE_TAG: _named(model, version)},
        number=version.number,
    )
    number = made.version.version
    if number != version.number:
        report.note(f"{model.name}/{version.number} is {model.name}/{number} here, since that number was taken.")
    return number


def _here(source: str) -> str:
    """A version's source in the words of this workspace. Raises NotFound for a place that belongs to no run or logged model."""
    place = source.rstrip("/")
    if place.startswith("models:/m-"):
        return place
    if match := _OF_MODEL.search(place):
        return f"models:/{match[1]}/{match[2] or ''}".rstrip("/")
    if place.startswith("runs:/"):
        run_id, _, path = place.removeprefix("runs:/").partition("/")
    elif match := _OF_RUN.search(place):
        run_id, path = match[1], match[2] or ""
    else:
        raise NotFound(f"its files are at {source[:200]!r}, which belongs to no run of the source")
    return f"runs:/{run_id_of(PREFIX + run_id)}/{path}".rstrip("/")


def _files_of(workbench: Workbench, source: str) -> dict[str, str]:
    """Files behind a source of this workspace. Raises NotFound for a run or logged model that was not taken over."""
    owner, _, path = source.partition(":/")[2].partition("/")
    return workbench.experiments.remote.files.under(owner, path)
