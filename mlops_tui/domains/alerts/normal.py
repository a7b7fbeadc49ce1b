"""What is normal for a series, learned from its own past: a median and a spread per hour of the week. Pure, no numpy.

Robust throughout (medians; spreads are 1.4826 times the median absolute deviation, Hampel, 1974), so that an outage in the past
neither shifts what is normal nor widens it. The past is cut into stretches as long as the rule's span, so that means of equally
much are compared. How many of those past stretches the rule would have called odd is counted and said with every finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from mlops_tui.core import clock

LEARNS = 28 * clock.DAY
"""How far back a rule learns."""
RELEARNS = clock.HOUR
FEWEST = 24
"""With fewer stretches in the past nothing is called odd."""
SEASONS = ((21 * clock.DAY, 168, "hour of the week"), (3 * clock.DAY, 24, "hour of the day"), (0, 1, "all hours"))
"""How much history it takes to tell how many hours apart, and what that is called. Hours are of UTC."""
_MAD = 1.4826
_LEAST = 0.01  # no spread is smaller than this part of the level: less is not worth a person's time


@dataclass(frozen=True, slots=True)
class Normal:
    """What was learned: level and spread for each of `len(levels)` hours; `odd` of `seen` past stretches were beyond `limit`."""

    learned_at: int
    levels: tuple[float, ...]
    spreads: tuple[float, ...]
    seen: int
    odd: int
    limit: float

    @property
    def season(self) -> str:
        """`hour of the week`, or less where the history is short."""
        return next(name for _, hours, name in SEASONS if hours == len(self.levels))

    def at(self, moment: int) -> tuple[float, float]:
        """Level and spread for a moment (ms)."""
        slot = _slot(moment, len(self.levels))
        return self.levels[slot], self.spreads[slot]

    def score(self, moment: int, value: float) -> float:
        """How many spreads a value lies from what is normal then, with its sign."""
        level, spread = self.at(moment)
        return (value - level) / spread


def learn(points: Iterable[Sequence[float]], span: int, limit: float, now: int) -> Normal | None:
    """Learn from (time in ms, value, ...) what stretches of `span` ms are like; None with too short a past."""
    stretches: dict[int, list[float]] = {}
    for point in points:
        stretches.setdefault(int(point[0]) // span, []).append(float(point[1]))
    means = [(int((at + 0.5) * span), sum(values) / len(values)) for at, values in sorted(stretches.items())]
    if len(means) < FEWEST:
        return None
    history = means[-1][0] - means[0][0]
    hours = next(hours for needs, hours, _ in SEASONS if history >= needs)
    slots: dict[int, list[float]] = {}
    for at, value in means:
        slots.setdefault(_slot(at, hours), []).append(value)
    overall = median(value for _, value in means)
    levels = [median(slots[slot]) if slot in slots else overall for slot in range(hours)]
    # A few values in a slot say little of their spread; that of all hours, as a part of their level, says the rest.
    parts = [abs(value / level - 1) for at, value in means if (level := levels[_slot(at, hours)])]
    common = _MAD * median(parts) if parts else 0.0
    floor = _LEAST * max(abs(overall), max(map(abs, levels)) / 10) or 1e-9
    own = [_spread(slots.get(slot, []), level) for slot, level in enumerate(levels)]
    spreads = [max(each, common * abs(level), floor) for each, level in zip(own, levels, strict=True)]
    found = Normal(now, tuple(levels), tuple(spreads), len(means), 0, limit)
    odd = sum(abs(found.score(at, value)) > limit for at, value in means)
    return Normal(now, found.levels, found.spreads, len(means), odd, limit)


def _spread(values: Sequence[float], level: float) -> float:
    """The median distance from the level as that of a normal distribution, made up for the level being their own median."""
    if len(values) < 2:
        return 0.0
    return _MAD * median(abs(value - level) for value in values) * sqrt(len(values) / (len(values) - 1))


def _slot(moment: int, hours: int) -> int:
    return moment // clock.HOUR % hours
