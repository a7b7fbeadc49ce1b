"""Finding and building the estimator a definition names, with an answer that helps when the name or a setting is wrong."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from mlops_tui.core import ids
from mlops_tui.core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.recipe import Recipe


# Their `n_jobs` has no effect any more, and they warn about it.
_ONE_JOB = ("sklearn.linear_model.LogisticRegression",)


def resolve(name: str) -> type[Any]:
    """Import a class by its full name; InvalidInput with the nearest one, Unavailable when its package is not installed."""
    module_name, _, class_name = name.rpartition(".")
    top = module_name.partition(".")[0]
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == top:
            raise Unavailable(f"The estimator {name} needs the package {top!r}.", hint=f"pip install {top}") from error
        hint = (
            f"Write the full name, such as {top}.ensemble.RandomForestRegressor." if top == "sklearn" else "Check it."
        )
        raise InvalidInput(f"There is no module {error.name!r} for the estimator {name}.", hint=hint) from error
    found = getattr(module, class_name, None)
    if not inspect.isclass(found) or not hasattr(found, "fit"):
        classes = [key for key, value in vars(module).items() if inspect.isclass(value) and hasattr(value, "fit")]
        near = ids.nearest(class_name, classes)
        hint = f"Did you mean '{module_name}.{near}'?" if near else f"{module_name} has: {', '.join(classes[:12])}."
        raise InvalidInput(f"{module_name} has no estimator {class_name!r}.", hint=hint)
    return found


def build(recipe: Recipe, seed: int = 0) -> Any:
    """Build the unfitted estimator of a recipe; all unknown settings in one InvalidInput.

    `random_state` is set when the estimator has one and the recipe does not, so that a run can be repeated.
    """
    kind = resolve(recipe.model.estimator)
    params = dict(recipe.model.params)
    known = parameter_names(kind)
    if known is not None:
        _check_names(params, known, kind.__name__, "[model.params]")
        if "random_state" in known:
            params.setdefault("random_state", seed)
        if "n_jobs" in known and recipe.resources.jobs > 1 and not recipe.model.estimator.startswith(_ONE_JOB):
            params.setdefault("n_jobs", recipe.resources.jobs)
    try:
        estimator = kind(**params)
        _check_task(estimator, recipe)
        _check_values(estimator)
    except (TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise InvalidInput(
            f"{kind.__name__} does not take these settings: {text}.", hint="See [model.params]."
        ) from error
    _check_names(recipe.tune.space, known or list(recipe.tune.space), kind.__name__, "[tune.space]")
    return estimator


def shares_work(recipe: Recipe) -> bool:
    """Whether fitting the estimator hands work to joblib."""
    return recipe.resources.jobs > 1 and "n_jobs" in (parameter_names(resolve(recipe.model.estimator)) or [])


def parameter_names(kind: type[Any]) -> list[str] | None:
    """The names a constructor takes; None when it takes anything."""
    parameters = inspect.signature(kind.__init__).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return [name for name in parameters if name != "self"]


def _check_names(given: dict[str, Any], known: list[str], owner: str, section: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        near = [
            f"'{name}' (did you mean '{ids.nearest(name, known)}'?)" for name in unknown if ids.nearest(name, known)
        ]
        plain = [f"'{name}'" for name in unknown if not ids.nearest(name, known)]
        text = ", ".join(near + plain)
        raise InvalidInput(f"{section}: {owner} has no setting {text}.", hint=f"It has: {', '.join(known)}.")


def _check_task(estimator: Any, recipe: Recipe) -> None:
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

    asks = {
        "classification": is_classifier,
        "regression": is_regressor,
        "clustering": is_clusterer,
        "anomaly": is_outlier_detector,
    }
    wanted = "classification" if recipe.classes else recipe.model.task
    try:
        found = [task for task, ask in asks.items() if ask(estimator)]
    except Exception:  # an estimator that does not follow scikit-learn's tags cannot be judged here
        return
    if found and wanted not in found:
        raise InvalidInput(
            f"{type(estimator).__name__} is for {found[0]}, the task is {recipe.model.task}.",
            hint="Change [model] task or estimator.",
        )
    needed = {"clustering": "predict", "anomaly": "decision_function"}.get(wanted)
    if needed and not hasattr(type(estimator), needed) and not hasattr(estimator, needed):
        hint = "Use KMeans, MiniBatchKMeans, BisectingKMeans, Birch or a mixture model."
        hint = hint if wanted == "clustering" else "Use IsolationForest, or LocalOutlierFactor with novelty = true."
        raise InvalidInput(f"{type(estimator).__name__} cannot judge new rows, so it cannot serve.", hint=hint)


def _check_values(estimator: Any) -> None:
    # scikit-learn checks values only in fit; its own check is asked here so that a mistake costs no data work.
    check = getattr(estimator, "_validate_params", None)
    if check is not None and hasattr(estimator, "_parameter_constraints"):
        check()
