"""Rank correlations of all pairs of numeric columns, and how uncertain each of them is. Numbers in, numbers out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MAX_COLUMNS = 30
ROWS = 5000
NOISE_ROWS = 2000
BLOCKS = 10
MIN_BLOCK_ROWS = 100


def profile(frame: pd.DataFrame) -> dict[str, Any] | None:
    """Spearman's correlations of the first thirty numeric columns that vary, from at most 5,000 evenly spaced rows.

    {"columns", "rows", "matrix", "noise", "spread"}: the standard error of a correlation over n rows is noise / sqrt(n)
    where nothing changes, and `spread` is how far it moved besides, from stretch to stretch of the reference.
    """
    import pandas as pd

    numeric = [
        name
        for name in frame.columns
        if pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_bool_dtype(frame[name])
        and frame[name].nunique() > 1
    ][:MAX_COLUMNS]
    if len(numeric) < 2:
        return None
    thinned = frame[numeric].iloc[:: max(1, -(-len(frame) // ROWS))].astype("float64")
    values = thinned.to_numpy(dtype=float, na_value=np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    matrix, deviation = correlations(values), noise(values)
    return {
        "columns": [str(name) for name in numeric],
        "rows": len(values),
        "matrix": matrix.round(4).tolist(),
        "noise": deviation.round(3).tolist(),
        "spread": _spread(values, deviation).round(4).tolist(),
    }


def correlations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlation of every pair of columns of `values` (rows x columns), over the rows that have both.

    A column without two different values correlates with nothing: 0. Ties share their mean rank.
    """
    there = np.isfinite(values)
    ranks = np.where(there, _ranks(values, there), 0.0)
    known = there.astype(np.float64)
    both = known.T @ known
    sums, squares, products = ranks.T @ known, (ranks**2).T @ known, ranks.T @ ranks
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = products / both - (sums / both) * (sums / both).T
        variance = squares / both - (sums / both) ** 2
        matrix = covariance / np.sqrt(variance * variance.T)
    matrix = np.where(np.isfinite(matrix) & (variance > 1e-12) & (variance.T > 1e-12), matrix, 0.0)
    np.fill_diagonal(matrix, 1.0)
    return np.asarray(np.clip(matrix, -1.0, 1.0))


def _ranks(values: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean ranks from 0 to 1 among the present values of each column, less one half; missing ones have none."""
    ranks = np.zeros(values.shape)
    for column in range(values.shape[1]):
        present = values[there[:, column], column]
        if present.size:
            ordered = np.sort(present)
            middle = np.searchsorted(ordered, present, "left") + np.searchsorted(ordered, present, "right")
            ranks[there[:, column], column] = middle / (2 * present.size) - 0.5
    return ranks


def noise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation of the influence of one row on each correlation: the standard error times sqrt(rows).

    The influence of (x, y) on Spearman's rho is 12 (F(x) G(y) + E[G(Y); X >= x] + E[F(X); Y >= y]) less its mean (Croux
    and Dehon 2010); missing values stand in the middle. Normal columns without correlation have 1.
    """
    sample = values[:: max(1, -(-len(values) // NOISE_ROWS))]
    there = np.isfinite(sample)
    shares = np.where(there, _ranks(sample, there), 0.0)
    rows, columns = shares.shape
    above = np.empty((columns, rows, columns))
    for column in range(columns):
        order = np.argsort(-shares[:, column], kind="stable")
        above[column, order] = np.cumsum(shares[order], axis=0) / rows
    found = np.zeros((columns, columns))
    for column in range(columns):
        influence = 12 * (shares[:, [column]] * shares + above[column] + above[:, :, column].T)
        found[column] = influence.std(axis=0)
    np.fill_diagonal(found, 0.0)
    return found


def _spread(values: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far correlations move from stretch to stretch of the rows beyond their standard error there."""
    number = min(BLOCKS, len(values) // MIN_BLOCK_ROWS)
    if number < 3:
        return np.zeros(deviation.shape)
    rows = len(values) // number
    found = np.stack([correlations(values[rows * place : rows * (place + 1)]) for place in range(number)])
    return np.asarray(np.sqrt(np.maximum(0.0, found.var(axis=0, ddof=1) - deviation**2 / rows)))
