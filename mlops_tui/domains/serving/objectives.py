"""Service level objectives: what was promised, how much of the room for failure is used up, and how fast. No I/O.

Burn rates and their alerts follow the Site Reliability Workbook, chapter 5 (table 5-8): a burn rate of 1 uses the budget up in
exactly the objective's window; an alert needs it over a long and a short window, so that it is neither jumpy nor slow to end.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.serving.records import BOUNDS_MS

AVAILABILITY, LATENCY = "availability", "latency"
# (long window, short window, burn rate, severity): 2 % of a 30 day budget in an hour, 5 % in six, 10 % in three days.
RULES = (
    (HOUR, 5 * MINUTE, 14.4, "critical"),
    (6 * HOUR, 30 * MINUTE, 6.0, "critical"),
    (3 * DAY, 6 * HOUR, 1.0, "warning"),
)
# With less a burn rate is chance: one failure in ten requests is a burn rate of 100 for a promise of 99.9 %.
LEAST_BAD = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Objective:
    """What a deployment promises: `availability` and `latency_share` are shares (0.999), the latter within `latency_ms`."""

    deployment: str
    availability: float | None
    latency_ms: float | None
    latency_share: float
    window_days: int
    updated_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """Requests of a stretch of time that began at `at`: all, those answered with 5xx, and the latencies of all."""

    at: int
    requests: int
    errors: int
    histogram: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """How one promise stands: `bad` of `total` in its window, `allowed` of them; `left` is a share and may be below 0.

    `burning` is the fastest rule that holds ("" when none does), `burn_1h` and `burn_6h` the burn rates (None without requests).
    """

    kind: str
    target: float
    total: int
    bad: float
    achieved: float | None
    allowed: float
    left: float
    burn_1h: float | None
    burn_6h: float | None
    burning: str = ""
    severity: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """An objective and its budgets."""

    objective: Objective
    budgets: tuple[Budget, ...]

    @property
    def severity(self) -> str:
        """The worst of its budgets': critical, warning or ""."""
        found = {budget.severity for budget in self.budgets}
        return "critical" if "critical" in found else "warning" if "warning" in found else ""


def check(objective: Objective) -> Objective:
    """Return it; raises InvalidInput for a promise that no one can keep or break."""
    for share in (objective.availability, objective.latency_share):
        if share is not None and not 0.5 <= share < 1:
            raise InvalidInput(f"{100 * share:.6g} % is no objective.", hint="Use 50 % or more, and less than 100.")
    if objective.latency_ms is not None and not (math.isfinite(objective.latency_ms) and objective.latency_ms > 0):
        raise InvalidInput("A latency is a number of milliseconds above 0.", hint="50ms or 0.05s")
    if objective.availability is None and objective.latency_ms is None:
        raise InvalidInput("There is nothing promised.", hint="Give an availability, a latency, or both.")
    if not 1 <= objective.window_days <= 90:
        raise InvalidInput(f"A window of {objective.window_days} days is none.", hint="Use 1 to 90 days.")
    return objective


def standing(objective: Objective, tallies: Iterable[Tally], now: int) -> Standing:
    """How the promises stand at `now`, from tallies of the window (or more)."""
    known = [one for one in tallies if one.at >= now - objective.window_days * DAY - HOUR]
    budgets = []
    if objective.availability is not None:
        points = [(one.at, one.requests, float(one.errors)) for one in known]
        budgets.append(_budget(AVAILABILITY, objective.availability, points, now))
    if objective.latency_ms is not None:
        slow = [(one.at, one.requests, slower(one.histogram, objective.latency_ms)) for one in known]
        budgets.append(_budget(LATENCY, objective.latency_share, slow, now))
    return Standing(objective, tuple(budgets))


def slower(histogram: tuple[int, ...], bound_ms: float) -> float:
    """How many latencies are over a bound, the bucket it falls into divided in proportion."""
    over = 0.0
    low = 0.0
    for place, count in enumerate(histogram):
        high = BOUNDS_MS[place] if place < len(BOUNDS_MS) else math.inf
        if low >= bound_ms:
            over += count
        elif high > bound_ms:
            over += count if high is math.inf else count * (high - bound_ms) / (high - low)
        low = high
    return over


def _budget(kind: str, target: float, points: list[tuple[int, int, float]], now: int) -> Budget:
    total = sum(requests for _, requests, _ in points)
    bad = sum(count for _, _, count in points)
    allowed = (1 - target) * total
    burning, severity = _burning(target, points, now)
    return Budget(
        kind=kind,
        target=target,
        total=total,
        bad=bad,
        achieved=1 - bad / total if total else None,
        allowed=allowed,
        left=1 - bad / allowed if allowed else 1.0,
        burn_1h=_burn(target, points, now - HOUR)[0],
        burn_6h=_burn(target, points, now - 6 * HOUR)[0],
        burning=burning,
        severity=severity,
    )


def _burning(target: float, points: list[tuple[int, int, float]], now: int) -> tuple[str, str]:
    for long, short, limit, severity in RULES:
        rate, bad = _burn(target, points, now - long)
        fresh, _ = _burn(target, points, now - short)
        if rate is not None and fresh is not None and min(rate, fresh) >= limit and bad >= LEAST_BAD:
            return f"{rate:.1f} times too fast over {long // HOUR} h", severity
    return "", ""


def _burn(target: float, points: list[tuple[int, int, float]], since: int) -> tuple[float | None, float]:
    """The burn rate since a time and the bad requests it stands on; None without requests."""
    total = sum(requests for at, requests, _ in points if at >= since)
    bad = sum(count for at, _, count in points if at >= since)
    return (bad / total / (1 - target) if total else None), bad
