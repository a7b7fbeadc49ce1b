"""Is what was sent well-formed: missing, of another type, out of range, unseen, too much or too little, against the profile."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scipy.special import bdtr

from mlops_tui.core import clock
from mlops_tui.domains.monitoring.records import Quality

if TYPE_CHECKING:
    from mlops_tui.domains.monitoring.counting import Counted
    from mlops_tui.domains.monitoring.scan import Scan

Profile = dict[str, Any]
# Differences smaller than this share of rows are certain at most, and matter to nobody.
FLOORS = {"missing": 0.01, "type": 0.0, "infinite": 0.0, "range": 0.005, "unseen": 0.005}
COUNTED = {"missing", "infinite"}  # what the reference itself may have; of the others `known` is a bound
FEW_REPORTS = 5
FACTOR = 10.0
STALE = clock.HOUR
SKEW = 5 * clock.MINUTE
# Times further ahead are no clock's mistake (zones are at most 14 hours apart): the column is about what is to come.
PLANNED = clock.DAY


def check(
    columns: Mapping[str, Profile], found: Scan, missing: Sequence[str], alpha: float, until: int | None = None
) -> list[Quality]:
    """Every check of every column that says anything; together they fail in at most `alpha` of windows like the reference."""
    told = [
        (name, what, value, known, seen, rows)
        for name, profile in columns.items()
        if name in found.columns
        for what, value, known, seen, rows in _events(profile, found.columns[name])
    ]
    each = alpha / max(len(told), 1)
    checks = [_judged(*one, each) for one in told]
    gone = [Quality(name, "missing", 1.0, 0.0, failed=True, note="It is no longer sent.") for name in missing]
    return [*gone, *(one for one in checks if one.failed or one.value > 0), *_skewed(columns, found, until)]


def _events(profile: Profile, found: Counted) -> Iterator[tuple[str, int, float, int, int]]:
    """(check, how many rows of the window, how many of the reference, of how many, rows of the window)."""
    seen, rows = profile["count"] + profile["nulls"], found.rows
    if not seen or not rows:
        return
    yield "missing", found.nulls - found.wrong, profile["nulls"], seen, rows
    if profile["kind"] == "time":
        return
    if profile["kind"] == "numeric":
        yield "type", found.wrong, 0, seen, rows
        yield "infinite", found.infinite, profile.get("infinite", 0), seen, rows
        # A new value is the least or the greatest of all with chance 2 / (seen + 1): as if the reference had had two.
        yield "range", found.outside - found.infinite, 2, seen, rows
    elif not profile["other"]:
        # Good (1953): the share of what was never seen is about the share of what was seen once.
        yield "unseen", int(found.counts[-1]), profile.get("once", 0) + 1, seen, rows


def _judged(name: str, what: str, value: int, known: float, seen: int, rows: int, alpha: float) -> Quality:
    """Whether `value` of `rows` are more than `known` of `seen` lets expect.

    Given how many there are in both, those of the window are Binomial(both, rows / (rows + seen)) when nothing changed:
    exact for rare events, cautious for others.
    """
    total = value + known
    limit = _quantile(total, rows / (rows + seen), alpha) / rows if total else 0.0
    limit = max(limit, known / seen + FLOORS[what])
    share = value / rows
    return Quality(name, what, share, known / seen if what in COUNTED else 0.0, limit, failed=share > limit)


def _quantile(trials: float, chance: float, alpha: float) -> int:
    """The smallest count that a binomial variable passes with at most `alpha`."""
    low, high = 0, int(trials)
    while low < high:
        middle = (low + high) // 2
        if 1 - float(bdtr(middle, int(trials), chance)) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low


def _skewed(columns: Mapping[str, Profile], found: Scan, until: int | None) -> Iterator[Quality]:
    """Times among the inputs that lie after the answer, by less than a day: a client's clock is ahead, or in another zone."""
    for name, profile in columns.items():
        newest = found.columns[name].most if profile["kind"] == "time" and name in found.columns else None
        if newest is not None and until is not None and until + SKEW < newest * 1000 <= until + PLANNED:
            ahead = clock.duration(newest * 1000 - until)
            yield Quality(
                name, "clock", newest, float(until) / 1000, failed=True, note=f"Its newest time is {ahead} ahead."
            )


def traffic(seen: int, since: int | None, until: int | None, now: int, rates: Sequence[float]) -> list[Quality]:
    """Volume and freshness: answers per hour against the windows before (`rates`), and how old the newest is (all times ms)."""
    if since is None or until is None or not seen:
        return []
    found = []
    rate = seen / max(until - since, 1) * clock.HOUR
    if len(rates) >= FEW_REPORTS:
        usual = statistics.median(rates)
        failed = not usual / FACTOR <= rate <= usual * FACTOR
        word = "more" if rate > usual else "less"
        note = f"{FACTOR:g} times {word} than in the {len(rates)} windows before." if failed else ""
        found.append(Quality("", "volume", rate, usual, usual * FACTOR, failed=failed, note=note))
    age, limit = now - until, max(STALE, FACTOR * (until - since))
    if age > limit:
        note = f"The newest answer is {clock.duration(age)} old."
        found.append(Quality("", "freshness", age / 1000, None, limit / 1000, failed=True, note=note))
    return found
