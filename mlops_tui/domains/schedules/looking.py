"""Looking at schedules: what they are, what they did, what they will do, and the times in which nothing fires."""

from __future__ import annotations

import builtins
import dataclasses

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.schedules import blackouts
from mlops_tui.domains.schedules.events import Events
from mlops_tui.domains.schedules.firing import Firing
from mlops_tui.domains.schedules.outlook import Outlook
from mlops_tui.domains.schedules.records import Blackout, Coming, Fire, Kind, Schedule, Window
from mlops_tui.domains.schedules.slots import after
from mlops_tui.domains.schedules.store import SchedulesStore


class Looking:
    """The half of the room that changes nothing."""

    def __init__(
        self, context: Context, store: SchedulesStore, firing: Firing, events: Events, outlook: Outlook
    ) -> None:
        self._context = context
        self._store = store
        self._firing = firing
        self._events = events
        self._outlook = outlook

    def list(self, *, own: bool = False) -> builtins.list[Schedule]:
        """All schedules by name, each with `waits`: why it will not run by itself now; `own`: also the workspace's upkeep."""
        return self._explained([one for one in self._store.find() if own or one.origin != "workspace"])

    def get(self, name: str) -> Schedule:
        """One schedule. Raises NotFound."""
        return self._explained([self._known(name)])[0]

    def fires(
        self, name: str | None = None, limit: int = 100, *, since: int | None = None, until: int | None = None
    ) -> builtins.list[Fire]:
        """Slots of one schedule or of all, due in [since, until), newest first; those that wait say for what. Raises NotFound."""
        found = self._store.fires(self._known(name).id if name else None, limit, since, until)
        return self._firing.waits(found)

    def next(self, name: str, n: int = 5) -> builtins.list[int]:
        """The next `n` times, ms since the epoch; none when paused or not by the clock. Raises NotFound."""
        schedule = self._known(name)
        if schedule.next_due is None or schedule.kind is not Kind.SCHEDULE:
            return []
        return [slot.due_at for _, slot in zip(range(n), after(schedule, schedule.next_due - 1), strict=False)]

    def upcoming(self, name: str | None = None, n: int = 5, *, until: int | None = None) -> builtins.list[Coming]:
        """The next `n` slots of one schedule, or of all together, due before `until`, each with what will become of it as far as
        can be told now: it runs, waits or is skipped, and why (paused, blackout, cool-down, limit, conditions, an earlier run,
        a resource). Rules that wait for an event stand at the end, with no time. Raises NotFound.
        """
        self._events.look()
        if name is not None:
            return self._outlook.coming([self._known(name)], n, until)
        found = [one for one in self._store.find() if one.origin != "workspace"]
        clocked = sorted((one for one in found if one.next_due is not None), key=lambda one: one.next_due or 0)
        # The first n slots of all can only come from the n schedules that are due first.
        return self._outlook.coming([*clocked[:n], *(one for one in found if one.next_due is None)], n, until)

    def blackouts(self) -> builtins.list[Blackout]:
        """All blackouts by name; `until` of one that is on now is when it ends."""
        now = self._context.now()
        found = [(one, blackouts.on(one, now)) for one in self._store.blackouts()]
        return [dataclasses.replace(one, until=window.end if window else None) for one, window in found]

    def blackout_windows(self, since: int, until: int) -> builtins.list[Window]:
        """Every time a blackout is on that reaches into [since, until), by their begin."""
        found = [window for one in self._store.blackouts() for window in blackouts.windows(one, since, until)]
        return sorted(found, key=lambda window: (window.begin, window.name))

    def first_due(self) -> int | None:
        """When the clock is next due for any schedule: what the ticker is set to."""
        return self._store.first_due()

    def _known(self, name: str) -> Schedule:
        schedule = self._store.get(name)
        if schedule is None:
            names = [known.name for known in self._store.find()]
            raise NotFound(
                f"There is no schedule '{name}'.", hint=did_you_mean(name, names, "See them: mlops schedules list")
            )
        return schedule

    def _explained(self, schedules: builtins.list[Schedule]) -> builtins.list[Schedule]:
        self._events.look()
        off, running = self._store.blackouts(), self._firing.running()
        return [dataclasses.replace(one, waits=self._outlook.why_not(one, off, running)) for one in schedules]
