"""The exact fast path: a pipeline compiled to numpy, from the columns of a request to its answers.

Rows it is not sure of (missing values where no imputer takes them, unknown categories, numbers beyond 32 bits for trees) go to
the reference, which answers or refuses them as it always did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.domains.registry.engines import boosters
from mlops_tui.domains.registry.engines.finals import final_of
from mlops_tui.domains.registry.engines.preparing import Declined, Uncompiled, is_a, source_of
from mlops_tui.domains.registry.engines.reference import TOLERANCE, Answers, Columns, FrameEngine

if TYPE_CHECKING:
    import pandas as pd


class ExactEngine:
    """A compiled pipeline over its reference. Raises Uncompiled where a part of the estimator is not known here."""

    name = "exact"
    tolerance = TOLERANCE

    def __init__(self, reference: FrameEngine, described: dict[str, Any], sample: pd.DataFrame) -> None:
        self._reference = reference
        self._probabilities = any(item["name"] == "probabilities" for item in described["outputs"])
        names = [item["name"] for item in described["inputs"]]
        kinds = {str(name): str(sample[name].dtype) for name in sample.columns}
        steps = flat(reference.estimator)
        if boosters.library_of(steps[-1]) == "xgboost":
            self.tolerance = boosters.SINGLE
        try:
            self._source = source_of(steps[:-1], names, kinds)
            self._final = final_of(steps[-1], self._probabilities)
        except (AttributeError, KeyError, IndexError, ValueError) as error:  # a fitted form of another release
            raise Uncompiled from error

    def answer(self, columns: Columns, rows: int) -> Answers:
        try:
            predicted, wide = self._final(self._source(columns, rows))
        except Declined:
            return self._reference.answer(columns, rows)
        return predicted.tolist(), wide.tolist() if wide is not None and self._probabilities else None


def flat(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline, of pipelines inside it too."""
    if not is_a(estimator, "pipeline", "Pipeline"):
        return [estimator]
    return [inner for _, step in estimator.steps for inner in flat(step)]
