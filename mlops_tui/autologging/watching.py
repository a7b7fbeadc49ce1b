"""`mlops.autolog()`: scikit-learn estimators log themselves when they are fitted, and so do XGBoost and LightGBM.

The `fit` of every estimator class is wrapped once, also of classes defined later. What the wrapper adds happens after the real
`fit` has returned, and never raises: the first trouble of a kind is said on stderr. A fit that scikit-learn itself calls (a step
of a pipeline, a candidate of a search, a fold) belongs to the fit around it and is not logged by itself.
"""

from __future__ import annotations

import functools
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlops_tui import sdk
from mlops_tui.autologging import boosters
from mlops_tui.autologging.estimators import Given, log_cross_validation, log_fitted
from mlops_tui.domains.experiments.records import RunState

_FUNCTION = "cross_validate"
_INNER = ("sklearn.", "joblib.", "imblearn.")


@dataclass(frozen=True, slots=True)
class Choices:
    """What `autolog` was asked for."""

    experiment: str
    log_models: bool
    register: str | None
    max_children: int
    tags: dict[str, str]


class _Inside(threading.local):
    """How many watched calls this thread is in."""

    depth: int = 0


_choices: list[Choices] = []  # empty while nothing is logged; the newest call counts
_classes: list[tuple[Any, Any]] = []  # the base with its hook first, then each class with its wrapped fit
_functions: list[tuple[Any, Any]] = []
_inside = _Inside()
_complaints: set[str] = set()


def autolog(
    *,
    disable: bool = False,
    experiment: str = "default",
    log_models: bool = True,
    register: str | None = None,
    max_children: int = 100,
    tags: dict[str, Any] | None = None,
) -> None:
    """Have every scikit-learn estimator log parameters, metrics, plots as data and itself when it is fitted.

    `xgboost.train` and `lightgbm.train` log parameters, their curves while they grow, importance and the model's file.

    Into the active run, else into a run of its own in `experiment`. A search logs its candidates and `cross_validate` its
    folds as child runs, the best `max_children` of them. `register`: the model that each fitted estimator becomes a version of.
    `disable=True` undoes it. Raises Unavailable without scikit-learn.
    """
    if disable:
        _restore()
        return
    from sklearn.base import BaseEstimator

    _choices[:] = [
        Choices(
            experiment, log_models, register, max_children, {key: str(value) for key, value in (tags or {}).items()}
        )
    ]
    if not _classes:
        _watch_classes(BaseEstimator)
        _watch_function()
        _boosters.begin()


def _watch_classes(base: Any) -> None:
    _classes.append((base, vars(base).get("__init_subclass__")))
    for kind in _below(base):
        _wrap(kind)

    def follow(cls: type[Any], /, **kwargs: Any) -> None:
        super(base, cls).__init_subclass__(**kwargs)
        _wrap(cls)

    base.__init_subclass__ = classmethod(follow)


def _below(base: type[Any]) -> Iterator[type[Any]]:
    kind: type[Any]
    for kind in base.__subclasses__():
        yield kind
        yield from _below(kind)


def _wrap(kind: type) -> None:
    fit = vars(kind).get("fit")
    if not callable(fit) or isinstance(fit, (staticmethod, classmethod)) or hasattr(fit, "mlops_original"):
        return

    @functools.wraps(fit)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Nothing but a function by name: a class of `__main__` travels by value, with this in it.
        from mlops_tui.autologging.watching import watch

        return watch(fit, self, args, kwargs)

    watched.mlops_original = fit  # type: ignore[attr-defined]
    kind.fit = watched  # type: ignore[attr-defined]
    _classes.append((kind, watched))


def _watch_function() -> None:
    """Wrap `cross_validate` wherever it was imported to."""
    from sklearn.model_selection import cross_validate

    @functools.wraps(cross_validate)
    def watched(*args: Any, **kwargs: Any) -> Any:
        return watch_cross_validation(cross_validate, args, kwargs)

    for module in list(sys.modules.values()):
        if vars(module).get(_FUNCTION) is cross_validate if hasattr(module, "__dict__") else False:
            setattr(module, _FUNCTION, watched)
            _functions.append((module, cross_validate))


def _restore() -> None:
    _choices.clear()
    for kind, wrapped in _classes[1:]:
        if vars(kind).get("fit") is wrapped:  # somebody may have put another one over it
            kind.fit = wrapped.mlops_original
    for base, hook in _classes[:1]:
        if hook is None:
            del base.__init_subclass__
        else:
            base.__init_subclass__ = hook
    for module, function in _functions:
        setattr(module, _FUNCTION, function)
    _classes.clear()
    _functions.clear()
    _boosters.end()


def watch(fit: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `fit` and log what came out; exactly what it returns or raises comes back."""
    if not _choices or _inside.depth or _is_inner(estimator):
        return fit(estimator, *args, **kwargs)
    choices = _choices[0]
    given = quietly(lambda: Given.of(fit, estimator, args, kwargs))
    with _Logging(choices, type(estimator).__name__) as run, _one_deeper():
        result = fit(estimator, *args, **kwargs)
        if run is not None and given is not None:
            quietly(
                lambda: log_fitted(run, estimator, given, choices.log_models, choices.register, choices.max_children)
            )
    return result


def watch_cross_validation(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `cross_validate` and log its folds; what it returns or raises comes back."""
    if not _choices or _inside.depth:
        return function(*args, **kwargs)
    estimator = args[0] if args else kwargs.get("estimator")
    with _Logging(_choices[0], f"{type(estimator).__name__} cross-validation") as run, _one_deeper():
        result = function(*args, **kwargs)
        if run is not None:
            quietly(lambda: log_cross_validation(run, estimator, result))
    return result


def watch_booster(library: str, train: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a training function and log its booster; exactly what it returns or raises comes back."""
    given = quietly(lambda: boosters.given_to(train, args, kwargs))
    if not _choices or _inside.depth or given is None:
        return train(*args, **kwargs)
    choices = _choices[0]
    with _Logging(choices, f"{library}.train", library) as run, _one_deeper():
        if run is None:
            return train(*args, **kwargs)
        quietly(lambda: run.log_params(boosters.params_of(given)))
        more = quietly(lambda: boosters.with_curves(library, given, kwargs, run, quietly))
        booster = train(*args, **(kwargs if more is None else more))
        quietly(lambda: boosters.log_booster(run, library, booster, choices.log_models))
    return booster


_boosters = boosters.Boosters(watch_booster)


class _Logging:
    """The run to log into: the active one, or one that begins and ends here. None when it cannot be had."""

    def __init__(self, choices: Choices, name: str, library: str = "sklearn") -> None:
        self._choices = choices
        self._name = name
        self._library = library
        self._own: sdk.ActiveRun | None = None

    def __enter__(self) -> sdk.ActiveRun | None:
        active = sdk.active_run()
        if active is not None:
            return active
        tags = {**self._choices.tags, "autolog": self._library}
        self._own = quietly(lambda: sdk.start_run(self._choices.experiment, name=self._name, tags=tags))
        return self._own

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        run = self._own
        if run is None:
            return
        if error is None:
            quietly(run.finish)
        else:
            text = "".join(traceback.format_exception(error))
            quietly(lambda: run.finish(RunState.FAILED, text))


def _is_inner(estimator: Any) -> bool:
    """Whether scikit-learn or joblib calls this fit for another one; in a worker thread nothing else tells."""
    frame = sys._getframe(3)  # noqa: SLF001 - watch, watched, and who called it
    while frame is not None and frame.f_back is not None and frame.f_locals.get("self") is estimator:
        frame = frame.f_back  # the estimator's own fit_predict or fit_transform
    return str(frame.f_globals.get("__name__", "")).startswith(_INNER)


@contextmanager
def _one_deeper() -> Iterator[None]:
    _inside.depth += 1
    try:
        yield
    finally:
        _inside.depth -= 1


def quietly(action: Callable[[], Any]) -> Any:
    """The result, or None with one line on stderr; numpy's random state stays what it was, and no warning gets out."""
    numpy = sys.modules.get("numpy")  # where it is not loaded, nobody has a stream
    state = None if numpy is None else numpy.random.get_state()  # the user's, which must not move
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return action()
    except Exception as error:
        text = f"mlops: autolog left something out: {' '.join(str(error).split())[:300] or type(error).__name__}"
        if text not in _complaints:
            _complaints.add(text)
            try:
                print(text, file=sys.stderr)  # noqa: T201
            except (OSError, ValueError):  # stderr is closed
                pass
        return None
    finally:
        if numpy is not None:
            numpy.random.set_state(state)
