"""Fit the model: score on the validation part, then learn from training and validation rows."""

from __future__ import annotations

import time
from typing import Any

from mlops_tui.domains.pipelines import fitting
from mlops_tui.domains.pipelines.work import Work

OUTPUTS = ("model.joblib",)


def run(work: Work) -> dict[str, Any]:
    """Write `model`, fitted on the training and validation rows."""
    params = work.results.get("tune", {}).get("params", {})
    started = time.monotonic()
    fitted = fitting.learn(work, lambda frame: fitting.assemble(work, params))
    seconds = time.monotonic() - started
    for name, value in fitted.validation.items():
        work.say(f"validation {name} {value:.6g}")
    if fitted.chosen:
        work.say(f"threshold {fitted.threshold:.4g} {fitted.chosen}")
    work.write_object("model", fitting.with_threshold(fitted.model, fitted.threshold))
    primary = fitted.validation.get(work.recipe.primary)
    shown = f", validation {work.recipe.primary} {primary:.4g}" if primary is not None else ""
    return {
        "params": {**work.recipe.model.params, **params},
        "validation": fitted.validation,
        "threshold": fitted.threshold,
        "threshold_by": fitted.chosen,
        "curves": _curves(fitted.model),
        "fit_seconds": seconds,
        "rows": fitted.rows,
        "detail": f"{fitted.rows:,} rows in {seconds:.1f} s{shown}",
    }


def publish(work: Work, result: dict[str, Any]) -> None:
    """Show the learning curve, where the estimator keeps one, and the settings that were found."""
    for name, values in result["curves"].items():
        work.log_curve(name, values)
    found = {f"model.{name}": value for name, value in result["params"].items()}
    if found:
        work.log_params(found)


def _curves(model: Any) -> dict[str, list[float]]:
    """The learning curve of estimators that keep one."""
    estimator = model[-1] if hasattr(model, "__getitem__") and hasattr(model, "steps") else model
    estimator = getattr(estimator, "regressor_", estimator)
    found = {}
    for name in ("train_score_", "validation_score_", "loss_curve_"):
        curve = getattr(estimator, name, None)
        if curve is not None and 0 < len(curve) <= 10_000:
            found[name.strip("_")] = [float(value) for value in curve]
    return found
