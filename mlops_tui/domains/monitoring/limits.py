"""What the statistics stay under while nothing changes: simulated from the reference for the size of the window in use."""

from __future__ import annotations

import dataclasses
import functools
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri

from mlops_tui.domains.monitoring.drift import SMOOTHING, Counts, ks, psi, rank_shift
from mlops_tui.domains.registry.blocks import grouped

DRAWS = 2000
TAIL = 0.1
POOLED = 10  # stretches of the reference that are left when neighbours are pooled up to the window's size
CERTAIN = 3.0  # standard errors by which stretches must differ more than chance lets them
SURE = 5.0  # with so many in one measure, the others need none: what wanders passed for still by one of three
SHORTER = 4.0  # how much further than its stretches a shorter window is thought to move
STEP = 1.05
MOST_ALIKE = 0.9
LEAST_WORTH = 4.0
REACHED = 0.97
# Mean and variance of the squared Kolmogorov-Smirnov statistic of one row (Kolmogorov 1933): pi^2/12, 7 pi^4/720 less that squared.
KS_MEAN, KS_VARIANCE = 0.8225, 0.2705


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The limit of each statistic for one column and one window size.

    `moves` says that they are wider than chance alone asks for, because the reference itself moved from stretch to stretch.
    """

    psi: float
    ks: float
    shift: float
    moves: bool = False


def sized(rows: int) -> int:
    """The window size to simulate for: at most five percent smaller, so that neighbouring sizes share limits."""
    return math.ceil(STEP ** int(math.log(max(rows, 1), STEP))) if rows > 20 else rows


def limits(
    reference: ArrayLike,
    nulls: float,
    rows: int,
    *,
    alpha: float,
    starts: NDArray[np.intp] | None = None,
    name: str = "",
    blocks: dict[str, Any] | None = None,
    draws: int = DRAWS,
) -> Limits:
    """The values PSI, KS and the rank shift pass with probability ``alpha`` each when ``rows`` rows are like the reference.

    Simulated: the unknown true shares are drawn from Dirichlet(reference counts), which is what is known after a
    reference of that size (exactly so for bins between sample quantiles), then a window from Multinomial(rows, shares).
    So a small reference gives wide limits by itself. Past the tenth of largest draws the tail is taken as exponential,
    in PSI and in the squares of the others (the Kolmogorov tail is 2 exp(-2 x^2)): alpha over many columns is rarer than any
    draw. Seeded by the column's name and the window size: the same question has the same answer. Where ``blocks``
    (`registry.blocks`) show that the reference moved by more than chance, limits allow for as much again.
    """
    stretches = None if blocks is None else (int(blocks["rows"]), tuple(map(tuple, blocks["counts"])))
    cuts = None if starts is None else tuple(starts.tolist())
    counts = tuple(np.append(np.asarray(reference, dtype=np.float64), nulls).tolist())
    return _simulated(counts, rows, alpha, cuts, name, stretches, draws)


@functools.lru_cache(maxsize=1024)  # two deployments of one version ask the same, and every window of a study
def _simulated(
    key: tuple[float, ...],
    rows: int,
    alpha: float,
    cuts: tuple[int, ...] | None,
    name: str,
    stretches: tuple[int, tuple[tuple[float, ...], ...]] | None,
    draws: int,
) -> Limits:
    counts, starts = np.array(key), None if cuts is None else np.array(cuts, dtype=np.intp)
    random = np.random.default_rng([zlib.crc32(name.encode()), rows, counts.size])
    # An empty bin is not an impossible one; half a row is Jeffreys' prior for what was never seen.
    weights = np.where(counts > 0, counts, SMOOTHING)
    gammas = random.standard_gamma(weights, size=(draws, counts.size))
    windows = random.multinomial(rows, gammas / gammas.sum(axis=1, keepdims=True)).astype(np.float64)
    bins = _with_nulls(windows[:, :-1], windows[:, -1:], starts)
    expected = _with_nulls(counts[:-1], counts[-1:], starts)
    drawn = (psi(expected, bins), ks(counts[:-1], windows[:, :-1]) ** 2, rank_shift(counts[:-1], windows[:, :-1]) ** 2)
    found = [tail_quantile(draw, alpha) for draw in drawn]
    wider = found
    if stretches is not None:
        allowed = _allowances(*stretches, rows)
        wider = [
            max(limit, (float(draw.mean()) + excess) * float(fdtri(2 * shape, degrees, 1 - alpha))) if excess else limit
            for limit, draw, (excess, shape, degrees) in zip(found, drawn, allowed, strict=True)
        ]
        # A reference with a trend is worth a few independent stretches, of which no tail can be told: limits would lie past what the
        # statistics can be. What has hardly anything in common with it is drift all the same.
        tops = (REACHED * _largest_psi(expected, rows), REACHED, REACHED / 4)
        wider = [min(limit, max(chance, top)) for limit, chance, top in zip(wider, found, tops, strict=True)]
    return Limits(wider[0], math.sqrt(wider[1]), math.sqrt(wider[2]), moves=wider != found)


def _largest_psi(expected: Counts, rows: int) -> float:
    """That of a window in which all rows fall into the one bin that has the fewest."""
    window = np.zeros(len(expected))
    window[expected.argmin()] = rows
    return float(psi(expected, window))


def _with_nulls(counts: Counts, nulls: Counts, starts: NDArray[np.intp] | None) -> Counts:
    return np.concatenate([counts if starts is None else grouped(counts, starts), nulls], axis=-1)


def tail_quantile(draws: ArrayLike, alpha: float) -> float:
    """The value exceeded with probability ``alpha``: from the draws while they reach, else an exponential tail."""
    values = np.asarray(draws, dtype=np.float64)
    if alpha >= TAIL:
        return float(np.quantile(values, 1 - alpha))
    start = float(np.quantile(values, 1 - TAIL))
    excess = values[values > start] - start
    scale = float(excess.mean()) if excess.size else 0.0
    return start + scale * math.log(TAIL / alpha)


def _allowances(size: int, stretches: ArrayLike, rows: int) -> list[tuple[float, float, float]]:
    """How much PSI, squared KS and squared rank shift of stretches pass what chance lets them: (excess, shape, degrees).

    Neighbouring stretches are pooled to about the size of the window while ten are left. A window shorter than they are
    is less averaged, so the excess grows with their ratio. Stretches that resemble their neighbours are worth fewer, and
    lie closer to their own mean than later windows will: with k of them worth, by (k + 1) / (k - 1), and their mean is
    as uncertain as k - 1 degrees of freedom make it, which is why limits are quantiles of F(2 shape, degrees).
    """
    counts = np.asarray(stretches, dtype=np.float64)
    number = len(counts)
    factor = max(1, min(number // POOLED, round(rows / size)))
    number //= factor
    counts = counts[: number * factor].reshape(number, factor, -1).sum(axis=1)
    size *= factor
    whole = counts.sum(axis=0)
    values, total = counts[:, :-1], whole[:-1]
    if not whole[-1]:
        counts, whole = values, total  # a bin that is always empty would count what smoothing adds to it
    counts, whole = counts[:, whole > 0], whole[whole > 0]
    if len(whole) < 2 or number < 3:
        return [(0.0, 1.0, 1.0)] * 3
    noise = 1 / size - 1 / (size * number)
    ties = (1 - float(((total / max(total.sum(), 1)) ** 3).sum())) / 12
    worth = _worth(counts, whole, noise)
    stretch = min(max(1.0, size / rows), SHORTER) * (worth + 1) / (worth - 1)
    measured = (
        (psi(whole, counts), len(whole) - 1.0, 2.0 * (len(whole) - 1)),
        (ks(total, values) ** 2, KS_MEAN, KS_VARIANCE),
        (rank_shift(total, values) ** 2, ties, 2 * ties**2),
    )
    # A column that surely moves by one measure moves by all: they see the same stretches, some less clearly.
    errors = [_errors(drawn, mean * noise, math.sqrt(variance / number) * noise) for drawn, mean, variance in measured]
    enough = 0.0 if max(errors) > SURE else CERTAIN
    found = []
    for (drawn, mean, variance), certain in zip(measured, errors, strict=True):
        if certain <= enough:
            found.append((0.0, 1.0, 1.0))
            continue
        shape = float(np.clip(drawn.mean() ** 2 / max(drawn.var(), 1e-30), 0.5, mean**2 / variance))
        found.append(((float(drawn.mean()) - mean * noise) * stretch, shape, worth - 1))
    return found


def _errors(drawn: NDArray[np.float64], expected: float, error: float) -> float:
    """By how many standard errors the mean of what was drawn is more than chance expects; 0 where chance gives nothing."""
    return (float(drawn.mean()) - expected) / error if error > 0 else 0.0


def _worth(counts: Counts, whole: Counts, noise: float) -> float:
    """How many independent stretches these are worth: number (1 - r) / (1 + r), r how much a stretch is like the one before.

    r is the correlation of neighbours over all bins, without the noise of counting and with Kendall's correction (1954)
    for few stretches.
    """
    p = whole / whole.sum()
    apart = (counts / counts.sum(axis=1, keepdims=True) - p) / np.sqrt(p)
    number = len(counts)
    variance = float((apart**2).sum()) / number - (len(whole) - 1) * noise
    neighbours = float((apart[1:] * apart[:-1]).sum()) / (number - 1)
    alike = neighbours / variance if variance > 0 else 0.0
    alike = min(max(alike + (1 + 3 * alike) / number, 0.0), MOST_ALIKE)
    return max(number * (1 - alike) / (1 + alike), LEAST_WORTH)
