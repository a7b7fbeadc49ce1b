"""Whether a canary is worse than what it would replace, by statistics that stay valid however often one looks. Pure.

Failures (errors, slow answers, wrong answers) are counted for both sides over stretches of time. If both fail equally often,
then of the failures of one stretch the canary gets its share of the requests, w = requests_canary / requests_both. Each way of
being worse (failing r times as often, r in `RATIOS`) bets on more; the mean of these bets is an e-process: a test martingale
whose chance of ever passing 1/alpha is at most alpha when nothing is wrong (Ville's inequality; Ramdas et al., 2023, "Game-
theoretic statistics and safe anytime-valid inference"). Given the stretch, the canary's failures are hypergeometric, and a
bet, being convex, then gains no more than under the binomial it is written for (Hoeffding, 1963, theorem 4). Shares may differ
from stretch to stretch, so changing the weight needs no new start.

How far the rates can lie apart comes from confidence sequences: the beta-binomial mixture with a Beta(1/2, 1/2) prior, inverted
(Robbins, 1970; Howard et al., 2021).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
MOST = 10_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """Requests and failures of the canary and of the other versions in one stretch of time."""

    canary: int
    canary_failed: int
    stable: int
    stable_failed: int


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """What one kind of failure says. `e_value` counts against the canary; `difference` is an upper bound, None without both
    sides; `missing` is how many more canary requests would bring it under the margin at the present rates.
    """

    kind: str
    canary: int
    canary_failed: int
    stable: int
    stable_failed: int
    e_value: float
    difference: float | None
    missing: int

    @property
    def canary_rate(self) -> float:
        return self.canary_failed / self.canary if self.canary else 0.0

    @property
    def stable_rate(self) -> float:
        return self.stable_failed / self.stable if self.stable else 0.0


def weigh(kind: str, stretches: Iterable[Counts], *, alpha: float, margin: float, tolerated: float = 1.0) -> Evidence:
    """Sum up stretches in their order. `alpha`: the chance of a false alarm; `margin`: the difference of rates that is still
    good enough (absolute: 0.02 is two more in a hundred). `tolerated`: how many times as often the canary may fail before it
    counts as worse; bets are on more than that, and gain no more on less, since they grow with its failures.
    """
    bets = [0.0] * len(RATIOS)
    highest = 0.0
    total = [0, 0, 0, 0]
    for one in stretches:
        total = [a + b for a, b in zip(total, dataclasses.astuple(one), strict=True)]
        if not one.canary_failed + one.stable_failed or not one.canary or not one.stable:
            continue
        share = one.canary * tolerated / (one.canary * tolerated + one.stable)
        for place, ratio in enumerate(RATIOS):
            bold = share * ratio / (share * ratio + 1 - share)
            bets[place] += one.canary_failed * math.log(bold / share) + one.stable_failed * math.log(
                (1 - bold) / (1 - share)
            )
        # What was once reached counts: the chance that it was ever reached is what alpha bounds.
        highest = max(highest, _mean_exp(bets))
    canary, canary_failed, stable, stable_failed = total
    gap = difference(canary, canary_failed, stable, stable_failed, alpha)
    lacking = missing(canary, canary_failed, stable, stable_failed, alpha=alpha, margin=margin)
    return Evidence(kind, canary, canary_failed, stable, stable_failed, max(highest, _mean_exp(bets)), gap, lacking)


def upper(requests: int, failed: int, alpha: float) -> float:
    """Upper end of the anytime-valid confidence sequence of a rate, 1.0 without requests."""
    if not requests:
        return 1.0
    low, high = failed / requests, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if _against(requests, failed, middle) >= math.log(1 / alpha):
            high = middle
        else:
            low = middle
    return high


def lower(requests: int, failed: int, alpha: float) -> float:
    """Lower end of the same, 0.0 without requests."""
    return 1.0 - upper(requests, requests - failed, alpha)


def difference(canary: int, canary_failed: int, stable: int, stable_failed: int, alpha: float) -> float | None:
    """Upper bound of canary rate minus stable rate, right at all times with probability 1 - alpha; None with one side only."""
    if not canary or not stable:
        return None
    return upper(canary, canary_failed, alpha / 2) - lower(stable, stable_failed, alpha / 2)


def missing(canary: int, canary_failed: int, stable: int, stable_failed: int, *, alpha: float, margin: float) -> int:
    """How many more canary requests, at the present rates and shares, bring `difference` under `margin`.

    0 when it is there; MOST when no number would, since the canary fails more often by the margin already.
    """
    if not canary or not stable:
        canary, canary_failed, stable, stable_failed = max(1, canary), 0, max(1, stable), 0
    rate, other, ratio = canary_failed / canary, stable_failed / stable, stable / canary

    def enough(requests: int) -> bool:
        scaled = round(requests * ratio)
        gap = difference(requests, round(requests * rate), scaled, round(scaled * other), alpha)
        return gap is not None and gap < margin

    if enough(canary):
        return 0
    high = canary
    while not enough(high):
        high *= 2
        if high >= MOST:
            return MOST
    low = high // 2
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high - canary


def _against(requests: int, failed: int, rate: float) -> float:
    """Log of the mixture's gain against `rate` being true."""
    gain = _log_beta(0.5 + failed, 0.5 + requests - failed) - _log_beta(0.5, 0.5)
    if (rate <= 0 and failed) or (rate >= 1 and failed < requests):
        return math.inf
    said = failed * math.log(rate) if failed else 0.0
    return gain - said - ((requests - failed) * math.log1p(-rate) if failed < requests else 0.0)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _mean_exp(logs: list[float]) -> float:
    top = max(logs)
    if top > 700:
        return math.inf
    return math.fsum(math.exp(value) for value in logs) / len(logs)
