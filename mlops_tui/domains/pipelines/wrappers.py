"""What a model is wrapped into. Models are saved with these classes, so their names must not change."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin, clone

Array = np.ndarray[Any, Any]


class Thresholded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier of two labels that says the second one from `threshold` on instead of from 0.5."""

    def __init__(self, estimator: Any, threshold: float = 0.5) -> None:
        self.estimator = estimator
        self.threshold = threshold

    def fit(self, rows: Any, target: Any) -> Self:
        self.estimator.fit(rows, target)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def classes_(self) -> Any:
        return self.estimator.classes_

    @property
    def feature_names_in_(self) -> Any:
        return self.estimator.feature_names_in_

    @property
    def n_features_in_(self) -> int:
        return int(self.estimator.n_features_in_)

    def predict_proba(self, rows: Any) -> Array:
        return np.asarray(self.estimator.predict_proba(rows))

    def predict(self, rows: Any) -> Array:
        said = (self.predict_proba(rows)[:, 1] >= self.threshold).astype(int)
        return np.asarray(np.asarray(self.classes_)[said])


class PartlyLabelled(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that learns from rows without a label too: missing labels become -1, as scikit-learn's own want them.

    `estimator` must understand -1 in its target, such as SelfTrainingClassifier and LabelSpreading.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, rows: Any, target: Any) -> Self:
        target = pd.Series(target)
        known = target.notna().to_numpy()
        self.classes_, codes = np.unique(np.asarray(target[known].tolist()), return_inverse=True)
        places = np.full(len(target), -1)
        places[known] = codes
        self.estimator_ = clone(self.estimator).fit(rows, places)
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.n_features_in_ = rows.shape[1]
        return self

    def predict_proba(self, rows: Any) -> Array:
        said = np.asarray(self.estimator_.predict_proba(rows))
        if said.shape[1] == len(self.classes_):
            return said
        columns = [place for place, label in enumerate(self.estimator_.classes_) if label >= 0]
        kept = said[:, columns]
        return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12))

    def predict(self, rows: Any) -> Array:
        return np.asarray(self.classes_[np.argmax(self.predict_proba(rows), axis=1)])


class ECOD(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """Outliers by the tails of each column's empirical distribution, without settings to search (Li et al. 2022).

    The score of a row is the sum over columns of -log of the tail probability, of the left tail, the right one, or the one on
    the side of the column's skewness, whichever sum is largest. `contamination` is the share of the training rows flagged.
    """

    def __init__(self, contamination: float = 0.01) -> None:
        self.contamination = contamination

    def fit(self, rows: Any, target: Any = None) -> Self:
        if not 0 < self.contamination <= 0.5:
            raise ValueError("contamination must be above 0 and at most 0.5")
        values = np.asarray(rows, dtype=float)
        self.n_features_in_ = values.shape[1]
        if hasattr(rows, "columns"):
            self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.sorted_ = np.sort(values, axis=0)
        centred = values - values.mean(axis=0)
        self.skew_ = np.sign((centred**3).mean(axis=0))
        self.offset_ = float(np.quantile(self.score_samples(rows), self.contamination))
        return self

    def score_samples(self, rows: Any) -> Array:
        """Lower is stranger, as scikit-learn has it."""
        values = np.asarray(rows, dtype=float)
        count = len(self.sorted_)
        left, right = np.empty_like(values), np.empty_like(values)
        for column in range(values.shape[1]):
            known = self.sorted_[:, column]
            left[:, column] = np.searchsorted(known, values[:, column], side="right")
            right[:, column] = count - np.searchsorted(known, values[:, column], side="left")
        left, right = (-np.log(np.maximum(tail, 0.5) / (count + 1)) for tail in (left, right))
        skewed = np.where(self.skew_ < 0, left, right)
        return np.asarray(-np.max([left.sum(axis=1), right.sum(axis=1), skewed.sum(axis=1)], axis=0))

    def decision_function(self, rows: Any) -> Array:
        return self.score_samples(rows) - self.offset_

    def predict(self, rows: Any) -> Array:
        return np.where(self.decision_function(rows) < 0, -1, 1)


def rank_correlation(left: Array, right: Array) -> float:
    """Spearman's correlation of two scores of the same rows; NaN when one of them is constant."""
    first, second = rankdata(left), rankdata(right)
    if first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
