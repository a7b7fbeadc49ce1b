"""What can be said of a fitted scikit-learn estimator, and how it is put into a run."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.autologging.boosters import curves_of
from mlops_tui.domains.experiments.records import MAX_PARAM, RunState
from mlops_tui.domains.experiments.spool import RunWriter

if TYPE_CHECKING:
    from mlops_tui.sdk import ActiveRun

SAMPLE_ROWS = 200
MEASURED_ROWS = 100_000  # training metrics are of at most so many rows, evenly spaced
CURVE_POINTS = 200
CURVES = ("train_score_", "validation_score_", "validation_scores_", "loss_curve_")


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """What a `fit` was called with; `sample` is a copy of its first rows, taken before the fit can change them."""

    X: Any
    y: Any
    weight: Any
    sample: Any

    @classmethod
    def of(cls, fit: Callable[..., Any], estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Given:
        """Bind the arguments of a call of `fit` by name."""
        bound = inspect.signature(fit).bind(estimator, *args, **kwargs).arguments
        more = bound.get("fit_params") or bound.get("params") or {}
        rows: Any = bound.get("X", bound.get("raw_documents"))
        y = bound.get("y", bound.get("Y"))
        head = rows[:SAMPLE_ROWS]
        return cls(
            rows,
            y,
            bound.get("sample_weight", more.get("sample_weight")),
            head.copy() if hasattr(head, "copy") else head,
        )


def log_fitted(
    run: ActiveRun, estimator: Any, given: Given, log_models: bool, register: str | None, max_children: int
) -> None:
    """Put everything that is known of a fitted estimator into a run. Each part is tried even where another failed.

    Raises the first error that was met, after all parts were tried.
    """
    best = getattr(estimator, "best_estimator_", None)
    judged = estimator if best is None else best
    parts: list[Callable[[], None]] = [
        lambda: run.log_params(params_of(estimator)),
        lambda: run.set_tags({"estimator": type(estimator).__name__, "estimator_class": _class_name(estimator)}),
        lambda: run.log_metrics(training_metrics(judged, given)),
        lambda: _log_curves(run, judged),
        lambda: _log_plots(run, judged, given),
    ]
    if hasattr(estimator, "cv_results_"):
        parts.append(lambda: _log_search(run, estimator, max_children))
    if log_models and hasattr(judged, "predict"):
        parts.append(lambda: _log_model(run, judged, given, register))
    first: Exception | None = None
    for part in parts:
        try:
            part()
        except Exception as error:
            first = first or error
    if first is not None:
        raise first


def params_of(estimator: Any) -> dict[str, str]:
    """Parameters of an estimator and all within it, as text; one that is an estimator is named by its class."""
    found = {}
    for key, value in estimator.get_params(deep=True).items():
        text = type(value).__name__ if hasattr(value, "get_params") and not isinstance(value, type) else str(value)
        found[key[:250]] = text[:MAX_PARAM]
    return found


def training_metrics(estimator: Any, given: Given) -> dict[str, float]:
    """Metrics on the rows it was fitted on, names beginning with `training_`; empty for what predicts nothing.

    Classification: accuracy, weighted precision, recall and F1, log loss and (two classes, or one against the rest) ROC AUC.
    Regression: MSE, RMSE, MAE, R2. Others: their own `score`.
    """
    from sklearn import metrics
    from sklearn.base import is_classifier, is_regressor

    rows, y, weight = _measured(given)
    if y is None or not (is_classifier(estimator) or is_regressor(estimator)):
        score = estimator.score(rows) if y is None and hasattr(estimator, "score") else math.nan
        return {} if math.isnan(score) else {"training_score": float(score)}
    predicted = estimator.predict(rows)
    more: dict[str, Any] = {"sample_weight": weight}
    if is_regressor(estimator):
        mse = metrics.mean_squared_error(y, predicted, **more)
        found = {"mse": mse, "rmse": math.sqrt(mse), "mae": metrics.mean_absolute_error(y, predicted, **more)}
        found["r2"] = metrics.r2_score(y, predicted, **more)
    else:
        kinds = {"average": "weighted", "zero_division": 0, **more}
        found = {
            "accuracy": metrics.accuracy_score(y, predicted, **more),
            "precision": metrics.precision_score(y, predicted, **kinds),
            "recall": metrics.recall_score(y, predicted, **kinds),
            "f1": metrics.f1_score(y, predicted, **kinds),
        }
        if hasattr(estimator, "predict_proba"):
            sure = estimator.predict_proba(rows)
            found["log_loss"] = metrics.log_loss(y, sure, labels=estimator.classes_, **more)
            two = sure[:, 1] if sure.shape[1] == 2 else sure
            found["roc_auc"] = metrics.roc_auc_score(y, two, multi_class="ovr", average="weighted", **more)
    return {f"training_{key}": float(value) for key, value in found.items()}


def _measured(given: Given) -> tuple[Any, Any, Any]:
    rows = given.X.shape[0] if hasattr(given.X, "shape") else len(given.X)
    if rows <= MEASURED_ROWS:
        return given.X, given.y, given.weight
    import numpy as np

    chosen = np.linspace(0, rows - 1, MEASURED_ROWS).astype(int)
    return tuple(None if part is None else _taken(part, chosen) for part in (given.X, given.y, given.weight))  # type: ignore[return-value]


def _taken(part: Any, chosen: Any) -> Any:
    if hasattr(part, "iloc"):
        return part.iloc[chosen]
    return part[chosen] if hasattr(part, "shape") else [part[place] for place in chosen]


def _log_curves(run: ActiveRun, estimator: Any) -> None:
    """What the estimator noted while it learned, step by step: training and validation curves."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    for name in CURVES:
        values: Any = getattr(last, name, None)
        for step, value in enumerate(values if isinstance(values, Sequence) or hasattr(values, "tolist") else ()):
            run.log_metric(name.rstrip("_"), value, step=step)
    for key, curve in curves_of(last).items():
        for step, value in enumerate(curve):
            run.log_metric(key, value, step=step)


def _log_plots(run: ActiveRun, estimator: Any, given: Given) -> None:
    from sklearn.base import is_classifier

    importance = importances(estimator, given.sample)
    if importance:
        run.log_dict(importance, "importance.json")
    if is_classifier(estimator) and given.y is not None:
        rows, y, weight = _measured(given)
        for name, data in class_plots(estimator, rows, y, weight):
            run.log_dict(data, name)


def importances(estimator: Any, sample: Any) -> dict[str, float]:
    """Importance of each input as the estimator gives it (impurity, or the mean absolute coefficient), largest first."""
    import numpy as np

    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    values = getattr(last, "feature_importances_", None)
    if values is None and hasattr(last, "coef_"):
        values = np.abs(np.atleast_2d(np.asarray(getattr(last.coef_, "toarray", lambda: last.coef_)()))).mean(axis=0)
    if values is None:
        return {}
    names = _names(estimator, sample, len(values))
    pairs = sorted(zip(names, map(float, values), strict=True), key=lambda pair: -abs(pair[1]))
    return dict(pairs)


def _names(estimator: Any, sample: Any, count: int) -> list[str]:
    """Names of what the last step sees; places where the steps before it do not say."""
    names: Any = getattr(sample, "columns", None)
    if hasattr(estimator, "steps") and len(estimator.steps) > 1:
        try:
            names = estimator[:-1].get_feature_names_out()
        except Exception:
            names = None
    if names is None or len(names) != count:
        names = [f"x{place}" for place in range(count)]
    return [str(name) for name in names]


def class_plots(estimator: Any, rows: Any, y: Any, weight: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Confusion matrix, ROC and precision-recall curves on the training rows, as data."""
    from sklearn import metrics

    labels = [_plain(label) for label in estimator.classes_]
    matrix = metrics.confusion_matrix(y, estimator.predict(rows), labels=estimator.classes_, sample_weight=weight)
    yield "confusion_matrix.json", {"labels": labels, "rows_are": "truth", "matrix": matrix.tolist()}
    if not hasattr(estimator, "predict_proba"):
        return
    sure = estimator.predict_proba(rows)
    roc, recall = {}, {}
    for place, label in enumerate(estimator.classes_):
        if len(labels) == 2 and place == 0:
            continue
        truth = [value == label for value in y]
        false, true, cuts = metrics.roc_curve(truth, sure[:, place], sample_weight=weight)
        roc[str(label)] = {"fpr": _thin(false), "tpr": _thin(true), "threshold": _thin(cuts)}
        precision, found, _ = metrics.precision_recall_curve(truth, sure[:, place], sample_weight=weight)
        recall[str(label)] = {"precision": _thin(precision), "recall": _thin(found)}
    yield "roc_curve.json", roc
    yield "precision_recall_curve.json", recall


def _thin(values: Any) -> list[float | None]:
    """At most CURVE_POINTS of the values, both ends among them; infinities become null."""
    count = len(values)
    places = (
        range(count) if count <= CURVE_POINTS else [i * (count - 1) // (CURVE_POINTS - 1) for i in range(CURVE_POINTS)]
    )
    return [float(values[place]) if math.isfinite(values[place]) else None for place in places]


def _log_model(run: ActiveRun, estimator: Any, given: Given, register: str | None) -> None:
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

    tasks = {"classification": is_classifier, "regression": is_regressor, "clustering": is_clusterer}
    tasks["anomaly"] = is_outlier_detector
    task = next((name for name, holds in tasks.items() if holds(estimator)), "")
    if not task:
        return
    sample = given.sample.toarray() if hasattr(given.sample, "toarray") else given.sample
    target = getattr(given.y, "name", None)
    run.log_model(estimator, "model", sample=sample, task=task, target=str(target or "target"), register=register)


# -- search and cross-validation ------------------------------------------------------------------------------------------


def _log_search(run: ActiveRun, search: Any, max_children: int) -> None:
    results = search.cv_results_
    run.log_dict({key: [_plain(value) for value in values] for key, values in results.items()}, "cv_results.json")
    if hasattr(search, "best_params_"):
        run.log_params({f"best_{key}": value for key, value in search.best_params_.items()})
    if isinstance(getattr(search, "best_score_", None), float):
        run.log_metric("best_cv_score", search.best_score_)
    rank = next((key for key in results if key.startswith("rank_test_")), None)
    order = (
        range(len(results["params"]))
        if rank is None
        else sorted(range(len(results["params"])), key=lambda i: results[rank][i])
    )
    chosen = list(order)[:max_children]
    if len(chosen) < len(results["params"]):
        run.set_tag(
            "autolog.children", f"the best {len(chosen)} of {len(results['params'])} candidates; all in cv_results.json"
        )
    for place in chosen:
        numbers = {
            key: values[place]
            for key, values in results.items()
            if key.startswith(("mean_", "std_", "rank_", "split")) and _is_number(values[place])
        }
        _child(run, f"candidate {place}", results["params"][place], numbers)


def log_cross_validation(run: ActiveRun, estimator: Any, results: Mapping[str, Any]) -> None:
    """Mean and spread of every score in the run, each fold in a child run."""
    import numpy as np

    run.log_params(params_of(estimator))
    numbers = {
        key: np.asarray(values)
        for key, values in results.items()
        if key.startswith(("test_", "train_")) or "_time" in key
    }
    numbers = {key: values for key, values in numbers.items() if np.issubdtype(values.dtype, np.number)}
    for key, values in numbers.items():
        run.log_metrics({f"mean_{key}": values.mean(), f"std_{key}": values.std()})
    for fold in range(len(next(iter(numbers.values()), ()))):
        _child(run, f"fold {fold}", {"fold": fold}, {key: values[fold] for key, values in numbers.items()})


def _child(run: ActiveRun, name: str, params: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """A finished run below `run`, written in one go: opening a workbench for each of a hundred would take seconds."""
    facts = run.child_facts(name)
    writer = RunWriter(run.workspace, facts.id)
    writer.start(facts)
    writer.params(
        {key: value if not hasattr(value, "get_params") else type(value).__name__ for key, value in params.items()}
    )
    writer.metrics([(key, 0, value) for key, value in metrics.items()])
    writer.finish(RunState.FINISHED)


def _class_name(estimator: Any) -> str:
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def _plain(value: Any) -> Any:
    """As JSON knows it: numpy scalars as Python's, estimators and masked places as text or None."""
    if type(value).__name__ == "MaskedConstant":
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return None
    return plain if isinstance(plain, (str, int, float, bool, type(None))) else str(plain)


def _is_number(value: Any) -> bool:
    return (
        not isinstance(value, (str, bytes, bool))
        and hasattr(value, "__float__")
        and type(value).__name__ != "MaskedConstant"
    )
