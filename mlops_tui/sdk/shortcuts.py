"""The methods of the active run as functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.sdk.active import ActiveRun, active_run

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version


def _active() -> ActiveRun:
    run = active_run()
    if run is None:
        raise InvalidInput("No run is being logged to.", hint="Start one: with mlops.start_run(experiment=...) as run:")
    return run


def log_param(key: str, value: Any) -> None:
    """`ActiveRun.log_param` of the active run; InvalidInput when there is none. So are the functions below."""
    _active().log_param(key, value)


def log_params(params: Mapping[str, Any]) -> None:
    """See `ActiveRun.log_params`."""
    _active().log_params(params)


def log_metric(key: str, value: Any, step: int | None = None, *, at: int | None = None) -> None:
    """See `ActiveRun.log_metric`."""
    _active().log_metric(key, value, step, at=at)


def log_metrics(metrics: Mapping[str, Any], step: int | None = None, *, at: int | None = None) -> None:
    """See `ActiveRun.log_metrics`."""
    _active().log_metrics(metrics, step, at=at)


def set_tag(key: str, value: Any) -> None:
    """See `ActiveRun.set_tag`."""
    _active().set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """See `ActiveRun.set_tags`."""
    _active().set_tags(tags)


def log_series(key: str, values: Iterable[Any], steps: Iterable[int] | None = None, *, at: int | None = None) -> None:
    """See `ActiveRun.log_series`."""
    _active().log_series(key, values, steps, at=at)


def log_table(data: Any, name: str) -> None:
    """See `ActiveRun.log_table`."""
    _active().log_table(data, name)


def log_input(data: Any, name: str = "", *, context: str = "training") -> None:
    """See `ActiveRun.log_input`."""
    _active().log_input(data, name, context=context)


def log_artifact(path: str | Path, name: str | None = None) -> None:
    """See `ActiveRun.log_artifact`."""
    _active().log_artifact(path, name)


def log_text(text: str, name: str) -> None:
    """See `ActiveRun.log_text`."""
    _active().log_text(text, name)


def log_dict(data: Any, name: str) -> None:
    """See `ActiveRun.log_dict`."""
    _active().log_dict(data, name)


def log_figure(figure: Any, name: str) -> None:
    """See `ActiveRun.log_figure`."""
    _active().log_figure(figure, name)


def log_model(estimator: Any, name: str = "model", *, sample: Any = None, **about: Any) -> Version | None:
    """See `ActiveRun.log_model`."""
    return _active().log_model(estimator, name, sample=sample, **about)
