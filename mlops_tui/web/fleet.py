"""All versions in service and who answers which name: brings what is wanted about, without a request noticing."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping

from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.serving.records import (
    Deployment,
    RouteState,
    State,
    Target,
    Wanted,
    WorkerState,
    weights_of,
)
from mlops_tui.domains.serving.routing import Router
from mlops_tui.web.nursery import Nursery
from mlops_tui.web.slot import Slot

Key = tuple[str, int]  # model, version


@dataclasses.dataclass(slots=True)
class Table:
    """Who answers one deployment now. Replaced as a whole: a request sees the old one or the new one."""

    deployment: Deployment
    router: Router
    slots: dict[int, Slot]

    def choose(self, key: str | None) -> Slot:
        """Return the slot for the next request; another version stands in for one that failed."""
        slot = self.slots[self.router.choose(key)]
        if slot.state is State.FAILED:
            others = [version for version, other in self.slots.items() if other.state is not State.FAILED]
            if others:
                return self.slots[max(others, key=lambda version: self.router.weights[version])]
        return slot


class Fleet:
    """Slots by model and version, tables by deployment name."""

    def __init__(self, nursery: Nursery, timeout_s: float, workers: int = 1) -> None:
        self.changed = asyncio.Event()
        self._nursery = nursery
        self._timeout_s = timeout_s
        self._workers = workers
        self._slots: dict[Key, Slot] = {}
        self._tables: dict[str, Table] = {}
        self._deployments: dict[str, Deployment] = {}
        self._missing: dict[Key, str] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def tables(self) -> Mapping[str, Table]:
        """What answers now, by deployment."""
        return self._tables

    @property
    def deployments(self) -> Mapping[str, Deployment]:
        """All deployments as asked for."""
        return self._deployments

    def table(self, name: str) -> Table:
        """Return who answers a name; NotFound, or Unavailable while it is stopped, starting or failed."""
        found = self._tables.get(name)
        if found is not None:
            return found
        if name not in self._deployments:
            hint = did_you_mean(name, self._deployments, "List them: mlops deployments list")
            raise NotFound(f"There is no deployment {name!r}.", hint=hint)
        state = self._route_state(self._deployments[name])
        detail = f": {state.detail}" if state.detail else ""
        raise Unavailable(f"{name} is {state.state}{detail}.", hint=f"See: mlops deployments show {name}")

    def shadow(self, deployment: Deployment) -> Slot | None:
        """Return the slot of a deployment's shadow version."""
        version = deployment.handling.shadow
        return None if version is None else self._slots.get((deployment.model, version))

    def settled(self) -> bool:
        """Whether every deployment that should run does."""
        return all(state.state in {State.READY, State.DEGRADED, State.STOPPED} for state in self.routes())

    def apply(self, deployments: Iterable[Deployment], targets: Mapping[Key, Target]) -> None:
        """Take in what is wanted: start what is missing; the rest follows as workers become ready."""
        before, self._deployments = self._deployments, {item.name: item for item in deployments}
        for item in self._running():
            old = before.get(item.name)
            anew = old is not None and old.revision != item.revision
            for version in item.asked:
                self._ensure((item.model, version), targets, anew)
        self._settle()

    def workers(self) -> list[WorkerState]:
        """Report on each version in service."""
        return [slot.report() for slot in self._slots.values()]

    def routes(self) -> list[RouteState]:
        """Report on each deployment."""
        return [self._route_state(item) for item in self._deployments.values()]

    async def close(self) -> None:
        """End all workers."""
        await asyncio.gather(*(slot.close() for slot in self._slots.values()), *self._leaving)

    def _running(self) -> list[Deployment]:
        return [item for item in self._deployments.values() if item.wanted is Wanted.RUNNING]

    def _ensure(self, key: Key, targets: Mapping[Key, Target], anew: bool) -> None:
        slot = self._slots.get(key)
        if slot is not None and not (anew and slot.state is State.FAILED):
            if key in targets:
                slot.retarget(targets[key])
            return
        if key not in targets:
            self._missing[key] = f"{key[0]}/{key[1]} is not in the registry"
            return
        self._missing.pop(key, None)
        if slot is not None:
            self._dismiss(slot)
        self._slots[key] = fresh = Slot(targets[key], self._nursery, self._timeout_s, self._settle, self._workers)
        for table in self._tables.values():  # tables that use the failed slot take the new one
            table.slots.update({version: fresh for version, old in table.slots.items() if old is slot})

    def _settle(self) -> None:
        """Flip every deployment whose new versions are warm, then let go of slots nobody routes to."""
        running = self._running()
        names = {item.name for item in running}
        for name in [name for name in self._tables if name not in names]:
            del self._tables[name]
        for item in running:
            self._flip(item)
        used = {(item.model, version) for item in running for version in item.asked}
        used |= {(t.deployment.model, version) for t in self._tables.values() for version in t.slots}
        for key in [key for key in self._slots if key not in used]:
            self._dismiss(self._slots.pop(key))
        self.changed.set()

    def _flip(self, item: Deployment) -> None:
        old = self._tables.get(item.name)
        if old is not None and old.deployment.revision == item.revision:
            return
        weights = weights_of(item)
        found = {version: self._slots.get((item.model, version)) for version in weights}
        ready = {version: slot for version, slot in found.items() if slot is not None and slot.state is State.READY}
        given_up = all(slot is None or slot.state in {State.READY, State.FAILED} for slot in found.values())
        # With nothing to fall back on, the versions that work take the traffic of those that do not.
        if len(ready) == len(weights) or (old is None and given_up and ready):
            shares = {version: weights[version] for version in ready}
            self._tables[item.name] = Table(item, Router(shares, salt=item.name), ready)

    def _dismiss(self, slot: Slot) -> None:
        task = asyncio.create_task(slot.drain())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _route_state(self, item: Deployment) -> RouteState:
        if item.wanted is Wanted.STOPPED:
            return RouteState(item.name, item.revision, State.STOPPED)
        slots = {version: self._slots.get((item.model, version)) for version in weights_of(item)}
        bad = [self._trouble(item.model, version, slot) for version, slot in slots.items()]
        detail = "; ".join(text for text in bad if text)
        table = self._tables.get(item.name)
        current = table is not None and table.deployment.revision == item.revision
        if current and all(slot is not None and slot.state is State.READY for slot in slots.values()):
            state = State.READY
        elif not detail and not current:
            state = State.STARTING
        elif table is not None and any(slot.state is not State.FAILED for slot in table.slots.values()):
            state = State.DEGRADED
        else:
            state = State.FAILED if detail else State.STARTING
        if table is not None and not current and detail:
            serving = ", ".join(map(str, table.slots))
            detail += f"; version {serving} still answers"
        return RouteState(item.name, item.revision, state, detail)

    def _trouble(self, model: str, version: int, slot: Slot | None) -> str:
        if slot is None:
            return self._missing.get((model, version), "")
        return f"version {version}: {slot.detail}" if slot.state is State.FAILED else ""
