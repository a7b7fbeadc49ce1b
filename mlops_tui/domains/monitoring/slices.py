"""Where a model is weakest: parts of the inputs whose labelled answers are worse than the others, beyond chance.

Every level of a category and every quarter of a number is looked at, then pairs of those that look bad. Each is compared with all
other rows by Welch's test of the mean error; p-values are Holm's over everything looked at, so that a model that is equally right
everywhere shows a weak slice in one of twenty lists at most.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.monitoring import intervals
from mlops_tui.domains.monitoring.fairness import levels_of
from mlops_tui.domains.monitoring.measured import Measure, Slice
from mlops_tui.domains.monitoring.measures import INPUT, Task, errors

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 30
SHOWN = 10
PAIRED = 8
MOST_LEVELS = 20
ALPHA = 0.05

Part = tuple[str, Any]


def weakest(rows: pd.DataFrame, task: Task, columns: Sequence[str], declared: Sequence[str] = ()) -> list[Slice]:
    """Declared columns' slices all, then the weakest of the others that are worse beyond chance. Rows: prediction, label, inputs."""
    wrong = errors(rows, task)
    frame, error = rows.loc[wrong.index], wrong.to_numpy()
    if error.size < 2 * LEAST:
        return []
    singles = [part for name in columns if INPUT + name in frame for part in _parts(frame[INPUT + name], name)]
    looked = [*singles, *_pairs(_worst(singles, error))]
    tested = _tested(looked, error, task, family=len(singles) + len(singles) * (len(singles) - 1) // 2)
    of_declared = {
        words for name in declared if INPUT + name in frame for words, _ in _parts(frame[INPUT + name], name)
    }
    mine = [_as_declared(one) for one in tested if one.words in of_declared]
    weak = [one for one in tested if one.p < ALPHA and one.difference > 0 and one.words not in of_declared]
    return [*sorted(mine, key=lambda one: -one.difference), *_apart(sorted(weak, key=lambda one: -one.low))]


def _parts(column: pd.Series[Any], name: str) -> Iterator[Part]:
    """The levels of a column that have enough rows, in words, with their rows."""
    levels = levels_of(column).to_numpy()
    found, counts = np.unique(levels.astype(str), return_counts=True)
    texts = levels.astype(str)
    for place in np.argsort(-counts, kind="stable")[:MOST_LEVELS]:
        if LEAST <= counts[place] <= len(texts) - LEAST:
            yield f"{name} = {found[place]}", texts == found[place]


def _worst(parts: Iterable[Part], error: NDArray[np.float64]) -> list[Part]:
    return sorted(parts, key=lambda part: -float(error[part[1]].mean()))[:PAIRED]


def _pairs(parts: Sequence[Part]) -> Iterator[Part]:
    for (first, mine), (second, other) in combinations(parts, 2):
        both = mine & other
        if both.sum() >= LEAST and both.sum() < min(mine.sum(), other.sum()):
            yield f"{first} and {second}", both


def _tested(parts: Sequence[Part], error: NDArray[np.float64], task: Task, family: int) -> list[Slice]:
    found = []
    for words, rows in parts:
        mine, rest = error[rows], error[~rows]
        difference = float(mine.mean() - rest.mean())
        scatter = math.hypot(_error(mine), _error(rest))
        p = 1.0 if scatter == 0 else 0.5 * math.erfc(difference / scatter / math.sqrt(2))
        low, high = intervals.around(difference, scatter)
        found.append(Slice(words, int(mine.size), _measure(mine, task), float(rest.mean()), difference, low, high, p))
    return _holm(found, family)


def _error(values: NDArray[np.float64]) -> float:
    """Standard error of the mean; a slice without a single error is not certain either."""
    if values.size < 2:
        return math.inf
    spread = float(values.std(ddof=1))
    if spread == 0 and set(values) <= {0.0, 1.0}:
        share = (values.sum() + 1) / (values.size + 2)
        spread = math.sqrt(share * (1 - share))
    return spread / math.sqrt(values.size)


def _measure(values: NDArray[np.float64], task: Task) -> Measure:
    if task.classification:
        right = int(values.size - values.sum())
        return Measure("accuracy", right / values.size, *intervals.wilson(right, values.size), "wilson", values.size)
    mean, error = float(values.mean()), _error(values)
    low, high = intervals.around(mean, error)
    return Measure("mae", mean, max(0.0, low), high, "normal", values.size)


def _holm(found: Sequence[Slice], family: int) -> list[Slice]:
    """p-values for having looked at so many (Holm, 1979); pairs that were not tried because their halves look well count too."""
    out, worst = [], 0.0
    for place, one in enumerate(sorted(found, key=lambda one: one.p)):
        worst = max(worst, min(1.0, one.p * (max(family, len(found)) - place)))
        out.append(dataclasses.replace(one, p=worst))
    return out


def _as_declared(one: Slice) -> Slice:
    return dataclasses.replace(one, declared=True)


def _apart(found: Iterable[Slice]) -> list[Slice]:
    """The first ones; a pair is left out where one of its halves stands before it."""
    kept: list[Slice] = []
    for one in found:
        halves = one.words.split(" and ")
        if len(halves) < 2 or not any(other.words in halves for other in kept):
            kept.append(one)
    return kept[:SHOWN]
