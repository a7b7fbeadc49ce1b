"""Reads the formula of a linear model off its estimator, where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.registry.engines.exact import ExactEngine, flat
from mlops_tui.domains.registry.engines.finals import CLASSIFIERS, REGRESSIONS
from mlops_tui.domains.registry.engines.formula import Formula
from mlops_tui.domains.registry.engines.preparing import Matrix, is_a
from mlops_tui.domains.registry.engines.reference import Engine, columns_of

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = frozenset({"float64", "int64", "bool"})
_TOLERANCE = 1e-9
_COMPARED_ROWS = 50
# What is taken from each value may become part of the bias while it is so small that no digit that counts is lost.
_SMALL = 1e4


def formula_of(engine: Engine, estimator: Any, described: dict[str, Any], sample: pd.DataFrame) -> Formula | None:
    """Return the formula of a model that the exact engine serves, if it is linear in numbers and agrees on the sample."""
    names = [item["name"] for item in described["inputs"]]
    if not isinstance(engine, ExactEngine) or not all(str(sample[name].dtype) in _NUMBERS for name in names):
        return None
    likely = any(item["name"] == "probabilities" for item in described["outputs"])
    *steps, final = flat(estimator)
    affine = _affine(steps, len(names))
    if affine is None:
        return None
    shift, scale = affine
    formula = _linear(final, shift, scale, likely)
    return formula if formula is not None and _agrees(formula, engine, sample.head(_COMPARED_ROWS)) else None


def _affine(steps: list[Any], width: int) -> tuple[Matrix, Matrix] | None:
    """What transformers do to a column, as `(x - shift) / scale`; None when they do more to whole rows."""
    shift, scale = np.zeros(width), np.ones(width)
    for step in steps:
        if step is None or step == "passthrough" or is_a(step, "impute", "SimpleImputer"):
            continue  # rows with a missing value are not computed here
        if is_a(step, "preprocessing", "StandardScaler"):
            less, by = (step.mean_ if step.with_mean else 0.0), (step.scale_ if step.with_std else 1.0)
        elif is_a(step, "preprocessing", "RobustScaler"):
            less, by = (step.center_ if step.with_centering else 0.0), (step.scale_ if step.with_scaling else 1.0)
        elif is_a(step, "preprocessing", "MaxAbsScaler"):
            less, by = 0.0, step.scale_
        elif is_a(step, "preprocessing", "MinMaxScaler") and not step.clip:
            less, by = -step.min_ / step.scale_, 1.0 / step.scale_
        else:
            return None
        if np.size(by) not in (1, width):  # an imputer before it dropped a column, or added one
            return None
        shift, scale = shift + less * scale, scale * by
    return shift, scale


def _linear(final: Any, shift: Matrix, scale: Matrix, likely: bool) -> Formula | None:
    labels = None
    if is_a(final, "linear_model", "LogisticRegression", "LogisticRegressionCV") or (
        not likely and (is_a(final, "linear_model", *CLASSIFIERS) or is_a(final, "svm", "LinearSVC"))
    ):
        labels = final.classes_.tolist()
    elif not is_a(final, "linear_model", *REGRESSIONS) and not is_a(final, "svm", "LinearSVR"):
        return None
    weights = np.atleast_2d(final.coef_)
    if weights.shape[1] != len(shift) or len(weights) != (len(labels) if labels and len(labels) > 2 else 1):
        return None
    bias = np.broadcast_to(np.atleast_1d(final.intercept_).astype("float64"), len(weights))
    weights = weights / scale
    if np.abs(shift * weights).sum() < _SMALL:
        shift, bias = shift[:0], bias - weights @ shift
    return Formula(shift.tolist(), weights.tolist(), bias.tolist(), labels, likely)


def _agrees(formula: Formula, engine: Engine, sample: pd.DataFrame) -> bool:
    columns = columns_of(sample)
    for row in range(len(sample)):
        asked = {name: values[row : row + 1] for name, values in columns.items()}
        found = formula.answer(asked, 1)
        if found is None:
            continue
        labels, numbers = _parts(*found, formula)
        others = _parts(*engine.answer(asked, 1), formula)
        if labels != others[0] or not np.allclose(numbers, others[1], rtol=_TOLERANCE, atol=_TOLERANCE):
            return False
    return True


def _parts(predicted: list[Any], wide: list[list[float]] | None, formula: Formula) -> tuple[list[Any], list[float]]:
    """What of an answer to one row must be the same, and what must be close."""
    return ([], predicted) if formula.labels is None else (predicted, wide[0] if wide else [])
