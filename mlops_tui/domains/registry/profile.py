"""The reference profile of a model version: what its inputs, predictions and errors looked like at training time.

Pure: data in, plain JSON values out. A profile is a few kB and is all that monitoring needs to score a window.

    {"version": 2, "rows": n,
     "columns": {name: column},
     "prediction": column | None,
     "baseline": {"rows": n, "mae", "rmse", ["rmsle"]} | {"rows": n, "accuracy", ["log_loss"]} | None,
     "errors": [...],                      at most 1,000, in the order of the rows: absolute error, or 0/1 for classes
     "target": column | None,              the true values, described as the predictions are
     "correlations": {"columns", "rows", "matrix", "noise", "spread"} | None,     Spearman, numeric columns only (`ranks.py`)
     "oddness": {...} | None}              what tells how odd a row is (`oddness.py`)

    numeric column      {"kind": "numeric", "count", "nulls", "infinite", "mean", "std", "min", "max", "edges", "counts", "blocks"}
    categorical column  {"kind": "categorical", "count", "nulls", "levels": [text], "counts", "other", "distinct", "once",
                         "blocks"}                  how many levels there are, and how many were seen a single time
    time column         {"kind": "time", "count", "nulls", "min", "max"}        seconds since the epoch

`blocks` are coarse counts of consecutive stretches of the rows (`blocks.py`), None for a few rows.

`counts` of a numeric column has one more item than `edges`: counts[i] are the values with edges[i-1] < x <= edges[i]
(the first x <= edges[0], the last x > edges[-1]), as DuckDB's `histogram(column, edges)` counts. `count` has no nulls.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.registry import oddness, ranks
from mlops_tui.domains.registry.blocks import blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

QUANTILES = 100
# Six extra edges in the tails: without them the distance of a log-normal column is 30 % off.
TAIL_LEVELS = (0.0005, 0.001, 0.0025, 0.9975, 0.999, 0.9995)
MAX_LEVELS = 50
LONGEST_LEVEL = 200  # longer texts are no names of anything; they count among the others
LOW_CARDINALITY = 20
MAX_ERRORS = 1000

Column = dict[str, Any]


def build_profile(
    frame: pd.DataFrame,
    predictions: Any = None,
    truth: Any = None,
    *,
    task: str | None = None,
    probabilities: Any = None,
    labels: Sequence[Any] | None = None,
    held_out: tuple[Any, Any] | None = None,
) -> dict[str, Any]:
    """Profile `frame` (rows x model inputs) with the model's `predictions` and the true values of the same rows.

    `task` is guessed from the truth when left out. `probabilities` (rows x len(labels)) adds the log-loss. `held_out`:
    (predictions, truth) of rows the model did not learn from; baseline and errors are theirs, as are `probabilities`.
    """
    predicted = None if predictions is None else pd.Series(np.asarray(predictions).reshape(len(frame)))
    actual = None if truth is None else pd.Series(np.asarray(truth).reshape(len(frame)))
    kind = task or _guess_task(actual if actual is not None else predicted)
    judged = (predicted, actual) if held_out is None else tuple(pd.Series(np.asarray(part)) for part in held_out)
    baseline: dict[str, Any] | None = None
    errors: list[float] = []
    if judged[0] is not None and judged[1] is not None and len(judged[0]):
        baseline, errors = _baseline(judged[0], judged[1], kind, probabilities, labels)
    return {
        "version": 2,
        "rows": len(frame),
        "columns": {str(name): describe(frame[name]) for name in frame.columns},
        "prediction": None if predicted is None else describe(predicted, categorical=kind == "classification"),
        "target": None if actual is None else describe(actual, categorical=kind == "classification"),
        "baseline": baseline,
        "errors": errors,
        "correlations": ranks.profile(frame),
        "oddness": oddness.calibrate(frame),
    }


def describe(column: pd.Series[Any], *, categorical: bool | None = None) -> Column:
    """Describe one column; `categorical` forces the kind, else the type and the number of levels decide."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _describe_time(column)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if categorical is None:
        categorical = not numeric or _has_few_whole_values(column)
    return _describe_levels(column) if categorical else _describe_numbers(column)


def level_text(value: Any) -> str:
    """Return the text under which a categorical value is counted: `true`, `3` (also for 3.0), or the value itself."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)) and float(value).is_integer() and abs(float(value)) < 9e18:
        return str(int(value))
    return str(value)


def count_like(column: pd.Series[Any], reference: Column) -> tuple[list[int], int]:
    """Count a new window over the bins of `reference`: (counts, nulls).

    Numeric: one count per bin of `edges`. Categorical: one per known level, then one for every other level.
    """
    nulls = int(column.isna().sum())
    if reference["kind"] == "numeric":
        values = pd.to_numeric(column, errors="coerce").dropna().to_numpy(dtype=float)
        return _histogram(values, np.asarray(reference["edges"], dtype=float)), nulls
    seen = column.dropna().map(level_text).value_counts()
    known = [int(seen.get(level, 0)) for level in reference["levels"]]
    return [*known, int(seen.sum()) - sum(known)], nulls


def _has_few_whole_values(column: pd.Series[Any]) -> bool:
    values = column.dropna()
    limit = min(LOW_CARDINALITY, max(2, len(values) // 10))
    if pd.api.types.is_float_dtype(values) and not np.all(np.rint(values) == values):
        return False
    return 0 < values.nunique() <= limit


def _describe_numbers(column: pd.Series[Any]) -> Column:
    values = column.astype("float64").to_numpy(dtype=float, na_value=np.nan)
    values = values[~np.isnan(values)]
    finite = values[np.isfinite(values)]
    levels = np.sort(np.concatenate([np.linspace(0, 1, QUANTILES), TAIL_LEVELS]))
    # Edges are values that occur. Between those of a few rows nothing is known, and bins there would claim that it is.
    edges = np.unique(np.quantile(finite, levels, method="inverted_cdf")) if len(finite) else np.array([])
    mean, std = _moments(finite)
    found: Column = {
        "kind": "numeric",
        "count": len(values),
        "nulls": len(column) - len(values),
        "infinite": len(values) - len(finite),
        "mean": mean,
        "std": std,
        "min": float(finite.min()) if len(finite) else None,
        "max": float(finite.max()) if len(finite) else None,
        "edges": [float(edge) for edge in edges],
        "counts": _histogram(values, edges),
    }
    rows = column.astype("float64").to_numpy(dtype=float, na_value=np.nan)
    bins = np.where(np.isnan(rows), -1, np.searchsorted(edges, rows, side="left"))
    return found | {"blocks": blocks(bins, found)}


def _moments(finite: np.ndarray[Any, Any]) -> tuple[float | None, float | None]:
    """Mean and standard deviation, of numbers whose squares are none any more as well."""
    if not len(finite):
        return None, None
    most = float(np.abs(finite).max())
    unit = most if most > 1e150 else 1.0
    return float((finite / unit).mean()) * unit, float((finite / unit).std()) * unit


def _histogram(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> list[int]:
    # side="left" puts x == edge into the bin that ends there: (edges[i-1], edges[i]].
    bins = np.searchsorted(edges, values, side="left")
    return [int(count) for count in np.bincount(bins, minlength=len(edges) + 1)]


def _describe_levels(column: pd.Series[Any]) -> Column:
    codes, names = _coded(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    short = [place for place, name in enumerate(names) if len(name) <= LONGEST_LEVEL]
    # Ties in alphabetical order, so that the same data always gives the same profile.
    top = heapq.nsmallest(MAX_LEVELS, short, key=lambda place: (-counts[place], names[place]))
    found: Column = {
        "kind": "categorical",
        "count": int(counts.sum()),
        "nulls": len(column) - int(counts.sum()),
        "levels": [names[place] for place in top],
        "counts": [int(counts[place]) for place in top],
        "other": int(counts.sum() - counts[top].sum()),
        "distinct": len(names),
        "once": int((counts == 1).sum()),
    }
    places = np.full(len(names) + 1, len(top))
    places[top] = np.arange(len(top))
    places[-1] = -1  # where the code of what is missing points to
    return found | {"blocks": blocks(places[codes], found)}


def _coded(column: pd.Series[Any]) -> tuple[np.ndarray[Any, Any], list[str]]:
    """The level of each row as a place in a list of texts, -1 where missing. A column may have a million of them."""
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) != "string":
        column = column.map(level_text, na_action="ignore")  # 1 and True are equal, and lists cannot be compared
    codes, values = pd.factorize(column)
    same, names = pd.factorize(np.array([level_text(value) for value in values], dtype=object))
    return np.where(codes < 0, -1, np.append(same, -1)[codes]), [str(name) for name in names]


def _describe_time(column: pd.Series[Any]) -> Column:
    known = column.dropna()
    return {
        "kind": "time",
        "count": len(known),
        "nulls": len(column) - len(known),
        "min": float(known.min().timestamp()) if len(known) else None,
        "max": float(known.max().timestamp()) if len(known) else None,
    }


def _guess_task(values: pd.Series[Any] | None) -> str:
    if values is None or not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "classification"
    return "classification" if _has_few_whole_values(values) else "regression"


def _baseline(
    predicted: pd.Series[Any], actual: pd.Series[Any], task: str, probabilities: Any, labels: Sequence[Any] | None
) -> tuple[dict[str, Any], list[float]]:
    if task == "regression":
        return _regression_baseline(predicted.to_numpy(dtype=float), actual.to_numpy(dtype=float))
    wrong = (predicted.map(level_text) != actual.map(level_text)).to_numpy(dtype=float)
    baseline: dict[str, Any] = {"rows": len(actual), "accuracy": float(1 - wrong.mean())}
    if probabilities is not None and labels is not None:
        baseline["log_loss"] = _log_loss(actual, np.asarray(probabilities, dtype=float), labels)
    return baseline, _thin(wrong)


def _regression_baseline(
    predicted: np.ndarray[Any, Any], actual: np.ndarray[Any, Any]
) -> tuple[dict[str, Any], list[float]]:
    error = np.abs(actual - predicted)
    baseline = {"rows": len(actual), "mae": float(error.mean()), "rmse": float(np.sqrt((error**2).mean()))}
    if len(actual) and actual.min() >= 0:
        logs = np.log1p(actual) - np.log1p(np.clip(predicted, 0, None))
        baseline["rmsle"] = float(np.sqrt((logs**2).mean()))
    return baseline, _thin(error)


def _log_loss(actual: pd.Series[Any], probabilities: np.ndarray[Any, Any], labels: Sequence[Any]) -> float:
    places = {level_text(label): place for place, label in enumerate(labels)}
    chosen = [probabilities[row, places[level_text(value)]] for row, value in enumerate(actual)]
    return float(-np.log(np.clip(np.asarray(chosen, dtype=float), 1e-15, 1)).mean())


def _thin(errors: np.ndarray[Any, Any]) -> list[float]:
    """Keep at most MAX_ERRORS, evenly spaced: a stream detector wants them in the order of the rows."""
    places = np.unique(np.linspace(0, len(errors) - 1, min(MAX_ERRORS, len(errors))).astype(int))
    return [float(errors[place]) for place in places]
