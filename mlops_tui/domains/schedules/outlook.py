"""What the coming slots will meet, as far as can be told now: which run, which wait, which are skipped, and why."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, takewhile

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.jobs.records import Pending
from mlops_tui.domains.jobs.service import Jobs
from mlops_tui.domains.schedules import blackouts, slots
from mlops_tui.domains.schedules.events import Events
from mlops_tui.domains.schedules.firing import Firing, Running, job_key
from mlops_tui.domains.schedules.records import (
    Blackout,
    Coming,
    Kind,
    Overlap,
    Prospect,
    Schedule,
    Then,
)
from mlops_tui.domains.schedules.store import SchedulesStore

_LAST = 5  # ended jobs of a schedule that tell how long one takes


@dataclass
class _Course:
    """How things would stand at each slot, were the ones before to go as foreseen."""

    last: int | None  # when it last fired
    busy_until: int | None = None  # when the job before will have ended; None: none runs
    job: Pending | None = None  # the one that runs now
    fired: int = 0  # slots of this outlook that run


class Outlook:
    """An engine under Schedules."""

    def __init__(self, context: Context, store: SchedulesStore, jobs: Jobs, firing: Firing, events: Events) -> None:
        self._context = context
        self._store = store
        self._jobs = jobs
        self._firing = firing
        self._events = events

    def why_not(self, schedule: Schedule, off: list[Blackout], running: Running) -> str:
        """Why a schedule will not run by itself right now; empty when it will."""
        if schedule.paused:
            return "Paused."
        if schedule.kind is Kind.MANUAL:
            return "Runs only by hand."
        window = blackouts.over(off, schedule, self._context.now())
        if window is not None:
            return blackouts.in_words(window)
        busy = running.get(schedule.id)
        if busy and schedule.overlap is Overlap.SKIP:
            return f"Job {busy[0].id} has not ended; slots until then are skipped."
        if schedule.kind is Kind.SCHEDULE:
            return "" if schedule.next_due is not None else "No slot is left."
        return self._firing.held_back(schedule, self._context.now()) or self._events.why_not(schedule)

    def coming(self, schedules: Iterable[Schedule], n: int, until: int | None = None) -> list[Coming]:
        """The next `n` slots of all the schedules together, soonest first; what waits for an event stands at the end."""
        off, running = self._store.blackouts(), self._firing.running()
        clocked: list[Coming] = []
        others: list[Coming] = []
        for schedule in schedules:
            if schedule.kind is Kind.SCHEDULE:
                try:
                    clocked += self._of_one(schedule, n, until, off, running)
                except InvalidInput as error:  # a zone that this machine does not know
                    others.append(Coming(schedule.name, schedule.pipeline, "", None, Prospect.SKIPPED, error.message))
            elif schedule.kind is not Kind.MANUAL:
                why = self.why_not(schedule, off, running) or "Fires at the next look."
                others.append(Coming(schedule.name, schedule.pipeline, "", None, Prospect.WAITS, why))
        return sorted(clocked, key=lambda one: (one.due_at or 0, one.schedule))[:n] + others

    def _of_one(
        self, schedule: Schedule, n: int, until: int | None, off: list[Blackout], running: Running
    ) -> list[Coming]:
        now = self._context.now()
        busy = running.get(schedule.id, [])
        course = _Course(last=schedule.last_fired_at, job=busy[0] if busy else None)
        takes = self._takes(schedule)
        if course.job is not None:
            began = course.job.started_at or now
            course.busy_until = max(now, began + takes) if takes else None
        start = schedule.next_due if schedule.next_due is not None and not schedule.paused else now + 1
        ahead = islice(slots.after(schedule, start - 1), n)
        found = []
        for slot in takewhile(lambda slot: until is None or slot.due_at < until, ahead):
            prospect, reason = self._prospect(schedule, slot.due_at, course, off, takes)
            found.append(Coming(schedule.name, schedule.pipeline, slot.key, slot.due_at, prospect, reason))
            if not takes:
                course.job = None  # how long it takes nobody knows: only the next slot is in doubt
            if prospect is not Prospect.SKIPPED:
                course.last, course.fired, course.job = slot.due_at, course.fired + 1, None
                course.busy_until = max(slot.due_at, course.busy_until or 0) + takes if takes else None
        return found

    def _prospect(
        self, schedule: Schedule, at: int, course: _Course, off: list[Blackout], takes: int
    ) -> tuple[Prospect, str]:
        if schedule.paused:
            return Prospect.SKIPPED, "Paused."
        window = blackouts.over(off, schedule, at)
        if window is not None:
            prospect = Prospect.SKIPPED if window.then is Then.SKIP else Prospect.WAITS
            return prospect, blackouts.in_words(window)
        if course.last is not None and schedule.cooldown_s and at < course.last + round(schedule.cooldown_s * 1000):
            return Prospect.SKIPPED, f"Cooling down until {clock.iso(course.last + round(schedule.cooldown_s * 1000))}."
        if schedule.max_per_day:
            past = self._store.fired_since(schedule.id, at - clock.DAY, with_job=True)
            if past + course.fired >= schedule.max_per_day:
                return Prospect.SKIPPED, f"Its limit is {schedule.max_per_day} in 24 h."
        unmet = self._events.unmet(schedule)
        if unmet:
            return Prospect.SKIPPED, f"As things are: {unmet[0].lower()}{unmet[1:]}"
        return self._beside(schedule, at, course, takes)

    def _beside(self, schedule: Schedule, at: int, course: _Course, takes: int) -> tuple[Prospect, str]:
        """What other work makes of a slot that nothing else stands against."""
        busy = course.job is not None and course.busy_until is None
        if busy or (course.busy_until is not None and at < course.busy_until):
            who = f"Job {course.job.id}" if course.job is not None else "The run before"
            long = f" (one takes about {clock.duration(takes)})" if takes else ""
            if schedule.overlap is Overlap.SKIP:
                return Prospect.SKIPPED, f"{who} may not have ended{long}."
            if schedule.overlap is Overlap.QUEUE:
                return Prospect.WAITS, f"{who} goes first{long}."
            return Prospect.RUNS, f"{who} is cancelled for it if it has not ended{long}."
        if course.fired == 0 and (held := self._held(schedule)):
            return Prospect.WAITS, f"As things are: {held[0].lower()}{held[1:]}"
        return Prospect.RUNS, ""

    def _held(self, schedule: Schedule) -> str:
        """Which resource the schedule's last job needed that is taken now."""
        newest = self._jobs.newest_with(job_key(schedule, ""))
        return self._jobs.waits(newest.needs) if newest is not None and newest.needs else ""

    def _takes(self, schedule: Schedule) -> int:
        """How long its jobs took of late, the median in ms; 0 when none has ended."""
        took = self._jobs.took(job_key(schedule, ""), _LAST)
        return round(statistics.median(took)) if took else 0
