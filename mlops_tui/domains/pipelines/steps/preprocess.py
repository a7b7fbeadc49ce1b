"""Choose how each column is prepared, from the training rows alone. Fitting it is part of training."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import transformers
from mlops_tui.domains.pipelines.work import Skip, Work, call_with, function_of


def run(work: Work) -> dict[str, Any]:
    """Write `transformer`, unfitted."""
    how = work.recipe.model.preprocess
    if how == "none":
        raise Skip('[model] preprocess = "none"')
    rows, _ = work.part("train")
    if how != "auto":
        transformer = call_with(function_of(how, work.project), rows)
        if not hasattr(transformer, "fit_transform"):
            raise InvalidInput(
                f"{how} returned {type(transformer).__name__}.", hint="Return a scikit-learn transformer."
            )
        work.write_object("transformer", transformer)
        return {"detail": f"{type(transformer).__name__} from {how}"}
    trees = transformers.is_tree(work.recipe.model.estimator)
    found = transformers.kinds(rows, trees=trees)
    if set(found.values()) == {"constant"}:
        raise InvalidInput("Every input has one value only; there is nothing to learn.", hint="Check the features.")
    work.write_object("transformer", transformers.build(rows, trees=trees))
    counts = {kind: list(found.values()).count(kind) for kind in dict.fromkeys(found.values())}
    for name, kind in found.items():
        work.say(f"{name}: {kind}")
    return {"columns": found, "detail": ", ".join(f"{count} {kind}" for kind, count in counts.items())}
