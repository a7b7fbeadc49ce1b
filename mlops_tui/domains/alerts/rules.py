"""Rules that turn a series of numbers into an alert: above, below, absent, changed, unlike its past, a budget burnt. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mlops_tui.core import clock
from mlops_tui.domains.alerts.normal import LEARNS, Normal
from mlops_tui.domains.alerts.records import Severity

COVERED = 0.8
"""The part of a rule's span that values must reach back before it can say that something lasted for the span."""
QUICK = 12
"""A budget must also burn over the last of so many parts of the span: so the alert ends soon after the fire does."""


class Point(NamedTuple):
    """A value at a time (ms); `weight` is how much it stands for, such as the requests behind a share."""

    at: int
    value: float
    weight: float = 1.0


class Found(list[Sequence[float]]):
    """Values with what they are of, where the rule alone does not say."""

    def __init__(self, values: Iterable[Sequence[float]] = (), *, of: str = "") -> None:
        super().__init__(values)
        self.of = of


class Watch(StrEnum):
    """What a rule looks for over its span."""

    ABOVE = "above"
    BELOW = "below"
    ABSENT = "absent"
    RISES = "rises"
    FALLS = "falls"
    ANOMALY = "anomaly"
    BURNS = "burns"


class Finding(StrEnum):
    """What a rule says now. Pending is beyond the limit, but not yet for the whole span. Pending and unknown change nothing; what is
    gone is nobody's business any more.
    """

    HOLDS = "holds"
    PENDING = "pending"
    CLEAR = "clear"
    UNKNOWN = "unknown"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Rule:
    """`series` of `subject` against `limit` for `span` ms.

    Above and below must hold for the whole span; rises and falls compare the mean of the span with that of the span before, by
    `limit` percent; anomaly wants the mean of the span `limit` spreads from what is normal then (see `normal.py`), either way;
    burns takes the series for a share of failures and wants it `limit` times the share that `objective` (percent) allows.
    An alert stays until the value is beyond `clear` (hysteresis), which is `limit` where nothing is given, and has been for
    `clear_for` ms; `clearing_since` is when that began.
    """

    name: str
    series: str
    subject: str
    test: Watch
    limit: float
    span: int
    clear: float | None = None
    severity: Severity = Severity.WARNING
    paused: bool = False
    created_at: int = 0
    created_by: str = ""
    clear_for: int = 0
    objective: float = 0.0
    clearing_since: int | None = None

    @property
    def words(self) -> str:
        """`deployment.p95_ms of churn above 200 for 5 min`."""
        what = f"{self.series} of {self.subject}" if self.subject else self.series
        span = clock.duration(self.span)
        if self.test is Watch.ABSENT:
            return f"no {what} for {span}"
        if self.test in (Watch.RISES, Watch.FALLS):
            return f"{what} {self.test} by {self.limit:g} % within {span}"
        if self.test is Watch.ANOMALY:
            return f"{what} {self.limit:g} spreads from what is normal for {span}"
        if self.test is Watch.BURNS:
            return f"{what} burns a budget of {100 - self.objective:g} % {self.limit:g} times too fast over {span}"
        return f"{what} {self.test} {self.limit:g} for {span}"

    @property
    def reach(self) -> int:
        """How far back its values are needed, in ms."""
        return 2 * self.span if self.test in (Watch.RISES, Watch.FALLS) else self.span

    def still(self, raised: bool) -> float:
        """The limit that counts now: that for the end, once the alert is there."""
        return self.clear if raised and self.clear is not None else self.limit


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, with the value it was found on and why."""

    finding: Finding
    value: float | None
    reason: str


def judge(
    rule: Rule, values: Sequence[Sequence[float]], now: int, *, raised: bool = False, normal: Normal | None = None
) -> Judgement:
    """Look at (time in ms, value, weight) in order; `raised` says that its alert is open, so that only `clear` ends it."""
    points = [Point(int(one[0]), *one[1:]) for one in values]
    recent = [one for one in points if now - rule.span <= one.at <= now]
    if rule.test is Watch.ABSENT:
        if recent:
            return Judgement(Finding.CLEAR, recent[-1].value, f"last seen {clock.ago(recent[-1].at, now)}")
        return Judgement(Finding.HOLDS, None, f"nothing for {clock.duration(rule.span)}")
    if not recent:
        return Judgement(Finding.UNKNOWN, None, "no values")
    if rule.test in (Watch.RISES, Watch.FALLS):
        return _change(rule, points, recent, now, raised=raised)
    if rule.test is Watch.BURNS:
        return _burning(rule, recent, now, raised=raised)
    early = recent[0].at > now - COVERED * rule.span
    if rule.test is Watch.ANOMALY:
        return _unlike(rule, recent, normal, early=early and not raised, raised=raised)
    last = recent[-1].value
    sign = 1.0 if rule.test is Watch.ABOVE else -1.0
    if raised:
        if sign * (last - rule.still(raised)) > 0:
            return Judgement(Finding.HOLDS, last, f"still {last:.4g}")
        return Judgement(Finding.CLEAR, last, f"back at {last:.4g}")
    within = [one for one in recent if sign * (one.value - rule.limit) <= 0]
    if within and within[-1] is recent[-1]:
        return Judgement(Finding.CLEAR, last, f"now {last:.4g}")
    if within or early:
        since = next(one.at for one in recent if not within or one.at > within[-1].at)
        lasts = f"for {clock.duration(now - since)} of {clock.duration(rule.span)}"
        return Judgement(Finding.PENDING, last, f"{last:.4g} now, {rule.test} {rule.limit:g} {lasts}")
    return Judgement(Finding.HOLDS, last, f"{last:.4g} now, {rule.test} {rule.limit:g} for {clock.duration(rule.span)}")


def _change(rule: Rule, points: Sequence[Point], recent: Sequence[Point], now: int, *, raised: bool) -> Judgement:
    before = [one.value for one in points if now - 2 * rule.span <= one.at < now - rule.span]
    if not before:
        return Judgement(Finding.UNKNOWN, recent[-1].value, "nothing to compare with")
    was, is_now = sum(before) / len(before), _mean(recent)
    if was == 0:
        return Judgement(Finding.UNKNOWN, is_now, "it was zero before, so a change has no percentage")
    percent = 100 * (is_now - was) / abs(was)
    reason = f"{is_now:.4g} against {was:.4g} in the {clock.duration(rule.span)} before ({percent:+.0f} %)"
    limit = rule.still(raised)
    beyond = percent >= limit if rule.test is Watch.RISES else -percent >= limit
    return Judgement(Finding.HOLDS if beyond else Finding.CLEAR, is_now, reason)


def _unlike(rule: Rule, recent: Sequence[Point], normal: Normal | None, *, early: bool, raised: bool) -> Judgement:
    value = _mean(recent)
    if normal is None:
        return Judgement(Finding.UNKNOWN, value, "too short a past to know what is normal")
    middle = (recent[0].at + recent[-1].at) // 2
    level, spread = normal.at(middle)
    score = normal.score(middle, value)
    reason = f"{value:.4g}, {abs(score):.3g} spreads from {level:.4g} +- {spread:.2g} ({normal.season}"
    reason += f", {normal.odd} of {normal.seen} spans in {clock.duration(LEARNS)} were as odd)"
    if early:
        return Judgement(Finding.UNKNOWN, value, f"{value:.4g}, not yet for {clock.duration(rule.span)}")
    return Judgement(Finding.HOLDS if abs(score) > rule.still(raised) else Finding.CLEAR, value, reason)


def _burning(rule: Rule, recent: Sequence[Point], now: int, *, raised: bool) -> Judgement:
    """The burn rate over the span and over its last part, both beyond the limit (SRE Workbook, chapter 5)."""
    allowed = 1 - rule.objective / 100
    quick = [one for one in recent if one.at >= now - rule.span // QUICK]
    over, lately = _mean(recent) / allowed, (_mean(quick) / allowed if quick else 0.0)
    reason = f"{over:.3g} times what {rule.objective:g} % allows, {lately:.3g} lately"
    slower = lately if raised else min(over, lately)  # once told, only what happens now counts
    return Judgement(Finding.HOLDS if slower >= rule.still(raised) else Finding.CLEAR, _mean(recent), reason)


def _mean(points: Sequence[Point]) -> float:
    weight = sum(one.weight for one in points)
    return sum(one.value * one.weight for one in points) / weight if weight else 0.0
