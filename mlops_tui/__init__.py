"""The whole life of a model on one machine, in a terminal.

    import mlops_tui as mlops

    with mlops.start_run(experiment="churn") as run:
        run.log_metric("loss", 0.31)

Names are loaded on first use (PEP 562), so that importing the package costs a training script nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlops_tui._version import __version__

if TYPE_CHECKING:
    from mlops_tui.autologging.epochs import callback, log_epoch
    from mlops_tui.autologging.watching import autolog
    from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, Unavailable, WorkbenchError
    from mlops_tui.sdk import (
        ActiveRun,
        active_run,
        attach_run,
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
        open,
        set_tag,
        set_tags,
        start_run,
    )
    from mlops_tui.studies.running import optimize
    from mlops_tui.workbench import Workbench

__all__ = [
    "ActiveRun",
    "AlreadyExists",
    "InvalidInput",
    "NotAllowed",
    "NotFound",
    "Unavailable",
    "Workbench",
    "WorkbenchError",
    "__version__",
    "active_run",
    "attach_run",
    "autolog",
    "callback",
    "log_artifact",
    "log_dict",
    "log_epoch",
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
    "optimize",
    "set_tag",
    "set_tags",
    "start_run",
]

_ERRORS = {"AlreadyExists", "InvalidInput", "NotAllowed", "NotFound", "Unavailable", "WorkbenchError"}
_HOMES = {
    "Workbench": "workbench",
    "autolog": "autologging.watching",
    "callback": "autologging.epochs",
    "log_epoch": "autologging.epochs",
    "optimize": "studies.running",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "core.errors" if name in _ERRORS else _HOMES.get(name, "sdk")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
