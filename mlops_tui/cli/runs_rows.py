"""Runs as rows of a table: what every command about runs shows of them."""

from __future__ import annotations

import dataclasses
from typing import Any

from mlops_tui.cli.output import say
from mlops_tui.core import clock
from mlops_tui.core.errors import Unavailable
from mlops_tui.domains.experiments.records import Run
from mlops_tui.workbench import Workbench

NO_RUNS = "No runs yet. Log one: with mlops_tui.start_run(experiment='first') as run: run.log_metric('loss', 0.3)"
COLUMNS = [
    ("id", "Run"),
    ("experiment", "Experiment"),
    ("name", "Name"),
    ("state", "State"),
    ("started_at", "Started"),
    ("duration", "Took"),
    ("user", "User"),
]
METRIC_COLUMNS = [
    ("key", "Name"),
    ("value", "Latest"),
    ("step", "Step"),
    ("min", "Min"),
    ("max", "Max"),
    ("count", "Points"),
]


def refresh(workbench: Workbench) -> None:
    """Take in what running or dead scripts left; a list is shown even where that cannot be done."""
    try:
        workbench.experiments.sweep()
    except Unavailable as error:
        say(f"What is new was not taken in: {error.message}")


def fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def as_row(run: Run) -> dict[str, Any]:
    row = fields(run)
    row["duration_ms"] = run.duration
    row["duration"] = clock.duration(run.duration)
    return row
