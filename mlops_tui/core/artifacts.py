"""Content-addressed files: a file is stored once under its SHA-256, and checked against it whenever it is read."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path, PurePosixPath

import msgspec

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.lake import disk_error, sync_file, sync_folder


class Artifacts:
    """The store under `root`: `ab/cdef...`, read-only files. A folder is stored as a manifest of its files' hashes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, source: Path) -> str:
        """Store a copy of a file; its SHA-256. Raises NotFound when it is not there, Unavailable when the disk refuses."""
        try:
            if not source.is_file():
                raise NotFound(f"There is no file {source}.")
            staged = self._stage()
            try:
                digest = _copy_hashed(source, staged)
                self._keep(staged, digest)
            finally:
                staged.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, source) from error
        return digest

    def put_bytes(self, data: bytes) -> str:
        """Store bytes; their SHA-256."""
        digest = _sha256(data)
        try:
            if self._renew(self._place(digest)):
                return digest
            staged = self._stage()
            try:
                staged.write_bytes(data)
                self._keep(staged, digest)
            finally:
                staged.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error(error, self.root) from error
        return digest

    def put_folder(self, folder: Path) -> str:
        """Store every file of a folder; the hash of the manifest that names them."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        manifest = {path.relative_to(folder).as_posix(): self.put_file(path) for path in files}
        if not manifest:
            raise InvalidInput(f"{folder} holds no files.")
        return self.put_bytes(msgspec.json.encode(manifest, order="sorted"))

    def manifest(self, sha: str) -> dict[str, str]:
        """File names and their hashes of a stored folder."""
        try:
            return msgspec.json.decode(self.read(sha), type=dict[str, str])
        except msgspec.DecodeError:
            raise InvalidInput(f"Artifact {sha[:12]} is a file, not a folder.") from None

    def checkout(self, sha: str, dest: Path) -> Path:
        """Copy a stored folder to `dest` (made if needed), every hash checked; `dest`."""
        from shutil import copyfile

        for name, file_sha in self.manifest(sha).items():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise InvalidInput(f"The manifest {sha[:12]} names a file outside its folder: {name}.")
            target = dest / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copyfile(self.path(file_sha), target)
        return dest

    def path(self, sha: str) -> Path:
        """Where the file lies, after its content was checked. Raises NotFound, or InvalidInput when it was altered."""
        place = self._find(sha)
        with place.open("rb") as file:
            if _file_sha256(file) != sha:
                raise _altered(sha)
        return place

    def read(self, sha: str) -> bytes:
        """The bytes, checked."""
        data = self._find(sha).read_bytes()
        if _sha256(data) != sha:
            raise _altered(sha)
        return data

    def size(self, sha: str) -> int:
        """Bytes of a stored file."""
        return self._find(sha).stat().st_size

    def folder_size(self, sha: str) -> int:
        """Bytes of all files of a stored folder."""
        return sum(self.size(file) for file in self.manifest(sha).values())

    def has(self, sha: str) -> bool:
        return self._place(sha).exists()

    def stored_at(self, sha: str) -> float:
        """When this content was stored last, in seconds since the epoch. Raises NotFound."""
        return self._find(sha).stat().st_mtime

    def remove(self, sha: str) -> None:
        """Take a file away for good. Only for content that nobody names, stored so long ago that nobody is about to."""
        self._find(sha).unlink(missing_ok=True)

    def _renew(self, place: Path) -> bool:
        """Whether the content is there; then it counts as stored just now, so that no collector takes it before it is named."""
        try:
            os.utime(place)
        except FileNotFoundError:
            return False
        except PermissionError:  # of another member of the group: it is there, which is what was asked
            return place.exists()
        return True

    def _find(self, sha: str) -> Path:
        place = self._place(sha)
        if not place.is_file():
            raise NotFound(
                f"Artifact {sha[:12]} is not in the store.",
                hint="It may have been removed by `mlops gc`; restore a backup.",
            )
        return place

    def _place(self, sha: str) -> Path:
        if len(sha) != 64 or not all(c in "0123456789abcdef" for c in sha):
            raise InvalidInput(f"{sha[:20]!r} is not an artifact's hash.")
        return self.root / sha[:2] / sha[2:]

    def _stage(self) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        return self.root / f".{os.getpid()}-{os.urandom(8).hex()}"

    def _keep(self, staged: Path, digest: str) -> None:
        place = self._place(digest)
        if self._renew(place):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        staged.chmod(0o440)
        sync_file(staged)
        staged.replace(place)
        sync_folder(place.parent)


def _sha256(data: bytes) -> str:
    import hashlib  # OpenSSL takes 4 ms to load, and most commands hash nothing

    return hashlib.sha256(data).hexdigest()


def _file_sha256(file: BufferedReader) -> str:
    import hashlib

    return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_hashed(source: Path, dest: Path) -> str:
    """Copy and hash in one pass, so that the hash is of what was stored even if the source changes meanwhile."""
    import hashlib

    digest = hashlib.sha256()
    with source.open("rb") as reader, dest.open("wb") as writer:
        while chunk := reader.read(1 << 20):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()


def _altered(sha: str) -> InvalidInput:
    return InvalidInput(
        f"Artifact {sha[:12]} was altered on disk: its content no longer has that hash.",
        hint="Restore it from a backup; it will not be used.",
    )
