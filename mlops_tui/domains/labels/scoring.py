"""How much a row is worth a look: uncertainty of one model's probabilities, disagreement between several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.labels.records import Measure

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]


def uncertainty(probabilities: Floats, measure: Measure) -> Floats:
    """Per row of an n x k matrix, 0 sure to 1 (all classes alike); see `Measure` for what each is."""
    classes = probabilities.shape[1]
    if classes < 2:
        raise InvalidInput("The model knows one class only, so nothing is uncertain.", hint="Use --order random.")
    if measure is Measure.ENTROPY:
        return np.asarray(_entropy(probabilities) / np.log(classes), dtype=np.float64)
    ordered = np.sort(probabilities, axis=1)
    if measure is Measure.MARGIN:
        return np.asarray(1.0 - (ordered[:, -1] - ordered[:, -2]), dtype=np.float64)
    return np.asarray((1.0 - ordered[:, -1]) / (1.0 - 1.0 / classes), dtype=np.float64)


def of_scores(scores: Floats) -> Floats:
    """Uncertainty of the probability of one of two classes: 1 at one half, 0 at both ends. Raises InvalidInput outside 0..1."""
    known = scores[~np.isnan(scores)]
    if known.size == 0:
        raise InvalidInput("The score column has no values.", hint="Name another: --score COLUMN")
    if known.min() < 0 or known.max() > 1:
        raise InvalidInput(
            f"The scores run from {known.min():g} to {known.max():g}; they must be probabilities, 0 to 1.",
            hint="Name another column, or let a model score the rows: --model NAME@champion",
        )
    return 1.0 - np.abs(2.0 * scores - 1.0)


def disagreement(answers: Sequence[Floats]) -> Floats:
    """Per row, how far several models' probabilities are apart: their Jensen-Shannon divergence over its bound, 0 to 1
    (the entropy of the mean less the mean entropy; Engelson and Dagan 1996 as query by committee).
    """
    stacked = np.stack(answers)
    spread = _entropy(stacked.mean(axis=0)) - np.mean([_entropy(one) for one in answers], axis=0)
    bound = float(np.log(min(len(answers), stacked.shape[2])))
    return np.asarray(np.clip(spread / bound, 0.0, 1.0), dtype=np.float64)


def _entropy(probabilities: Floats) -> Floats:
    safe = np.clip(probabilities, 1e-12, 1.0)
    return np.asarray(-(safe * np.log(safe)).sum(axis=1), dtype=np.float64)
