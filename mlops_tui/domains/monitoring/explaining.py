"""What a drift is about: which columns matter, since when, where, and what they did to the answers. Reads the log, asks the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.core.errors import InvalidInput, NotFound, WorkbenchError
from mlops_tui.domains.monitoring import effects, locating
from mlops_tui.domains.monitoring.changing import change_point
from mlops_tui.domains.monitoring.effects import LOOKED_AT
from mlops_tui.domains.monitoring.explained import Effect, Explanation, Moved, Since

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.monitoring.monitors import Monitor
    from mlops_tui.domains.monitoring.records import FeatureDrift, Report
    from mlops_tui.domains.monitoring.store import MonitoringStore
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

REPORTS = 200
ROWS = 2000
LEAST = 60
TIMEOUT_S = 60.0
"""How long the model is waited for, while other deployments wait for their checks."""


class Explainer:
    """Explains reports of deployments."""

    def __init__(self, context: Context, registry: Registry, serving: Serving, store: MonitoringStore) -> None:
        self._context = context
        self._registry = registry
        self._serving = serving
        self._store = store

    def explain(self, monitor: Monitor, number: int | None) -> Explanation:
        """The explanation of a report, or of the newest one with columns. Raises NotFound, InvalidInput."""
        history = [one for one in self._store.reports(monitor.deployment, REPORTS) if one.features]
        report = self._chosen(monitor.deployment, number, history)
        version = self._registry.version(f"{report.model}/{report.version}")
        profile = self._registry.profile(version.ref) or {"columns": {}}
        before = [one for one in reversed(history) if one.version == report.version and one.id <= report.id]
        return self._explained(report, before, version, profile)

    def _explained(
        self, report: Report, before: Sequence[Report], version: Version, profile: dict[str, Any]
    ) -> Explanation:
        columns = [one for one in report.features if one.drifted]
        kept = _importance(self._registry.evidence(version.ref).explanation)
        moved = [_moved(one, before) for one in columns]
        window, earlier = self._rows(report, list(profile["columns"]), moved)
        said = self._asked(version, profile, window, moved, kept) if columns else {}
        importance: dict[str, float] = kept or said.get("reliance", {})
        notes = _about_importance(kept, importance) if columns else []
        if earlier.empty and columns:
            notes.append("There are no predictions from before the change, so it cannot be said where it happened.")
        moved = sorted((_weighed(one, importance) for one in moved), key=lambda one: -one.weight)
        moved = [locating.located(one, earlier, window) for one in moved[:LOOKED_AT]] + moved[LOOKED_AT:]
        known = said.get("effects", {})
        together = said.get("together")
        return Explanation(
            report=report.id,
            deployment=report.deployment,
            version=report.version,
            at=report.at,
            moved=[
                dataclasses.replace(one, effect=Effect(**known[one.name])) if one.name in known else one
                for one in moved
            ],
            answers=_answers(report.prediction),
            together=Effect(**together) if together else None,
            weighted=bool(importance),
            notes=list(dict.fromkeys([*notes, *said.get("notes", [])])),
        )

    def _asked(
        self,
        version: Version,
        profile: dict[str, Any],
        window: pd.DataFrame,
        moved: Sequence[Moved],
        importance: dict[str, float],
    ) -> dict[str, Any]:
        """What the model says, see `effects.told`; or why it says nothing."""
        sizes = {one.name: one.size for one in moved}
        order = {"profile": profile, "window": window, "sizes": sizes, "importance": importance}
        try:
            return self._registry.ask(version.ref, effects.told, order, timeout_s=TIMEOUT_S)
        except WorkbenchError as error:
            return {"notes": [effects.unasked(error)]}

    def _chosen(self, name: str, number: int | None, history: Sequence[Report]) -> Report:
        if number is None:
            if not history:
                raise InvalidInput(
                    f"No report of '{name}' compared columns yet.", hint=f"Check now: mlops monitors run {name}"
                )
            return history[0]
        found = self._store.report(number)
        if found is None or found.deployment != name:
            raise NotFound(f"'{name}' has no report {number}.", hint=f"See them: mlops monitors show {name}")
        if not found.features:
            raise InvalidInput(f"Report {number} compared no columns.", hint=f"See others: mlops monitors show {name}")
        return found

    def _rows(self, report: Report, inputs: list[str], moved: Sequence[Moved]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The window of the report, and predictions of the same version from before the change (else before the window)."""
        if report.since is None or report.until is None:
            return pd.DataFrame(), pd.DataFrame()
        begun = [one.since.first for one in moved if one.since is not None and not one.since.at_start]
        change = min([*begun, report.since])
        files = self._serving.prediction_files(report.deployment, None, report.until + 1, report.version)
        read = [
            self._read(files, report.version, inputs, span) for span in ((report.since, report.until + 1), (0, change))
        ]
        return read[0], read[1] if len(read[1]) >= LEAST else read[1].head(0)

    def _read(self, files: Sequence[Path], version: int, inputs: list[str], span: tuple[int, int]) -> pd.DataFrame:
        return locating.rows(self._context.lake, files, version, inputs, span, ROWS)


def _importance(explanation: dict[str, Any]) -> dict[str, float]:
    """How much of the model's skill rests on each column, as shares; empty where the version kept none."""
    listed = explanation.get("importance")
    found = {
        str(one["column"]): max(0.0, float(one["mean"]))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and isinstance(one.get("mean"), float | int) and "column" in one
    }
    total = sum(found.values())
    return {name: value / total for name, value in found.items()} if total > 0 else {}


def _about_importance(kept: dict[str, float], used: dict[str, float]) -> list[str]:
    if kept:
        return []
    if used:
        return ["The version kept no importances; the shares are how far its answers go when a column is mixed up."]
    return ["The version kept no importances, so columns are ranked by how far they moved alone."]


def _moved(column: FeatureDrift, history: Sequence[Report]) -> Moved:
    return Moved(column.name, column.size, None, 0.0, words(column), _since(column, history))


def _weighed(one: Moved, importance: dict[str, float]) -> Moved:
    weight = effects.weight(one.size, one.name, importance)
    return dataclasses.replace(one, importance=importance.get(one.name), weight=weight)


def words(column: FeatureDrift) -> str:
    """How a column moved, in a few words."""
    said = []
    if column.note.startswith("It is no longer sent"):
        return "is no longer sent"
    if column.mean is not None and column.mean_reference is not None:
        verb = "rose" if column.mean > column.mean_reference else "fell"
        said.append(f"mean {verb} from {column.mean_reference:.4g} to {column.mean:.4g}")
    elif column.bins and column.reference and column.current:
        said += [
            f"{column.bins[place]} {column.reference[place]:.0%} -> {column.current[place]:.0%}"
            for place in _furthest(column)
        ]
    if column.nulls - column.nulls_reference > 0.01:
        said.append(f"missing {column.nulls_reference:.1%} -> {column.nulls:.1%}")
    if column.new_share > 0.01:
        what = "beyond the range of the training data" if column.kind == "numeric" else "levels never seen in training"
        said.append(f"{column.new_share:.1%} {what}")
    return ", ".join(said) or "its distribution changed"


def _furthest(column: FeatureDrift) -> list[int]:
    moves = np.abs(np.asarray(column.current) - np.asarray(column.reference))
    return [int(place) for place in np.argsort(-moves, kind="stable")[:2] if moves[place] > 0.005]


def _since(column: FeatureDrift, history: Sequence[Report]) -> Since | None:
    """The window at which the column changed. The training data stands before the first window, as one of the same size."""
    seen = []
    for report in history:
        found = next((one for one in report.features if one.name == column.name and one.bins == column.bins), None)
        if found is not None and found.current and report.since is not None:
            seen.append((report, np.asarray(found.current) * report.rows))
    if not seen or not column.reference:
        return None
    rows = float(np.median([report.rows for report, _ in seen]))
    change = change_point(np.vstack([np.asarray(column.reference) * rows, *(counts for _, counts in seen)]))
    if change is None:
        return None
    place, first, last = (seen[at - 1][0] for at in (change.place, change.first, change.last))
    earlier = seen[change.first - 2][0] if change.first > 1 else None
    began = (earlier.until if earlier is not None else first.since) or 0
    return Since(place.since or 0, began, last.since or 0, len(seen), change.p, change.place == 1)


def _answers(prediction: FeatureDrift | None) -> str:
    """What became of the answers themselves."""
    if prediction is None:
        return ""
    if not prediction.drifted:
        return "The answers as a whole are distributed as at training."
    return f"The answers moved as well: {words(prediction)}."
