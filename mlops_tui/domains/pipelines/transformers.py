"""Automatic preprocessing by column type. Models are saved with these classes, so their names must not change."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

LOW_CARDINALITY = 24
# These split on order alone: scaling changes nothing, and an ordinal code is as good as a column per level.
TREES = ("sklearn.ensemble", "sklearn.tree", "sklearn.dummy", "xgboost", "lightgbm", "catboost")
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


def kinds(frame: pd.DataFrame, *, trees: bool) -> dict[str, str]:
    """Sort each column of the training rows into constant, number, level, many-levels or time."""
    return {str(name): _kind(frame[name], trees) for name in frame.columns}


def build(frame: pd.DataFrame, *, trees: bool) -> ColumnTransformer:
    """Build the unfitted transformer for rows like `frame`.

    Numbers: median for a gap (trees take gaps where they can), scaled unless trees read them. Levels: one column each, rare
    and unknown ones together. Many levels: their order for trees, else the mean of the target. Times: their parts.
    """
    found = kinds(frame, trees=trees)
    groups: dict[str, list[str]] = {}
    for name, kind in found.items():
        groups.setdefault(kind, []).append(name)
    numbers = SimpleImputer() if trees else make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=LOW_CARDINALITY, sparse_output=False)
    codes: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1) if trees else TargetEncoder()
    steps = {
        "number": numbers,
        "level": make_pipeline(Texts(), one_hot),
        "many-levels": make_pipeline(Texts(), codes),
        "time": make_pipeline(DatetimeParts(), SimpleImputer()),
    }
    chosen = [(kind, step, groups[kind]) for kind, step in steps.items() if kind in groups]
    return ColumnTransformer(chosen, remainder="drop", verbose_feature_names_out=False)


def is_tree(estimator: str) -> bool:
    """Whether the estimator of that full name reads numbers by their order only."""
    return estimator.startswith(TREES)


def _kind(column: pd.Series[Any], trees: bool) -> str:
    levels = column.nunique()
    if levels <= 1 and not column.isna().any():
        return "constant"
    if levels == 0:
        return "constant"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "time"
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        few = levels <= LOW_CARDINALITY and pd.api.types.is_integer_dtype(column)
        return "level" if few and levels > 2 and not trees else "number"
    return "level" if levels <= LOW_CARDINALITY else "many-levels"


def _text(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
