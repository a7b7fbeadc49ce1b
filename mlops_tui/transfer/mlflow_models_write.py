"""Registered models at the two places: over a server's REST API, and as files below `models` of an `mlruns` folder."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.transfer.mlflow_folder import META, texts
from mlops_tui.transfer.mlflow_server import Server

_VERSION = "version-"


@dataclass(frozen=True, slots=True)
class LeavingVersion:
    """A version on its way: `source` is where its files lie there, `run_id` the run there that made it, "" for none."""

    model: str
    number: int
    source: str
    run_id: str
    description: str
    tags: Mapping[str, str]
    stage: str


class ServerModels:
    """Models through the REST API. `tag` names a version here among the tags of a version there."""

    def __init__(self, server: Server, tag: str) -> None:
        self._server = server
        self._tag = tag

    def source(self, run_id: str, folder: str) -> str:
        """The address there of a folder among the files of a run there."""
        info = self._server.get("runs/get", {"run_id": run_id})["run"]["info"]
        return f"{info['artifact_uri'].rstrip('/')}/{folder}"

    def open_model(self, name: str, description: str, tags: Mapping[str, str]) -> tuple[bool, dict[str, int]]:
        """Make it unless it is there: (whether it was made, versions that were exported before: what they are here -> number there)."""
        try:
            self._server.get("registered-models/get", {"name": name})
        except NotFound:
            self._server.post(
                "registered-models/create", {"name": name, "description": description, "tags": _pairs(tags)}
            )
            return True, {}
        wanted = {"filter": f"name = '{name}'", "max_results": 1000}
        found = self._server.pages(
            lambda token: self._server.get("model-versions/search", {**wanted, "page_token": token}), "model_versions"
        )
        return False, {
            tag["value"]: int(one["version"])
            for one in found
            for tag in one.get("tags") or []
            if tag["key"] == self._tag
        }

    def add_version(self, version: LeavingVersion) -> int:
        """Its number there."""
        fields: dict[str, Any] = {
            "name": version.model,
            "source": version.source,
            "description": version.description,
            "tags": _pairs(version.tags),
        }
        if version.run_id:
            fields["run_id"] = version.run_id
        number = int(self._server.post("model-versions/create", fields)["model_version"]["version"])
        if version.stage:
            move = {"name": version.model, "version": str(number), "stage": version.stage}
            self._server.post("model-versions/transition-stage", {**move, "archive_existing_versions": False})
        return number

    def aliases(self, name: str) -> dict[str, int]:
        model = self._server.get("registered-models/get", {"name": name})["registered_model"]
        return {one["alias"]: int(one["version"]) for one in model.get("aliases") or []}

    def set_alias(self, name: str, alias: str, number: int) -> None:
        self._server.post("registered-models/alias", {"name": name, "alias": alias, "version": str(number)})


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


class FolderModels:
    """Models as folders of files. A version is written under a hidden name and renamed when it is complete."""

    def __init__(self, root: Path, tag: str) -> None:
        self._root = root
        self._tag = tag

    def source(self, run_id: str, folder: str) -> str:
        for found in self._root.glob(f"*/{run_id}/artifacts"):
            return (found.absolute() / folder).as_uri()
        raise NotFound(f"There is no run {run_id} in {self._root}.")

    def open_model(self, name: str, description: str, tags: Mapping[str, str]) -> tuple[bool, dict[str, int]]:
        folder = self._model(name)
        made = not (folder / META).is_file()
        if made:
            for inside in ("tags", "aliases"):
                (folder / inside).mkdir(parents=True, exist_ok=True)
            now = int(time.time() * 1000)
            write_texts(folder / "tags", tags)
            facts = {"creation_timestamp": now, "last_updated_timestamp": now, "description": description, "name": name}
            write_meta(folder, facts)
        found = {}
        for version in folder.glob(f"{_VERSION}*"):
            said = texts(version / "tags").get(self._tag)
            if said:
                found[said] = int(version.name.removeprefix(_VERSION))
        return made, found

    def add_version(self, version: LeavingVersion) -> int:
        """Under its own number where that is free, else the next one."""
        folder = self._model(version.model)
        taken = [int(one.name.removeprefix(_VERSION)) for one in folder.glob(f"{_VERSION}*")]
        number = version.number if version.number not in taken else max(taken) + 1
        staged, now = folder / f".{_VERSION}{number}", int(time.time() * 1000)
        try:
            (staged / "tags").mkdir(parents=True)
            write_texts(staged / "tags", version.tags)
            facts = {
                "name": version.model,
                "version": number,
                "creation_timestamp": now,
                "last_updated_timestamp": now,
                "description": version.description,
                "user_id": None,
                "current_stage": version.stage or "None",
                "source": version.source,
                "storage_location": version.source,
                "run_id": version.run_id or None,
                "run_link": None,
                "status": "READY",
                "status_message": None,
            }
            write_meta(staged, facts)
            staged.replace(folder / f"{_VERSION}{number}")
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return number

    def aliases(self, name: str) -> dict[str, int]:
        return {alias: int(text) for alias, text in texts(self._model(name) / "aliases").items()}

    def set_alias(self, name: str, alias: str, number: int) -> None:
        write_texts(self._model(name) / "aliases", {alias: str(number)})

    def _model(self, name: str) -> Path:
        if not re.fullmatch(r"[^/:\\\x00-\x1f]{1,200}", name) or name.startswith("."):
            raise InvalidInput(f"{name[:80]!r} cannot be the name of a folder")
        return self._root / "models" / name


def write_texts(folder: Path, values: Mapping[str, str]) -> None:
    """Values as files under their names. Raises InvalidInput for a name that cannot be a file's."""
    for key, text in values.items():
        target = folder / key
        if not target.resolve().is_relative_to(folder.resolve()) or target.resolve() == folder.resolve():
            raise InvalidInput(f"{key[:80]!r} cannot be the name of a file")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise InvalidInput(
                f"{key[:80]!r} and another name cannot both be files: one is the folder of the other"
            ) from None


def write_meta(folder: Path, facts: Mapping[str, Any]) -> None:
    """The facts as YAML, which JSON's values are."""
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    (folder / META).write_text("\n".join(lines) + "\n", encoding="utf-8")
