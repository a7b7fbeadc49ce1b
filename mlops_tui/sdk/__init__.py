"""What a training script or notebook calls.

    with mlops.start_run(experiment="churn", tags={"team": "growth"}) as run:
        run.log_params({"max_depth": 6})
        run.log_metric("loss", 0.31, step=10)

Each call appends one record to the run's spool segment and returns; a background thread moves records into the database
twice a second. Trouble with the disk is said once on stderr and never raised; a value that is no number is said and left out.
Only `start_run`, `attach_run`, files and snapshots that are not there, and `log_model` raise.
"""

from mlops_tui.sdk.active import ActiveRun, active_run
from mlops_tui.sdk.shortcuts import (
    log_artifact,
    log_dict,
    log_figure,
    log_input,
    log_metric,
    log_metrics,
    log_model,
    log_param,
    log_params,
    log_series,
    log_table,
    log_text,
    set_tag,
    set_tags,
)
from mlops_tui.sdk.starting import attach_run, open, start_run

__all__ = [
    "ActiveRun",
    "active_run",
    "attach_run",
    "log_artifact",
    "log_dict",
    "log_figure",
    "log_input",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "log_series",
    "log_table",
    "log_text",
    "open",
    "set_tag",
    "set_tags",
    "start_run",
]
