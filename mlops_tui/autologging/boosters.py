"""`mlops.autolog()` for the training functions of XGBoost and LightGBM: parameters, curves as they grow, importance, the model.

Their scikit-learn estimators are logged as all estimators are; what they call within a fit belongs to that fit.
"""

from __future__ import annotations

import functools
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_tui.sdk import ActiveRun

LIBRARIES = ("xgboost", "lightgbm")
_FUNCTION = "train"
_PLACES = {"xgboost": ("xgboost", "xgboost.training"), "lightgbm": ("lightgbm", "lightgbm.engine")}
_FILES = {"xgboost": "model.ubj", "lightgbm": "model.txt"}
_ROUNDS = ("num_boost_round", "early_stopping_rounds", "maximize")

Watch = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
Quietly = Callable[[Callable[[], Any]], Any]


class Boosters:
    """Has `watch` called in place of both training functions, also where a library is imported later."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._wrapped: list[tuple[ModuleType, Any]] = []
        self._finder = _Later(self._wrap)

    def begin(self) -> None:
        """Wrap what is loaded, and wait for the rest."""
        sys.meta_path.insert(0, self._finder)
        for name in LIBRARIES:
            if name in sys.modules:
                self._wrap(name)

    def end(self) -> None:
        """Put the functions back."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        for module, function in self._wrapped:
            setattr(module, _FUNCTION, function)
        self._wrapped.clear()

    def _wrap(self, library: str) -> None:
        original = getattr(sys.modules.get(library), _FUNCTION, None)
        if original is None or hasattr(original, "mlops_original"):
            return
        watch = self._watch

        @functools.wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            return watch(library, original, args, kwargs)

        watched.mlops_original = original  # type: ignore[attr-defined]
        own = set(_PLACES[library])
        for name, module in list(sys.modules.items()):
            # The library's own other modules keep the original: their estimators are watched already.
            if (name in own or not name.startswith(library)) and getattr(module, "__dict__", {}).get(
                _FUNCTION
            ) is original:
                setattr(module, _FUNCTION, watched)
                self._wrapped.append((module, original))


class _Later(MetaPathFinder):
    """Calls back when one of the libraries has been imported."""

    def __init__(self, loaded: Callable[[str], None]) -> None:
        self._loaded = loaded

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in LIBRARIES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Telling(spec.loader, self._loaded)
        return spec


class _Telling(Loader):
    """A loader that says when it is done."""

    def __init__(self, loader: Loader, loaded: Callable[[str], None]) -> None:
        self._loader = loader
        self._loaded = loaded

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._loaded(module.__name__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def given_to(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name. Raises TypeError for a call that would fail anyway."""
    return inspect.signature(function).bind(*args, **kwargs).arguments


def params_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The booster's parameters with how long it was told to learn."""
    params: Any = given.get("params") or {}
    found = dict(params if isinstance(params, Mapping) else dict(params))
    found |= {name: given[name] for name in _ROUNDS if given.get(name) is not None}
    return {key: value for key, value in found.items() if not callable(value)}


def with_curves(
    library: str, given: Mapping[str, Any], kwargs: dict[str, Any], run: ActiveRun, quietly: Quietly
) -> dict[str, Any]:
    """The keyword arguments with a callback more, which logs each round as it ends."""
    if "callbacks" in given and "callbacks" not in kwargs:
        return kwargs  # given by position, which nobody does
    hook = _xgboost_hook(run, quietly) if library == "xgboost" else _lightgbm_hook(run, quietly)
    return {**kwargs, "callbacks": [*(kwargs.get("callbacks") or ()), hook]}


def _xgboost_hook(run: ActiveRun, quietly: Quietly) -> Any:
    from xgboost.callback import TrainingCallback

    class Hook(TrainingCallback):  # type: ignore[misc]
        """Logs the last value of each curve; never asks to stop."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
            last = {
                f"{data}-{name}": _last(values) for data, found in evals_log.items() for name, values in found.items()
            }
            quietly(lambda: run.log_metrics(last, step=epoch) if last else None)
            return False

    return Hook()


def _last(values: Any) -> float:
    """The newest value; of cross-validation, whose values are pairs, the mean."""
    value = values[-1]
    return float(value[0] if isinstance(value, tuple) else value)


def _lightgbm_hook(run: ActiveRun, quietly: Quietly) -> Callable[[Any], None]:
    def hook(env: Any) -> None:
        found = {f"{one[0]}-{one[1]}": one[2] for one in env.evaluation_result_list or ()}
        quietly(lambda: run.log_metrics(found, step=env.iteration) if found else None)

    hook.order = 5  # type: ignore[attr-defined]  # before early stopping, which is 30 and raises
    return hook


def log_booster(run: ActiveRun, library: str, booster: Any, log_models: bool) -> None:
    """Best round, importance and the model's own file of a trained booster."""
    best = _best_round(library, booster)
    if best is not None:
        run.log_metric("best_iteration", best, step=0)
    importance = _importance(library, booster)
    if importance:
        run.log_dict(importance, "importance.json")
    run.set_tags({"estimator": type(booster).__name__, "library": library})
    if log_models and hasattr(booster, "save_model"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _FILES[library]
            booster.save_model(str(path))
            run.log_artifact(path, f"model/{path.name}")


def _best_round(library: str, booster: Any) -> int | None:
    if library == "lightgbm":
        return int(booster.best_iteration) if getattr(booster, "best_iteration", 0) > 0 else None
    try:
        return int(booster.best_iteration)
    except AttributeError:  # no early stopping
        return None


def _importance(library: str, booster: Any) -> dict[str, float]:
    """Gain of each input, largest first."""
    if library == "lightgbm":
        pairs: Iterable[tuple[str, Any]] = zip(booster.feature_name(), booster.feature_importance("gain"), strict=True)
    else:
        pairs = booster.get_score(importance_type="gain").items()
    found = {str(name): float(value) for name, value in pairs}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def curves_of(estimator: Any) -> dict[str, Sequence[float]]:
    """What a fitted scikit-learn estimator of both libraries measured round by round: `validation_0-logloss` and so on."""
    module = type(estimator).__module__.partition(".")[0]
    if module not in LIBRARIES:
        return {}
    try:
        found = estimator.evals_result() if module == "xgboost" else estimator.evals_result_
    except Exception:  # nothing was measured, which both say by an error of their own
        return {}
    return {f"{data}-{name}": values for data, measured in (found or {}).items() for name, values in measured.items()}
