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

    A classifier without probabilities gives 1 for the label it says and 0 for the others.
    """
    if task == "regression":
        return np.asarray(model.predict(rows), dtype=float).reshape(len(rows)), None
    labels = [label.item() if hasattr(label, "item") else label for label in model.classes_]
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows), dtype=float), labels
    said = places_of(np.asarray(model.predict(rows)), labels).astype(int)
    return np.eye(len(labels))[said], labels


def places_of(target: pd.Series[Any] | Array, labels: Sequence[Any] | None) -> Array:
    """The target as numbers, or as places in `labels`; InvalidInput for a label the model never saw."""
    if labels is None:
        return np.asarray(target, dtype=float)
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
