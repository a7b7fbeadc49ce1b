"""What a model says about rows, in the shape the metrics take: numbers, or one row of probabilities per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

Array = np.ndarray[Any, Any]


def answer_of(model: Any, rows: Any, task: str) -> tuple[Array, list[Any] | None]:
    """Ask a model: (numbers, None) for regression, (probabilities, labels) for classification.

    A classifier without probabilities gives 1 for the label it says and 0 for the others. Clusters are numbers. An outlier
    detector gives a strangeness that is above 0.5 where it says outlier, with the labels False and True.
    """
    if task == "regression" or task == "clustering":
        return np.asarray(model.predict(rows), dtype=float).reshape(len(rows)), None
    if task == "anomaly":
        strange = 1 / (1 + np.exp(np.clip(np.asarray(model.decision_function(rows), dtype=float), -500, 500)))
        return np.column_stack([1 - strange, strange]), [False, True]
    labels = [label.item() if hasattr(label, "item") else label for label in model.classes_]
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows), dtype=float), labels
    said = places_of(np.asarray(model.predict(rows)), labels).astype(int)
    return np.eye(len(labels))[said], labels


def places_of(target: pd.Series[Any] | Array, labels: Sequence[Any] | None) -> Array:
    """The target as numbers, or as places in `labels`; InvalidInput for a label the model never saw."""
    if labels is None:
        return np.asarray(target, dtype=float)
    if all(isinstance(label, bool) for label in labels) and np.asarray(target).dtype.kind in "iuf":
        return np.asarray(np.asarray(target, dtype=float) != 0, dtype=float)
    places = {level_text(label): place for place, label in enumerate(labels)}
    texts = [level_text(value) for value in target]
    unknown = sorted({text for text in texts if text not in places})
    if unknown:
        raise InvalidInput(
            f"The label {unknown[0]!r} was not in the training rows.",
            hint='Use [split] by = "stratified", or more rows.',
        )
    return np.asarray([places[text] for text in texts], dtype=float)


def in_order_of(answer: Array, labels: Sequence[Any] | None, wanted: Sequence[Any] | None) -> Array:
    """Reorder the columns of one model's probabilities to another's labels; a label it does not know gets 0."""
    if labels is None or wanted is None:
        return answer
    places = {level_text(label): place for place, label in enumerate(labels)}
    columns = [
        answer[:, places[level_text(label)]] if level_text(label) in places else np.zeros(len(answer))
        for label in wanted
    ]
    return np.column_stack(columns)
