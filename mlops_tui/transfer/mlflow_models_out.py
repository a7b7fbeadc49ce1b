"""Registered models on their way to MLflow: versions with their files, descriptions, tags, aliases and stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import Unavailable, WorkbenchError
from mlops_tui.domains.registry.records import Stage
from mlops_tui.transfer.mlflow_models_write import LeavingVersion
from mlops_tui.transfer.mlflow_write import FolderTarget, Leaving, ServerTarget
from mlops_tui.transfer.records import EXPORT_TAG, Report
from mlops_tui.transfer.taking import reason

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Model, Version
    from mlops_tui.workbench import Workbench

Target = ServerTarget | FolderTarget
FILES_OF = "registered models"
"""The experiment there of runs that hold the files of versions; a run there has what no run of ours has kept."""


def stamp(version: Version) -> str:
    """What names a version of this workspace there, among its tags."""
    return f"{version.ref}:{version.sha[:16]}"


def stamps(workbench: Workbench) -> set[str]:
    """Of all versions here."""
    registry = workbench.registry
    return {stamp(version) for model in registry.models() for version in registry.versions(model.name)}


def export_models(
    workbench: Workbench, target: Target, ids: Mapping[str, str], report: Report, *, only: set[str] | None
) -> None:
    """Write versions that are not there yet. `ids`: our runs -> theirs; `only`: versions of these runs of ours.

    What is wrong with one version is in the report; Unavailable (the server or the disk) is raised.
    """
    holders = target.known(FILES_OF) if any(model.versions for model in workbench.registry.models()) else {}
    for model in workbench.registry.models():
        versions = [one for one in workbench.registry.versions(model.name) if only is None or one.run_id in only]
        if not versions and only is not None:
            continue
        try:
            _model(workbench, target, model, versions, {**ids, **holders}, report)
        except Unavailable:
            raise
        except WorkbenchError as error:
            report.skipped.append((f"model {model.name}", reason(error)))


def _model(
    workbench: Workbench,
    target: Target,
    model: Model,
    versions: Sequence[Version],
    ids: Mapping[str, str],
    report: Report,
) -> None:
    made, there = target.open_model(model.name, model.description, workbench.registry.remote.model(model.name).tags)
    report.models += made
    for version in sorted(versions, key=lambda one: one.version):
        if stamp(version) in there:
            continue
        try:
            there[stamp(version)] = target.add_version(_leaving(workbench, target, version, ids))
        except Unavailable:
            raise
        except WorkbenchError as error:
            report.skipped.append((f"model {version.ref}", reason(error)))
            continue
        report.versions += 1
        if there[stamp(version)] != version.version:
            report.note(f"{version.ref} is {model.name}/{there[stamp(version)]} there, since that number was taken.")
    numbers = {one.version: there[stamp(one)] for one in versions if stamp(one) in there}
    _aliases(target, model, numbers, report)


def _aliases(target: Target, model: Model, numbers: Mapping[int, int], report: Report) -> None:
    """An alias that somebody set there for a version of theirs stays."""
    now = target.aliases(model.name)
    for alias, version in model.aliases.items():
        wanted = numbers.get(version)
        if wanted is None or now.get(alias) == wanted:
            continue
        if alias in now and now[alias] not in numbers.values():
            report.note(f"{model.name}@{alias} stays with version {now[alias]} there.")
        else:
            target.set_alias(model.name, alias, wanted)


def _leaving(workbench: Workbench, target: Target, version: Version, ids: Mapping[str, str]) -> LeavingVersion:
    """The version with its files in place there: in its run, where that kept them, else in a run of its own."""
    files = workbench.registry.remote.files(version.model, version.version)
    folder = _folder(workbench, version, files) if version.run_id in ids else None
    if folder is not None:
        source = target.source(ids[version.run_id], folder)
    else:
        source = target.source(ids.get(stamp(version)) or target.put(_holder(workbench, version, files)), "model")
    return LeavingVersion(
        version.model,
        version.version,
        source,
        ids.get(version.run_id, ""),
        version.description,
        {**version.tags, EXPORT_TAG: stamp(version)},
        version.stage if version.stage != Stage.NONE else "",
    )


def _folder(workbench: Workbench, version: Version, files: Mapping[str, str]) -> str | None:
    """The folder among the files of its run that holds exactly these files."""
    kept = {one.path: one.sha for one in workbench.experiments.artifacts(version.run_id)}
    first = next(iter(files))
    for path in kept:
        if path.endswith(f"/{first}"):
            folder = path[: -len(first) - 1]
            inside = {one[len(folder) + 1 :]: sha for one, sha in kept.items() if one.startswith(f"{folder}/")}
            if inside == dict(files):
                return folder
    return None


def _holder(workbench: Workbench, version: Version, files: Mapping[str, str]) -> Leaving:
    """A run that holds the files of a version, which its own run did not keep."""
    store = workbench.context.artifacts
    placed: list[tuple[str, Path]] = [(f"model/{path}", store.path(sha)) for path, sha in files.items()]
    return Leaving(
        id=stamp(version),
        experiment=FILES_OF,
        name=version.ref,
        user=version.created_by,
        status="FINISHED",
        started_at=version.created_at,
        ended_at=version.created_at,
        params={},
        tags={"mlflow.runName": version.ref, EXPORT_TAG: stamp(version)},
        series=(),
        files=placed,
    )
