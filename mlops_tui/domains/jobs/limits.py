"""Which waiting jobs may start: as many as the resources they name allow, none overtaken by one that wants the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.jobs.store import JobsStore


class Limits:
    """The engine under Jobs for `[daemon] limits`; what stands there not is there once, `cpu` as often as processors are."""

    def __init__(self, context: Context, store: JobsStore) -> None:
        self._context = context
        self._store = store

    def of(self, resource: str) -> float:
        """How much of a resource the workspace has."""
        given = self._context.settings.daemon.limits
        return given.get(resource, float(len(os.sched_getaffinity(0))) if resource == "cpu" else 1.0)

    def checked(self, needs: Mapping[str, float]) -> dict[str, float]:
        """Needs that can be met: of processors no more than there are. Raises InvalidInput for more of anything else."""
        met = {}
        for name, amount in needs.items():
            limit = self.of(name)
            if name != "cpu" and amount > limit:
                raise InvalidInput(
                    f"It needs {amount:g} {name}, and the workspace has {limit:g}.",
                    hint=f"Say how much there is in settings.toml: [daemon] limits = {{ {name} = {amount:g} }}",
                )
            met[name] = min(amount, limit)
        return met

    def choose(self, waiting: Iterable[tuple[int, Mapping[str, float]]], limit: int) -> list[int]:
        """The first `limit` jobs, given with their needs, for which these are free.

        A job that must wait keeps later ones off what it waits for.
        """
        free = self._free()
        chosen: list[int] = []
        for job_id, needs in waiting:
            if len(chosen) == limit:
                break
            fits = all(free.get(name, self.of(name)) >= amount for name, amount in needs.items())
            for name, amount in needs.items():
                free[name] = free.get(name, self.of(name)) - amount if fits else 0.0
            if fits:
                chosen.append(job_id)
        return chosen

    def waits(self, needs: Mapping[str, float]) -> str:
        """What of `needs` is not free now and who holds it; empty when all is."""
        free = self._free()
        for name, amount in needs.items():
            if free.get(name, self.of(name)) < min(amount, self.of(name)):
                holders = [f"job {number} ({title})" for number, title, held in self._store.held() if name in held]
                return f"Waits for {amount:g} {name} of {self.of(name):g}, held by {', '.join(holders)}."
        return ""

    def _free(self) -> dict[str, float]:
        free: dict[str, float] = {}
        for _, _, held in self._store.held():
            for name, amount in held.items():
                free[name] = free.get(name, self.of(name)) - amount
        return free
