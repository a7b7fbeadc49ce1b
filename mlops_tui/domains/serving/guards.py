"""What is odd about a row, in microseconds: missing or never seen values, numbers out of range, rows far from the training data.

Bounds come from the reference profile of the version (or from its golden rows, when there is none): a number may lie as far
outside what training saw as the seen values spread, and its robust z (distance from the median in units of the interquartile
range / 1.349, as Iglewicz & Hoaglin, 1993) stays under `ROBUST_Z`. A row as a whole is an outlier when its Mahalanobis distance,
with the covariance of the golden rows shrunk to its diagonal (Ledoit & Wolf, 2004, with a fixed share), is well beyond the
largest among those. Heavier detectors (isolation forests cost 5 ms a row) do not belong in a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.registry.profile import MAX_LEVELS, level_text

if TYPE_CHECKING:
    import pandas as pd

ROBUST_Z = 12.0
# How far beyond the farthest golden row (200 of them, so that the tail is not seen) a row may lie.
FARTHER = 2.0
SHRINKAGE = 0.1
ROWS_PER_COLUMN = 3


class Guard:
    """Marks rows: `marks` returns one text per row, "" for ordinary ones, else `missing:age`, `range:age`, `unseen:plan`,
    `outlier`, several joined by commas.
    """

    def __init__(
        self,
        numbers: dict[str, tuple[float, float, float, float]],
        levels: dict[str, frozenset[str]],
        complete: frozenset[str],
        distance: tuple[Any, Any, float] | None,
    ) -> None:
        self._names = list(numbers)
        bounds = np.array(list(numbers.values()), dtype="float64").reshape(-1, 4).T
        self._low, self._high, self._median, self._scale = bounds
        self._levels = levels
        self._complete = complete
        self._distance = distance

    def marks(self, columns: dict[str, list[Any]], rows: int) -> list[str]:
        found: list[list[str]] = [[] for _ in range(rows)]
        for name in self._complete:
            values = columns[name]
            if None in values:
                for row, value in enumerate(values):
                    if value is None:
                        found[row].append(f"missing:{name}")
        for name, known in self._levels.items():
            for row, value in enumerate(columns[name]):
                if value is not None and value not in known and level_text(value) not in known:
                    found[row].append(f"unseen:{name}")
        if self._names:
            self._mark_numbers(columns, found)
        return [",".join(parts) for parts in found]

    def _mark_numbers(self, columns: dict[str, list[Any]], found: list[list[str]]) -> None:
        x = np.array([columns[name] for name in self._names], dtype="float64").T
        away = np.abs(x - self._median)
        odd = (x < self._low) | (x > self._high) | (away > ROBUST_Z * self._scale)  # nulls compare false
        if odd.any():
            for row, place in np.argwhere(odd):
                found[row].append(f"range:{self._names[place]}")
        if self._distance is not None:
            centre, whiten, limit = self._distance
            far = np.square(np.where(np.isnan(x), 0.0, x - centre) @ whiten).sum(axis=1) > limit
            for row in np.flatnonzero(far):
                found[row].append("outlier")


def guard_of(described: dict[str, Any], sample: pd.DataFrame, profile: dict[str, Any] | None) -> Guard:
    """Build the guard of a package from its profile, golden rows standing in where that says nothing."""
    from mlops_tui.domains.registry.profile import describe

    known = (profile or {}).get("columns", {})
    numbers: dict[str, tuple[float, float, float, float]] = {}
    levels: dict[str, frozenset[str]] = {}
    complete = set()
    for item in described["inputs"]:
        name = item["name"]
        column = known.get(name) or describe(sample[name])
        if not column["nulls"] and name in known:
            complete.add(name)
        if column["kind"] == "numeric" and column["count"]:
            numbers[name] = _bounds(column)
        elif column["kind"] == "categorical" and item["type"] == "string" and _all_levels(column):
            levels[name] = frozenset(column["levels"])
    return Guard(numbers, levels, frozenset(complete), _distance(sample, list(numbers)))


def _all_levels(column: dict[str, Any]) -> bool:
    """Whether the profile names every level there was: those it counts as "other" are known to nobody."""
    return len(column["levels"]) < MAX_LEVELS and not column["other"]


def _bounds(column: dict[str, Any]) -> tuple[float, float, float, float]:
    low, high, edges = float(column["min"]), float(column["max"]), sorted(map(float, column["edges"]))
    spread = high - low
    if len(edges) < 4:
        return low - spread, high + spread, (low + high) / 2, np.inf
    first, median, third = (edges[round(share * (len(edges) - 1))] for share in (0.25, 0.5, 0.75))
    scale = (third - first) / 1.349
    return low - spread, high + spread, median, scale if scale > 0 else np.inf


def _distance(sample: pd.DataFrame, names: list[str]) -> tuple[Any, Any, float] | None:
    """Return the centre, a matrix W with |(x - centre) W|^2 the distance, and the limit; None with too few rows."""
    rows = sample[names].to_numpy(dtype="float64") if names else np.empty((0, 0))
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(names) < 2 or len(rows) < ROWS_PER_COLUMN * len(names):
        return None
    centre = rows.mean(axis=0)
    spread = np.cov(rows, rowvar=False)
    diagonal = np.diag(np.diag(spread))
    if (np.diag(spread) <= 0).any():
        return None
    whiten = np.linalg.inv(np.linalg.cholesky((1 - SHRINKAGE) * spread + SHRINKAGE * diagonal)).T
    limit = FARTHER * float(np.square((rows - centre) @ whiten).sum(axis=1).max())
    return centre, whiten, limit
