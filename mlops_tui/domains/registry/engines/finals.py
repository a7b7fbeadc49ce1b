"""Final estimators compiled to numpy: linear models and ensembles of trees, from a matrix to answers.

Sums run over the trees in the order scikit-learn adds them, so that a forest answers the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from mlops_tui.domains.registry.engines import boosters
from mlops_tui.domains.registry.engines.preparing import Declined, Matrix, Uncompiled, inner, is_a
from mlops_tui.domains.registry.engines.trees import Trees, boosted_trees, histogram_trees, sklearn_trees

Final = Callable[[Matrix], tuple[Matrix, Matrix | None]]  # rows -> predictions, probabilities

REGRESSIONS = (
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "BayesianRidge",
    "HuberRegressor", "SGDRegressor", "LinearSVR", "Lars", "LassoLars", "OrthogonalMatchingPursuit",
)  # fmt: skip
CLASSIFIERS = ("RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "Perceptron", "LinearSVC")
_FLOAT32 = float(np.finfo("float32").max)


def final_of(estimator: Any, probabilities: bool) -> Final:
    """Compile the last step of a pipeline; `probabilities` says whether the signature has them. Raises Uncompiled."""
    if is_a(estimator, "linear_model", "LogisticRegression", "LogisticRegressionCV") and probabilities:
        return _logistic(estimator)
    if is_a(estimator, "linear_model", *REGRESSIONS) or is_a(estimator, "svm", "LinearSVR"):
        return _regression(estimator)
    if not probabilities and (is_a(estimator, "linear_model", *CLASSIFIERS) or is_a(estimator, "svm", "LinearSVC")):
        return _decision(estimator)
    if is_a(estimator, "tree", "DecisionTreeClassifier", "DecisionTreeRegressor"):
        return _forest([estimator], estimator)
    if is_a(estimator, "ensemble", *_FORESTS):
        return _forest(list(estimator.estimators_), estimator)
    if is_a(estimator, "ensemble", "GradientBoostingClassifier", "GradientBoostingRegressor"):
        return _boosted(estimator, *boosted_trees(estimator), single=True)
    if is_a(estimator, "ensemble", "HistGradientBoostingClassifier", "HistGradientBoostingRegressor"):
        return _boosted(estimator, *histogram_trees(estimator), single=False)
    if is_a(estimator, "compose", "TransformedTargetRegressor"):
        return _transformed(estimator)
    if boosters.library_of(estimator):
        return boosters.final_of(estimator)
    raise Uncompiled


_FORESTS = ("RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor")


def _clean(x: Matrix) -> Matrix:
    if not np.isfinite(x).all():
        raise Declined
    return x


def _single(x: Matrix) -> Matrix:
    """Rows as trees compare them: in 32 bits."""
    if not (np.abs(x) <= _FLOAT32).all():
        raise Declined
    return x.astype("float32")


def _transformed(estimator: Any) -> Final:
    """A target that was transformed, by a function of numpy alone, is transformed back."""
    regressor, back = final_of(estimator.regressor_, False), getattr(estimator.transformer_, "inverse_func", None)
    if not is_a(estimator.transformer_, "preprocessing", "FunctionTransformer") or not isinstance(back, np.ufunc):
        raise Uncompiled
    return lambda x: (back(regressor(x)[0]), None)


def _logistic(estimator: Any) -> Final:
    weights, bias, classes = estimator.coef_.T, estimator.intercept_, estimator.classes_
    binary = len(classes) == 2

    def logistic(x: Matrix) -> tuple[Matrix, Matrix]:
        decision = _clean(x) @ weights + bias
        if not binary:
            return classes[decision.argmax(axis=1)], softmax(decision, axis=1)
        second = expit(decision[:, 0])
        return classes[(decision[:, 0] > 0).astype("intp")], np.stack([1 - second, second], axis=1)

    return logistic


def _regression(estimator: Any) -> Final:
    weights, bias = estimator.coef_, estimator.intercept_
    if weights.ndim != 1:
        raise Uncompiled
    return lambda x: (_clean(x) @ weights + bias, None)


def _decision(estimator: Any) -> Final:
    weights, bias, classes = estimator.coef_.T, estimator.intercept_, estimator.classes_
    if weights.ndim != 2 or weights.shape[1] != (1 if len(classes) == 2 else len(classes)):
        raise Uncompiled

    def decide(x: Matrix) -> tuple[Matrix, None]:
        decision = _clean(x) @ weights + bias
        best = (decision[:, 0] > 0).astype("intp") if len(classes) == 2 else decision.argmax(axis=1)
        return classes[best], None

    return decide


def _forest(members: list[Any], estimator: Any) -> Final:
    if estimator.n_outputs_ != 1:
        raise Uncompiled
    trees, classes = sklearn_trees(members), getattr(estimator, "classes_", None)

    def forest(x: Matrix) -> tuple[Matrix, Matrix | None]:
        mean = trees.total(_single(_clean(x)), 0.0) / len(members)
        return (mean[:, 0], None) if classes is None else (classes[mean.argmax(axis=1)], mean)

    return forest


def _boosted(estimator: Any, trees: Trees, start: Matrix, *, single: bool) -> Final:
    classes, link = getattr(estimator, "classes_", None), inner(estimator, "_loss").link

    def boosted(x: Matrix) -> tuple[Matrix, Matrix | None]:
        raw = trees.total(_single(_clean(x)) if single else x, start)
        if classes is None:
            return (raw[:, 0] if single else link.inverse(raw[:, 0])), None
        if raw.shape[1] > 1:
            return classes[raw.argmax(axis=1)], softmax(raw, axis=1)
        second = expit(raw[:, 0])
        best = raw[:, 0] >= 0 if single else raw[:, 0] > 0
        return classes[best.astype("intp")], np.stack([1 - second, second], axis=1)

    return boosted
