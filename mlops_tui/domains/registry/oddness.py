"""How odd a row is against the rows a version learned from, as p-values that mean what they say. Pure: numbers in, numbers out.

Two scores: the largest robust z of a row (distance from the median in units of the interquartile range / 1.349; Iglewicz & Hoaglin,
1993), which sees a unit error in one column, and the Mahalanobis distance under a covariance shrunk by Ledoit & Wolf (2004), which
sees values that do not go together. Each becomes a split-conformal p-value (Vovk et al., 2005): half of the reference rows fit the
score, the other half say how often it is as large, p = (1 + those at least as large) / (1 + rows). Whatever the scores' distribution,
a row like the reference has p <= a in a share a of cases at most; of both p the smaller counts twice. Isolation forests miss unit
errors and cost 5 ms a row, so they are not here. The third score, the mean distance to the nearest reference rows, is for batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_COLUMNS = 64
FEWEST_ROWS = 40
ALPHA = 0.01
NEIGHBOURS = 5
KEPT = 3000  # numbers of reference rows that a profile keeps for distances to neighbours
_KNOTS = 200
_TAILS = 5.0  # spreads: beyond them a value says nothing of how columns go together
_LARGEST = 1e100  # further numbers are taken as that, or their squares would not be numbers
_FURTHEST = 1e50  # spreads
_NOISE = 1e-9  # two sums of the same numbers may differ by that


def calibrate(frame: pd.DataFrame) -> dict[str, Any] | None:
    """What `Oddness` needs, as plain JSON values; None with fewer than 40 rows or no numbers (or more than 64 columns of them)."""
    names = [name for name in frame.columns if frame[name].dtype.kind in "iuf" or _nullable(frame[name])]
    if not names or len(names) > MOST_COLUMNS or len(frame) < FEWEST_ROWS:
        return None
    x = frame[names].astype("float64").to_numpy(dtype=float, na_value=np.nan)
    x = _clean(x)
    x = x[np.random.default_rng(0).permutation(len(x))]  # every other row may be every other hour
    there = np.flatnonzero(np.isfinite(x[::2]).any(axis=0))
    names, x = [names[place] for place in there], x[:, there]
    if not names:
        return None
    median = np.nanmedian(x[::2], axis=0)
    # What is kept is rounded, and the scores are of what is kept. The half that says how often saw nothing of how they were made.
    median, scale = np.array(_plain(median)), np.array(_plain(_scales(x[::2], median)))
    u = _standard(x, median, scale)
    whiten = np.array(_plain(_whiten(u[::2])))
    scores = {"z": np.abs(u[1::2]).max(axis=1), "distance": _distances(u[1::2], whiten)}
    kept = u[:: max(1, -(-len(u) * len(names) // KEPT))]
    return {
        "columns": [str(name) for name in names],
        "median": median.tolist(),
        "scale": scale.tolist(),
        "whiten": whiten.tolist(),
        "rows": len(u[1::2]),
        **{name: _knots(values) for name, values in scores.items()},
        "kept": _plain(kept),
    }


class Oddness:
    """Scores rows with what `calibrate` found. `columns` are the names whose values it takes, in their order."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.columns: list[str] = known["columns"]
        self._known = known
        self._median, self._scale = np.array(known["median"]), np.array(known["scale"])
        self._whiten = np.array(known["whiten"])
        self._kept = np.array(known["kept"], dtype=float).reshape(-1, len(self.columns))

    @property
    def alpha(self) -> float:
        """A row is odd from this p-value on: 1 %, or with a few reference rows the least that they can show."""
        return max(ALPHA, 2 / (1 + int(self._known["rows"])))

    def standard(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows x columns in units of the reference's spread about its medians; what is missing stands at the median."""
        return _standard(_clean(x), self._median, self._scale)

    def judge(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
        """For each row its p-value, and what is oddest: a column, or `together` where no single one is."""
        if not len(x):
            return np.empty(0), []
        u = self.standard(x)
        away = np.abs(u)
        alone = self._p("z", away.max(axis=1))
        joint = self._p("distance", _distances(u, self._whiten))
        worst = away.argmax(axis=1)
        why = [
            self.columns[place] if one <= both or len(self.columns) == 1 else "together"
            for place, one, both in zip(worst, alone, joint, strict=True)
        ]
        return np.minimum(1.0, 2 * np.minimum(alone, joint)), why

    def neighbours(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each row a p-value from its mean distance to the nearest reference rows kept, against that among themselves."""
        own = np.sort(nearest(self._kept, self._kept, skip_self=True))
        found = nearest(self.standard(x), self._kept)
        larger = len(own) - np.searchsorted(own, found, side="left")
        return np.asarray((1 + larger) / (1 + len(own)), dtype=float)

    @property
    def kept(self) -> NDArray[np.float64]:
        """Some reference rows, standardised."""
        return self._kept

    def _p(self, name: str, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        known = self._known[name]
        # `scores` fall. Those as large as one between two knots are at most those above the lower of the two.
        place = np.searchsorted(-np.array(known["scores"]), -scores * (1 - _NOISE), side="right")
        found = np.array([*known["above"], self._known["rows"]])[place]
        return np.asarray((1 + found) / (1 + self._known["rows"]), dtype=float)


def nearest(
    rows: NDArray[np.float64], among: NDArray[np.float64], *, k: int = NEIGHBOURS, skip_self: bool = False
) -> NDArray[np.float64]:
    """The mean distance of each row to its `k` nearest of the others; infinity without any."""
    squares = (rows**2).sum(axis=1)[:, None] + (among**2).sum(axis=1)[None, :] - 2 * rows @ among.T
    distances = np.sqrt(np.maximum(squares, 0.0))
    if skip_self:
        np.fill_diagonal(distances, np.inf)
    k = min(k, distances.shape[1] - skip_self)
    if k < 1:
        return np.full(len(rows), np.inf)
    return np.asarray(np.partition(distances, k - 1, axis=1)[:, :k].mean(axis=1), dtype=float)


def _knots(scores: NDArray[np.float64]) -> dict[str, list[float]]:
    """The largest scores one by one and some of the rest, falling, with how many are larger than each."""
    falling = np.sort(scores)[::-1]
    rest = (
        np.linspace(_KNOTS, len(falling) - 1, _KNOTS).astype(int) if len(falling) > _KNOTS else np.empty(0, dtype=int)
    )
    values = np.unique(falling[np.concatenate([np.arange(min(_KNOTS, len(falling))), rest])])[::-1]
    return {
        "scores": values.tolist(),
        "above": (len(falling) - np.searchsorted(falling[::-1], values, side="right")).tolist(),
    }


def _plain(values: NDArray[np.float64]) -> Any:
    """As JSON values of six digits: a profile is read with every version that is looked at."""
    return [_plain(one) for one in values] if values.ndim > 1 else [float(f"{one:.6g}") for one in values]


def _scales(x: NDArray[np.float64], median: NDArray[np.float64]) -> NDArray[np.float64]:
    first, third = np.nanquantile(x, [0.25, 0.75], axis=0)
    scale = (third - first) / 1.349
    scale = np.where(scale > 0, scale, np.nanstd(x, axis=0))
    scale = np.where(scale > 0, scale, np.maximum(np.abs(median), 1.0) * 1e-6)
    return np.asarray(np.maximum(scale, 1 / _LARGEST), dtype=float)


def _clean(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip(np.where(np.isfinite(x), x, np.nan), -_LARGEST, _LARGEST), dtype=float)


def _standard(x: NDArray[np.float64], median: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.clip(np.nan_to_num((x - median) / scale, nan=0.0), -_FURTHEST, _FURTHEST), dtype=float)


def _whiten(u: NDArray[np.float64]) -> NDArray[np.float64]:
    from sklearn.covariance import ledoit_wolf

    spread, _ = ledoit_wolf(np.clip(u, -_TAILS, _TAILS))
    spread = spread + np.eye(len(spread)) * max(1e-9, 1e-9 * float(np.trace(spread)))
    return np.asarray(np.linalg.inv(np.linalg.cholesky(spread)).T, dtype=float)


def _distances(u: NDArray[np.float64], whiten: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.square(u @ whiten).sum(axis=1), dtype=float)


def _nullable(column: pd.Series[Any]) -> bool:
    return str(column.dtype).startswith(("Int", "UInt", "Float"))
