"""Preprocessing compiled to numpy: columns of a request in, the matrix the final estimator takes out.

Each function repeats the arithmetic of one scikit-learn transformer (1.9, its `transform`) without the checks around it. What is
not listed here is not compiled, and values these functions are not sure of are declined: the reference answers those rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlops_tui.domains.registry.engines.reference import Columns

Matrix = Any
Source = Callable[[Columns, int], Matrix]
Step = Callable[[Matrix], Matrix]


class Uncompiled(Exception):  # noqa: N818
    """This estimator has a part that is not compiled."""


class Declined(Exception):  # noqa: N818
    """These rows are for the reference to answer."""


def source_of(steps: Sequence[Any], names: list[str], kinds: dict[str, str]) -> Source:
    """Compile transformers, applied in turn to the columns `names`; `kinds` are the numpy kinds of the columns.

    Raises Uncompiled.
    """
    wanted = [step for step in steps if step is not None and step != "passthrough"]
    if wanted and is_a(wanted[0], "compose", "ColumnTransformer"):
        first, rest = _beside(wanted[0], names, kinds), wanted[1:]
    elif wanted and is_a(wanted[0], "preprocessing", "OneHotEncoder"):
        first, rest = _one_hot(wanted[0], names, {}), wanted[1:]
    elif wanted and is_a(wanted[0], "preprocessing", "OrdinalEncoder"):
        first, rest = _ordinal(wanted[0], names, {}), wanted[1:]
    elif len(wanted) > 1 and not _numeric(names, kinds) and is_a(wanted[0], "impute", "SimpleImputer"):
        first, rest = _encoded_after_filling(wanted[0], wanted[1], names), wanted[2:]
    else:
        first, rest = _numbers(names, kinds), wanted
    functions = [_step(step) for step in rest]
    if not functions:
        return first

    def source(columns: Columns, rows: int) -> Matrix:
        matrix = first(columns, rows)
        for function in functions:
            matrix = function(matrix)
        return matrix

    return source


def is_a(step: Any, module: str, *names: str) -> bool:
    """Whether a step is exactly one of scikit-learn's classes of these names; a subclass may do anything."""
    return type(step).__name__ in names and type(step).__module__.startswith(f"sklearn.{module}")


def inner(of: Any, name: str) -> Any:
    """Return a part that scikit-learn keeps to itself: right for its 1.9, and what comes of it is compared on every sample."""
    return getattr(of, name)


def _numeric(names: list[str], kinds: dict[str, str]) -> bool:
    return all(kinds[name] in ["float64", "int64", "bool"] for name in names)


def _numbers(names: list[str], kinds: dict[str, str]) -> Source:
    if not _numeric(names, kinds):  # narrower floats would be scaled in their own precision
        raise Uncompiled

    def numbers(columns: Columns, rows: int) -> Matrix:
        return np.array([columns[name] for name in names], dtype="float64").T

    return numbers


def _beside(transformer: Any, names: list[str], kinds: dict[str, str]) -> Source:
    parts: list[Source] = []
    places = inner(transformer, "_transformer_to_input_indices")
    for name, step, wanted in transformer.transformers_:
        if step == "drop" or not len(places[name]):
            continue
        if isinstance(wanted, str):  # one column as a series, which text vectorizers ask for
            raise Uncompiled
        own = [part for _, part in step.steps] if is_a(step, "pipeline", "Pipeline") else [step]
        parts.append(source_of(own, [names[place] for place in places[name]], kinds))
    if not parts or transformer.transformer_weights:
        raise Uncompiled
    if len(parts) == 1:
        return parts[0]
    return lambda columns, rows: np.concatenate([part(columns, rows) for part in parts], axis=1)


def _step(step: Any) -> Step:
    for module, name, compile_ in _STEPS:
        if is_a(step, module, name):
            return compile_(step)
    if hasattr(step, "get_support") and type(step).__module__.startswith("sklearn.feature_selection"):
        support = np.flatnonzero(step.get_support())
        return lambda x: x[:, support]
    raise Uncompiled


def _standard(step: Any) -> Step:
    mean, scale = step.mean_ if step.with_mean else None, step.scale_ if step.with_std else None
    return _shift_and_divide(mean, scale)


def _robust(step: Any) -> Step:
    return _shift_and_divide(step.center_ if step.with_centering else None, step.scale_ if step.with_scaling else None)


def _max_abs(step: Any) -> Step:
    if getattr(step, "clip", False):
        raise Uncompiled
    return _shift_and_divide(None, step.scale_)


def _shift_and_divide(shift: Matrix | None, scale: Matrix | None) -> Step:
    if shift is not None and scale is not None:
        return lambda x: (x - shift) / scale
    if shift is not None:
        return lambda x: x - shift
    return (lambda x: x / scale) if scale is not None else (lambda x: x)


def _min_max(step: Any) -> Step:
    scale, least = step.scale_, step.min_
    if not step.clip:
        return lambda x: x * scale + least
    low, high = step.feature_range
    return lambda x: np.clip(x * scale + least, low, high)


def _impute(step: Any) -> Step:
    fill = step.statistics_
    is_nan = isinstance(step.missing_values, float) and np.isnan(step.missing_values)
    if not is_nan or step.add_indicator or fill.dtype.kind not in "fiu" or np.isnan(fill.astype("float64")).any():
        raise Uncompiled
    values = fill.astype("float64")

    def impute(x: Matrix) -> Matrix:
        gone = np.isnan(x)
        return np.where(gone, values, x) if gone.any() else x

    return impute


def _components(step: Any) -> Step:
    if step.whiten:
        raise Uncompiled
    mean, turned = step.mean_, step.components_.T
    return lambda x: (x - mean) @ turned


def _function(step: Any) -> Step:
    function = step.func
    if function is None:
        return lambda x: x
    if not isinstance(function, np.ufunc) or step.kw_args:
        raise Uncompiled

    def apply(x: Matrix) -> Matrix:
        with np.errstate(all="ignore"):
            return function(x)

    return apply


_STEPS: tuple[tuple[str, str, Callable[[Any], Step]], ...] = (
    ("preprocessing", "StandardScaler", _standard),
    ("preprocessing", "RobustScaler", _robust),
    ("preprocessing", "MaxAbsScaler", _max_abs),
    ("preprocessing", "MinMaxScaler", _min_max),
    ("preprocessing", "FunctionTransformer", _function),
    ("impute", "SimpleImputer", _impute),
    ("decomposition", "PCA", _components),
)


# -- categories


def _encoded_after_filling(imputer: Any, encoder: Any, names: list[str]) -> Source:
    if imputer.add_indicator or imputer.strategy not in {"most_frequent", "constant"}:
        raise Uncompiled
    if len(imputer.statistics_) != len(names):
        raise Uncompiled
    fill = dict(zip(names, imputer.statistics_.tolist(), strict=True))
    if is_a(encoder, "preprocessing", "OneHotEncoder"):
        return _one_hot(encoder, names, fill)
    if is_a(encoder, "preprocessing", "OrdinalEncoder"):
        return _ordinal(encoder, names, fill)
    raise Uncompiled


def _one_hot(encoder: Any, names: list[str], fill: dict[str, Any]) -> Source:
    infrequent = getattr(encoder, "_infrequent_enabled", False)
    if infrequent or encoder.handle_unknown not in {"error", "ignore"}:
        raise Uncompiled
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(names)
    tables: list[tuple[str, dict[Any, int], Any]] = []
    start = 0
    for name, categories, drop in zip(names, encoder.categories_, dropped, strict=True):
        kept = [place for place in range(len(categories)) if place != drop]
        table = {_key(categories[place]): start + at for at, place in enumerate(kept)}
        if drop is not None:
            table[_key(categories[drop])] = -1
        tables.append((name, table, fill.get(name)))
        start += len(kept)
    width, strict = start, encoder.handle_unknown == "error" or encoder.drop_idx_ is not None

    def one_hot(columns: Columns, rows: int) -> Matrix:
        matrix = np.zeros((rows, width))
        for name, table, filled in tables:
            for row, value in enumerate(columns[name]):
                place = table.get(filled if value is None else value)
                if place is None:
                    if strict or (value is None and filled is None):
                        raise Declined
                elif place >= 0:
                    matrix[row, place] = 1.0
        return matrix

    return one_hot


def _ordinal(encoder: Any, names: list[str], fill: dict[str, Any]) -> Source:
    if getattr(encoder, "_infrequent_enabled", False):
        raise Uncompiled
    tables = [
        (name, {_key(value): float(place) for place, value in enumerate(categories)}, fill.get(name))
        for name, categories in zip(names, encoder.categories_, strict=True)
    ]
    unknown = float(encoder.unknown_value) if encoder.handle_unknown == "use_encoded_value" else None

    def ordinal(columns: Columns, rows: int) -> Matrix:
        matrix = np.empty((rows, len(tables)))
        for at, (name, table, filled) in enumerate(tables):
            for row, value in enumerate(columns[name]):
                place = table.get(filled if value is None else value, None if value is None else unknown)
                if place is None:
                    raise Declined
                matrix[row, at] = place
        return matrix

    return ordinal


def _key(category: Any) -> Any:
    """A category as a request carries it; missing ones get a key that no request has, so that they are declined."""
    value = category.item() if hasattr(category, "item") else category
    return (None, "missing") if value is None or value != value else value
