"""Training loops that report by the epoch: an object with the hooks of Keras, and one function for loops of one's own."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from mlops_tui import sdk
from mlops_tui.autologging.watching import quietly
from mlops_tui.domains.experiments.records import RunState


def log_epoch(epoch: int, logs: Mapping[str, Any] | None = None, **more: Any) -> None:
    """Keep the values of an epoch in the active run, at step `epoch`: `log_epoch(3, loss=0.2, val_loss=0.3)`.

    Never raises: training goes on whatever happens. What is no number, and having no run, is said once on stderr.
    """
    quietly(lambda: _active().log_metrics({**(logs or {}), **more}, step=int(epoch)))


def _active() -> sdk.ActiveRun:
    run = sdk.active_run()
    if run is None:
        raise LookupError("no run is being logged to; start one with mlops.start_run(...)")
    return run


def callback(*, experiment: str = "default", name: str = "", tags: Mapping[str, Any] | None = None) -> EpochCallback:
    """A callback for `model.fit(..., callbacks=[mlops.callback()])` of Keras, or for a loop that calls it by hand.

    It logs into the active run, else into a run of its own in `experiment`, which begins with the training and ends with it.
    """
    return EpochCallback(experiment, name, dict(tags or {}))


class EpochCallback:
    """`on_train_begin`, `on_epoch_end(epoch, logs)` and `on_train_end` as Keras calls them; every other hook does nothing.

    Never raises into the training. As a context manager it ends its run as failed when the loop within it raises.
    """

    def __init__(self, experiment: str, name: str, tags: dict[str, Any]) -> None:
        self._experiment = experiment
        self._name = name
        self._tags = tags
        self._own: sdk.ActiveRun | None = None
        self.model: Any = None
        self.params: Mapping[str, Any] = {}

    @property
    def run(self) -> sdk.ActiveRun | None:
        """The run that is logged to; begun when there is none. None when it cannot be had."""
        active = sdk.active_run()
        if active is not None:
            return active
        if self._own is None or self._own.ended:
            tags = {**self._tags, "autolog": "callback"}
            self._own = quietly(lambda: sdk.start_run(self._experiment, name=self._name, tags=tags))
        return self._own

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: Mapping[str, Any] | None) -> None:
        self.params = params or {}

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Begin, with what Keras says of the training."""
        run = self.run
        if run is not None:
            quietly(lambda: run.log_params(_facts(self.params, self.model)))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the values of an epoch."""
        run = self.run
        if run is not None:
            quietly(lambda: run.log_metrics({**(logs or {}), **_rate(self.model)}, step=int(epoch)))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """End the run, if it is our own."""
        self._end(None)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("on_"):
            return _nothing
        raise AttributeError(name)

    def __enter__(self) -> Self:
        self.on_train_begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        run, self._own = self._own, None
        if run is None or run.ended:
            return
        if error is None:
            quietly(run.finish)
        else:
            words = "".join(traceback.format_exception(error))
            quietly(lambda: run.finish(RunState.FAILED, words))


def _nothing(*args: Any, **kwargs: Any) -> None:
    """A hook that is not needed."""


def _facts(params: Mapping[str, Any], model: Any) -> dict[str, Any]:
    found = {key: value for key, value in params.items() if isinstance(value, (str, int, float, bool))}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        found["optimizer"] = type(optimizer).__name__
    return found


def _rate(model: Any) -> dict[str, float]:
    """The learning rate, where the model's optimizer has one that is a number now."""
    rate = getattr(getattr(model, "optimizer", None), "learning_rate", None)
    try:
        return {} if rate is None else {"learning_rate": float(rate)}
    except (TypeError, ValueError):  # a schedule
        return {}
