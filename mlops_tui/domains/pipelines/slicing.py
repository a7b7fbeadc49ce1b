"""The groups of rows that are looked at by themselves: which they are, and how the model does on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.pipelines import bootstrap
from mlops_tui.domains.registry import metrics
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mlops_tui.domains.pipelines.work import Work
    from mlops_tui.domains.registry.metrics import Array

MIN_SLICE = 20
MAX_SLICES = 20
BINS = 4


def levels_of(column: pd.Series[Any]) -> Array:
    """The level of each row as text, `missing` for none; numbers with many values are cut into four equally full bins."""
    import pandas as pd

    if pd.api.types.is_float_dtype(column) and column.nunique() > MAX_SLICES:
        column = pd.qcut(column, BINS, duplicates="drop").astype(str).where(column.notna())
    texts = column.map(level_text, na_action="ignore").astype(object)
    return np.asarray(texts.where(texts.notna(), "missing").astype(str).to_numpy())


def slices(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[str, str, Array]]:
    """Yield (column, level, which rows) for levels with enough rows, the largest first."""
    for column in columns:
        texts = levels_of(frame[column])
        levels, counts = np.unique(texts, return_counts=True)
        for level, count in sorted(zip(levels, counts, strict=True), key=lambda item: (-item[1], item[0]))[:MAX_SLICES]:
            if count >= MIN_SLICE:
                yield column, str(level), texts == level


def by_slice(
    work: Work, frame: pd.DataFrame, truth: Array, answer: Array, threshold: float | None
) -> list[dict[str, Any]]:
    """The primary metric with its interval for each slice."""
    columns = [name for name in work.recipe.evaluate.slices if name in frame.columns]
    for name in work.recipe.evaluate.slices:
        if name not in columns:
            work.say(f"no column {name} to slice by")
    primary = work.recipe.primary
    shown = metrics.decided(primary, answer, threshold) if work.recipe.classes else answer
    found = []
    for column, level, chosen in slices(frame, columns):
        value = metrics.score(primary, truth[chosen], shown[chosen])
        if not np.isfinite(value):
            continue
        low, high = bootstrap.interval(
            primary,
            truth[chosen],
            shown[chosen],
            confidence=work.recipe.gate.confidence,
            resamples=work.recipe.evaluate.resamples,
        )
        span = {"low": low, "high": high} if np.isfinite(low) else {"low": None, "high": None}
        found.append({"column": column, "level": level, "rows": int(chosen.sum()), "value": value, **span})
    return found
