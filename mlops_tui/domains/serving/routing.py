"""Who answers which request: weights over versions to one version. Pure: no clock, no randomness.

Without a key, a low-discrepancy counter (multiples of the golden ratio modulo 1) places requests, so that even little traffic meets
the weights closely: after n requests each version is within a few requests of its share. With a key, a hash of the
key places them, so that one caller always meets the same version while the weights stand; when the last version's weight
grows, callers only move to it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping

from mlops_tui.core.errors import InvalidInput

GOLDEN = 0.6180339887498949


def normalise(weights: Mapping[int, float]) -> dict[int, float]:
    """Scale weights to percent, versions in ascending order, zero weights left out.

    Raises InvalidInput for negative, non-finite or all-zero weights.
    """
    wrong = [version for version, weight in weights.items() if not 0 <= weight < float("inf")]
    if wrong:
        raise InvalidInput(
            f"The weight of version {wrong[0]} must be 0 or more.", hint="Give weights in percent: 1=90 2=10."
        )
    total = sum(weights.values())
    if not total:
        raise InvalidInput("At least one version needs a weight above 0.", hint="Give weights in percent: 1=90 2=10.")
    return {version: weights[version] * 100 / total for version in sorted(weights) if weights[version]}


def with_share(weights: Mapping[int, float], version: int, percent: float) -> dict[int, float]:
    """Give one version `percent` of the traffic and scale the others to the rest; InvalidInput outside (0, 100]."""
    if not 0 < percent <= 100:
        raise InvalidInput(f"A canary cannot take {percent:g} % of the traffic.", hint="Use more than 0, at most 100.")
    others = {number: weight for number, weight in weights.items() if number != version}
    total = sum(others.values())
    if not total:
        return {version: 100.0}
    scaled = {number: weight * (100 - percent) / total for number, weight in others.items()}
    return {**scaled, version: float(percent)}


@dataclasses.dataclass(slots=True)
class Router:
    """Chooses a version per request; `weights` in percent as `normalise` gives them."""

    weights: dict[int, float]
    salt: str = ""
    _count: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def choose(self, key: str | None = None) -> int:
        """Return the version for the next request, or for this key."""
        if len(self.weights) == 1:
            return next(iter(self.weights))
        return place(self.weights, sticky(key, self.salt) if key else next(self._count) * GOLDEN % 1.0)


def sticky(key: str, salt: str = "") -> float:
    """Map a key to a number in [0, 1); the salt (the deployment's name) keeps endpoints independent of each other."""
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def place(weights: Mapping[int, float], position: float) -> int:
    """Return the version whose stretch of [0, 1) holds `position`; stretches lie in the order of `weights`."""
    goal, reached, version = position * sum(weights.values()), 0.0, 0
    for version, weight in weights.items():  # noqa: B007 - the last one also takes what rounding leaves over
        reached += weight
        if goal < reached:
            break
    return version
