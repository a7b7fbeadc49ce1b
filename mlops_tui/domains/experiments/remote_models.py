"""Logged models: what a run saved as a model, with an id, a status, parameters, tags and metrics of its own."""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_tui.core.conditions import PRESENCE, Condition, Order, all_of, compared
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.experiments.numbers import in_chunks
from mlops_tui.domains.experiments.records import MAX_PARAM, MAX_TAG
from mlops_tui.domains.experiments.remote_experiments import check_label, check_texts
from mlops_tui.domains.experiments.remote_records import LoggedModel, ModelPoint
from mlops_tui.domains.experiments.remote_runs import RemoteRuns

ATTRIBUTES = {
    "name": "m.name",
    "model_id": "m.id",
    "model_type": "m.kind",
    "status": "m.status",
    "source_run_id": "m.run_id",
    "creation_timestamp": "m.created_at",
    "creation_time": "m.created_at",
    "last_updated_timestamp": "m.updated_at",
    "last_updated_time": "m.updated_at",
}
READY = "READY"
STATUSES = ("PENDING", READY, "UPLOAD_FAILED")
_LATEST = """SELECT {} FROM metrics.model_metric p WHERE p.model = m.id AND p.name = ?{}
    AND NOT EXISTS (SELECT 1 FROM metrics.model_metric q WHERE q.model = p.model AND q.name = p.name{}
    AND (q.step, q.ts) > (p.step, p.ts))"""
DataSets = Sequence[tuple[str, str]]
"""(name, digest); an empty digest is any."""


class LoggedModels:
    """Models by id (`m-` and 32 hex digits). NotFound for one that is not there."""

    def __init__(self, context: Context, audit: Audit, runs: RemoteRuns) -> None:
        self._context = context
        self._audit = audit
        self._runs = runs

    def create(
        self, experiment_id: int, name: str, run_id: str, kind: str, params: Mapping[str, str], tags: Mapping[str, str]
    ) -> LoggedModel:
        """Add a pending model. Raises InvalidInput for a name with `/`, `:` and the like, NotFound for its run."""
        name = name or f"model-{secrets.token_hex(4)}"
        check_label("model", name, 250)
        if any(letter in name for letter in "/:.%\"'"):
            raise InvalidInput(
                f"Invalid model name ({name!r}) provided: it must not contain '/', ':', '.', '%', '\"' or \"'\"."
            )
        check_texts("parameter", params, MAX_PARAM)
        check_texts("tag", tags, MAX_TAG)
        if run_id:
            self._runs.number(run_id)
        model_id, now = f"m-{secrets.token_hex(16)}", self._context.now()
        with self._context.catalog.write() as tx:
            tx.execute(
                "INSERT INTO logged_model VALUES (?, ?, ?, ?, ?, 'PENDING', ?, ?, ?, ?, ?)",
                (
                    *(model_id, experiment_id, name, run_id, kind, json.dumps(dict(params)), json.dumps(dict(tags))),
                    *(now, now, self._context.actor),
                ),
            )
        return self.get(model_id)

    def get(self, model_id: str) -> LoggedModel:
        found = self._read("m.id = ?", [model_id])
        if not found:
            raise NotFound(f"Logged model with ID '{model_id[:80]}' not found.")
        return found[0]

    def finish(self, model_id: str, status: str) -> LoggedModel:
        """Set the status. The files of a model that is ready are files of its run too, under the model's name."""
        if status not in STATUSES:
            raise InvalidInput(f"{status[:40]!r} is no status of a logged model.")
        model = self.get(model_id)
        self._change(model_id, "status = ?", status)
        if status == READY and model.run_id:
            number = self._runs.number(model.run_id)
            with self._context.metrics.write() as tx:
                tx.execute(
                    "INSERT OR REPLACE INTO artifact SELECT ?, ? || '/' || path, sha, size, logged_at FROM model_file WHERE model = ?",
                    (number, model.name, model_id),
                )
        return self.get(model_id)

    def delete(self, model_id: str) -> None:
        """Remove a logged model. Its files stay with its run."""
        model = self.get(model_id)
        with self._context.catalog.write() as tx:
            tx.execute("DELETE FROM logged_model WHERE id = ?", (model_id,))
            self._audit.note(tx, "delete", "logged model", model_id, before={"name": model.name, "run": model.run_id})
        with self._context.metrics.write() as tx:
            tx.execute("DELETE FROM model_file WHERE model = ?", (model_id,))
            tx.execute("DELETE FROM model_metric WHERE model = ?", (model_id,))

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None:
        check_texts("parameter", params, MAX_PARAM)
        with self._context.catalog.write():
            self._change(model_id, "params = ?", json.dumps({**self.get(model_id).params, **params}))

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> LoggedModel:
        check_texts("tag", tags, MAX_TAG)
        with self._context.catalog.write():
            self._change(model_id, "tags = ?", json.dumps({**self.get(model_id).tags, **tags}))
        return self.get(model_id)

    def remove_tag(self, model_id: str, key: str) -> None:
        with self._context.catalog.write():
            tags = self.get(model_id).tags
            if tags.pop(key, None) is None:
                raise NotFound(f"No tag with key {key[:80]!r} found for model with ID {model_id!r}.")
            self._change(model_id, "tags = ?", json.dumps(tags))

    def log_metrics(self, points: Sequence[tuple[str, ModelPoint]]) -> None:
        """Keep points of models (id, point); a repeated one changes nothing."""
        if not points:
            return
        with self._context.metrics.write() as tx:
            tx.executemany(
                "INSERT OR REPLACE INTO model_metric VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        model,
                        p.name,
                        p.step,
                        p.ts,
                        None if math.isnan(p.value) else p.value,
                        p.run_id,
                        p.dataset,
                        p.digest,
                    )
                    for model, p in points
                ],
            )

    def search(
        self,
        experiments: Sequence[int],
        conditions: Sequence[Condition],
        orders: Sequence[Order],
        limit: int,
        offset: int,
        data_sets: DataSets = (),
    ) -> list[LoggedModel]:
        """Models of these experiments that meet all conditions; without an order the newest first.

        With data sets only metrics of those count in conditions, and a model must have one.
        """
        places = ", ".join("?" * len(experiments))
        parts: list[tuple[str, Sequence[str | float]]] = [(f"m.experiment_id IN ({places})", list(experiments))]
        if data_sets and not any(condition.entity == "metric" for condition in conditions):
            within, named = _within("p", data_sets)
            parts.append((f"EXISTS (SELECT 1 FROM metrics.model_metric p WHERE p.model = m.id{within})", named))
        where, values = all_of([*parts, *(_condition(condition, data_sets) for condition in conditions)])
        by: list[str] = []
        more: list[str | float] = []
        for order in orders:
            direction = "ASC" if order.ascending else "DESC"
            if order.entity == "metric":
                sought, given = _latest("p.value", order.key, data_sets)
                by += [f"({sought} LIMIT 1) IS NULL", f"({sought} LIMIT 1) {direction}"]
                more += [*given, *given]
            elif order.key in ATTRIBUTES:
                by.append(f"{ATTRIBUTES[order.key]} {direction}")
            else:
                raise InvalidInput(f"Logged models cannot be ordered by {order.key[:80]!r}.")
        tail = f"ORDER BY {', '.join([*by, 'm.created_at DESC', 'm.id'])} LIMIT {limit:d} OFFSET {offset:d}"
        return self._read(where, [*values, *more], tail)

    def _change(self, model_id: str, column: str, value: str) -> None:
        with self._context.catalog.write() as tx:
            changed = tx.execute(
                f"UPDATE logged_model SET {column}, updated_at = ? WHERE id = ?", (value, self._context.now(), model_id)
            )
            if not changed.rowcount:
                raise NotFound(f"Logged model with ID '{model_id[:80]}' not found.")

    def _read(self, where: str, values: Sequence[Any], tail: str = "") -> list[LoggedModel]:
        rows = self._context.across(f"SELECT m.* FROM logged_model m WHERE {where} {tail}", values)
        points: dict[str, list[ModelPoint]] = {}
        sql = "SELECT model, name, value, ts, step, run_id, dataset, digest FROM model_metric WHERE model IN ({}) ORDER BY name, step, ts"
        for model, name, value, *rest in in_chunks(self._context.metrics.read, sql, [row["id"] for row in rows]):
            points.setdefault(model, []).append(ModelPoint(name, math.nan if value is None else value, *rest))
        return [_model(row, points.get(row["id"], [])) for row in rows]


def _within(alias: str, data_sets: DataSets) -> tuple[str, list[str | float]]:
    """A condition that a metric is about one of the data sets; empty without any."""
    if not data_sets:
        return "", []
    one = f"({alias}.dataset = ? AND ? IN ('', {alias}.digest))"
    return f" AND ({' OR '.join([one] * len(data_sets))})", [text for pair in data_sets for text in pair]


def _latest(what: str, key: str, data_sets: DataSets) -> tuple[str, list[str | float]]:
    """A SELECT of the newest point of a metric of model `m`, with its values."""
    (outer, given), (inner, again) = _within("p", data_sets), _within("q", data_sets)
    return _LATEST.format(what, outer, inner), [key, *given, *again]


def _condition(condition: Condition, data_sets: DataSets) -> tuple[str, list[str | float]]:
    if condition.entity == "attribute":
        if condition.key not in ATTRIBUTES:
            raise InvalidInput(f"Logged models have no attribute {condition.key[:80]!r}.")
        return compared(ATTRIBUTES[condition.key], condition)
    if condition.entity == "metric":
        text, values = compared("p.value", condition)
        sought, given = _latest("1", condition.key, data_sets)
        return f"EXISTS ({sought} AND {text})", [*given, *values]
    column = f"json_extract(m.{'params' if condition.entity == 'param' else 'tags'}, ?)"
    path = '$."' + condition.key.replace('"', "") + '"'
    if condition.op in PRESENCE:
        return f"{column} {condition.op}", [path]
    text, values = compared(column, condition)
    return text, [path, *values]


def _model(row: sqlite3.Row, metrics: list[ModelPoint]) -> LoggedModel:
    fields = dict(row)
    fields["params"], fields["tags"] = json.loads(fields["params"]), json.loads(fields["tags"])
    return LoggedModel(**fields, metrics=metrics)
