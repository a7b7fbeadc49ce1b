"""Backup and restore: one tar file with consistent copies of the databases, taken while everything keeps running."""

from __future__ import annotations

import tarfile
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui.core import locks
from mlops_tui.core.db import Database
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.lake import disk_error
from mlops_tui.core.workspace import FOLDER, SETTINGS, Workspace

if TYPE_CHECKING:
    from mlops_tui.core.context import Context

# Files are immutable or append-only, so copying them after the databases is safe: a row never misses its file. What is moved
# on into the lake comes first. No collection runs meanwhile (`Workspace.upkeep_lock`).
FOLDERS = ("spool", "segments", "lake", "artifacts")
BESIDE = ("pipelines", "checks")  # of the project folder
LATER = ("studies", "packages")  # made with the first one
ONLINE = "online.db"
WAIT_S = 60.0


def backup(context: Context, target: Path) -> int:
    """Write the workspace to `target`; its size in bytes. Appears whole or not at all.

    Raises Unavailable when the disk is full, or while a collection runs for longer than a minute.
    """
    staged = target.with_name(target.name + ".part")
    workspace = context.workspace
    try:
        with (
            locks.alone(workspace.upkeep_lock, "A collection or another backup runs.", wait_s=WAIT_S),
            tempfile.TemporaryDirectory(dir=workspace.tmp) as folder,
            tarfile.open(staged, "w") as tar,
        ):
            for copy in _databases(context, Path(folder)):
                tar.add(copy, f"{FOLDER}/{copy.name}")
            tar.add(workspace.settings_file, f"{FOLDER}/{SETTINGS}")
            for name in FOLDERS:
                _add(tar, workspace.root / name, f"{FOLDER}/{name}")
            for name in LATER:
                if (workspace.root / name).is_dir():
                    _add(tar, workspace.root / name, f"{FOLDER}/{name}")
            for name in BESIDE:
                if (workspace.project / name).is_dir():
                    _add(tar, workspace.project / name, name)
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


def _databases(context: Context, folder: Path) -> list[Path]:
    """Copies that belong together: while no push can be claimed, the online side first. What was claimed before is in the
    catalog with its batch, or is claimed in the copy too, so nothing pushed is lost or doubled when the copies come back.
    """
    databases = [context.catalog, context.metrics, context.telemetry]
    with ExitStack() as stack:
        if (context.workspace.root / ONLINE).exists():
            # Two connections: SQLite does not copy through one that is inside a transaction.
            held, online = (Database(context.workspace.root / ONLINE, durability="normal") for _ in range(2))
            stack.callback(held.close)
            stack.callback(online.close)
            stack.enter_context(held.write())
            databases.insert(0, online)
        for database in databases:
            database.backup(folder / database.path.name)
    return [folder / database.path.name for database in databases]


def _add(tar: tarfile.TarFile, root: Path, name: str) -> None:
    """A folder with all that is in it by then; what goes meanwhile has been moved on, hidden files are someone's temporary ones."""
    tar.add(root, name, recursive=False)
    for path in sorted(root.rglob("*")):
        if not path.name.startswith("."):
            with suppress(FileNotFoundError):
                tar.add(path, f"{name}/{path.relative_to(root).as_posix()}", recursive=False)
