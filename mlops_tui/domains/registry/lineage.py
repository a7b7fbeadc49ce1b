"""Tracing a version to what it was made from, through the rooms below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core.errors import NotFound
from mlops_tui.domains.registry.records import LineageItem, Version

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.features.service import Features


def trace(version: Version, features: Features, experiments: Experiments) -> list[LineageItem]:
    """List run, snapshots, pipeline run and commit; what was removed since is listed with `found` False."""
    items = [_run(version.run_id, experiments)] if version.run_id else []
    items += [_snapshot(reference, features) for reference in version.snapshots]
    if version.pipeline_run:
        items.append(LineageItem("pipeline_run", version.pipeline_run, f"pipeline {version.pipeline}"))
    if version.git_commit:
        items.append(LineageItem("commit", version.git_commit))
    return items


def _run(run_id: str, experiments: Experiments) -> LineageItem:
    try:
        run = experiments.run(run_id)
    except NotFound:
        return LineageItem("run", run_id, "removed since", found=False)
    return LineageItem("run", run_id, f"experiment {run.experiment}, {run.name or run.state}", run.started_at)


def _snapshot(reference: str, features: Features) -> LineageItem:
    try:
        snapshot = features.snapshot(reference)
    except NotFound:
        return LineageItem("snapshot", reference, "removed since", found=False)
    return LineageItem("snapshot", reference, f"{snapshot.rows:,} rows by {snapshot.author}", snapshot.created_at)
