"""What turned out to be true: taken in by id or by key, read with the predictions, handed on as a feature table."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.service import Features
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving import feedback, log, publishing
from mlops_tui.domains.serving.predictions import Predictions
from mlops_tui.domains.serving.records import Deployment, Signature
from mlops_tui.domains.serving.reporting import Reporting
from mlops_tui.domains.serving.waiting_store import WaitingStore

if TYPE_CHECKING:
    import pandas as pd

    from mlops_tui.domains.features.records import Snapshot


class Labelling(Reporting):
    """Labels of answered predictions."""

    def __init__(self, context: Context, registry: Registry, features: Features) -> None:
        super().__init__(context, registry)
        self._features = features
        self._predictions = Predictions(context, self._store)

    def labelled(self, name: str, since: int | None = None, until: int | None = None) -> pd.DataFrame:
        """Return predictions of [since, until) with a label: id, at, version, prediction, score, label, label_at."""
        return self._predictions.labelled(name, since, until)

    def label_files(self, since: int | None = None) -> builtins.list[Path]:
        """Return the Parquet files that may hold labels of predictions made since then (ms), of all deployments together."""
        return self._predictions.label_files(since)

    def feedback(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Record true values: rows of `id` (or `prediction_id`) and `label`, and perhaps `at` (ms or ISO 8601).

        Instead of an id a row may have `deployment`, `key` (values of model inputs, or `request_id`) and perhaps `time`: it
        is a label of the newest prediction with that key made then or before, also of one that the log does not hold yet.
        A later label of the same prediction replaces an earlier one. All rows are taken or, on InvalidInput, none.
        """
        now = self._context.now()
        checked = feedback.checked(rows, now)
        inputs: dict[str, builtins.list[str]] = {}
        for row in checked:
            if "key" in row:
                name = row["deployment"]
                if name not in inputs:
                    deployment = self._one(name)
                    version = self._registry.version(f"{deployment.model}/{deployment.versions[0].version}")
                    inputs[name] = [column.name for column in Signature.of(version.signature).inputs]
                feedback.check_key(row, inputs[name])
        feedback.append(self._context.workspace.segments, checked, now)
        return len(checked)

    def labels_waiting(self, name: str) -> int:
        """How many labels that came by key have found no prediction yet. Raises NotFound."""
        known = self._one(name).name
        fresh = [
            row
            for record in log.pending(self._context.workspace.segments, log.FEEDBACK, self._store.offsets())
            for row in record["rows"]
            if row.get("deployment") == known
        ]
        return len(fresh) + WaitingStore(self._context).count(known)

    def publish_labels(self, name: str, into: str) -> Snapshot | None:
        """Append what is known to be true to a feature table, made when it is not there; None when it knows all of it.

        Its rows: prediction_id (key), predicted_at (event time), labelled_at (since when it is known), version, prediction,
        score, label. Raises NotFound, InvalidInput (another kind of table).
        """
        self._one(name)
        labelled = self._predictions.labelled(name, None, None)
        if labelled.empty:
            raise NotFound(f"No prediction of {name} has a label yet.", hint="Report some: mlops feedback ID LABEL")
        return publishing.publish(self._features, publishing.table_of(self._features, name, into), labelled)

    def feedback_at(self) -> int | None:
        """Return when labels last reached Parquet, in ms; None when none ever did (cheap, no DuckDB)."""
        return self._store.newest_file("label")

    def _one(self, name: str) -> Deployment:
        found = self._store.find(name)
        if not found:
            names = [deployment.name for deployment in self._store.find()]
            hint = did_you_mean(name, names, "Make one: mlops deployments create NAME MODEL@champion")
            raise NotFound(f"There is no deployment {name!r}.", hint=hint)
        return found[0]
