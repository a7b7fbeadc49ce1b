"""Keeps rules, and raises and resolves what they find. Part of the room of alerts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.alerts.normal import LEARNS, RELEARNS, Normal, learn
from mlops_tui.domains.alerts.rule_store import RuleStore
from mlops_tui.domains.alerts.rules import Finding, Found, Judgement, Rule, Watch, judge

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.audit.service import Audit

SHORTEST = 30 * clock.SECOND  # numbers of hardware come in every ten seconds
LONGEST = 7 * clock.DAY
LEARNABLE = 5 * clock.MINUTE  # the shortest span of a rule that learns: a month of shorter ones is too much to look at
Values = Callable[[Rule, int, int], Sequence[Sequence[float]] | None]
"""Gives the values a rule looks at, (time in ms, value, weight), from a time on, at best one for each so many ms (0: all); None
when what it looks at was removed.
"""


class Rules:
    """The rules of one workspace. Where the numbers come from is the caller's business: see `mlops_tui.rules`."""

    def __init__(self, context: Context, audit: Audit, alerts: Alerts) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._store = RuleStore(context)

    def add(self, rule: Rule) -> Rule:
        """Keep a rule. Raises InvalidInput for what could never hold, AlreadyExists."""
        check_name("rule", rule.name)
        if self._find(rule.name) is not None:
            raise AlreadyExists(f"There is a rule {rule.name} already.", hint="mlops alerts rules remove " + rule.name)
        if not SHORTEST <= rule.span <= LONGEST:
            raise InvalidInput("A rule looks at a span between 30 seconds and 7 days.", hint="--for 5m")
        if not math.isfinite(rule.limit) or (rule.clear is not None and not math.isfinite(rule.clear)):
            raise InvalidInput("A limit is a plain number.")
        _check_end(rule)
        if rule.test in (Watch.RISES, Watch.FALLS) and rule.limit <= 0:
            raise InvalidInput("A change is a percentage above 0.")
        if rule.test is Watch.ANOMALY and (rule.limit < 2 or rule.span < LEARNABLE):
            raise InvalidInput(
                "What is odd lies at least 2 spreads from what is normal, for at least 5 minutes.",
                hint="--anomaly 6 --for 30m",
            )
        if rule.test is Watch.BURNS and not (rule.limit > 0 and 50 <= rule.objective < 100):
            raise InvalidInput(
                "A budget needs how fast it burns and a promise of 50 % or more, and less than 100.",
                hint="--burns 14.4 --objective 99.9 --for 1h",
            )
        if not 0 <= rule.clear_for <= LONGEST:
            raise InvalidInput("An alert ends after at most 7 days without its condition.", hint="--clear-for 10m")
        kept = dataclasses.replace(rule, created_at=self._context.now(), created_by=self._context.actor)
        with self._context.catalog.write() as tx:
            self._store.put(tx, kept)
            self._audit.note(tx, "add", "rule", rule.name, after={"rule": rule.words, "severity": str(rule.severity)})
        return kept

    def list(self) -> Sequence[Rule]:
        """By name."""
        return self._store.list()

    def get(self, name: str) -> Rule:
        """Raises NotFound."""
        found = self._find(name)
        if found is None:
            hint = did_you_mean(name, [one.name for one in self._store.list()], "See them: mlops alerts rules list")
            raise NotFound(f"There is no rule {name}.", hint=hint)
        return found

    def pause(self, name: str, on: bool = True, why: str = "") -> Rule:
        """Do not look until resumed (`on=False`); an alert of it that is open ends. Raises NotFound."""
        rule = dataclasses.replace(self.get(name), paused=on)
        with self._context.catalog.write() as tx:
            self._store.put(tx, rule)
            self._audit.note(tx, "pause" if on else "resume", "rule", name, why=why)
        if on:
            self._end(rule, "its rule was paused")
        return rule

    def remove(self, name: str, why: str = "") -> None:
        """Forget a rule; an alert of it that is open ends. Raises NotFound."""
        rule = self.get(name)
        with self._context.catalog.write() as tx:
            self._store.remove(tx, name)
            self._audit.note(tx, "remove", "rule", name, why=why, before={"rule": rule.words})
        self._end(rule, "its rule was removed")

    def look(self, rule: Rule, values: Values) -> Judgement:
        """What a rule says now; nothing is raised."""
        return self._look(rule, values, self._normal(rule, values) if rule.test is Watch.ANOMALY else None)

    def normal(self, name: str) -> Normal | None:
        """What a rule last learned is normal; None when it has not, or its past was too short. Raises NotFound."""
        known = self._store.normal(self.get(name).name)
        return known[1] if known else None

    def _look(self, rule: Rule, values: Values, normal: Normal | None) -> Judgement:
        now = self._context.now()
        found = values(rule, now - rule.reach, 0)
        if found is None:
            kind = rule.series.partition(".")[0]
            idle = f"no {kind} of {rule.subject} runs now" if rule.subject else f"no {kind} runs now"
            over = idle if kind in ("run", "job") else f"there is no {rule.subject} any more"
            return Judgement(Finding.GONE, None, over)
        judged = judge(rule, found, now, raised=self._open(rule), normal=normal)
        of = found.of if isinstance(found, Found) else ""
        return dataclasses.replace(judged, reason=f"{of}: {judged.reason}") if of else judged

    def _normal(self, rule: Rule, values: Values, *, keep: bool = False) -> Normal | None:
        """What was learned within the last hour, else what the past says now. The span that is looked at is not part of it."""
        now = self._context.now()
        known = self._store.normal(rule.name)
        if known is not None and 0 <= now - known[0] < min(RELEARNS, 12 * rule.span):
            return known[1]
        past = [one for one in values(rule, now - LEARNS, rule.span) or () if one[0] < now - rule.span]
        found = learn(past, rule.span, rule.limit, now)
        if keep:
            with self._context.catalog.write() as tx:
                self._store.learned(tx, rule.name, now, found)
        return found

    def evaluate(self, values: Values) -> dict[str, Judgement]:
        """Look at every rule that is not paused; raise and resolve its alert. By name, what each said."""
        found: dict[str, Judgement] = {}
        for rule in self._store.list():
            if rule.paused:
                continue
            normal = self._normal(rule, values, keep=True) if rule.test is Watch.ANOMALY else None
            judged = found[rule.name] = self._look(rule, values, normal)
            if judged.finding is Finding.CLEAR:
                self._clear(rule, judged.reason)
            elif judged.finding is Finding.GONE:
                self._end(rule, judged.reason)
            elif judged.finding is Finding.HOLDS and rule.clearing_since is not None:
                self._clearing(rule, None)
            elif judged.finding is Finding.HOLDS and not self._open(rule):
                facts = {"series": rule.series, "value": judged.value, "limit": rule.limit, "for_ms": rule.span}
                self._alerts.raise_alert(
                    f"rule:{rule.name}",
                    rule.subject or rule.series,
                    severity=rule.severity,
                    title=rule.words,
                    detail=judged.reason,
                    facts=facts,
                )
        return found

    def _clear(self, rule: Rule, why: str) -> None:
        """End the alert once the condition has been gone for as long as the rule wants."""
        now = self._context.now()
        if rule.clear_for and self._open(rule):
            if rule.clearing_since is None:
                self._clearing(rule, now)
                return
            if now - rule.clearing_since < rule.clear_for:
                return
        self._end(rule, why)
        if rule.clearing_since is not None:
            self._clearing(rule, None)

    def _clearing(self, rule: Rule, since: int | None) -> None:
        with self._context.catalog.write() as tx:
            self._store.clearing(tx, rule.name, since)

    def _find(self, name: str) -> Rule | None:
        return next((one for one in self._store.list() if one.name == name), None)

    def _open(self, rule: Rule) -> bool:
        return any(one.active for one in self._alerts.list(rule=f"rule:{rule.name}", limit=1))

    def _end(self, rule: Rule, why: str) -> None:
        self._alerts.resolve_by(f"rule:{rule.name}", rule.subject or rule.series, why)


def _check_end(rule: Rule) -> None:
    """Raise InvalidInput for an end that could never come."""
    if rule.clear is None:
        return
    if rule.test is Watch.ABSENT:
        raise InvalidInput("A rule with --absent ends with the next value; it has no --clear.", hint="--clear-for 10m")
    if (rule.clear < rule.limit) if rule.test is Watch.BELOW else (rule.clear > rule.limit):
        raise InvalidInput("--clear lies on the good side of the limit, so that the alert can end.")
