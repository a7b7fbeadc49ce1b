"""Which parameters mattered for a metric: permutation importance of a random forest (Breiman 2001) over the runs.

The forest is judged on runs it has not seen (five folds): how much worse it predicts the metric there when one parameter is
shuffled is that parameter's importance. Shares are of the sum; what is negative counts as nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.experiments.records import Importance, number_of

if TYPE_CHECKING:
    import numpy as np

MIN_RUNS = 12
MOST_RUNS = 5000
_FOLDS = 5
_REPEATS = 5
_TREES = 100
_FEW_PER_PARAM = 10
_NAMES = 0.5
"""A text that is another one in more than half of the runs is a name, not a choice."""


def importance(metric: str, rows: Sequence[tuple[Mapping[str, str], float]]) -> Importance:
    """Shares of the parameters of runs (parameters as text, value of the metric); runs without a finite value are left out.

    Raises InvalidInput with fewer than 12 runs, or no parameter that differs, or a metric that is the same in all.
    """
    usable = [(params, value) for params, value in rows if math.isfinite(value)][:MOST_RUNS]
    if len(usable) < MIN_RUNS:
        raise InvalidInput(
            f"{len(usable)} runs have a value of '{metric}': too few to tell which parameters matter.",
            hint=f"{MIN_RUNS} are needed, and some ten for each parameter are better.",
        )
    values = [value for _, value in usable]
    if len(set(values)) == 1:
        raise InvalidInput(f"'{metric}' is {values[0]:g} in all {len(usable)} runs.", hint="Choose another metric.")
    columns, skipped = _columns([params for params, _ in usable])
    if not columns:
        raise InvalidInput("No parameter differs between these runs.", hint="See: mlops runs compare RUN RUN")
    score, gains = _gains(columns, values)
    total = sum(gains.values())
    shares = {name: gain / total if total > 0 else 0.0 for name, gain in gains.items()}
    ranked = tuple(sorted(shares.items(), key=lambda item: (-item[1], item[0])))
    return Importance(metric, len(usable), score, ranked, tuple(skipped), _warning(score, len(usable), len(columns)))


def _warning(score: float, runs: int, params: int) -> str:
    if score <= 0.1:
        return "The parameters hardly tell the metric of a run that was not seen: these shares say little."
    if runs < _FEW_PER_PARAM * params:
        return f"{runs} runs for {params} parameters are few: take the order with care."
    return ""


def _columns(rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, list[float]], list[str]]:
    """Parameters that differ as numbers, and the names of those left out because they only name the run."""
    columns: dict[str, list[float]] = {}
    skipped = []
    for name in sorted(set().union(*rows)):
        texts = [row.get(name) for row in rows]
        known = {text for text in texts if text is not None}
        if len(set(texts)) < 2:
            continue
        numbers = {text: number_of(text) for text in known}
        if any(number is None or math.isinf(number) for number in numbers.values()):
            if len(known) > max(10.0, _NAMES * len(rows)):
                skipped.append(name)
                continue
            numbers = {text: float(place) for place, text in enumerate(sorted(known))}
        finite = [number for number in numbers.values() if number is not None]
        missing = min(finite) - 1  # a value of its own, below all others
        columns[name] = [missing if text is None else float(numbers[text] or 0.0) for text in texts]
    return columns, skipped


def _gains(columns: Mapping[str, Sequence[float]], values: Sequence[float]) -> tuple[float, dict[str, float]]:
    """R² on unseen runs (the median of the folds), and how much of it each column is worth."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    x: np.ndarray[Any, Any] = np.array(list(columns.values())).T
    y = np.array(values)
    scores, gains = [], []
    for train, test in KFold(min(_FOLDS, len(y) // 3), shuffle=True, random_state=0).split(x):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=0).fit(x[train], y[train])
        scores.append(forest.score(x[test], y[test]))
        found = permutation_importance(forest, x[test], y[test], n_repeats=_REPEATS, random_state=0)
        gains.append(found.importances_mean)
    mean = np.maximum(0.0, np.mean(gains, axis=0))
    return float(np.median(scores)), dict(zip(columns, map(float, mean), strict=True))
