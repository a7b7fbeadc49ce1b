"""What a version answers to the rows of a frame: asked aside, for who wants answers now and serves nobody with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.registry import package

if TYPE_CHECKING:
    from pathlib import Path

REFUSALS = (ValueError, TypeError, KeyError)


def predictions(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """`answers` to the frame `rows`, a list. Raises InvalidInput when the model cannot read them. Runs aside."""
    from mlops_tui.domains.registry.engines.reference import plain

    estimator = package.load(folder)
    return {"answers": plain(_asked(estimator.predict, folder, order))}


def probabilities(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """`classes` and the frame `wide`, a column each, for the frame `rows`. Raises InvalidInput for a model that gives none, or
    cannot read the rows. Runs aside.
    """
    import numpy as np
    import pandas as pd

    estimator = package.load(folder)
    if not hasattr(estimator, "predict_proba"):
        raise InvalidInput("The model gives no probabilities.", hint="Use a classifier that has predict_proba.")
    found = np.asarray(_asked(estimator.predict_proba, folder, order), dtype=np.float64)
    classes = [str(one) for one in getattr(estimator, "classes_", range(found.shape[1]))]
    return {"classes": classes, "wide": pd.DataFrame(found, columns=[str(at) for at in range(found.shape[1])])}


def _asked(predict: Any, folder: Path, order: dict[str, Any]) -> Any:
    try:
        return predict(package.prepare(package.signature(folder), order["rows"]))
    except REFUSALS as error:
        line = str(error).strip().split("\n", 1)[0]
        raise InvalidInput(f"It cannot read these rows: {line}", hint="Are they of the table it learned?") from error
