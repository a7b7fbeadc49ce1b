"""Keeping a model with a run: scikit-learn, anything with `predict`, or ONNX."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.sdk.active import ActiveRun


def keep(
    run: ActiveRun,
    estimator: Any,
    name: str = "model",
    *,
    sample: Any = None,
    register: str | None = None,
    task: str = "",
    target: str = "target",
    snapshots: list[str] | None = None,
    description: str = "",
    tags: dict[str, str] | None = None,
    **about: Any,
) -> Version | None:
    """Keep a model as a package under `name`, and register it as the next version of model `register`.

    `estimator`: a fitted scikit-learn estimator, any object with `predict(rows)`, or ONNX (bytes, an .onnx file, a ModelProto).
    `sample`: input rows (DataFrame). `task`: classification, regression, clustering or anomaly; asked of a scikit-learn
    estimator when left out, else told by what is predicted (fractions are regression). `snapshots`: feature snapshots behind
    it, by default those given to `log_input`. `about`: labels, reference, predictions, truth, modules of the package.
    Returns the version if one was registered. Raises InvalidInput when it cannot be packaged, Unavailable without a library.
    """
    from mlops_tui.domains.registry import package  # loads the ML stack

    estimator = _as_estimator(estimator, sample)
    if sample is None:
        raise InvalidInput("A model is kept with some rows that it can answer.", hint="Pass sample=X_valid.head(200).")
    run.workspace.tmp.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run.workspace.tmp, prefix="model-") as room:
        folder = Path(room) / "package"
        task = task or _task_of(estimator, sample)
        package.save(folder, estimator, sample=sample, task=task, target=target, **about)
        run.log_artifact(folder, name)
        if not register:
            return None
        with Workbench(run.workspace, actor=run.actor) as bench:
            bench.experiments.take_in()
            metrics = {key: metric.value for key, metric in bench.experiments.metrics(run.id).items()}
            if snapshots is None:
                snapshots = [one.source for one in bench.experiments.inputs(run.id) if one.source_type == "features"]
            return bench.registry.register(
                register,
                folder,
                run_id=run.id,
                snapshots=snapshots,
                git_commit=run.git_commit,
                metrics={key: value for key, value in metrics.items() if not key.startswith("system/")},
                description=description,
                tags=tags,
            )


def _as_estimator(given: Any, sample: Any) -> Any:
    if hasattr(given, "SerializeToString") and not hasattr(given, "predict"):
        given = given.SerializeToString()
    if isinstance(given, (str, Path)):
        given = Path(given)
        if given.suffix != ".onnx" or not given.is_file():
            raise InvalidInput(
                f"{given} is no ONNX file.", hint="Pass a fitted estimator, or the path of an .onnx file."
            )
        given = given.read_bytes()
    if isinstance(given, bytes):
        from mlops_tui.onnx_model import load

        model = load(given)
        if sample is not None and hasattr(model, "predict_proba"):
            model.predict_proba(sample)  # it learns its classes from the answer
        return model
    if not callable(getattr(given, "predict", None)):
        raise InvalidInput(
            f"A {type(given).__name__} cannot be kept as a model: it has no predict().",
            hint="Pass a fitted estimator, an object with predict(rows), or ONNX; anything else fits log_artifact.",
        )
    return given


def _task_of(estimator: Any, sample: Any) -> str:
    if hasattr(estimator, "__sklearn_tags__"):
        from sklearn import base

        questions = {
            "classification": base.is_classifier,
            "regression": base.is_regressor,
            "clustering": base.is_clusterer,
            "anomaly": base.is_outlier_detector,
        }
        for task, holds in questions.items():
            if holds(estimator):
                return task
    else:
        guessed = _task_of_answer(estimator, sample)
        if guessed is not None:
            return guessed
    raise InvalidInput(
        f"What a {type(estimator).__name__} predicts is not known.",
        hint="Say it: task='classification' or 'regression'.",
    )


def _task_of_answer(estimator: Any, sample: Any) -> str | None:
    import numpy as np

    if hasattr(estimator, "predict_proba") or hasattr(estimator, "classes_"):
        return "classification"
    try:
        answer = np.asarray(estimator.predict(sample))
    except Exception:  # packaging asks again and says what is wrong
        return None
    return "regression" if answer.dtype.kind == "f" else "classification"
