"""Groups of people (or things) beside each other: measures of each with intervals, and the gaps between them.

Selection needs no label: the share that got the positive answer (numbers: the mean answer). Of labelled rows: `tpr`, the share of the
truly positive that got it; `fpr`, of the others; `error`, the share of wrong answers or the mean absolute error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.monitoring import intervals
from mlops_tui.domains.monitoring.measured import Gap, Group, Measure
from mlops_tui.domains.monitoring.measures import INPUT, Task, errors, texts
from mlops_tui.domains.monitoring.performance import usable

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAPS = ("selection", "tpr", "fpr", "error")
MOST_GROUPS = 20
DRAWS = 2000
MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Declared:
    """Which inputs are sensitive, which answer is the good one, and how few rows are too few."""

    columns: tuple[str, ...]
    positive: str = ""
    min_rows: int = 30


def groups(rows: pd.DataFrame, task: Task, declared: Declared) -> list[Group]:
    """Every group of every sensitive column that is logged, the largest first. Rows: prediction, label (may be missing), inputs."""
    found = []
    for column in declared.columns:
        if INPUT + column not in rows:
            continue
        levels = levels_of(rows[INPUT + column])
        for level in levels.value_counts().index[:MOST_GROUPS]:
            mine = rows[(levels == level).to_numpy()]
            labelled = int(mine["label"].notna().sum())
            found.append(Group(column, str(level), len(mine), labelled, [*_measures(mine, task, declared.positive)]))
    return found


def levels_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """The group of each row; numbers of many values in four equally full parts."""
    number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if number and column.nunique() > MOST_GROUPS:
        finite = column.where(np.isfinite(column.to_numpy(dtype=float, na_value=np.nan)))
        parts, edges = pd.qcut(finite, 4, duplicates="drop", labels=False, retbins=True)
        names = {place: f"{low:.4g} to {high:.4g}" for place, (low, high) in enumerate(pairwise(edges))}
        return parts.map(names).where(finite.notna(), "infinite").where(column.notna(), MISSING).astype(object)
    return texts(column).where(column.notna(), MISSING)


def gaps(found: Sequence[Group], min_rows: int) -> list[Gap]:
    """The gap of each measure of each column, over groups where it rests on at least `min_rows` rows; none with fewer than two."""
    out = []
    for column in dict.fromkeys(group.column for group in found):
        for name in GAPS:
            sides = {
                group.level: one
                for group in found
                if group.column == column
                for one in group.measures
                if one.name == name and one.rows >= min_rows
            }
            if len(sides) > 1:
                out.append(_gap(column, name, sides))
    return out


def _measures(rows: pd.DataFrame, task: Task, positive: str) -> Iterator[Measure]:
    known = rows[rows["prediction"].notna()]
    if task.classification:
        good = positive or task.labels[-1] if task.labels else positive
        chosen = (texts(known["prediction"]) == good).to_numpy()
        yield _share("selection", chosen)
        labelled = known["label"].notna().to_numpy()
        true = (texts(known["label"]) == good).to_numpy()
        for name, of in (("tpr", labelled & true), ("fpr", labelled & ~true)):
            if of.any():
                yield _share(name, chosen[of])
    else:
        answers = pd.to_numeric(known["prediction"], errors="coerce").to_numpy(dtype=float)
        yield from _mean("selection", answers[usable(answers)])
    wrong = errors(known, task).to_numpy()
    if wrong.size and task.classification:
        yield _share("error", wrong > 0)
    else:
        yield from _mean("error", wrong)


def _share(name: str, hits: Any) -> Measure:
    count = int(hits.sum())
    return Measure(name, count / max(hits.size, 1), *intervals.wilson(count, int(hits.size)), "wilson", int(hits.size))


def _mean(name: str, values: NDArray[np.float64]) -> Iterator[Measure]:
    if values.size:
        error = intervals.error_of_mean(values)
        low, high = intervals.around(float(values.mean()), error) if math.isfinite(error) else (None, None)
        yield Measure(name, float(values.mean()), low, high, "normal", values.size)


def _gap(column: str, name: str, sides: dict[str, Measure]) -> Gap:
    """The gap, give or take the range that chance alone gives to so many groups of these sizes.

    The range of measured values and that of the true ones differ by at most the range of the errors, whatever the true values are. So
    the 95 % quantile of that, by simulation, gives an interval that holds, and a lower end above zero in at most one of twenty
    comparisons of groups that do not differ (as Tukey's range test, 1949).
    """
    random = np.random.default_rng(intervals.SEED)
    errors_ = np.vstack([_errors(one, random) for one in sides.values()])
    chance = float(np.quantile(errors_.max(axis=0) - errors_.min(axis=0), intervals.CONFIDENCE))
    lowest = min(sides, key=lambda level: sides[level].value)
    highest = max(sides, key=lambda level: sides[level].value)
    value = sides[highest].value - sides[lowest].value
    return Gap(column, name, value, max(0.0, value - chance), value + chance, lowest, highest, len(sides))


def _errors(one: Measure, random: np.random.Generator) -> NDArray[np.float64]:
    """How far a measured value may be from the true one; a share that is all or nothing has an error, too."""
    if one.method == "wilson":
        share = (one.value * one.rows + 1) / (one.rows + 2)
        return np.asarray(random.binomial(one.rows, share, DRAWS) / one.rows - share)
    error = 0.0 if one.high is None else (one.high - one.value) / intervals.z_of()
    return np.asarray(random.normal(0, error, DRAWS))
