"""Which versions may have traffic: what they showed to their workers, what a person accepted, and what is asked of the next."""

from __future__ import annotations

import dataclasses
import shutil
import uuid
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotAllowed
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.records import Health, Version
from mlops_tui.domains.serving import staging
from mlops_tui.domains.serving.checks_store import Checked, CheckStore
from mlops_tui.domains.serving.records import Deployment, WorkerState, weights_of

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.store import ServingStore

RULE = "staging"


class Checking:
    """The looks at versions before their first traffic."""

    def __init__(
        self, context: Context, audit: Audit, alerts: Alerts, registry: Registry, deployments: ServingStore
    ) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._registry = registry
        self._deployments = deployments
        self._store = CheckStore(context)

    def get(self, version: Version) -> Checked | None:
        """What a version showed last, None before it was looked at under these libraries with its present engine."""
        return known(self._store, version, self._registry.forced_engine(version))

    def order(self, version: Version, engine: str) -> dict[str, Any] | None:
        """What a worker of this version has to look at before it serves; None when it was looked at, or accepted unseen."""
        found = known(self._store, version, engine)
        if found is not None and found.ok:
            return None
        limits = self._context.settings.serving
        return staging.order_of(version, limits.most_ms, limits.most_mb).plain()

    def of(self, deployment: Deployment) -> list[Checked]:
        """What the versions of a deployment showed."""
        versions = (self._registry.version(f"{deployment.model}/{number}") for number in deployment.asked)
        return [found for version in versions if (found := self.get(version)) is not None]

    def allow(self, deployment: Deployment | None, versions: Iterable[Version]) -> None:
        """Raise NotAllowed for a version whose files are gone, and for one that is new to the deployment and was refused or takes
        other inputs than what serves now.
        """
        before = weights_of(deployment) if deployment is not None else {}
        for version in versions:
            self._registry.require(version)
            found = self.get(version)
            if version.version in before or (found is not None and found.accepted_by):
                continue
            name = deployment.name if deployment is not None else "NAME"
            hint = f"Look again: mlops deployments check {name} {version.ref}. Take it as it is: --accept --why ..."
            if found is not None and not found.ok:
                raise NotAllowed(f"{version.ref} was {staging.refusal(list(found.checks))}.", hint=hint)
            if deployment is not None and version.version not in deployment.previous:
                serving = self._registry.version(f"{deployment.model}/{max(before)}")
                inputs = staging.inputs(serving.signature, version.signature)
                if not inputs.ok:
                    raise NotAllowed(f"{version.ref} takes inputs {inputs.detail}.", hint=hint)

    def look(
        self, deployment: Deployment, ref: str, *, most_ms: float | None = None, most_mb: float | None = None
    ) -> list[Health]:
        """Check a version now in a worker of its own (seconds) and remember what it showed; see `staging`. Raises NotFound."""
        version = self._registry.version(ref)
        limits = self._context.settings.serving
        order = staging.order_of(version, most_ms or limits.most_ms, most_mb or limits.most_mb)
        found = staging.examine(self._registry, self._context.workspace, deployment, version, order)
        self._keep(version, [one for one in found if one.check != "inputs"])
        return found

    def prove(self, ref: str) -> str:
        """Ask a version in this process what its worker will be asked; why it would be refused, "" when it would not. Loads the
        model, so only where that may be (a job's child). Raises NotFound.
        """
        version = self._registry.version(ref)
        found = self.get(version)
        order = self.order(version, self._registry.forced_engine(version))
        if order is None:
            return ""
        if found is not None:
            return staging.refusal(list(found.checks))
        folder = self._context.workspace.tmp / f"staging-{uuid.uuid4().hex}"
        try:
            checks = staging.prove(self._registry.checkout(version.ref, folder), order)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if refused := staging.refusal(checks):
            self._keep(version, checks)
        return refused

    def accept(self, ref: str, why: str) -> Checked:
        """Let a version have traffic whatever it shows. Raises NotFound."""
        version = self._registry.version(ref)
        before = self.get(version) or self._record(version, ())
        after = dataclasses.replace(before, accepted_by=self._context.actor, why=why)
        with self._context.catalog.write() as tx:
            self._store.put(tx, after)
            self._audit.note(tx, "accept", "model", version.ref, why=why, after=_facts(after.checks))
        return after

    def take(self, workers: Iterable[WorkerState]) -> None:
        """Remember what workers of the gateway said of their versions before they were ready."""
        for worker in workers:
            if not worker.checks:
                continue
            version = self._registry.version(f"{worker.model}/{worker.version}")
            found = self.get(version)
            if found is None or (found.checks != worker.checks and not found.accepted_by):
                self._keep(version, worker.checks)

    def _keep(self, version: Version, checks: Iterable[Health]) -> None:
        found = self._record(version, tuple(checks))
        names = [
            one.name for one in self._deployments.find() if one.model == version.model and version.version in one.asked
        ]
        with self._context.catalog.write() as tx:
            self._store.put(tx, found)
            self._audit.note(tx, "check", "model", version.ref, after=_facts(found.checks))
            for name in names:
                if found.ok:
                    self._alerts.resolve_by(RULE, name, f"{version.ref} passed")
                else:
                    detail = staging.refusal(list(found.checks))
                    title = f"{version.ref} gets no traffic of {name}"
                    self._alerts.raise_alert(RULE, name, title=title, detail=detail, facts={"version": version.ref})

    def _record(self, version: Version, checks: tuple[Health, ...]) -> Checked:
        engine = self._registry.forced_engine(version)
        return Checked(version.model, version.version, engine, environment(), checks, self._context.now())


def known(store: CheckStore, version: Version, engine: str) -> Checked | None:
    """The last look at a version, if it still says something: same engine, same libraries."""
    found = store.find(version.model, version.version)
    if found is None or found.accepted_by:
        return found
    return found if (found.engine, found.environment) == (engine, environment()) else None


@cache
def environment() -> str:
    """The libraries that decide what a model answers."""
    now = package.current_environment()
    return f"Python {now['python']}, " + ", ".join(f"{name} {version}" for name, version in now["libraries"].items())


def _facts(checks: Iterable[Health]) -> dict[str, Any]:
    return {one.check: one.detail if one.ok else f"refused: {one.detail}" for one in checks}
