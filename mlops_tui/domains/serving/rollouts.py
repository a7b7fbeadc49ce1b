"""Rollouts carried out: started by a person or a pipeline, stepped by the daemon, ended by what was seen."""

from __future__ import annotations

import builtins
import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound, WorkbenchError
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving.records import Deployment, Wanted, WorkerState, weights_of
from mlops_tui.domains.serving.rollout import (
    Action,
    Judgement,
    Rollout,
    RolloutState,
    Rules,
    check_rules,
    check_steps,
    judge,
    slow_bound,
    weights,
)
from mlops_tui.domains.serving.rollout_store import RolloutStore
from mlops_tui.domains.serving.store import ServingStore

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.serving.service import Serving

LOOK_BACK_MS = 3_600_000
DAY_MS = 24 * LOOK_BACK_MS
RULE = "rollout"


class Rollouts:
    """The rollouts of one workspace."""

    def __init__(self, context: Context, audit: Audit, alerts: Alerts, registry: Registry, serving: Serving) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._registry = registry
        self._serving = serving
        self._traffic = ServingStore(context)
        self._store = RolloutStore(context)

    # -- asking

    def start(
        self,
        name: str,
        ref: str,
        steps: Sequence[float],
        *,
        rules: Rules | None = None,
        to: str = "production",
        why: str = "",
    ) -> Rollout:
        """Begin to give version `ref` the traffic of deployment `name` step by step.

        In the end it is promoted to `to` (an alias or stage, "" for nowhere), or the weights from before come back. Raises
        NotFound, InvalidInput (steps, rules, another model), NotAllowed (one is under way; it serves all alone already;
        approval is missing).
        """
        shares, checked = check_steps(steps), check_rules(rules or Rules())
        version = self._registry.version(ref)
        with self._context.catalog.write() as tx:
            deployment = self._serving.get(name)
            self._check(deployment, version.model, version.version)
            self._serving.checking.allow(deployment, [version])
            if to == "production":
                self._registry.approvals.check(version)
            now = self._context.now()
            before = self._traffic.intervals(name, now - LOOK_BACK_MS, now)
            stable = {v: weight for v, weight in weights_of(deployment).items() if v != version.version}
            new = Rollout(
                0, name, version.model, version.version, stable, shares, 0, RolloutState.RUNNING, checked, to,
                slow_bound(before), None, 0, self._context.actor, why, "", now, now,
            )  # fmt: skip
            after = self._serving.shift(name, weights(new, 0), stable, f"rollout of {version.ref} begins: {why}")
            number = self._store.put(tx, dataclasses.replace(new, revision=after.revision))
            facts = {"version": version.ref, "steps": list(shares), "to": to}
            self._audit.note(tx, "begin", "rollout", f"{name}#{number}", why=why, after=facts)
        return self.get(number)

    def pause(self, name: str, why: str = "") -> Rollout:
        """Keep the present share until `resume`; a worse version is still rolled back. Raises NotFound."""
        return self._switch(name, RolloutState.PAUSED, "pause", why)

    def resume(self, name: str, why: str = "") -> Rollout:
        """Go on after a pause; the time of the present step begins anew. Raises NotFound."""
        return self._switch(name, RolloutState.RUNNING, "resume", why)

    def promote(self, name: str, why: str = "") -> Rollout:
        """End the rollout now with all the traffic, whatever the evidence. Raises NotFound."""
        return self._end(
            self._open(name),
            Judgement(Action.PROMOTE, why or "a person decided", self._now(name).evidence),
            by_hand=True,
        )

    def abort(self, name: str, why: str = "") -> Rollout:
        """End the rollout now with the weights from before. Raises NotFound."""
        return self._end(
            self._open(name),
            Judgement(Action.ROLL_BACK, why or "a person decided", self._now(name).evidence),
            by_hand=True,
        )

    # -- looking

    def list(self, name: str | None = None, limit: int = 100) -> builtins.list[Rollout]:
        """Return rollouts, newest first."""
        return self._store.list(name, limit=limit)

    def get(self, number: int) -> Rollout:
        """Return one rollout; NotFound."""
        found = self._store.get(number)
        if found is None:
            raise NotFound(f"There is no rollout {number}.", hint="See them: mlops deployments rollouts")
        return found

    def current(self, name: str) -> tuple[Rollout, Judgement] | None:
        """Return the rollout of a deployment that has not ended, with what the traffic says now; None without one."""
        found = self._store.open(name)
        return (found, self._judged(found)) if found is not None else None

    def open(self) -> bool:
        """Whether any rollout is under way (cheap)."""
        return self._store.any_open()

    # -- the daemon's part

    def step(self) -> builtins.list[Rollout]:
        """Look at every rollout under way and do what follows; those that moved. One in trouble does not stop the others."""
        moved = []
        for one in self._store.list():
            if one.ended_at is None:
                try:
                    after = self._advance(one)
                except WorkbenchError as error:
                    logging.getLogger("mlops").warning("rollout %d: %s", one.id, error.message)
                    continue
                if after is not None:
                    moved.append(after)
        return moved

    def take_labels(self) -> int:
        """Count the answers that labels proved right or wrong since the last look (reads Parquet: in a child, not in the daemon).

        The number of answers counted. For classes, wrong is another label; for numbers, an error larger than four in five of
        the other versions' errors in the hours before (`wrong_beyond`), so that without a difference both sides fail alike.
        """
        counted = 0
        for one in self._store.list():
            if one.ended_at is None:
                counted += self._take_labels(one)
        return counted

    def _take_labels(self, one: Rollout) -> int:
        from mlops_tui.domains.serving.labels import bound_of, count

        bound = one.wrong_beyond
        task = self._registry.version(one.ref).task
        if task == "regression" and bound is None:
            earlier = self._serving.labelled(one.deployment, one.began_at - DAY_MS, one.began_at)
            bound = bound_of(earlier)
            if bound is None:
                return 0
        _, since = self._store.labels(one.id)
        found = self._serving.labelled(one.deployment, one.began_at)
        counts, until = count(found, one.version, since, None if task != "regression" else bound)
        if not counts.canary and not counts.stable:
            return 0
        with self._context.catalog.write() as tx:
            fresh = self._store.get(one.id)
            if fresh is not None and fresh.ended_at is None:
                self._store.put(tx, dataclasses.replace(fresh, wrong_beyond=bound))
                self._store.add_labels(tx, one.id, until, counts)
        return counts.canary + counts.stable

    def _advance(self, one: Rollout) -> Rollout | None:
        with self._context.catalog.write():
            fresh = self._store.get(one.id)
            if fresh is None or fresh.ended_at is not None:
                return None
            found = {item.name: item for item in self._serving.wanted()}.get(fresh.deployment)
            if found is None or found.revision != fresh.revision:
                return self._taken_over(fresh, found)
            judgement = self._judged(fresh)
            if judgement.action is Action.ROLL_BACK:
                return self._end(fresh, judgement)
            if fresh.state is RolloutState.PAUSED or judgement.action is Action.HOLD or found.wanted is Wanted.STOPPED:
                return None
            if judgement.action is Action.PROMOTE:
                return self._end(fresh, judgement)
            return self._next(fresh, judgement)

    def _next(self, one: Rollout, judgement: Judgement) -> Rollout:
        now, step = self._context.now(), one.step + 1
        with self._context.catalog.write() as tx:
            after = self._serving.shift(
                one.deployment, weights(one, step), one.stable, f"rollout of {one.ref}: {judgement.reason}"
            )
            moved = dataclasses.replace(
                one,
                step=step,
                step_at=now,
                revision=after.revision,
                reason=judgement.reason,
                evidence=judgement.evidence,
            )
            self._store.put(tx, moved)
        return moved

    def _end(self, one: Rollout, judgement: Judgement, *, by_hand: bool = False) -> Rollout:
        """Give it all, or take all from it, in one write with the registry's move and the trail."""
        good = judgement.action is Action.PROMOTE
        state = RolloutState.PROMOTED if good else RolloutState.ROLLED_BACK
        share = {one.version: 100.0} if good else one.stable
        why = f"rollout of {one.ref} {state}: {judgement.reason}"
        with self._context.catalog.write() as tx:
            after = self._serving.shift(one.deployment, share, one.stable, why)
            if good and one.to:
                self._registry.promote(one.ref, one.to, why=why)
            ended = dataclasses.replace(
                one,
                state=state,
                step=len(one.steps) - 1 if good else one.step,
                reason=judgement.reason,
                evidence=judgement.evidence,
                revision=after.revision,
                ended_at=self._context.now(),
            )
            self._store.put(tx, ended)
            facts = {"version": one.ref, "evidence": [dataclasses.asdict(item) for item in judgement.evidence]}
            verb = "promote" if good else "roll back"
            self._audit.note(tx, verb, "rollout", f"{one.deployment}#{one.id}", why=judgement.reason, after=facts)
        if not by_hand:
            self._tell(ended)
        return ended

    def _taken_over(self, one: Rollout, deployment: Deployment | None) -> Rollout:
        reason = "the deployment was removed" if deployment is None else "somebody changed the traffic by hand"
        ended = dataclasses.replace(one, state=RolloutState.CANCELLED, reason=reason, ended_at=self._context.now())
        with self._context.catalog.write() as tx:
            self._store.put(tx, ended)
            self._audit.note(tx, "cancel", "rollout", f"{one.deployment}#{one.id}", why=reason)
        return ended

    def _tell(self, one: Rollout) -> None:
        """A version that was rolled back wants a person; the next one that gets through ends the alert."""
        if one.state is RolloutState.PROMOTED:
            self._alerts.resolve_by(RULE, one.deployment, f"{one.ref} got through")
            return
        self._alerts.raise_alert(
            RULE,
            one.deployment,
            title=f"{one.ref} was rolled back at {one.share:g} % of {one.deployment}",
            detail=one.reason,
            facts={"rollout": one.id, "version": one.ref},
        )

    def _switch(self, name: str, state: RolloutState, verb: str, why: str) -> Rollout:
        with self._context.catalog.write() as tx:
            found = self._open(name)
            after = dataclasses.replace(found, state=state)
            if state is RolloutState.RUNNING and found.state is not state:
                after = dataclasses.replace(after, step_at=self._context.now())
            self._store.put(tx, after)
            self._audit.note(tx, verb, "rollout", f"{name}#{found.id}", why=why)
        return after

    def _open(self, name: str) -> Rollout:
        self._serving.get(name)
        found = self._store.open(name)
        if found is None:
            raise NotFound(
                f"No rollout of {name} is under way.",
                hint=f"Start one: mlops deployments canary {name} REF --steps 5,25",
            )
        return found

    def _now(self, name: str) -> Judgement:
        return self._judged(self._open(name))

    def _judged(self, one: Rollout) -> Judgement:
        intervals = self._traffic.intervals(one.deployment, one.began_at)
        labels, _ = self._store.labels(one.id)
        worker: WorkerState | None = self._traffic.workers().get((one.model, one.version))
        return judge(one, self._context.now(), intervals, labels, worker)

    def _check(self, deployment: Deployment, model: str, version: int) -> None:
        name = deployment.name
        if deployment.model != model:
            raise InvalidInput(f"{name} serves the model {deployment.model}, not {model}.")
        if self._store.open(name) is not None:
            raise NotAllowed(
                f"A rollout of {name} is under way.",
                hint=f"See it: mlops deployments rollout {name}. End it with --abort.",
            )
        if deployment.wanted is Wanted.STOPPED:
            raise NotAllowed(f"{name} is stopped.", hint=f"Start it: mlops deployments start {name}")
        if set(weights_of(deployment)) == {version}:
            raise NotAllowed(f"{model}/{version} has all the traffic of {name} already.")
