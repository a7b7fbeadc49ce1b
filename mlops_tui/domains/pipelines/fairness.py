"""Gaps between groups: numbers in, checks out. A gap is the largest rate minus the smallest, over groups with enough rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mlops_tui.domains.pipelines.bootstrap import percentiles
from mlops_tui.domains.pipelines.records import GateCheck

if TYPE_CHECKING:
    from mlops_tui.domains.registry.metrics import Array

DRAWS = 2000


def gap_check(
    name: str,
    column: str,
    values: Array,
    groups: Array,
    bound: float,
    *,
    min_rows: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> GateCheck:
    """Compare the mean of `values` (0 or 1, or errors) between `groups` (texts), both of one length.

    False when the interval of the gap lies above the bound; None when the gap does and its interval does not, since with few
    rows a gap comes about by chance; True else. Draws: each group resampled by itself.
    """
    generator = np.random.default_rng(seed)
    means: dict[str, tuple[float, int]] = {}
    drawn = []
    for group in np.unique(groups):
        chosen = values[groups == group]
        if len(chosen) >= min_rows:
            means[str(group)] = (float(chosen.mean()), len(chosen))
            drawn.append(_means(chosen, generator))
    label = f"fairness {name} {column}"
    limit = f"gap <= {bound:g}"
    if len(means) < 2:
        detail = f"{name} of {column}: fewer than two groups have {min_rows} rows"
        return GateCheck(label, None, limit=limit, detail=detail)
    rates = [mean for mean, _ in means.values()]
    gap = max(rates) - min(rates)
    all_draws = np.vstack(drawn)
    low, high = percentiles(all_draws.max(axis=0) - all_draws.min(axis=0), confidence)
    passed = True if gap <= bound else False if low > bound else None
    shown = ", ".join(f"{group} {mean:.3g} ({rows:,} rows)" for group, (mean, rows) in means.items())
    detail = f"{name} of {column}: gap {gap:.3g} [{low:.3g}, {high:.3g}], wanted at most {bound:g}; {shown}"
    detail += "; too few rows to tell it from the bound" if passed is None else ""
    total = sum(rows for _, rows in means.values())
    return GateCheck(label, passed, gap, limit, low, high, total, detail=detail)


def _means(values: Array, generator: np.random.Generator) -> Array:
    if set(np.unique(values)) <= {0.0, 1.0}:
        # The mean of resampled zeros and ones is binomial: the same bootstrap in one call.
        return np.asarray(generator.binomial(len(values), values.mean(), DRAWS) / len(values))
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return np.asarray(generator.normal(values.mean(), error, DRAWS))
