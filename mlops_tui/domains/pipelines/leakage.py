"""Ways in which the test rows may be known to the model already: each found is a sentence with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.making import Split

# Below these shares a coincidence is likelier than a leak.
TWINS = 0.01
SAME = 0.999
MAX_LEVELS = 50


def found(
    frame: pd.DataFrame, parts: np.ndarray[Any, Any], split: Split, *, inputs: list[str], target: str, time: str | None
) -> list[str]:
    """Look at the cut rows: `parts` 0 train, 1 validation, 2 test. Without a target there is nothing to give away."""
    if not target:
        return []
    learned, judged = frame[parts < 2], frame[parts == 2]
    texts = [
        *_twins(learned, judged, inputs),
        *_groups(learned, judged, split),
        *_overlap(learned, judged, split, time),
    ]
    return [*texts, *_answers(frame, inputs, target)]


def _twins(learned: pd.DataFrame, judged: pd.DataFrame, inputs: list[str]) -> Iterator[str]:
    known = set(pd.util.hash_pandas_object(learned[inputs], index=False).tolist())
    twins = pd.util.hash_pandas_object(judged[inputs], index=False).isin(known)
    if len(judged) and twins.mean() > TWINS:
        yield f"{int(twins.sum()):,} of {len(judged):,} test rows have the same inputs as a row that is learned from"


def _groups(learned: pd.DataFrame, judged: pd.DataFrame, split: Split) -> Iterator[str]:
    if not split.group or split.by == "group" or split.group not in learned.columns:
        return
    both = set(learned[split.group].dropna()) & set(judged[split.group].dropna())
    if both:
        yield f"{len(both):,} values of {split.group} are learned from and tested on; split by group keeps them apart"


def _overlap(learned: pd.DataFrame, judged: pd.DataFrame, split: Split, time: str | None) -> Iterator[str]:
    if not time or split.by == "time" or not len(judged):
        return
    older = (judged[time] < learned[time].max()).mean()
    if older > 0:
        yield f"{older:.0%} of the test rows are older than rows that are learned from; a split by time shows what it can foresee"


def _answers(frame: pd.DataFrame, inputs: list[str], target: str) -> Iterator[str]:
    truth = frame[target]
    codes = pd.Series(pd.factorize(truth)[0], index=frame.index)
    for name in inputs:
        column = frame[name]
        if column.nunique() < 2:
            continue
        if _is_copy(column, truth):
            yield f"{name} equals the target {target}"
        elif column.nunique() <= MAX_LEVELS and truth.nunique() <= MAX_LEVELS and _tells(column, codes):
            yield f"{name} alone tells the target {target}: each of its values goes with one value of it"


def _is_copy(column: pd.Series[Any], truth: pd.Series[Any]) -> bool:
    numbers = all(pd.api.types.is_numeric_dtype(item) for item in (column, truth))
    if not numbers:
        return bool((column.astype(str) == truth.astype(str)).mean() >= SAME)
    pair = pd.DataFrame({"a": column.astype(float), "b": truth.astype(float)}).dropna()
    if len(pair) < 3 or pair["a"].std() == 0 or pair["b"].std() == 0:
        return False
    return bool(abs(np.corrcoef(pair["a"], pair["b"])[0, 1]) >= SAME and truth.nunique() > 2) or bool(
        (pair["a"] == pair["b"]).mean() >= SAME
    )


def _tells(column: pd.Series[Any], codes: pd.Series[int]) -> bool:
    """Whether the rows of each value have one label, with more than one row a value."""
    groups = codes.groupby(column.astype(str).to_numpy())
    return bool((groups.nunique() == 1).all() and groups.size().min() > 1 and codes.nunique() > 1)
