"""What columns are turned into. Models are saved with these classes, so their names must not change."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer

PARTS = ("month", "day", "day_of_week", "hour")


class DatetimeParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Month, day, weekday (Monday 0) and hour in UTC of each time column, as numbers with NaN for a missing time."""

    def fit(self, rows: pd.DataFrame, target: Any = None) -> Self:
        self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        columns = []
        for name in self.feature_names_in_:
            times = pd.to_datetime(rows[name], utc=True)
            columns += [getattr(times.dt, part).to_numpy(dtype=float, na_value=np.nan) for part in PARTS]
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        return np.asarray([f"{name}_{part}" for name in self.feature_names_in_ for part in PARTS], dtype=object)


class Texts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each value as text, a missing one as the level `missing`: one spelling for bool, str and mixed columns."""

    def fit(self, rows: pd.DataFrame, target: Any = None) -> Self:
        self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        texts = [rows[name].map(_text, na_action="ignore").astype(object) for name in self.feature_names_in_]
        columns = [column.where(column.notna(), "missing").to_numpy(dtype=object) for column in texts]
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        return self.feature_names_in_


class Hashed(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Levels by the hash of column and value in `width` columns: no list of levels to keep, collisions instead."""

    def __init__(self, width: int = 32) -> None:
        self.width = width

    def fit(self, rows: Any, target: Any = None) -> Self:
        self.n_features_in_ = np.asarray(rows).shape[1]
        return self

    def transform(self, rows: Any) -> np.ndarray[Any, Any]:
        tokens = [[f"{place}={value}" for place, value in enumerate(row)] for row in np.asarray(rows, dtype=object)]
        hasher = FeatureHasher(self.width, input_type="string")
        return np.asarray(hasher.transform(tokens).toarray())

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        return np.asarray([f"hash_{place}" for place in range(self.width)], dtype=object)


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each text column as the TF-IDF weights of its `most` most frequent words; a missing text has none."""

    def __init__(self, most: int = 100) -> None:
        self.most = most

    def fit(self, rows: pd.DataFrame, target: Any = None) -> Self:
        self.feature_names_in_ = np.asarray(rows.columns, dtype=object)
        self.n_features_in_ = rows.shape[1]
        self.vectorizers_ = [
            TfidfVectorizer(max_features=self.most).fit(self._texts(rows, name)) for name in self.feature_names_in_
        ]
        return self

    def transform(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        parts = [
            vectorizer.transform(self._texts(rows, name)).toarray()
            for name, vectorizer in zip(self.feature_names_in_, self.vectorizers_, strict=True)
        ]
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray[Any, Any]:
        pairs = zip(self.feature_names_in_, self.vectorizers_, strict=True)
        names = [f"{name}_{word}" for name, vectorizer in pairs for word in vectorizer.get_feature_names_out()]
        return np.asarray(names, dtype=object)

    def _texts(self, rows: pd.DataFrame, name: str) -> list[str]:
        return ["" if pd.isna(value) else str(value) for value in rows[name]]


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
