"""Objectives kept: set by people, held against the traffic by the daemon, alerted while a budget burns too fast."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.serving.objective_store import ObjectiveStore
from mlops_tui.domains.serving.objectives import Objective, Standing, Tally, check, standing
from mlops_tui.domains.serving.records import add_up
from mlops_tui.domains.serving.store import ServingStore

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.service import Alerts

RULE = "sla"
LATE_MS = MINUTE  # the gateway writes its counts a few seconds after the requests


class Promises:
    """The objectives of one workspace."""

    def __init__(self, context: Context, audit: Audit, alerts: Alerts) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._store = ObjectiveStore(context)
        self._traffic = ServingStore(context)

    def put(
        self,
        name: str,
        *,
        availability: float | None = None,
        latency_ms: float | None = None,
        latency_share: float = 0.95,
        window_days: int = 30,
        why: str = "",
    ) -> Standing:
        """Promise something of a deployment; shares, not percents. Raises NotFound, InvalidInput."""
        now = self._context.now()
        wanted = check(Objective(name, availability, latency_ms, latency_share, window_days, now))
        with self._context.catalog.write() as tx:
            known = [item.name for item in self._traffic.find()]
            if name not in known:
                raise NotFound(
                    f"There is no deployment {name!r}.", hint=did_you_mean(name, known, "mlops deployments list")
                )
            before = self._store.find(name)
            self._store.put(tx, wanted)
            facts = {"before": _facts(before) if before else None, "after": _facts(wanted)}
            self._audit.note(tx, "promise", "deployment", name, why=why, **facts)
        return self.get(name)

    def remove(self, name: str, why: str = "") -> None:
        """Promise nothing any more. Raises NotFound."""
        with self._context.catalog.write() as tx:
            before = self._one(name)
            self._store.remove(tx, name)
            self._audit.note(tx, "unpromise", "deployment", name, why=why, before=_facts(before))
        self._alerts.resolve_by(RULE, name, "nothing is promised any more")

    def get(self, name: str) -> Standing:
        """How a deployment's promises stand. Raises NotFound when there are none."""
        return self._standing(self._one(name))

    def list(self) -> builtins.list[Standing]:
        """How all promises stand, by deployment."""
        return [self._standing(one) for one in self._store.list()]

    def check(self) -> builtins.list[Standing]:
        """Alert where a budget burns too fast, end alerts where it does not any more; those that burn. For the daemon."""
        burning = []
        for one in self._store.list():
            self._roll(one)
            found = self._standing(one)
            if not found.severity:
                self._alerts.resolve_by(RULE, one.deployment)
                continue
            burning.append(found)
            worst = next(budget for budget in found.budgets if budget.severity == found.severity)
            self._alerts.raise_alert(
                RULE,
                one.deployment,
                severity=found.severity,
                title=f"{one.deployment} uses up its {worst.kind} budget {worst.burning}",
                detail=f"{worst.left:.0%} of the budget of {one.window_days} days is left.",
                facts={"kind": worst.kind, "target": worst.target, "left": worst.left, "burn_1h": worst.burn_1h},
            )
        return burning

    def _one(self, name: str) -> Objective:
        found = self._store.find(name)
        if found is None:
            hint = f"Promise something: mlops deployments objective {name} --availability 99.9"
            raise NotFound(f"Nothing is promised of {name}.", hint=hint)
        return found

    def _standing(self, one: Objective) -> Standing:
        now = self._context.now()
        hours = self._store.hours(one.deployment, now - one.window_days * DAY)
        rest = self._rest(one, hours, now)
        return standing(one, [*hours, *rest], now)

    def _rest(self, one: Objective, hours: builtins.list[Tally], now: int) -> builtins.list[Tally]:
        """The traffic that no whole hour holds yet."""
        since = hours[-1].at + HOUR if hours else now - one.window_days * DAY
        return [
            Tally(i.at, i.requests, i.server_errors, i.histogram)
            for i in self._traffic.intervals(one.deployment, since, now + 1)
        ]

    def _roll(self, one: Objective) -> None:
        """Add up hours that are over."""
        now = self._context.now()
        hours = self._store.hours(one.deployment, now - one.window_days * DAY)
        end = (now - LATE_MS) // HOUR * HOUR
        groups: dict[int, builtins.list[Tally]] = {}
        for tally in self._rest(one, hours, now):
            if tally.at < end:
                groups.setdefault(tally.at // HOUR * HOUR, []).append(tally)
        whole = [
            Tally(
                at,
                sum(part.requests for part in parts),
                sum(part.errors for part in parts),
                add_up([part.histogram for part in parts]),
            )
            for at, parts in sorted(groups.items())
        ]
        if whole:
            self._store.put_hours(one.deployment, whole, now - 91 * DAY)


def _facts(one: Objective) -> dict[str, float | int | None]:
    return {
        "availability": one.availability,
        "latency_ms": one.latency_ms,
        "latency_share": one.latency_share,
        "window_days": one.window_days,
    }
