"""The order of a run's steps: each as soon as those it needs are done and there is room, and again after a bad moment."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.domains.pipelines import forking
from mlops_tui.domains.pipelines.operating import Limits, bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.domains.pipelines.forking import Bounds, Child, Ended
    from mlops_tui.domains.pipelines.graph import Needs
    from mlops_tui.domains.pipelines.recipe import Recipe


@dataclass
class Flow:
    """Runs the steps of `needs`. `start(name, bounds)` forks one; `ended(name, how)` is told, and says whether to go on;
    `again(name, how, pause_s, attempt)` is told that a step is tried once more after a pause. `kept(name)` is how a step ended
    that need not be done, and `waits()` is called when there is nothing to do but wait.
    """

    needs: Needs
    recipe: Recipe
    start: Callable[[str, Bounds], Child]
    ended: Callable[[str, Ended], bool]
    again: Callable[[str, Ended, float, int], None]
    kept: Callable[[str], Ended | None] = lambda name: None
    waits: Callable[[], None] = lambda: None
    _running: dict[str, Child] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _failures: dict[str, int] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)

    def run(self) -> bool:
        """Do all steps; False when one said that the run is over. Whatever happens, nothing runs on behind our back."""
        try:
            while len(self._done) < len(self.needs):
                if not self._start_ready():
                    return False
                if len(self._done) == len(self.needs):
                    break
                self.waits()
                if not self._running:
                    time.sleep(max(0.0, min(self._not_before.values(), default=0.0) - time.monotonic()))
                    continue
                forking.wait(list(self._running.values()), self._pause())
                for name in [name for name, child in self._running.items() if child.over]:
                    if not self._over(name):
                        return False
            return True
        finally:
            for child in self._running.values():
                child.close()

    def _start_ready(self) -> bool:
        """Start what can be, and have done with what is kept; False when the run is over."""
        now = time.monotonic()
        for name, needs in self.needs.items():
            if name in self._done or name in self._running or not self._done.issuperset(needs):
                continue
            if name not in self._failures and (how := self.kept(name)):
                self._done.add(name)
                if not self.ended(name, how):
                    return False
            elif self._not_before.get(name, 0.0) <= now and self._room(name):
                self._not_before.pop(name, None)
                self._running[name] = self.start(name, bounds_of(self._limits(name)))
        return True

    def _over(self, name: str) -> bool:
        child = self._running.pop(name)
        child.close()
        how = child.ended()
        attempt, limits = self._failures.get(name, 0) + 1, self._limits(name)
        if how.error and not how.final and attempt <= limits.retries:
            pause = clock.parse_span(limits.backoff) / 1000 * 2 ** (attempt - 1) if limits.backoff else 0.0
            self._failures[name] = attempt
            self._not_before[name] = time.monotonic() + pause
            self.again(name, how, pause, attempt)
            return True
        self._done.add(name)
        return self.ended(name, how)

    def _room(self, name: str) -> bool:
        """Whether a step fits beside those that run, out of what the run holds; one that asks for more runs by itself."""
        if not self._running:
            return True
        held = {"cpu": float(processors()), **self.recipe.resources.taken}
        beside = [self._limits(one).taken for one in self._running]
        return all(
            sum(one.get(what, 0.0) for one in beside) + amount <= held.get(what, 0.0)
            for what, amount in self._limits(name).taken.items()
        )

    def _pause(self) -> float:
        """Until the next step may be tried again; long, when none waits for that."""
        return max(0.0, min(self._not_before.values(), default=time.monotonic() + 60) - time.monotonic())

    def _limits(self, name: str) -> Limits:
        return self.recipe.resources.steps.get(name, Limits())


def bounds_of(limits: Limits) -> Bounds:
    """Spans and sizes as seconds and bytes."""
    timeout = clock.parse_span(limits.timeout) / 1000 if limits.timeout else 0.0
    return forking.Bounds(timeout, bytes_of(limits.memory) or 0)


def processors() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0))
