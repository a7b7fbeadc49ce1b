"""Backup and restore: one tar file with consistent copies of the databases, taken while everything keeps running."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.lake import disk_error
from mlops_tui.core.workspace import FOLDER, SETTINGS, Workspace

if TYPE_CHECKING:
    from mlops_tui.core.context import Context

# Files are immutable or append-only, so copying them after the databases is safe: a row never misses its file.
FOLDERS = ("lake", "artifacts", "spool", "segments")


def backup(context: Context, target: Path) -> int:
    """Write the workspace to `target`; its size in bytes. Appears whole or not at all."""
    staged = target.with_name(target.name + ".part")
    try:
        with tempfile.TemporaryDirectory(dir=context.workspace.tmp) as folder, tarfile.open(staged, "w") as tar:
            for database in (context.catalog, context.metrics, context.telemetry):
                copy = Path(folder) / database.path.name
                database.backup(copy)
                tar.add(copy, f"{FOLDER}/{copy.name}")
            tar.add(context.workspace.settings_file, f"{FOLDER}/{SETTINGS}")
            for name in FOLDERS:
                tar.add(context.workspace.root / name, f"{FOLDER}/{name}", filter=_still_there)
            if context.workspace.pipelines.is_dir():
                tar.add(context.workspace.pipelines, "pipelines")
        staged.replace(target)
    except OSError as error:
        raise disk_error(error, target) from error
    finally:
        staged.unlink(missing_ok=True)
    return target.stat().st_size


def restore(archive: Path, project: Path) -> Workspace:
    """Unpack a backup into `project`, which must not hold a workspace; the new workspace."""
    if not archive.is_file():
        raise NotFound(f"There is no file {archive}.")
    if (project / FOLDER / SETTINGS).exists():
        raise AlreadyExists(
            f"{project} holds a workspace already.", hint="Restore into an empty folder: mlops restore FILE --to DIR"
        )
    try:
        with tarfile.open(archive) as tar:
            if f"{FOLDER}/{SETTINGS}" not in tar.getnames():
                raise InvalidInput(f"{archive} is not a backup of a workspace.")
            tar.extractall(project, filter="data")
    except tarfile.TarError as error:
        raise InvalidInput(f"{archive} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise disk_error(error, project) from error
    workspace = Workspace((project / FOLDER).resolve())
    workspace.make_folders()
    return workspace


def _still_there(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(info.name).name.startswith(".") else info
