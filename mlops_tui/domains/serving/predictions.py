"""Reading the prediction log: Parquet files together with what has not reached them yet.

Order matters: segments are read before the list of files, so a compaction in between shows a row twice (and the id tells),
never not at all.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.ids import prediction_time
from mlops_tui.domains.serving import log
from mlops_tui.domains.serving.records import OWN_COLUMNS, LogFile, Prediction, input_name
from mlops_tui.domains.serving.store import ServingStore

if TYPE_CHECKING:
    import pandas as pd

Label = tuple[int, int, Any]  # known at, received at, value: the greatest is the one that counts


class Predictions:
    """Queries over the log of one workspace. Times are ms, [since, until)."""

    def __init__(self, context: Context, store: ServingStore) -> None:
        self._context = context
        self._store = store

    def find(self, prediction_id: str) -> Prediction | None:
        """Return one prediction with its label, or None."""
        fresh = next((row for row in self._fresh() if row.id == prediction_id), None)
        found = fresh or self._stored_one(prediction_id)
        if found is None:
            return None
        return _labelled(found, self.labels([prediction_id], found.at, found.at + 1).get(prediction_id))

    def newest(self, deployment: str, since: int | None, until: int | None, limit: int) -> list[Prediction]:
        """Return the newest predictions of a deployment, newest first, with their labels."""
        rows = {
            row.id: row
            for row in heapq.nlargest(limit, self._between(deployment, since, until), key=lambda row: (row.at, row.id))
        }
        for file in self._store.files("prediction", deployment, since, until):  # newest first
            oldest_kept = min((row.at for row in rows.values()), default=0)
            if len(rows) >= limit and file.max_at < oldest_kept:
                break
            for row in self._stored(file, since, until, limit):
                rows.setdefault(row.id, row)
            rows = {row.id: row for row in heapq.nlargest(limit, rows.values(), key=lambda row: (row.at, row.id))}
        if not rows:
            return []
        times = [row.at for row in rows.values()]
        labels = self.labels(list(rows), min(times), max(times) + 1)
        return [_labelled(row, labels.get(row.id)) for row in rows.values()]

    def files(
        self, deployment: str, since: int | None = None, until: int | None = None, version: int | None = None
    ) -> list[Path]:
        """Return the Parquet files that may hold predictions of that time, of all versions or of one, oldest first."""
        found = self._store.files("prediction", deployment, since, until, version)
        return [self._context.lake.root / file.path for file in reversed(found)]

    def labelled(self, deployment: str, since: int | None, until: int | None) -> pd.DataFrame:
        """Return answered predictions that have a label, oldest first: id, at, version, prediction, score, label, label_at (as its
        sender says), known_at (when the first label of it came in, by our clock).
        """
        import pandas as pd

        names = ["id", "at", "version", "prediction", "score"]
        fresh = [
            (row.id, row.at, row.version, row.prediction, row.score)
            for row in self._between(deployment, since, until)
            if row.status == 200
        ]
        frames = [pd.DataFrame(fresh, columns=names)] if fresh else []
        files = self._store.files("prediction", deployment, since, until)
        if files:
            frames.append(self._frame(files, since, until))
        if not frames:
            return pd.DataFrame(columns=[*names, "label", "label_at", "known_at"])
        rows = pd.concat(frames, ignore_index=True).drop_duplicates("id")
        labels, known = self._labels(None, since, until)
        rows = rows[rows["id"].isin(labels.keys())].sort_values(["at", "id"], ignore_index=True)
        rows["label"] = [labels[name][2] for name in rows["id"]]
        rows["label_at"] = [labels[name][0] for name in rows["id"]]
        rows["known_at"] = [known[name] for name in rows["id"]]
        return rows

    def labels(self, ids: list[str] | None, since: int | None, until: int | None) -> dict[str, Label]:
        """Return the label that counts of each prediction made in [since, until); only of `ids` when given."""
        return self._labels(ids, since, until)[0]

    def _labels(
        self, ids: list[str] | None, since: int | None, until: int | None
    ) -> tuple[dict[str, Label], dict[str, int]]:
        """The label that counts of each prediction, and when its first one came in (ms)."""
        wanted = set(ids) if ids is not None else None
        latest: dict[str, Label] = {}
        first: dict[str, int] = {}
        for name, label in self._all_labels(ids, since, until):
            if wanted is not None and name not in wanted:
                continue
            first[name] = min(label[1], first.get(name, label[1]))
            if label[:2] >= latest.get(name, (0, 0, None))[:2]:
                latest[name] = label
        return latest, first

    def label_files(self, since: int | None = None) -> list[Path]:
        """Return the Parquet files that may hold labels of predictions made since then, of all deployments."""
        return [self._context.lake.root / file.path for file in self._store.files("label", "", since, None)]

    def _all_labels(self, ids: list[str] | None, since: int | None, until: int | None) -> Iterable[tuple[str, Label]]:
        fresh = [
            (row["id"], (row["at"], record["at"], row["label"]))
            for record in log.pending(self._context.workspace.segments, log.FEEDBACK, self._store.offsets())
            for row in record["rows"]
            if "id" in row  # those that came by key find their predictions in the next compaction
        ]
        files = self._store.files("label", "", since, until)
        stored: list[tuple[str, Label]] = []
        if files:
            where, params = "", [[self._path(file) for file in files]]
            if ids is not None and len(ids) <= 10_000:
                where, params = "WHERE id IN (SELECT unnest(?))", [*params, ids]
            sql = (
                'SELECT id, "at", received_at, text, number, kind FROM read_parquet(?, hive_partitioning=false) '
                f'{where} ORDER BY "at", received_at'
            )
            stored = [
                (row["id"], (row["at"], row["received_at"], _label(row)))
                for row in self._context.lake.query(sql, params)
            ]
        return [*stored, *fresh]

    def _fresh(self) -> Iterable[Prediction]:
        folder, offsets = self._context.workspace.segments, self._store.offsets()
        for record in log.pending(folder, log.PREDICTIONS, offsets):
            yield from log.rows_of(record)

    def _between(self, deployment: str, since: int | None, until: int | None) -> list[Prediction]:
        low, high = since if since is not None else 0, until if until is not None else 2**62
        return [row for row in self._fresh() if row.deployment == deployment and low <= row.at < high]

    def _stored_one(self, prediction_id: str) -> Prediction | None:
        at = prediction_time(prediction_id)
        if at is None:
            return None
        for file in self._store.files_at("prediction", at):
            sql = "SELECT * FROM read_parquet(?, hive_partitioning=false) WHERE id = ?"
            for row in self._context.lake.query(sql, [self._path(file), prediction_id]):
                return _prediction(row, file.deployment)
        return None

    def _stored(self, file: LogFile, since: int | None, until: int | None, limit: int) -> list[Prediction]:
        sql = (
            'SELECT * FROM read_parquet(?, hive_partitioning=false) WHERE "at" >= ? '
            'AND "at" < ? ORDER BY "at" DESC, id DESC LIMIT ?'
        )
        span = [since if since is not None else 0, until if until is not None else 2**62]
        rows = self._context.lake.query(sql, [self._path(file), *span, limit])
        return [_prediction(row, file.deployment) for row in rows]

    def _frame(self, files: list[LogFile], since: int | None, until: int | None) -> pd.DataFrame:
        sql = (
            'SELECT id, "at", version, prediction, _score AS score FROM '
            "read_parquet(?, union_by_name=true, hive_partitioning=false) "
            'WHERE status = 200 AND "at" >= ? AND "at" < ?'
        )
        span = [since if since is not None else 0, until if until is not None else 2**62]
        return self._context.lake.frame(sql, [[self._path(file) for file in files], *span])

    def _path(self, file: LogFile) -> str:
        return str(self._context.lake.root / file.path)


def _prediction(row: dict[str, Any], deployment: str) -> Prediction:
    return Prediction(
        id=row["id"],
        at=row["at"],
        deployment=deployment,
        model=row["_model"],
        version=row["version"],
        latency_ms=round(row["latency_ms"], 3),
        status=row["status"],
        error=row["error"],
        prediction=row["prediction"],
        score=row["_score"],
        inputs={input_name(name): value for name, value in row.items() if name not in OWN_COLUMNS},
        request_id=row["_request_id"],
        marks=row.get("_marks") or "",
    )


def _label(row: dict[str, Any]) -> Any:
    if row["kind"] in {"int", "float"}:
        return int(row["number"]) if row["kind"] == "int" else row["number"]
    return row["text"] == "True" if row["kind"] == "bool" else row["text"]


def _labelled(row: Prediction, label: Label | None) -> Prediction:
    return dataclasses.replace(row, label=label[2], label_at=label[0]) if label else row
