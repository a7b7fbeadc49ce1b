"""A linear model as the few numbers it is, computed without numpy.

A gateway that knows a model's formula answers a few rows by itself: asking another process costs more than thirty products.
What it is not sure of (missing values, sums that are no finite numbers) it declines, and the engine answers.
"""

from __future__ import annotations

import math
from operator import mul, sub
from typing import Any

import msgspec

MOST_ROWS = 16


class Formula(msgspec.Struct, array_like=True):
    """Sums of `(value - shift) * weight` over the columns in the signature's order, plus `bias`; weights for each sum.

    Without `shift` values are taken as they are. With `labels` the greatest sum says which one, or the sign of the only sum;
    `likely` adds their probabilities (logistic, softmax). Without labels the only sum is the prediction.
    """

    shift: list[float]
    weights: list[list[float]]
    bias: list[float]
    labels: list[Any] | None = None
    likely: bool = False

    def answer(self, columns: dict[str, list[Any]], rows: int) -> tuple[list[Any], list[list[float]] | None] | None:
        """Predictions and probabilities as an engine gives them; None where the engine has to be asked."""
        predicted: list[Any] = []
        wide: list[list[float]] = []
        for row in range(rows):
            values = [column[row] for column in columns.values()]
            try:
                if self.shift:
                    values = list(map(sub, values, self.shift))
                sums = [sum(map(mul, values, own), start) for own, start in zip(self.weights, self.bias, strict=True)]
            except TypeError:  # a missing value
                return None
            if not all(map(math.isfinite, sums)):
                return None
            if self.labels is None:
                predicted.append(sums[0])
                continue
            predicted.append(self.labels[sums[0] > 0 if len(sums) == 1 else sums.index(max(sums))])
            if self.likely:
                wide.append(_logistic(sums[0]) if len(sums) == 1 else _softmax(sums))
        return predicted, wide if self.likely else None


def _logistic(decision: float) -> list[float]:
    small = math.exp(-abs(decision))
    second = 1.0 / (1.0 + small) if decision >= 0 else small / (1.0 + small)
    return [1.0 - second, second]


def _softmax(sums: list[float]) -> list[float]:
    most = max(sums)
    powers = [math.exp(each - most) for each in sums]
    total = sum(powers)
    return [power / total for power in powers]
