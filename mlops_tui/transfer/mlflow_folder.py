"""MLflow's folder of files (`mlruns`): a folder a run, a file a parameter, metric and tag."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.arrivals import Kept, Series
from mlops_tui.domains.experiments.remote_records import DataInput, LoggedModel, ModelPoint
from mlops_tui.transfer import flat_yaml
from mlops_tui.transfer.mlflow_places import Places, keep_folder
from mlops_tui.transfer.mlflow_source import Found, FoundModel, FoundVersion, Group, data_input

META = "meta.yaml"
TRASH = ".trash"
STATUS = ("", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
_MODEL_STATUS = ("PENDING", "PENDING", "READY", "UPLOAD_FAILED")
_DELETED_VERSION = "Deleted_Internal"


class FolderStore:
    """Reads such a folder. Raises InvalidInput for a file that is not what it should be."""

    def __init__(self, root: Path, store: Artifacts, more: Path | None = None) -> None:
        """`more`: a further folder where artifacts may lie."""
        self._root = root
        self._store = store
        self._places = Places([root, root.parent / "mlartifacts", *([more] if more else [])])
        self._folders: dict[str, Path] = {}

    def groups(self) -> list[Group]:
        found = []
        for folder in [*_folders(self._root), *_folders(self._root / TRASH)]:
            if folder.name in ("models", TRASH) or not (folder / META).is_file():
                continue
            group = _group(folder)
            self._folders[group.id] = folder
            found.append(group)
        return found

    def runs(self, group: Group) -> Iterator[tuple[str, str, str]]:
        # A run whose record cannot be read is said when it is loaded; here it must not stop the others.
        heads = [_head(folder) for folder in _folders(self._folders[group.id]) if _is_run(folder)]
        for _, run_id, name, stamp in sorted(heads):
            yield run_id, name, stamp

    def run(self, group: Group, run_id: str) -> Found:
        folder = self._folders[group.id] / run_id
        meta = meta_of(folder)
        if not isinstance(meta.get("start_time"), int):
            raise InvalidInput(f"{META} names no start_time")
        tags = texts(folder / "tags")
        return Found(
            id=run_id,
            group=group,
            name=str(meta.get("run_name") or tags.get("mlflow.runName") or run_id[:8]),
            user=str(meta.get("user_id") or ""),
            status=_status(meta.get("status")),
            started_at=meta["start_time"],
            ended_at=meta.get("end_time"),
            deleted=meta.get("lifecycle_stage") == "deleted",
            uri=str(meta.get("artifact_uri") or ""),
            params=texts(folder / "params"),
            tags=tags,
            inputs=list(self._inputs(group, folder)),
            outputs=[item.name for item in _folders(folder / "outputs")],
        )

    def _inputs(self, group: Group, folder: Path) -> Iterator[DataInput]:
        for item in _folders(folder / "inputs"):
            link = meta_of(item)
            described = self._folders[group.id] / "datasets" / str(link.get("source_id"))
            if link.get("source_type") == "DATASET" and (described / META).is_file():
                data = meta_of(described)
                tags = {key: str(value) for key, value in (link.get("tags") or {}).items()}
                yield data_input(data.get, tags)

    def series(self, run: Found) -> Iterator[Series]:
        for key, path in _files(self._folders[run.group.id] / run.id / "metrics"):
            yield key, [(value, ts, step) for ts, value, step, _ in _points(key, path)]

    def files(self, run: Found) -> list[Kept] | None:
        folder = self._folders[run.group.id] / run.id / "artifacts"
        # MLflow makes this folder only for the first file.
        found = folder if folder.is_dir() else self._places.folder(run.uri)
        if found is None:
            local = run.uri.startswith(("file:", "/")) and run.uri.rstrip("/").endswith(f"{run.id}/artifacts")
            return [] if local else None
        return keep_folder(self._store, found.resolve())

    def models(self, run: Found) -> list[tuple[LoggedModel, list[Kept]]]:
        return [model for one in run.outputs if (model := self._model(run, one)) is not None]

    def _model(self, run: Found, model_id: str) -> tuple[LoggedModel, list[Kept]] | None:
        folder = self._folders[run.group.id] / "models" / model_id
        if not (folder / META).is_file():
            return None
        meta = meta_of(folder)
        points = [
            ModelPoint(key, value, ts, step, *(rest[:1] or [""]), *(rest[1:3] if len(rest) > 2 else []))
            for key, path in _files(folder / "metrics")
            for ts, value, step, rest in _points(key, path)
        ]
        model = LoggedModel(
            id=model_id,
            experiment_id=0,
            name=str(meta.get("name")),
            run_id="",
            kind=str(meta.get("model_type") or ""),
            status=_MODEL_STATUS[int(meta["status"])],
            params=texts(folder / "params"),
            tags=texts(folder / "tags"),
            created_at=int(meta["creation_timestamp"]),
            updated_at=int(meta["last_updated_timestamp"]),
            created_by=run.user,
            metrics=points,
        )
        inside = folder / "artifacts"
        return model, keep_folder(self._store, inside.resolve()) if inside.is_dir() else []

    def registered(self) -> list[FoundModel]:
        found = []
        for folder in _folders(self._root / "models"):
            if not (folder / META).is_file():
                continue
            meta = meta_of(folder)
            aliases = {
                key: int(value) for key, value in {**(meta.get("aliases") or {}), **texts(folder / "aliases")}.items()
            }
            versions = [_version(item) for item in _folders(folder) if item.name.startswith("version-")]
            kept = sorted((one for one in versions if one.stage != _DELETED_VERSION), key=lambda one: one.number)
            description = str(meta.get("description") or "")
            found.append(FoundModel(str(meta.get("name")), description, texts(folder / "tags"), aliases, kept))
        return found


def named_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Names of the experiments in such a folder that are not deleted, and where they are."""
    for folder in _folders(root):
        if (folder / META).is_file():
            meta = meta_of(folder)
            if meta.get("lifecycle_stage") != "deleted" and meta.get("experiment_id") is not None:
                yield str(meta.get("name")), folder


def _version(folder: Path) -> FoundVersion:
    meta = meta_of(folder)
    model_id = meta.get("model_id")
    source = f"models:/{model_id}" if model_id else str(meta.get("source") or "")
    stage, description = str(meta.get("current_stage") or ""), str(meta.get("description") or "")
    return FoundVersion(
        int(meta["version"]), source, str(meta.get("run_id") or ""), stage, description, texts(folder / "tags")
    )


def _group(folder: Path) -> Group:
    try:
        meta = meta_of(folder)
    except InvalidInput as error:
        return Group(folder.name, folder.name, broken=error.message)
    deleted = meta.get("lifecycle_stage") == "deleted" or folder.parent.name == TRASH
    return Group(str(meta.get("experiment_id")), str(meta.get("name")), deleted, texts(folder / "tags"))


def _is_run(folder: Path) -> bool:
    own = folder.name in ("models", "datasets", "tags", "traces")
    return not own and ((folder / META).exists() or (folder / "metrics").exists())


def _head(folder: Path) -> tuple[int, str, str, str]:
    """(start, id, name, stamp) of a run's folder."""
    try:
        meta = meta_of(folder)
    except (InvalidInput, OSError):
        return 0, folder.name, folder.name[:8], "unread"
    start = meta.get("start_time")
    ended = f"{_status(meta.get('status'))} {meta.get('end_time')} {meta.get('lifecycle_stage')}"
    if meta.get("end_time") is None:  # it may still grow
        ended += f" {sum(path.stat().st_size for _, path in _files(folder / 'metrics'))}"
    return start if isinstance(start, int) else 0, folder.name, str(meta.get("run_name") or folder.name[:8]), ended


def _status(value: Any) -> str:
    return STATUS[value] if isinstance(value, int) and 0 < value < len(STATUS) else str(value)


def meta_of(folder: Path) -> dict[str, Any]:
    try:
        return flat_yaml.read((folder / META).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"it has no {META}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{META} is no text") from None


def _folders(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if item.is_dir()) if folder.is_dir() else []


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def texts(folder: Path) -> dict[str, str]:
    return {key: path.read_text(encoding="utf-8") for key, path in _files(folder)}


def _points(key: str, path: Path) -> Iterator[tuple[int, float, int, list[str]]]:
    """(time, value, step, what else stands in the line): a run's id, and the data set of a model's metric."""
    with path.open(encoding="utf-8") as lines:
        for place, line in enumerate(lines, 1):
            words = line.split()
            try:
                value, step = float(words[1]), int(words[2]) if len(words) > 2 else 0
                yield int(words[0]), math.nan if math.isnan(value) else value, step, words[3:]
            except (ValueError, IndexError):
                raise InvalidInput(f"line {place} of metric {key} is no point: {line.strip()[:60]!r}") from None
