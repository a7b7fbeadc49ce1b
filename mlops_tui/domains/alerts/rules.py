"""Rules that turn a series of numbers into an alert: above, below, absent, or changed against before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mlops_tui.core import clock
from mlops_tui.domains.alerts.records import Severity

COVERED = 0.8
"""The part of a rule's span that values must reach back before it can say that something lasted for the span."""


class Watch(StrEnum):
    """What a rule looks for over its span."""

    ABOVE = "above"
    BELOW = "below"
    ABSENT = "absent"
    RISES = "rises"
    FALLS = "falls"


class Finding(StrEnum):
    """What a rule says now. Unknown changes nothing: neither raises nor resolves."""

    HOLDS = "holds"
    CLEAR = "clear"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """`series` of `subject` against `limit` for `span` ms.

    Above and below must hold for the whole span; then the alert stays until a value is beyond `clear` (hysteresis), which is
    `limit` where nothing is given. Rises and falls compare the mean of the span with that of the span before, by `limit` percent.
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

    @property
    def words(self) -> str:
        """`deployment.p95_ms of churn above 200 for 5 min`."""
        what = f"{self.series} of {self.subject}" if self.subject else self.series
        span = clock.duration(self.span)
        if self.test is Watch.ABSENT:
            return f"no {what} for {span}"
        if self.test in (Watch.RISES, Watch.FALLS):
            return f"{what} {self.test} by {self.limit:g} % within {span}"
        return f"{what} {self.test} {self.limit:g} for {span}"

    @property
    def reach(self) -> int:
        """How far back its values are needed, in ms."""
        return 2 * self.span if self.test in (Watch.RISES, Watch.FALLS) else self.span


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, with the value it was found on and why."""

    finding: Finding
    value: float | None
    reason: str


def judge(rule: Rule, values: Sequence[tuple[int, float]], now: int, *, raised: bool = False) -> Judgement:
    """Look at (time in ms, value) pairs in order; `raised` says that its alert is open, so that only `clear` ends it."""
    recent = [(at, value) for at, value in values if now - rule.span <= at <= now]
    if rule.test is Watch.ABSENT:
        if recent:
            return Judgement(Finding.CLEAR, recent[-1][1], f"last seen {clock.ago(recent[-1][0], now)}")
        return Judgement(Finding.HOLDS, None, f"nothing for {clock.duration(rule.span)}")
    if not recent:
        return Judgement(Finding.UNKNOWN, None, "no values")
    if rule.test in (Watch.RISES, Watch.FALLS):
        return _change(rule, values, recent, now)
    last = recent[-1][1]
    sign = 1.0 if rule.test is Watch.ABOVE else -1.0
    if raised:
        clear = rule.limit if rule.clear is None else rule.clear
        if sign * (last - clear) > 0:
            return Judgement(Finding.HOLDS, last, f"still {last:.4g}")
        return Judgement(Finding.CLEAR, last, f"back at {last:.4g}")
    if any(sign * (value - rule.limit) <= 0 for _, value in recent):
        return Judgement(Finding.CLEAR, last, f"now {last:.4g}")
    if recent[0][0] > now - COVERED * rule.span:
        return Judgement(Finding.UNKNOWN, last, f"{last:.4g}, not yet for {clock.duration(rule.span)}")
    return Judgement(Finding.HOLDS, last, f"{last:.4g} now, {rule.test} {rule.limit:g} for {clock.duration(rule.span)}")


def _change(
    rule: Rule, values: Sequence[tuple[int, float]], recent: Sequence[tuple[int, float]], now: int
) -> Judgement:
    before = [value for at, value in values if now - 2 * rule.span <= at < now - rule.span]
    if not before:
        return Judgement(Finding.UNKNOWN, recent[-1][1], "nothing to compare with")
    was, is_now = sum(before) / len(before), sum(value for _, value in recent) / len(recent)
    if was == 0:
        return Judgement(Finding.UNKNOWN, is_now, "it was zero before, so a change has no percentage")
    percent = 100 * (is_now - was) / abs(was)
    reason = f"{is_now:.4g} against {was:.4g} in the {clock.duration(rule.span)} before ({percent:+.0f} %)"
    beyond = percent >= rule.limit if rule.test is Watch.RISES else -percent >= rule.limit
    return Judgement(Finding.HOLDS if beyond else Finding.CLEAR, is_now, reason)
