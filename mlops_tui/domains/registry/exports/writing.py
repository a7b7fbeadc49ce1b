"""An export: a new folder that appears whole, with the hash of every file in it, so that a later change shows."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry

MANIFEST = "export.json"
FORMATS = ("container", "mlflow", "mlserver", "onnx")


@dataclass(frozen=True, slots=True)
class Export:
    """A written export: `sha` is the hash of its manifest, `files` the hash of each file, `said` what was checked."""

    ref: str
    format: str
    folder: str
    sha: str
    files: dict[str, str]
    said: str

    @property
    def words(self) -> str:
        """What happened, in two sentences."""
        return f"Wrote {self.ref} as {self.format} to {self.folder}, sha256 {self.sha[:16]}. {self.said}".rstrip()


def write(registry: Registry, ref: str, target: Path, kind: str) -> Export:
    """Write a version to the new folder `target`; its files are read-only and their hashes are in `export.json`.

    Raises NotFound (version, format), AlreadyExists (the folder), InvalidInput (the format cannot hold this model) and
    Unavailable (a library is missing, the disk refuses); then nothing is left at `target`.
    """
    makers = _makers(registry)
    if kind not in makers:
        raise NotFound(
            f"There is no format {kind!r}.", hint=ids.did_you_mean(kind, makers, f"One of: {', '.join(makers)}.")
        )
    version = registry.version(ref)
    if target.exists():
        raise AlreadyExists(f"{target} is there already.", hint="Name a new folder; an export never replaces another.")
    staged = target.parent / f".{target.name}-{uuid.uuid4().hex[:8]}"
    try:
        staged.mkdir(parents=True)
        package = registry.checkout(version.ref, staged / "package")
        said = makers[kind](version, package, staged)
        files, sha = _sealed(staged, version, kind)
        staged.rename(target)
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written: {error.strerror or error}.", hint="Check folder and disk."
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Export(version.ref, kind, str(target), sha, files, said)


def _makers(registry: Registry) -> dict[str, Callable[[Version, Path, Path], str]]:
    from mlops_tui.domains.registry.exports import container, mlflow, mlserver, onnx

    return {
        "container": container.make,
        "mlflow": mlflow.make,
        "mlserver": mlserver.make,
        "onnx": partial(onnx.make, registry),
    }


def _sealed(folder: Path, version: Version, kind: str) -> tuple[dict[str, str], str]:
    """Write the manifest, make every file read-only; the hashes and the hash of the manifest."""
    files = {name: _hash(folder / name) for name in _names(folder)}
    described = {
        "model": version.model,
        "version": version.version,
        "package": version.sha,
        "format": kind,
        "files": files,
    }
    text = json.dumps(described, indent=1, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    for name in (*files, MANIFEST):
        path = folder / name
        path.chmod(path.stat().st_mode & ~0o222)
    return files, hashlib.sha256(text.encode()).hexdigest()


def verify(folder: Path) -> list[str]:
    """What of an export is not as it was written: files changed, missing or added. Raises NotFound, InvalidInput."""
    try:
        described: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        files: dict[str, str] = dict(described["files"])
    except OSError as error:
        raise NotFound(
            f"{folder} is no export: {MANIFEST} is missing.", hint="mlops models export NAME/VERSION"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{folder / MANIFEST} is damaged.", hint="Export the version again.") from error
    there = set(_names(folder)) - {MANIFEST}
    found = [f"{name} is missing" for name in sorted(set(files) - there)]
    found += [f"{name} was added" for name in sorted(there - set(files))]
    return found + [f"{name} was changed" for name in sorted(there & set(files)) if _hash(folder / name) != files[name]]


def _names(folder: Path) -> list[str]:
    found = (
        Path(place) / name for place, folders, names in os.walk(folder) if "__pycache__" not in place for name in names
    )
    return sorted(str(path.relative_to(folder)) for path in found)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
