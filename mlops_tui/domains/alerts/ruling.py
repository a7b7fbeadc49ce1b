"""Keeps rules, and raises and resolves what they find. Part of the room of alerts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.alerts.rule_store import RuleStore
from mlops_tui.domains.alerts.rules import Finding, Judgement, Rule, Watch, judge

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.audit.service import Audit

SHORTEST = 30 * clock.SECOND  # numbers of hardware come in every ten seconds
LONGEST = 7 * clock.DAY
Values = Callable[[Rule, int], Sequence[tuple[int, float]]]
"""Gives the values a rule looks at, from a time on."""


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
        if rule.clear is not None:
            if rule.test not in (Watch.ABOVE, Watch.BELOW):
                raise InvalidInput("Only a rule with --above or --below has --clear.")
            if (rule.clear > rule.limit) if rule.test is Watch.ABOVE else (rule.clear < rule.limit):
                raise InvalidInput("--clear lies on the good side of the limit, so that the alert can end.")
        if rule.test in (Watch.RISES, Watch.FALLS) and rule.limit <= 0:
            raise InvalidInput("A change is a percentage above 0.")
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
        now = self._context.now()
        return judge(rule, values(rule, now - rule.reach), now, raised=self._open(rule))

    def evaluate(self, values: Values) -> dict[str, Judgement]:
        """Look at every rule that is not paused; raise and resolve its alert. By name, what each said."""
        found: dict[str, Judgement] = {}
        for rule in self._store.list():
            if rule.paused:
                continue
            judged = found[rule.name] = self.look(rule, values)
            if judged.finding is Finding.CLEAR:
                self._end(rule, judged.reason)
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

    def _find(self, name: str) -> Rule | None:
        return next((one for one in self._store.list() if one.name == name), None)

    def _open(self, rule: Rule) -> bool:
        return any(one.active for one in self._alerts.list(rule=f"rule:{rule.name}", limit=1))

    def _end(self, rule: Rule, why: str) -> None:
        self._alerts.resolve_by(f"rule:{rule.name}", rule.subject or rule.series, why)
