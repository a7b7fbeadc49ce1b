"""How a column moved within the reference itself: counts of consecutive stretches of its rows, over a dozen coarse bins.

Windows of live data follow each other in time, and even where nothing changed they differ by more than chance when the
data has days and weather in it. How much more, the reference tells by its own stretches, as long as its rows are in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

GROUPS = 10
BLOCKS = 20
MIN_BLOCK_ROWS = 25


def group_starts(reference: ArrayLike, groups: int = GROUPS) -> NDArray[np.intp]:
    """Where to cut neighbouring bins into about ``groups`` of equal reference mass (for ``numpy.add.reduceat``).

    PSI over a hundred bins is mostly noise (its mean under no change is about bins / rows), over ten it has power.
    """
    sums = np.cumsum(np.asarray(reference, dtype=np.float64), axis=-1)
    cumulative = sums / np.maximum(sums[..., -1:], 1.0)
    before = np.concatenate([[0.0], cumulative[:-1]])
    group = np.minimum((before * groups + 1e-9).astype(int), groups - 1)
    # An empty outer bin would take a group of its own only by being last: it belongs to its neighbour.
    return np.flatnonzero(np.concatenate([[True], np.diff(group) > 0]))


def grouped(counts: ArrayLike, starts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Counts summed over the groups that ``group_starts`` cut, on the last axis."""
    return np.asarray(np.add.reduceat(np.asarray(counts, dtype=np.float64), starts, axis=-1))


def coarse(described: dict[str, Any]) -> NDArray[np.intp]:
    """The coarse bin of each bin of a described column: groups of equal mass, or the nine most frequent levels and the rest."""
    if described["kind"] == "numeric":
        sizes = np.diff([*group_starts(described["counts"]), len(described["counts"])])
        return np.repeat(np.arange(len(sizes)), sizes)
    return np.minimum(np.arange(len(described["levels"]) + 1), GROUPS - 1)


def blocks(bins: NDArray[np.intp], described: dict[str, Any]) -> dict[str, Any] | None:
    """Counts of up to twenty equal stretches of `bins` (the bin of each row in order, -1 where missing).

    {"rows": rows of each, "counts": [[count per coarse bin, missing last]]}; None for fewer rows than two stretches need.
    """
    number = min(BLOCKS, len(bins) // MIN_BLOCK_ROWS)
    if number < 2:
        return None
    rows = len(bins) // number
    places = coarse(described)
    width = int(places[-1]) + 2
    cells = np.where(bins < 0, width - 1, places[bins])[: rows * number].reshape(number, rows)
    flat = np.bincount((cells + np.arange(number)[:, None] * width).ravel(), minlength=number * width)
    return {"rows": rows, "counts": flat.reshape(number, width).tolist()}
