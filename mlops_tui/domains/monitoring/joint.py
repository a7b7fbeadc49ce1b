"""Whether columns still go together as they did: pairwise rank correlations, which no column shows by itself."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.monitoring.records import Joint, Pair
from mlops_tui.domains.registry import ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A certain change of a correlation by less than this matters to nobody.
FLOOR = 0.05
FEW_ROWS = 50
FEW_REFERENCE_ROWS = 100  # of fewer the standard errors are guesses themselves
KEPT = 10
MOST = 0.9999


def compare(
    known: dict[str, Any] | None, sample: NDArray[np.float64], names: Sequence[str], alpha: float
) -> Joint | None:
    """Correlations of `sample` (rows x `names`) against those of the reference; `alpha` is shared by all pairs.

    The limit of a pair is the normal quantile of its standard error, which the reference knows (`ranks.noise`), in both
    samples, with what the pair moved within the reference besides, on Fisher's scale (1915), where large correlations are about
    normal as well. None without two columns, fifty rows, or a
    hundred in the reference.
    """
    if known is None or "noise" not in known or len(sample) < FEW_ROWS or known["rows"] < FEW_REFERENCE_ROWS:
        return None
    places = [place for place, name in enumerate(known["columns"]) if name in names]
    if len(places) < 2:
        return None
    chosen = [known["columns"][place] for place in places]
    cut = np.ix_(places, places)
    old, noise, spread = (np.asarray(known[key], dtype=np.float64)[cut] for key in ("matrix", "noise", "spread"))
    new = ranks.correlations(sample[:, [names.index(name) for name in chosen]])
    upper = np.triu(np.ones(old.shape, dtype=bool), 1)
    pairs = int(upper.sum())
    z = NormalDist().inv_cdf(1 - alpha / (2 * pairs))
    error = np.sqrt(noise**2 * (1 / (len(sample) - 3) + 1 / known["rows"]) + spread**2)
    limit = np.maximum(_reach(old, new, z * error), FLOOR)
    size = np.where(upper, np.abs(new - old) / limit, 0.0)
    order = np.argsort(-size, axis=None)[: min(KEPT, pairs)]
    found = [
        Pair(
            first=chosen[row],
            second=chosen[column],
            reference=round(float(old[row, column]), 4),
            current=round(float(new[row, column]), 4),
            threshold=round(float(limit[row, column]), 4),
        )
        for row, column in (divmod(int(place), len(chosen)) for place in order)
    ]
    return Joint(pairs=pairs, rows=len(sample), furthest=found)


def _reach(old: NDArray[np.float64], new: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far from `old`, on the side where `new` lies, a step of `error` reaches that is taken on Fisher's scale."""
    start = np.clip(old, -MOST, MOST)
    step = np.where(new < start, -1.0, 1.0) * error / (1 - start**2)
    return np.asarray(np.abs(np.tanh(np.arctanh(start) + step) - start))
