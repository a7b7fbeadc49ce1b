"""The two places runs and models go to: a tracking server, and the folder of files (`mlruns`) that MLflow calls its file store."""

from __future__ import annotations

import math
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.experiments.arrivals import Series
from mlops_tui.transfer.mlflow_folder import STATUS, named_folders
from mlops_tui.transfer.mlflow_models_write import FolderModels, ServerModels, write_meta, write_texts
from mlops_tui.transfer.mlflow_server import Server, proxied

_BATCH = 1000
_PARAMS = 100
_DEFAULT = "Default"


@dataclass(frozen=True, slots=True)
class Leaving:
    """A run on its way to MLflow."""

    id: str
    experiment: str
    name: str
    user: str
    status: str
    started_at: int
    ended_at: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    series: Iterable[Series]
    files: Iterable[tuple[str, Path]]


class ServerTarget(ServerModels):
    """Runs through the REST API; their files through the artifact proxy, where the server has one."""

    def __init__(self, server: Server, tag: str) -> None:
        super().__init__(server, tag)
        self._experiments: dict[str, str] = {}

    def known(self, experiment: str) -> dict[str, str]:
        number = self._experiment(experiment)

        def read(token: str) -> dict[str, Any]:
            wanted = {"experiment_ids": [number], "filter": f"tags.`{self._tag}` != ''", "max_results": 1000}
            return self._server.post("runs/search", {**wanted, "page_token": token})

        found = {}
        for run in self._server.pages(read, "runs"):
            tags = {one["key"]: one["value"] for one in run["data"].get("tags") or []}
            if run["info"]["status"] == "RUNNING":  # an export that was broken off
                self._server.post("runs/delete", {"run_id": run["info"]["run_id"]})
            else:
                found[tags[self._tag]] = run["info"]["run_id"]
        return found

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            try:
                answer = self._server.get("experiments/get-by-name", {"experiment_name": name})
                self._experiments[name] = answer["experiment"]["experiment_id"]
            except NotFound:
                self._experiments[name] = self._server.post("experiments/create", {"name": name})["experiment_id"]
        return self._experiments[name]

    def put(self, run: Leaving) -> str:
        """The run is RUNNING there until all of it has arrived; one that breaks off is deleted by the next export."""
        tags = [{"key": key, "value": value} for key, value in run.tags.items()]
        begin = {"experiment_id": self._experiment(run.experiment), "start_time": run.started_at, "run_name": run.name}
        made = self._server.post("runs/create", {**begin, "user_id": run.user, "tags": tags})["run"]["info"]
        try:
            self._fill(made["run_id"], made.get("artifact_uri") or "", run)
        except (InvalidInput, NotFound):
            self._server.post("runs/delete", {"run_id": made["run_id"]})
            raise
        end = {"run_id": made["run_id"], "status": run.status, "end_time": run.ended_at or run.started_at}
        self._server.post("runs/update", end)
        return str(made["run_id"])

    def _fill(self, run_id: str, uri: str, run: Leaving) -> None:
        params = [{"key": key, "value": value} for key, value in run.params.items()]
        for start in range(0, len(params), _PARAMS):
            self._server.post("runs/log-batch", {"run_id": run_id, "params": params[start : start + _PARAMS]})
        for key, points in run.series:
            shown = [{"key": key, "value": _number(value), "timestamp": ts, "step": step} for value, ts, step in points]
            for start in range(0, len(shown), _BATCH):
                self._server.post("runs/log-batch", {"run_id": run_id, "metrics": shown[start : start + _BATCH]})
        root = proxied(uri)
        for path, file in run.files:
            if root is None:
                raise InvalidInput(f"the server takes no files: it keeps those of runs at {uri[:100]}")
            self._server.upload(f"{root}/{path}", file)


def _number(value: float) -> float | str:
    """As proto-JSON has it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class FolderTarget(FolderModels):
    """Runs as folders. A run is written under a hidden name and renamed when it is complete."""

    def __init__(self, root: Path, tag: str) -> None:
        super().__init__(root, tag)
        self._folders: dict[str, Path] = {}

    def known(self, experiment: str) -> dict[str, str]:
        folder = self._experiment(experiment)
        found = {}
        for tag in folder.glob(f"*/tags/{self._tag}"):
            if not tag.parent.parent.name.startswith("."):
                found[tag.read_text(encoding="utf-8")] = tag.parent.parent.name
        return found

    def _experiment(self, name: str) -> Path:
        if name in self._folders:
            return self._folders[name]
        self._root.mkdir(parents=True, exist_ok=True)
        if not self._folders:
            self._folders = dict(named_folders(self._root))
        if _DEFAULT not in self._folders:
            self._make(_DEFAULT, "0")
        if name not in self._folders:
            self._make(name, str(secrets.randbelow(9 * 10**17) + 10**17))
        return self._folders[name]

    def _make(self, name: str, number: str) -> None:
        folder = self._root / number
        folder.mkdir()
        now = int(time.time() * 1000)
        meta = {"artifact_location": folder.resolve().as_uri(), "creation_time": now, "experiment_id": number}
        write_meta(folder, {**meta, "last_update_time": now, "lifecycle_stage": "active", "name": name})
        self._folders[name] = folder

    def put(self, run: Leaving) -> str:
        run_id = secrets.token_hex(16)
        experiment = self._experiment(run.experiment)
        staged, final = experiment / f".{run_id}", experiment / run_id
        try:
            for name in ("params", "metrics", "tags", "artifacts"):
                (staged / name).mkdir(parents=True)
            write_texts(staged / "params", run.params)
            write_texts(staged / "tags", run.tags)
            for key, points in run.series:
                write_texts(staged / "metrics", {key: "".join(f"{ts} {value} {step}\n" for value, ts, step in points)})
            for path, file in run.files:
                target = staged / "artifacts" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            write_meta(staged, _facts(run, run_id, experiment.name, (final / "artifacts").absolute().as_uri()))
            staged.replace(final)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        return run_id


def _facts(run: Leaving, run_id: str, experiment: str, uri: str) -> dict[str, Any]:
    return {
        "artifact_uri": uri,
        "end_time": run.ended_at,
        "entry_point_name": "",
        "experiment_id": experiment,
        "lifecycle_stage": "active",
        "run_id": run_id,
        "run_name": run.name,
        "source_name": "",
        "source_type": 4,
        "source_version": "",
        "start_time": run.started_at,
        "status": STATUS.index(run.status),
        "tags": [],
        "user_id": run.user,
    }
