"""Judging models that have no target: groups by how they hold together, outliers by how alike two fits rank the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.bootstrap import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from mlops_tui.domains.registry.metrics import Array

MAX_ROWS = 2000
HALVES = 3


def space(model: Any, rows: pd.DataFrame) -> Array:
    """The rows as the model's last part sees them."""
    prepared = model[:-1].transform(rows) if hasattr(model, "steps") and len(model.steps) > 1 else rows
    return np.asarray(prepared, dtype=float)


def groups(model: Any, rows: pd.DataFrame) -> Array:
    """The group of each row. Raises InvalidInput for an estimator that can only group the rows it learned from."""
    if not hasattr(model, "predict"):
        raise InvalidInput(
            "This estimator cannot say to which group a new row belongs, so it cannot serve.",
            hint="Use one with predict: KMeans, MiniBatchKMeans, BisectingKMeans, GaussianMixture, Birch.",
        )
    return np.asarray(model.predict(rows), dtype=float)


def silhouettes(points: Array, labels: Array, seed: int = 0) -> tuple[Array, Array]:
    """Which rows were looked at (at most 2,000) and the silhouette of each (Rousseeuw 1987); empty with fewer than two groups."""
    from sklearn.metrics import silhouette_samples

    chosen = np.arange(len(labels))
    if len(chosen) > MAX_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), MAX_ROWS, replace=False))
    count = len(np.unique(labels[chosen]))
    if not 2 <= count < len(chosen):
        return chosen[:0], np.empty(0)
    return chosen, np.asarray(silhouette_samples(points[chosen], labels[chosen]))


def judge_groups(
    model: Any, rows: pd.DataFrame, again: Callable[[pd.DataFrame], Any], learned: pd.DataFrame, confidence: float
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, Any]]:
    """Metrics, their intervals, and the sizes of the groups among `rows`. `again(rows)` fits a new model."""
    from sklearn.metrics import adjusted_rand_score, davies_bouldin_score

    labels, points = groups(model, rows), space(model, rows)
    _, values = silhouettes(points, labels)
    found: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    if len(values):
        found = {"silhouette": float(values.mean()), "davies_bouldin": float(davies_bouldin_score(points, labels))}
        generator = np.random.default_rng(0)
        draws = np.asarray([values[generator.integers(0, len(values), len(values))].mean() for _ in range(500)])
        intervals["silhouette"] = percentiles(draws, confidence)
    found["stability"] = _stability(
        again, learned, lambda other, one: float(adjusted_rand_score(groups(other, rows), groups(one, rows)))
    )
    names, counts = np.unique(labels, return_counts=True)
    sizes = {str(int(name)): int(count) for name, count in zip(names, counts, strict=True)}
    return found, intervals, {"groups": sizes}


def judge_outliers(
    model: Any, rows: pd.DataFrame, again: Callable[[pd.DataFrame], Any], learned: pd.DataFrame
) -> dict[str, float]:
    """How alike two fits rank the rows (Spearman), and the share that is flagged."""
    from mlops_tui.domains.pipelines.wrappers import rank_correlation

    def alike(one: Any, other: Any) -> float:
        return rank_correlation(one.decision_function(rows), other.decision_function(rows))

    flagged = float(np.mean(np.asarray(model.predict(rows)) == -1))
    return {"stability": _stability(again, learned, alike), "flagged": flagged}


def _stability(
    again: Callable[[pd.DataFrame], Any], learned: pd.DataFrame, alike: Callable[[Any, Any], float]
) -> float:
    """The mean likeness of models fitted on two halves of the rows that share none (Ben-Hur, Elisseeff and Guyon 2002)."""
    generator = np.random.default_rng(0)
    values = []
    for _ in range(HALVES):
        order = generator.permutation(len(learned))
        half = len(order) // 2
        values.append(alike(again(learned.iloc[order[:half]]), again(learned.iloc[order[half:]])))
    return float(np.mean(values))
