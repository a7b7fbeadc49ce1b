"""Deployments: asked for here, carried out by the gateway, which reads the same tables; and the log of what was answered."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.core.ids import check_name
from mlops_tui.core.query import read
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features.service import Features
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving import log, retiring, routing, searching
from mlops_tui.domains.serving.checking import Checking
from mlops_tui.domains.serving.labelling import Labelling
from mlops_tui.domains.serving.promises import Promises
from mlops_tui.domains.serving.reasons.asking import Asking
from mlops_tui.domains.serving.records import (
    Deployment,
    Prediction,
    Route,
    Signature,
    Wanted,
    weights_of,
)
from mlops_tui.domains.serving.rollouts import Rollouts
from mlops_tui.domains.serving.strategies import STRATEGIES
from mlops_tui.domains.serving.tokens import Tokens
from mlops_tui.domains.serving.treating import Treating

if TYPE_CHECKING:
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.serving import batch
    from mlops_tui.domains.serving.reasons.records import Reasons, Replayed

CANARY_PERCENT = 10.0
# A compaction costs a second of CPU for its libraries, so little traffic waits a little longer.
DUE_BYTES = 4 * 1024 * 1024
DUE_PERIODS = 3


class Serving(Labelling):
    """The deployments of one workspace."""

    def __init__(self, context: Context, audit: Audit, alerts: Alerts, registry: Registry, features: Features) -> None:
        super().__init__(context, registry, features)
        self._audit = audit
        self._alerts = alerts
        self.checking = Checking(context, audit, alerts, registry, self._store)
        self.rollouts = Rollouts(context, audit, alerts, registry, self)
        self.treating = Treating(context, audit, registry, self._store, self._predictions)
        self._asking = Asking(registry, features)
        self.tokens = Tokens(context, audit)
        self.promises = Promises(context, audit, alerts)

    # -- wanting

    def deploy(
        self, name: str, ref: str, *, strategy: str = "replace", weight: float = CANARY_PERCENT, why: str = ""
    ) -> Deployment:
        """Serve the version `ref` as `name`, which is made if new.

        `replace` and `blue_green`: all traffic moves once the new version is warm, and the old weights are kept for a rollback.
        `canary`: it takes `weight` percent of the traffic beside what is there. Deploying what already runs changes nothing.
        Raises NotFound (no such version), InvalidInput (unknown strategy, or the name serves another model), NotAllowed (the
        version was refused, or takes other inputs than what serves now: see `checking`).
        """
        if strategy not in STRATEGIES:
            raise InvalidInput(f"{strategy!r} is no deployment strategy.", hint=f"Use {', '.join(STRATEGIES)}.")
        check_name("deployment", name)
        version = self._registry.version(ref)
        with self._context.catalog.write():
            found = self._store.find(name)
            self.checking.allow(found[0] if found else None, [version])
            if not found:
                return self._create(name, version.model, version.version, why)
            if found[0].model != version.model:
                raise InvalidInput(
                    f"{name} serves the model {found[0].model}, not {version.model}.",
                    hint=f"Deploy it under another name: mlops deployments create NAME {version.ref}",
                )
            weights = {version.version: 100.0}
            if strategy == "canary":
                weights = routing.with_share(weights_of(found[0]), version.version, weight)
            return self._reroute(found[0], weights, "deploy", why)

    def split(self, name: str, weights: Mapping[int, float], why: str = "") -> Deployment:
        """Spread the traffic over versions by weight (any scale); a weight of 0 takes a version out.

        Raises NotFound for a version that does not exist, InvalidInput for weights that cannot be.
        """
        shares = routing.normalise(weights)
        with self._context.catalog.write():
            deployment = self._one(name)
            found = [self._registry.version(f"{deployment.model}/{version}") for version in shares]
            self.checking.allow(deployment, found)
            return self._reroute(deployment, shares, "split", why)

    def shift(
        self, name: str, weights: Mapping[int, float], previous: Mapping[int, float], why: str = ""
    ) -> Deployment:
        """Change the weights as one step of a rollout: a rollback leads to `previous`, not to the step before."""
        with self._context.catalog.write():
            return self._reroute(self._one(name), weights, "shift", why, previous)

    def promote(self, name: str, version: int | None = None, why: str = "") -> Deployment:
        """Give one version all the traffic: the one named, else the newest of those that share it."""
        newest = max(route.version for route in self._one(name).versions)
        return self.split(name, {version if version is not None else newest: 100}, why)

    def rollback(self, name: str, why: str = "") -> Deployment:
        """Return to the weights before the last change of versions; NotAllowed when there were none."""
        with self._context.catalog.write():
            deployment = self._one(name)
            if not deployment.previous:
                raise NotAllowed(
                    f"{name} has no earlier version to go back to.", hint=f"See it: mlops deployments show {name}"
                )
            for version in deployment.previous:
                self._registry.require(self._registry.version(f"{deployment.model}/{version}"))
            return self._reroute(deployment, deployment.previous, "rollback", why)

    def stop(self, name: str, why: str = "") -> Deployment:
        """Take a deployment out of service; the definition stays."""
        return self._want(name, Wanted.STOPPED, "stop", why)

    def start(self, name: str, why: str = "") -> Deployment:
        """Put a deployment into service again, or try anew one that failed."""
        return self._want(name, Wanted.RUNNING, "start", why)

    def remove(self, name: str, why: str = "") -> None:
        """Delete a deployment; its predictions stay in the log."""
        with self._context.catalog.write() as tx:
            before = self._one(name)
            self._store.remove(tx, name)
            self._audit.note(tx, "remove", "deployment", name, why=why, before=_facts(before))
            for rule in ("rollout", "staging", "sla"):
                self._alerts.resolve_by(rule, name, "the deployment was removed")

    def retire(self, ref: str, replacement: str, why: str = "") -> retiring.Retirement:
        """Archive a version that has no traffic, name who replaces it, and note the transition plan with both versions.

        Raises NotFound, InvalidInput (no such replacement), NotAllowed (it has traffic, or is the champion).
        """
        with self._context.catalog.write():
            version, other, deployments = (
                self._registry.version(ref),
                self._registry.version(replacement),
                self._store.find(),
            )
            retiring.check(version, other, deployments)
            changes = self._registry.diff(version.ref, other.ref).items
            text = retiring.plan(version, other, changes, retiring.rollbacks(version, deployments))
            self._registry.promote(version.ref, "archived", why or f"replaced by {other.ref}")
            for one in (version, other):
                self._registry.note(one.ref, text)
        return retiring.Retirement(version.ref, other.ref, text)

    # -- looking

    def list(self, query: str = "") -> builtins.list[Deployment]:
        """Return deployments by name, with the state the gateway reports; `query` is in the query language."""
        found = self._with_states(self._store.find())
        return read(query, searching.DEPLOYMENTS, self._context.now()).select(found)

    def get(self, name: str) -> Deployment:
        """Return one deployment with its state; NotFound with the nearest name otherwise."""
        return self._with_states([self._one(name)])[0]

    def predictions(
        self, name: str, since: int | None = None, until: int | None = None, limit: int = 100
    ) -> builtins.list[Prediction]:
        """Return the newest predictions of a deployment, newest first, with labels; those of the last moment included."""
        return self._predictions.newest(name, since, until, limit)

    def prediction(self, prediction_id: str) -> Prediction:
        """Return one prediction; NotFound when the log has none of that id."""
        found = self._predictions.find(prediction_id)
        if found is None:
            raise NotFound(
                f"No prediction {prediction_id} is in the log.", hint="See recent ones: mlops deployments show NAME"
            )
        return found

    def why(self, prediction_id: str) -> Reasons:
        """What each input added to an answer, and the rows of training nearest to it; see `reasons`. Raises NotFound."""
        return self._asking.explain(self.prediction(prediction_id))

    def replay(self, prediction_id: str, ref: str) -> Replayed:
        """Have another version answer a logged row again; see `reasons`. Raises NotFound, InvalidInput."""
        return self._asking.replay(self.prediction(prediction_id), ref)

    def prediction_files(
        self, name: str, since: int | None = None, until: int | None = None, version: int | None = None
    ) -> builtins.list[Path]:
        """Return Parquet files that may hold predictions of [since, until), oldest first; of all versions, or of one: another may
        take other types under the same names, which do not go into one table.

        Columns: id, at (ms), version, latency_ms, status, error, prediction, _score, _model, _request_id, and one per model input,
        named `records.input_column(name)` (the input's own name unless it is one of these).
        """
        return self._predictions.files(name, since, until, version)

    def predict_all(
        self,
        ref: str,
        source: str,
        *,
        report: batch.Report,
        out: str = "",
        into: str = "",
        rows: int = 0,
        why: str = "",
    ) -> batch.BatchResult:
        """Predict every row of a file or snapshot in this process (see `batch.py`); loads the model, so only in a job's child."""
        from mlops_tui.domains.serving import batch

        runner = batch.Batch(self._context, self._registry, self._features)
        found = runner.run(ref, source, out=out, into=into, rows=rows or batch.PARTITION_ROWS, report=report)
        with self._context.catalog.write() as tx:
            self._audit.note(tx, "predict", "model", found.model, why=why, after=dataclasses.asdict(found))
        return found

    # -- the log

    def compact(self) -> int:
        """Move the log to Parquet; the number of rows moved. Safe to run at any time, by anyone, and to be killed."""
        from mlops_tui.domains.serving.compaction import Compaction

        moved = Compaction(self._context, self._store, self._signatures()).run()
        self.rollouts.take_labels()
        return moved

    def compact_due(self) -> bool:
        """Whether a compaction is worth its start: much has gathered, or some has waited (cheap, no DuckDB)."""
        waiting = log.pending_bytes(self._context.workspace.segments, self._store.offsets())
        if not waiting:
            return False
        last = self._store.last_compaction()
        period = self._context.settings.daemon.compact_s * 1000 * DUE_PERIODS
        return waiting >= DUE_BYTES or last is None or self._context.now() - last >= period

    # -- inside

    def _create(self, name: str, model: str, version: int, why: str) -> Deployment:
        now = self._context.now()
        new = Deployment(name, model, Wanted.RUNNING, (Route(version, 100.0),), {}, 1, now, now)
        with self._context.catalog.write() as tx:
            self._store.put(tx, new)
            self._audit.note(tx, "deploy", "deployment", name, why=why, after=_facts(new))
        return self.get(name)

    def _reroute(
        self,
        before: Deployment,
        weights: Mapping[int, float],
        verb: str,
        why: str,
        previous: Mapping[int, float] | None = None,
    ) -> Deployment:
        shares = routing.normalise(weights)
        same = shares == weights_of(before)
        if same and before.wanted is Wanted.RUNNING:
            return self.get(before.name)
        after = dataclasses.replace(
            before,
            wanted=Wanted.RUNNING,
            versions=tuple(Route(version, weight) for version, weight in shares.items()),
            previous=dict(previous) if previous else before.previous if same else weights_of(before),
            revision=before.revision + 1,
            updated_at=self._context.now(),
        )
        return self._change(before, after, verb, why)

    def _want(self, name: str, wanted: Wanted, verb: str, why: str) -> Deployment:
        with self._context.catalog.write():
            before = self._one(name)
            if before.wanted is wanted is Wanted.STOPPED:
                raise AlreadyExists(f"{name} is stopped already.", hint=f"Start it: mlops deployments start {name}")
            now = self._context.now()
            after = dataclasses.replace(before, wanted=wanted, revision=before.revision + 1, updated_at=now)
            return self._change(before, after, verb, why)

    def _change(self, before: Deployment, after: Deployment, verb: str, why: str) -> Deployment:
        with self._context.catalog.write() as tx:
            self._store.put(tx, after)
            facts = {"before": _facts(before), "after": _facts(after)}
            self._audit.note(tx, verb, "deployment", after.name, why=why, **facts)
        return self.get(after.name)

    def _signatures(self) -> Callable[[str, int], Signature | None]:
        known: dict[tuple[str, int], Signature | None] = {}

        def signature(model: str, version: int) -> Signature | None:
            if (model, version) not in known:
                try:
                    described = self._registry.version(f"{model}/{version}").signature
                    known[model, version] = Signature.of(described)
                except NotFound:
                    known[model, version] = None
            return known[model, version]

        return signature


def _facts(deployment: Deployment) -> dict[str, Any]:
    weights = {str(route.version): route.weight for route in deployment.versions}
    return {"model": deployment.model, "weights": weights, "wanted": str(deployment.wanted)}
