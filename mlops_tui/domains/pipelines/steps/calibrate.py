"""Make the probabilities mean what they say: fit the model again with its probabilities calibrated on held-out folds."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import fitting
from mlops_tui.domains.pipelines.work import Work

OUTPUTS = ("model.joblib",)


def run(work: Work) -> dict[str, Any]:
    """Write `model` anew; the threshold is chosen again, since it means something else now."""
    params = work.results.get("tune", {}).get("params", {})
    try:
        fitted = fitting.learn(work, lambda frame: fitting.calibrated(work, params, frame))
    except ValueError as error:
        text = " ".join(str(error).split())
        raise InvalidInput(
            f"It cannot be calibrated: {text}.", hint="Use fewer folds, [calibrate] cv, or more rows."
        ) from error
    before, after = work.results["train"]["validation"], fitted.validation
    changes = [f"{name} {before[name]:.4g} -> {after[name]:.4g}" for name in after if name in before]
    for text in changes:
        work.say(f"validation {text}")
    if fitted.chosen:
        work.say(f"threshold {fitted.threshold:.4g} {fitted.chosen}")
    work.write_object("model", fitting.with_threshold(fitted.model, fitted.threshold))
    shown = next((text for text in changes if text.startswith(("ece", "brier"))), "")
    method = work.recipe.calibrate.method
    return {
        "method": method,
        "validation": after,
        "threshold": fitted.threshold,
        "threshold_by": fitted.chosen,
        "detail": f"{method} on {work.recipe.calibrate.cv} folds{', validation ' + shown if shown else ''}",
    }
