"""The runs and models of an MLflow tracking server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.experiments.arrivals import Kept, Series
from mlops_tui.domains.experiments.remote_records import DataInput, LoggedModel, ModelPoint
from mlops_tui.transfer.mlflow_server import Server, proxied
from mlops_tui.transfer.mlflow_source import Found, FoundModel, FoundVersion, Group, data_input

_STATUS = "LOGGED_MODEL_"


class RestStore:
    """Reads a server page by page; a run's facts come with the page, its histories and files when it is loaded."""

    def __init__(self, server: Server, store: Artifacts, tmp: Path) -> None:
        self._server = server
        self._store = store
        self._tmp = tmp
        self._seen: dict[str, dict[str, Any]] = {}

    def groups(self) -> list[Group]:
        def read(token: str) -> dict[str, Any]:
            return self._server.post(
                "experiments/search", {"max_results": 1000, "view_type": "ALL", "page_token": token}
            )

        found = [
            Group(one["experiment_id"], one["name"], one.get("lifecycle_stage") == "deleted", _pairs(one.get("tags")))
            for one in self._server.pages(read, "experiments")
        ]
        return sorted(found, key=lambda group: (len(group.id), group.id))

    def runs(self, group: Group) -> Iterator[tuple[str, str, str]]:
        def read(token: str) -> dict[str, Any]:
            fields = {
                "experiment_ids": [group.id],
                "max_results": 500,
                "order_by": ["start_time ASC"],
                "run_view_type": "ALL",
            }
            return self._server.post("runs/search", {**fields, "page_token": token})

        for run in self._server.pages(read, "runs"):
            info = run["info"]
            stamp = f"{info.get('status')} {info.get('end_time')} {info.get('lifecycle_stage')}"
            if not info.get("end_time"):  # it may still grow
                stamp += f" {max((int(one['timestamp']) for one in run.get('data', {}).get('metrics', ())), default=0)}"
            self._seen[info["run_id"]] = run
            yield info["run_id"], info.get("run_name") or info["run_id"][:8], stamp

    def run(self, group: Group, run_id: str) -> Found:
        run = self._seen.pop(run_id, None) or self._server.get("runs/get", {"run_id": run_id})["run"]
        info, data = run["info"], run.get("data", {})
        return Found(
            id=run_id,
            group=group,
            name=info.get("run_name") or run_id[:8],
            user=info.get("user_id") or "",
            status=str(info.get("status")),
            started_at=int(info["start_time"]),
            ended_at=int(info["end_time"]) if info.get("end_time") else None,
            deleted=info.get("lifecycle_stage") == "deleted",
            uri=info.get("artifact_uri") or "",
            params=_pairs(data.get("params")),
            tags={**_pairs(data.get("tags")), "\0metrics": "\n".join(one["key"] for one in data.get("metrics") or [])},
            inputs=[_input(one) for one in (run.get("inputs") or {}).get("dataset_inputs") or []],
            outputs=[one["model_id"] for one in (run.get("outputs") or {}).get("model_outputs") or []],
        )

    def series(self, run: Found) -> Iterator[Series]:
        for key in filter(None, run.tags["\0metrics"].split("\n")):

            def read(token: str, key: str = key) -> dict[str, Any]:
                fields = {"run_id": run.id, "metric_key": key, "max_results": 25_000}
                return self._server.get("metrics/get-history", {**fields, **({"page_token": token} if token else {})})

            yield (
                key,
                [
                    (float(one["value"]), int(one["timestamp"]), int(one.get("step") or 0))
                    for one in self._server.pages(read, "metrics")
                ],
            )

    def files(self, run: Found) -> list[Kept] | None:
        root = proxied(run.uri)
        if root is not None:
            return self._through_proxy(root)
        try:
            return [self._kept(path, self._of_run(run.id, path)) for path in self._listed(run.id, "")]
        except NotFound:
            return None

    def _listed(self, run_id: str, folder: str) -> Iterator[str]:
        for one in self._server.get("artifacts/list", {"run_id": run_id, "path": folder}).get("files") or []:
            if one.get("is_dir"):
                yield from self._listed(run_id, one["path"])
            else:
                yield one["path"]

    @staticmethod
    def _of_run(run_id: str, path: str) -> str:
        return f"/get-artifact?{urlencode({'run_id': run_id, 'path': path})}"

    def _through_proxy(self, root: str) -> list[Kept]:
        found = []
        for path, _ in self._server.list_files(root):
            with tempfile.NamedTemporaryFile(dir=self._tmp, prefix="import-") as room:
                size = self._server.download(path, Path(room.name))
                found.append((path[len(root) :].lstrip("/"), self._store.put_file(Path(room.name)), size))
        return found

    def _kept(self, path: str, address: str) -> Kept:
        with tempfile.NamedTemporaryFile(dir=self._tmp, prefix="import-") as room:
            size = self._server.fetch(address, Path(room.name))
            return path, self._store.put_file(Path(room.name)), size

    def models(self, run: Found) -> list[tuple[LoggedModel, list[Kept]]]:
        found = []
        for model_id in run.outputs:
            try:
                said = self._server.get(f"logged-models/{model_id}")["model"]
            except NotFound:  # deleted there
                continue
            root = proxied(said["info"].get("artifact_uri") or "")
            found.append((_model(said), [] if root is None else self._through_proxy(root)))
        return found

    def registered(self) -> list[FoundModel]:
        def read(token: str) -> dict[str, Any]:
            return self._server.get(
                "registered-models/search", {"max_results": 100, **({"page_token": token} if token else {})}
            )

        return [self._registered(one) for one in self._server.pages(read, "registered_models")]

    def _registered(self, one: dict[str, Any]) -> FoundModel:
        name = one["name"]
        quoted = name.replace("'", "''")

        def read(token: str) -> dict[str, Any]:
            fields = {"filter": f"name='{quoted}'", "max_results": 1000, **({"page_token": token} if token else {})}
            return self._server.get("model-versions/search", fields)

        versions = [
            FoundVersion(
                *(
                    int(each["version"]),
                    each.get("source") or "",
                    each.get("run_id") or "",
                    each.get("current_stage") or "",
                ),
                each.get("description") or "",
                _pairs(each.get("tags")),
            )
            for each in self._server.pages(read, "model_versions")
        ]
        aliases = {each["alias"]: int(each["version"]) for each in one.get("aliases") or []}
        versions.sort(key=lambda each: each.number)
        return FoundModel(name, one.get("description") or "", _pairs(one.get("tags")), aliases, versions)


def _pairs(items: Any) -> dict[str, str]:
    return {one["key"]: one.get("value") or "" for one in items or []}


def _input(one: dict[str, Any]) -> DataInput:
    return data_input((one.get("dataset") or {}).get, _pairs(one.get("tags")))


def _model(said: dict[str, Any]) -> LoggedModel:
    info, data = said["info"], said.get("data") or {}
    points = [
        ModelPoint(
            *(
                one["key"],
                float(one["value"]),
                int(one["timestamp"]),
                int(one.get("step") or 0),
                one.get("run_id") or "",
            ),
            *(one.get("dataset_name") or "", one.get("dataset_digest") or ""),
        )
        for one in data.get("metrics") or []
    ]
    return LoggedModel(
        id=info["model_id"],
        experiment_id=0,
        name=info["name"],
        run_id="",
        kind=info.get("model_type") or "",
        status=str(info.get("status") or "READY").removeprefix(_STATUS),
        params=_pairs(data.get("params")),
        tags=_pairs(info.get("tags")),
        created_at=int(info["creation_timestamp_ms"]),
        updated_at=int(info["last_updated_timestamp_ms"]),
        created_by="",
        metrics=points,
    )
