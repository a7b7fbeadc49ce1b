"""Searching settings: which ones to try, and how each is judged."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.pipelines.recipe import Range, Tune

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

Fold = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


def candidates(tune: Tune, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the settings to try: every combination of a grid, or `trials` random draws without repeats."""
    if tune.method == "grid":
        values = [value if isinstance(value, list) else [] for value in tune.space.values()]
        for combination in itertools.product(*values):
            yield dict(zip(tune.space, combination, strict=True))
        return
    generator = np.random.default_rng(seed)
    seen: list[dict[str, Any]] = []
    for _ in range(tune.trials * 5):
        drawn = {name: _draw(span, generator) for name, span in tune.space.items()}
        if drawn not in seen:
            seen.append(drawn)
            yield drawn
        if len(seen) == tune.trials:
            return


def folds(count: int, *, by_time: bool, rows: int, seed: int) -> list[Fold]:
    """Cut rows for cross-validation: each fold after what it is judged by when time decides, else shuffled."""
    from sklearn.model_selection import KFold, TimeSeriesSplit

    count = min(count, max(2, rows // 2))
    cutter = TimeSeriesSplit(count) if by_time else KFold(count, shuffle=True, random_state=seed)
    return list(cutter.split(np.zeros(rows)))


def cross_validate(
    make: Callable[[], Any],
    rows: pd.DataFrame,
    target: pd.Series[Any],
    cuts: list[Fold],
    judge: Callable[[Any, pd.DataFrame, pd.Series[Any]], float],
) -> float:
    """Return the mean of `judge(model, rows, target)` over the folds that can be judged."""
    values = []
    for train, held in cuts:
        model = make()
        model.fit(rows.iloc[train], target.iloc[train])
        values.append(judge(model, rows.iloc[held], target.iloc[held]))
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def _draw(span: Range | list[Any], generator: np.random.Generator) -> Any:
    if isinstance(span, list):
        return span[int(generator.integers(len(span)))]
    whole = isinstance(span.low, int) and isinstance(span.high, int)
    if span.log:
        value = math.exp(generator.uniform(math.log(span.low), math.log(span.high)))
    else:
        value = generator.uniform(span.low, span.high + 1 if whole else span.high)
    return max(int(span.low), min(int(span.high), int(value))) if whole else value
