"""Uploads in several parts, as MLflow's client sends large files with MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true.

    POST mpu/create/<folder>    {path, num_parts} -> an id and an address for each part
    PUT  mpu/part/<id>/<n>      the bytes of a part -> ETag
    POST mpu/complete/<folder>  {path, upload_id, parts}: the file appears whole, or not at all
    POST mpu/abort/<folder>     {path, upload_id}

The parts of an upload lie in a folder of its own under the workspace's tmp, named by a random id; one that nobody completed in a
day is removed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import shutil
import time
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.web.asgi import Receive
from mlops_tui.web.mlflow_artifacts import PACKAGES, Call, drain, owner_of
from mlops_tui.web.mlflow_ask import Ask

PARTS = "/api/2.0/mlflow-artifacts/mpu/"
MOST = 10_000
_DAY_S = 86_400
_ID = re.compile(r"[0-9a-f]{32}")
_FACTS = "upload.json"


class Upload(msgspec.Struct):
    """What is known of an upload from its beginning."""

    owner: str
    name: str
    parts: int


class Parts:
    """Takes parts and puts them together."""

    def __init__(self, workspace: Workspace, call: Call) -> None:
        self._workspace = workspace
        self._store = Artifacts(workspace.artifacts)
        self._call = call

    def create(self, folder: str, ask: Ask, base: str) -> dict[str, Any]:
        """Begin an upload; `base` is the address under which the client reached us. Raises NotFound, InvalidInput."""
        owner, name = self._target(folder, ask)
        count = ask.number("num_parts", 1)
        if not 1 <= count <= MOST:
            raise InvalidInput(
                f"Invalid value {count} for parameter 'num_parts' supplied. It must be from 1 to {MOST}."
            )
        self._remove_old()
        upload_id = secrets.token_hex(16)
        place = self._place(upload_id)
        try:
            place.mkdir(parents=True, mode=0o700)
            (place / _FACTS).write_bytes(msgspec.json.encode(Upload(owner, name, count)))
        except OSError as error:
            raise _disk(error) from error
        address = f"{base}{PARTS}part/{upload_id}/"
        credentials = [{"url": f"{address}{n}", "part_number": n, "headers": {}} for n in range(1, count + 1)]
        return {"upload_id": upload_id, "credentials": credentials}

    async def part(self, path: str, receive: Receive) -> str:
        """Take one part in; its ETag. A part that is sent again replaces the earlier one."""
        upload_id, _, number = path.partition("/")
        upload, place = self._upload(upload_id)
        if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= upload.parts:
            raise NotFound(f"This upload has no part {number[:20]!r}.")
        staged = place / f"{int(number)}.{secrets.token_hex(4)}"
        try:
            await drain(receive, staged)
            digest = await asyncio.to_thread(_sha256, staged)
            staged.replace(place / f"{int(number)}")
        except OSError as error:
            raise _disk(error) from error
        finally:
            staged.unlink(missing_ok=True)
        return digest

    async def complete(self, folder: str, ask: Ask) -> None:
        """Make the parts one file. Raises InvalidInput when one is missing or is not what its ETag says."""
        upload, place = self._upload(ask.text("upload_id"))
        if self._target(folder, ask) != (upload.owner, upload.name):
            raise InvalidInput("The upload was begun for another file.")
        said = {one.number("part_number"): one.text("etag", "") for one in ask.items("parts")}
        if set(said) != set(range(1, upload.parts + 1)):
            raise InvalidInput(f"An upload of {upload.parts} parts is completed with parts 1 to {upload.parts}.")
        whole = place / "whole"
        try:
            size = await asyncio.to_thread(_join, place, said, whole)
            sha = await asyncio.to_thread(self._store.put_file, whole)
        except OSError as error:
            raise _disk(error) from error
        finally:
            whole.unlink(missing_ok=True)
        self._call(lambda bench: bench.experiments.remote.files.keep(upload.owner, upload.name, sha, size))
        shutil.rmtree(place, ignore_errors=True)

    def abort(self, ask: Ask) -> None:
        """Forget an upload with its parts. Raises NotFound."""
        _, place = self._upload(ask.text("upload_id"))
        shutil.rmtree(place, ignore_errors=True)

    def _target(self, folder: str, ask: Ask) -> tuple[str, str]:
        """The owner and the name of the file: in this folder, called as the client's own file."""
        name = PurePosixPath(ask.text("path").replace("\\", "/")).name
        owner, path = owner_of(f"{folder.strip('/')}/{name}")
        if owner.startswith(PACKAGES):
            raise InvalidInput("The files of a model version cannot be changed.")
        return owner, str(self._call(lambda bench: bench.experiments.remote.files.check(owner, path)))

    def _place(self, upload_id: str) -> Path:
        if not _ID.fullmatch(upload_id):
            raise NotFound(f"There is no upload {upload_id[:40]!r}.")
        return self._workspace.tmp / f"mpu-{upload_id}"

    def _upload(self, upload_id: str) -> tuple[Upload, Path]:
        place = self._place(upload_id)
        try:
            return msgspec.json.decode((place / _FACTS).read_bytes(), type=Upload), place
        except FileNotFoundError:
            raise NotFound(f"There is no upload {upload_id!r}; it may have been completed or aborted.") from None

    def _remove_old(self) -> None:
        for place in self._workspace.tmp.glob("mpu-*"):
            if place.stat().st_mtime < time.time() - _DAY_S:
                shutil.rmtree(place, ignore_errors=True)


def _join(place: Path, said: dict[int, str], whole: Path) -> int:
    size = 0
    with whole.open("wb") as out:
        for number, etag in sorted(said.items()):
            part = place / str(number)
            if not part.is_file():
                raise InvalidInput(f"Part {number} was not uploaded.")
            if etag and etag.strip('"') != _sha256(part):
                raise InvalidInput(f"Part {number} is not the one that was uploaded.")
            with part.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            size += part.stat().st_size
    return size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _disk(error: OSError) -> Unavailable:
    return Unavailable(f"The artifact could not be kept: {error.strerror}.", hint="Check the disk.")
