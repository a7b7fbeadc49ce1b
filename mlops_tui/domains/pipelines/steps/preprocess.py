"""Choose how each column is prepared, from the training rows alone. Fitting it is part of training."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import preparing
from mlops_tui.domains.pipelines.work import Skip, Work, call_with, function_of

OUTPUTS = ("transformer.joblib",)


def run(work: Work) -> dict[str, Any]:
    """Write `transformer`, unfitted."""
    how = work.recipe.model.preprocess
    if how == "none":
        raise Skip('[model] preprocess = "none"')
    rows, _ = work.part("train")
    if how != "auto":
        return _own(work, how, rows)
    settings, trees = work.recipe.preprocess, preparing.is_tree(work.recipe.model.estimator)
    found = preparing.kinds(rows, trees=trees, settings=settings)
    if set(found.values()) <= {"constant", "drop"}:
        raise InvalidInput("Every input has one value only; there is nothing to learn.", hint="Check the features.")
    # A missing label is no value a mean could be taken of, so rows without one are coded without the target too.
    labelled = work.recipe.labelled and work.recipe.model.task != "semi-supervised"
    continuous = work.recipe.model.task == "regression"
    made = preparing.build(rows, trees=trees, settings=settings, labelled=labelled, continuous=continuous)
    work.write_object("transformer", made)
    counts = {kind: list(found.values()).count(kind) for kind in dict.fromkeys(found.values())}
    for name, kind in found.items():
        work.say(f"{name}: {kind}")
    detail = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    codes = preparing.codes_for(settings, trees=trees, labelled=labelled)
    if "many-levels" in counts:
        work.say(f"columns of many levels are coded by {codes}")
        detail += f" by {codes}"
    return {"columns": found, "categories": codes, "detail": detail}


def _own(work: Work, how: str, rows: Any) -> dict[str, Any]:
    """A factory of the project, or a class by its full name."""
    made = call_with(function_of(how, work.project), rows) if ":" in how else preparing.transformer(how)
    if not hasattr(made, "fit_transform"):
        raise InvalidInput(f"{how} returned {type(made).__name__}.", hint="Return a scikit-learn transformer.")
    work.write_object("transformer", made)
    return {"detail": f"{type(made).__name__} from {how}"}
