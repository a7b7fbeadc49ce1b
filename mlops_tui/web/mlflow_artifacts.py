"""MLflow's artifact proxy: files of runs, logged models and model versions, streamed in and out.

    <experiment>/<run>/artifacts/<path>            files of a run
    <experiment>/models/<model id>/artifacts/<path>  files of a logged model
    packages/<hash>/<path>                         files of a model version, which never change

A path is looked up in an index and content lies under its hash, so nothing that a client sends ever becomes a path on the disk.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.web.asgi import Gone, Receive, Send
from mlops_tui.workbench import Workbench

PACKAGES = "packages"
_CHUNK = 1 << 20

Call = Callable[[Callable[[Workbench], Any]], Any]


class Artifactory:
    """Streams bodies and hashes them in threads; what touches the databases goes through `call`, which has the workbench."""

    def __init__(self, workspace: Workspace, call: Call) -> None:
        self._workspace = workspace
        self._store = Artifacts(workspace.artifacts)
        self._call = call

    async def put(self, path: str, receive: Receive) -> None:
        """Take a body in under `path`. Raises NotFound, InvalidInput before a byte of it was read."""
        owner, name = owner_of(path)
        if owner.startswith(PACKAGES):
            raise InvalidInput("The files of a model version cannot be changed.")
        self._call(lambda bench: bench.experiments.remote.files.check(owner, name))
        staged = self._workspace.tmp / f"upload-{uuid.uuid4().hex}"
        try:
            size = await drain(receive, staged)
            sha = await asyncio.to_thread(self._store.put_file, staged)
        except OSError as error:
            raise Unavailable(f"The artifact could not be kept: {error.strerror}.", hint="Check the disk.") from error
        finally:
            staged.unlink(missing_ok=True)
        self._call(lambda bench: bench.experiments.remote.files.keep(owner, name, sha, size))

    async def get(self, path: str, send: Send) -> None:
        """Send the bytes of a file, its hash checked first. Raises NotFound, InvalidInput."""
        owner, name = owner_of(path)
        sha = self._call(lambda bench: _sha_of(bench, owner, name))
        file = await asyncio.to_thread(self._store.path, sha)
        size = file.stat().st_size
        # Never shown by a browser, whatever it holds: a page in it would act in our name.
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", str(size).encode()),
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        with file.open("rb") as content:
            while chunk := await asyncio.to_thread(content.read, _CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def list(self, path: str) -> dict[str, Any]:
        """The files right under a folder; nothing for a file or a folder that is not there."""
        owner, folder = owner_of(path, whole=True)
        found: dict[str, Any] = self._call(lambda bench: folder_page(bench, owner, folder))
        return found

    def delete(self, path: str) -> None:
        """Forget a file, or a folder with all in it."""
        owner, name = owner_of(path, whole=True)
        if owner.startswith(PACKAGES):
            raise InvalidInput("The files of a model version cannot be changed.")
        self._call(lambda bench: bench.experiments.remote.files.remove(owner, name))


def owner_of(path: str, *, whole: bool = False) -> tuple[str, str]:
    """The owner (a run, a logged model, `packages/HASH`) and the path within it; `whole` allows that to be empty.

    Raises InvalidInput for a path that would climb out, also when it is decoded more often, and NotFound for other shapes.
    """
    decoded = path
    for _ in range(5):
        if {".", ".."} & set(decoded.replace("\\", "/").split("/")):
            raise InvalidInput(f"Invalid path: {path[:200]!r}")
        decoded = unquote(decoded)
    parts = path.strip("/").split("/")
    owner, rest = "", parts
    if parts[0] == PACKAGES and len(parts) > 1:
        owner, rest = "/".join(parts[:2]), parts[2:]
    elif len(parts) > 3 and parts[1] == "models" and parts[3] == "artifacts":
        owner, rest = parts[2], parts[4:]
    elif len(parts) > 2 and parts[2] == "artifacts":
        owner, rest = parts[1], parts[3:]
    if not owner or not (rest or whole):
        raise NotFound(f"There is no artifact at {path[:200]!r}.")
    return owner, "/".join(rest)


def folder_page(bench: Workbench, owner: str, folder: str) -> dict[str, Any]:
    """`files` right under a folder of an owner, folders among them."""
    lead = f"{folder.strip('/')}/" if folder.strip("/") else ""
    found: dict[str, dict[str, Any]] = {}
    for path, size in _sizes(bench, owner):
        if path.startswith(lead):
            name, deeper, _ = path[len(lead) :].partition("/")
            found[name] = (
                {"path": name, "is_dir": True} if deeper else {"path": name, "is_dir": False, "file_size": size}
            )
    return {"files": list(found.values())} if found else {}


def _sizes(bench: Workbench, owner: str) -> list[tuple[str, int]]:
    if owner.startswith(PACKAGES):
        artifacts = bench.context.artifacts
        manifest = artifacts.manifest(owner.partition("/")[2])
        return [(path, artifacts.size(sha)) for path, sha in sorted(manifest.items())]
    return [(item.path, item.size) for item in bench.experiments.remote.files.list(owner)]


def _sha_of(bench: Workbench, owner: str, name: str) -> str:
    if not owner.startswith(PACKAGES):
        return bench.experiments.remote.files.find(owner, name)
    sha = bench.context.artifacts.manifest(owner.partition("/")[2]).get(name)
    if sha is None:
        raise NotFound(f"There is no artifact '{name[:200]}' of this version.")
    return sha


async def drain(receive: Receive, to: Path) -> int:
    """Write a request's body to a new file; its bytes."""
    to.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            file.write(chunk)
            if not message.get("more_body", False):
                return size
