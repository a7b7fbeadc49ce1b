"""Automatic preparation: what kind each column is, and the transformer that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler, TargetEncoder

from mlops_tui.domains.pipelines import estimators
from mlops_tui.domains.pipelines.making import Preprocess
from mlops_tui.domains.pipelines.transformers import DatetimeParts, Hashed, Texts, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

LOW_CARDINALITY = 24
# These split on order alone: scaling changes nothing, and an ordinal code is as good as a column per level.
TREES = ("sklearn.ensemble", "sklearn.tree", "sklearn.dummy", "xgboost", "lightgbm", "catboost")
# From how many words on, in the mean, many different values are a text and no names.
WORDS = 4


def kinds(frame: pd.DataFrame, *, trees: bool, settings: Preprocess | None = None) -> dict[str, str]:
    """Sort each column of the training rows into constant, number, level, many-levels, time, text, drop, or a full name."""
    settings = settings or Preprocess()
    found = {}
    for name in (str(column) for column in frame.columns):
        kind = settings.columns.get(name) or _kind(frame[name], trees)
        if kind == "text" and name not in settings.columns:
            kind = {"category": "many-levels", "drop": "drop"}.get(settings.text, "text")
        found[name] = kind
    return found


def codes_for(settings: Preprocess, *, trees: bool, labelled: bool) -> str:
    """How columns of many levels are coded: ordinal for trees, else the mean of the target, else (no target) hashed."""
    if settings.categories == "auto":
        return "ordinal" if trees else "target" if labelled else "hash"
    return "hash" if settings.categories == "target" and not labelled else settings.categories


def build(
    frame: pd.DataFrame,
    *,
    trees: bool,
    settings: Preprocess | None = None,
    labelled: bool = True,
    continuous: bool = False,
) -> ColumnTransformer:
    """Build the unfitted transformer for rows like `frame`.

    Numbers: median for a gap with a column that says so (trees: the mean), scaled unless trees read them. Levels: one column
    each, rare and unknown ones together. Many levels: see `codes_for`; a `continuous` target has one mean, also when it is a
    count, which would pass for a class. Times: their parts. Texts: weights of their words.
    """
    settings = settings or Preprocess()
    groups: dict[str, list[str]] = {}
    for name, kind in kinds(frame, trees=trees, settings=settings).items():
        groups.setdefault(kind, []).append(name)
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=LOW_CARDINALITY, sparse_output=False)
    steps = {
        "number": _numbers(settings, trees),
        "level": make_pipeline(Texts(), one_hot),
        "many-levels": make_pipeline(Texts(), _codes(codes_for(settings, trees=trees, labelled=labelled), continuous)),
        "time": make_pipeline(DatetimeParts(), SimpleImputer()),
        "text": Words(settings.text_features),
    }
    chosen = [(kind, step, groups[kind]) for kind, step in steps.items() if kind in groups]
    chosen += [(kind.rpartition(".")[2], transformer(kind), names) for kind, names in groups.items() if "." in kind]
    return ColumnTransformer(_distinct(chosen), remainder="drop", verbose_feature_names_out=False, sparse_threshold=0)


def transformer(name: str) -> Any:
    """A transformer by its full name, such as `sklearn.preprocessing.QuantileTransformer`, with its defaults."""
    return estimators.resolve(name)()


def is_tree(estimator: str) -> bool:
    """Whether the estimator of that full name reads numbers by their order only."""
    return estimator.startswith(TREES)


def _numbers(settings: Preprocess, trees: bool) -> Any:
    indicate = settings.missing == "indicator" or (settings.missing == "auto" and not trees)
    scale = ("none" if trees else "standard") if settings.scale == "auto" else settings.scale
    gaps = SimpleImputer(strategy="mean" if trees else "median", add_indicator=indicate)
    scaler = {"standard": StandardScaler, "robust": RobustScaler}.get(scale)
    return make_pipeline(gaps, scaler()) if scaler else gaps


def _codes(how: str, continuous: bool) -> Any:
    if how == "ordinal":
        return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return TargetEncoder(target_type="continuous" if continuous else "auto") if how == "target" else Hashed()


def _distinct(parts: Sequence[tuple[str, Any, list[str]]]) -> list[tuple[str, Any, list[str]]]:
    """Two transformers of one class name from two modules need two names."""
    names = [name for name, _, _ in parts]
    return [
        (name if names.count(name) == 1 else f"{name}-{place}", step, columns)
        for place, (name, step, columns) in enumerate(parts)
    ]


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
    if levels <= LOW_CARDINALITY:
        return "level"
    words = column.dropna().head(1000).astype(str).str.count(r"\S+")
    return "text" if words.mean() >= WORDS else "many-levels"
