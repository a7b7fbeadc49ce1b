"""What the gateway needs to know, what it says of itself, and the figures of the traffic it had."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.core.identity import Identity, is_alive
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving import traffic
from mlops_tui.domains.serving.records import (
    Deployment,
    GatewayState,
    Interval,
    RouteState,
    SeriesPoint,
    ServiceStats,
    Signature,
    Target,
    Wanted,
    WorkerState,
)
from mlops_tui.domains.serving.store import ServingStore

if TYPE_CHECKING:
    from mlops_tui.domains.serving.checking import Checking


class Reporting:
    """The two directions between what is wanted and the gateway that carries it out."""

    checking: Checking

    def __init__(self, context: Context, registry: Registry) -> None:
        self._context = context
        self._registry = registry
        self._store = ServingStore(context)

    def stats(self, name: str, since: int) -> ServiceStats:
        """Return traffic and latency since a time in ms."""
        return traffic.stats(self._store.intervals(name, since), self._context.now() - since)

    def series(self, name: str, since: int, step: int = 60_000) -> builtins.list[SeriesPoint]:
        """Return traffic per `step` ms since a time, oldest first, empty steps included."""
        intervals = self._store.intervals(name, since // step * step, step=step)
        return traffic.series(intervals, since, self._context.now(), step)

    def roll_up(self) -> bool:
        """Add up traffic counts that are over by minute, ten minutes and hour; whether more are to be added up."""
        return self._store.roll_up()

    def targets(self) -> dict[tuple[str, int], Target]:
        """Return what is needed to serve each version that a running deployment routes to."""
        wanted = {
            (deployment.model, number)
            for deployment in self._store.find()
            if deployment.wanted is Wanted.RUNNING
            for number in deployment.asked
        }
        found: dict[tuple[str, int], Target] = {}
        for model, number in wanted:
            try:
                version = self._registry.version(f"{model}/{number}")
            except NotFound:
                continue
            engine = self._registry.forced_engine(version)
            check = self.checking.order(version, engine)
            found[model, number] = Target(model, number, version.sha, Signature.of(version.signature), engine, check)
        return found

    def wanted(self) -> builtins.list[Deployment]:
        """Return all deployments as asked for, without states."""
        return self._store.find()

    def report_gateway(self, state: GatewayState | None) -> None:
        """Record which process answers HTTP; None when it ends."""
        self._store.put_gateway(state)

    def gateway(self) -> GatewayState | None:
        """Return the process that answers HTTP, None when there is none."""
        state = self._store.gateway()
        alive = state is not None and is_alive(Identity(state.pid, state.started, state.boot))
        return state if alive else None

    def report(self, workers: Iterable[WorkerState], routes: Iterable[RouteState]) -> None:
        """Record how workers and deployments do."""
        told = list(workers)
        self._store.put_states(told, routes)
        self.checking.take(told)

    def workers(self) -> dict[tuple[str, int], WorkerState]:
        """Return the gateway's last word on each worker, by model and version; {} when no gateway runs."""
        return self._store.workers() if self.gateway() is not None else {}

    def record_traffic(self, intervals: Iterable[Interval]) -> None:
        """Record counts of requests."""
        self._store.add_intervals(intervals)

    def changes(self) -> int:
        """Return a number that changes whenever the catalog does."""
        return self._context.catalog.data_version()

    def _with_states(self, deployments: builtins.list[Deployment]) -> builtins.list[Deployment]:
        gateway = self.gateway()
        workers, routes = self._store.workers(), self._store.routes()
        host, port = self._context.settings.serving.host, self._context.settings.serving.port
        if gateway is not None:
            host, port = gateway.host, gateway.port
        scheme = "https" if self._context.settings.serving.certificate else "http"
        base = f"{scheme}://{host}:{port}"
        return [traffic.with_state(item, gateway is not None, workers, routes, base) for item in deployments]
