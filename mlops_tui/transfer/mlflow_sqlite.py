"""MLflow's SQLite file, opened for reading only."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.domains.experiments.arrivals import Kept, Series
from mlops_tui.domains.experiments.remote_records import DataInput, LoggedModel, ModelPoint
from mlops_tui.transfer.mlflow_places import Places, keep_folder
from mlops_tui.transfer.mlflow_source import Found, FoundModel, FoundVersion, Group, data_input

_LARGEST = 1.7976931348623157e308  # what MLflow writes for an infinity
_MODEL_STATUS = ("PENDING", "PENDING", "READY", "UPLOAD_FAILED")
_DELETED_VERSION = "Deleted_Internal"


class SqliteStore:
    """Reads such a file, also of older MLflow versions: a table they lack holds nothing. Raises InvalidInput for another file."""

    def __init__(self, path: Path, store: Artifacts, more: Path | None = None) -> None:
        """`more`: a folder where artifacts may lie beside `mlruns` and `mlartifacts` next to the file."""
        self._store = store
        near = path.resolve().parent
        self._places = Places([near / "mlruns", near / "mlartifacts", *([more] if more else [])])
        try:
            self._db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
            self._tables = {str(row[0]) for row in self._db.execute("SELECT name FROM sqlite_master")}
        except sqlite3.OperationalError as error:
            raise Unavailable(f"{path} cannot be opened: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise InvalidInput(f"{path} is no SQLite file: {error}.") from error
        if not {"experiments", "runs", "metrics"} <= self._tables:
            raise InvalidInput(f"{path} is no database of MLflow: it has no table of runs.")
        self._db.row_factory = sqlite3.Row

    def close(self) -> None:
        self._db.close()

    def _read(self, table: str, rest: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Rows of `SELECT * FROM table ...`; none when an older version had no such table."""
        if table not in self._tables:
            return []
        try:
            return self._db.execute(f"SELECT t.* FROM {table} t {rest}", values).fetchall()
        except sqlite3.DatabaseError as error:
            raise InvalidInput(f"table {table} cannot be read: {error}") from error

    def _pairs(
        self, table: str, where: str, values: Sequence[Any], key: str = "key", value: str = "value"
    ) -> dict[str, str]:
        return {str(row[key]): str(row[value] or "") for row in self._read(table, f"WHERE {where}", values)}

    def groups(self) -> list[Group]:
        return [
            Group(
                str(row["experiment_id"]),
                row["name"],
                row["lifecycle_stage"] == "deleted",
                self._pairs("experiment_tags", "experiment_id = ?", [row["experiment_id"]]),
            )
            for row in self._read("experiments", "ORDER BY experiment_id")
        ]

    def runs(self, group: Group) -> Iterator[tuple[str, str, str]]:
        for row in self._read("runs", "WHERE experiment_id = ? ORDER BY start_time, run_uuid", [int(group.id)]):
            stamp = f"{row['status']} {row['end_time']} {row['lifecycle_stage']}"
            if row["end_time"] is None:  # it may still grow
                stamp += f" {self._points(row['run_uuid'])}"
            yield row["run_uuid"], row["name"] or row["run_uuid"][:8], stamp

    def _points(self, run_id: str) -> int:
        """How many points a run has; -1 in a damaged file, which is said when they are read."""
        try:
            row = self._db.execute("SELECT count(*) FROM metrics WHERE run_uuid = ?", (run_id,)).fetchone()
        except sqlite3.DatabaseError:
            return -1
        return int(row[0])

    def run(self, group: Group, run_id: str) -> Found:
        (row,) = self._read("runs", "WHERE run_uuid = ?", [run_id])
        tags = self._pairs("tags", "run_uuid = ?", [run_id])
        if not isinstance(row["start_time"], int):
            raise InvalidInput("it has no start_time")
        links = self._read("inputs", "WHERE source_id = ? AND destination_type = 'MODEL_OUTPUT'", [run_id])
        return Found(
            id=run_id,
            group=group,
            name=row["name"] or tags.get("mlflow.runName") or run_id[:8],
            user=row["user_id"] or "",
            status=row["status"] or "",
            started_at=row["start_time"],
            ended_at=row["end_time"],
            deleted=row["lifecycle_stage"] == "deleted",
            uri=row["artifact_uri"] or "",
            params=self._pairs("params", "run_uuid = ?", [run_id]),
            tags=tags,
            inputs=list(self._inputs(run_id)),
            outputs=[str(link["destination_id"]) for link in links],
        )

    def _inputs(self, run_id: str) -> Iterator[DataInput]:
        links = "WHERE destination_id = ? AND destination_type = 'RUN' AND source_type = 'DATASET'"
        for link in self._read("inputs", links, [run_id]):
            tags = self._pairs("input_tags", "input_uuid = ?", [link["input_uuid"]], key="name")
            for row in self._read("datasets", "WHERE dataset_uuid = ?", [link["source_id"]]):
                yield data_input(partial(_column, row), tags)

    def series(self, run: Found) -> Iterator[Series]:
        rows = "WHERE run_uuid = ? ORDER BY key, step"
        for key, found in groupby(self._read("metrics", rows, [run.id]), lambda row: str(row["key"])):
            yield key, [(_value(row["value"], row["is_nan"]), row["timestamp"], row["step"]) for row in found]

    def files(self, run: Found) -> list[Kept] | None:
        folder = self._places.folder(run.uri)
        if folder is not None:
            return keep_folder(self._store, folder)
        # MLflow makes a run's folder only for its first file: a missing one beside others holds nothing.
        beside = self._places.folder(run.uri.rsplit("/", 2)[0]) if run.uri.count("/") > 2 else None
        return [] if beside is not None else None

    def models(self, run: Found) -> list[tuple[LoggedModel, list[Kept]]]:
        found = []
        for row in self._read("logged_models", "WHERE source_run_id = ? AND lifecycle_stage = 'active'", [run.id]):
            model_id = row["model_id"]
            points = [_point(p) for p in self._read("logged_model_metrics", "WHERE model_id = ?", [model_id])]
            model = LoggedModel(
                id=model_id,
                experiment_id=0,
                name=row["name"],
                run_id="",
                kind=row["model_type"] or "",
                status=_MODEL_STATUS[row["status"]],
                params=self._pairs("logged_model_params", "model_id = ?", [model_id], "param_key", "param_value"),
                tags=self._pairs("logged_model_tags", "model_id = ?", [model_id], "tag_key", "tag_value"),
                created_at=row["creation_timestamp_ms"],
                updated_at=row["last_updated_timestamp_ms"],
                created_by=run.user,
                metrics=points,
            )
            folder = self._places.folder(row["artifact_location"])
            found.append((model, keep_folder(self._store, folder) if folder else []))
        return found

    def registered(self) -> list[FoundModel]:
        return [
            self._registered(row["name"], row["description"] or "")
            for row in self._read("registered_models", "ORDER BY name")
        ]

    def _registered(self, name: str, description: str) -> FoundModel:
        aliases = {
            row["alias"]: int(row["version"])
            for row in self._read("registered_model_aliases", "WHERE name = ?", [name])
        }
        versions = [
            FoundVersion(
                *(int(row["version"]), row["source"] or "", row["run_id"] or "", row["current_stage"] or ""),
                row["description"] or "",
                self._pairs("model_version_tags", "name = ? AND version = ?", [name, row["version"]]),
            )
            for row in self._read("model_versions", "WHERE name = ? ORDER BY version", [name])
            if row["current_stage"] != _DELETED_VERSION
        ]
        return FoundModel(
            name, description, self._pairs("registered_model_tags", "name = ?", [name]), aliases, versions
        )


def _column(row: sqlite3.Row, name: str) -> Any:
    return row[name if name in ("name", "digest") else f"dataset_{name}"]


def _point(row: sqlite3.Row) -> ModelPoint:
    value = math.nan if row["metric_value"] is None else _value(row["metric_value"], False)
    about = (row["run_id"], row["dataset_name"] or "", row["dataset_digest"] or "")
    return ModelPoint(row["metric_name"], value, row["metric_timestamp_ms"], row["metric_step"], *about)


def _value(value: float, is_nan: Any) -> float:
    if is_nan:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else value
