"""Turning what is due into fires, and fires into jobs: each step a transaction that another daemon may have made already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotAllowed, Unavailable, WorkbenchError
from mlops_tui.domains.alerts.records import Alert, AlertState
from mlops_tui.domains.alerts.service import Alerts
from mlops_tui.domains.jobs.records import Job
from mlops_tui.domains.jobs.service import Jobs
from mlops_tui.domains.schedules import cron
from mlops_tui.domains.schedules.records import (
    CATCH_UP,
    LISTED,
    Fire,
    FireState,
    Kind,
    Missed,
    Overlap,
    Schedule,
    sort_out,
)
from mlops_tui.domains.schedules.store import SchedulesStore

if TYPE_CHECKING:
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.pipelines.service import Pipelines


@dataclass(frozen=True, slots=True)
class Event:
    """Something other than the clock that sets a schedule off; `slot` names it for good."""

    slot: str
    reason: str


class Firing:
    """The engine under Schedules."""

    def __init__(
        self,
        context: Context,
        store: SchedulesStore,
        alerts: Alerts,
        jobs: Jobs,
        pipelines: Pipelines,
        features: Features,
    ) -> None:
        self._context = context
        self._store = store
        self._alerts = alerts
        self._jobs = jobs
        self._pipelines = pipelines
        self._features = features

    # -- by the clock ----------------------------------------------------------------------------------------------------

    def record_due(self, name: str, now: int) -> int:
        """One transaction: a fire row for every slot of the schedule due by `now`, and `next_due` moved past them."""
        with self._context.catalog.write() as tx:
            schedule = self._store.get(name)
            if schedule is None or schedule.paused or schedule.next_due is None or schedule.next_due > now:
                return 0  # another daemon was faster
            slots = due_slots(schedule, now)
            for verdict in sort_out(slots, now, schedule.missed, schedule.grace_s):
                self._store.add_fire(
                    tx, schedule.id, verdict.slot.key, verdict.slot.due_at, verdict.state, verdict.reason, now
                )
            last = slots[-1].due_at if slots else now
            self._store.update(tx, schedule.id, next_due=next_due(schedule, last))
            return len(slots)

    # -- by events ---------------------------------------------------------------------------------------------------------

    def record_event(self, schedule: Schedule, now: int) -> bool:
        """A fire for the newest event that the schedule has not answered yet, when nothing holds it back."""
        if schedule.paused or self.held_back(schedule, now):
            return False
        event = self.event(schedule)
        if event is None:
            return False
        with self._context.catalog.write() as tx:
            if not self._store.add_fire(
                tx, schedule.id, event.slot, now, FireState.QUEUED, event.reason, self._context.now()
            ):
                return False
            self._store.update(tx, schedule.id, last_fired_at=now, seen=self.versions(schedule.tables))
        return True

    def event(self, schedule: Schedule) -> Event | None:
        """The newest event that has no fire of this schedule yet."""
        found = self._new_data(schedule) if schedule.kind is Kind.NEW_DATA else self._raised(schedule)
        fresh = (event for event in found if self._store.fire(schedule.id, event.slot) is None)
        return next(fresh, None)

    def held_back(self, schedule: Schedule, now: int) -> str:
        """Why an event would not fire the schedule at `now`; empty when it would."""
        if schedule.last_fired_at is not None and schedule.cooldown_s:
            ready = schedule.last_fired_at + round(schedule.cooldown_s * 1000)
            if now < ready:
                return f"Cooling down until {clock.iso(ready)}."
        if schedule.max_per_day and self._store.fired_since(schedule.id, now - clock.DAY) >= schedule.max_per_day:
            return f"It fired {schedule.max_per_day} times in the last 24 h, its limit."
        return ""

    def _raised(self, schedule: Schedule) -> Iterable[Event]:
        if schedule.kind not in (Kind.DRIFT, Kind.PERFORMANCE):
            return
        for alert in self._alerts.list(rule=str(schedule.kind), subject=schedule.subject, limit=20):
            share = alert.facts.get("share")
            small = isinstance(share, (int, float)) and share < schedule.min_share
            # A silenced alert is somebody's decision that it does not matter now.
            if alert.state in (AlertState.OPEN, AlertState.ACKNOWLEDGED) and not small:
                yield Event(f"alert:{alert.id}", f"Alert {alert.id}: {alert.title}")
                yield from self._raised_again(schedule, alert)

    def _raised_again(self, schedule: Schedule, alert: Alert) -> Iterable[Event]:
        """The alert was answered, the answer has ended, the alert was raised after that, and there is new data to learn from.

        Without this a retraining that the gate refused would be the last one until a person ends the alert.
        """
        newest = next(iter(self._store.fires(schedule.id, 1)), None)
        if newest is None or newest.job_id is None or not newest.slot.startswith(f"alert:{alert.id}"):
            return
        ended = self._jobs.get(newest.job_id).ended_at
        now = self.versions(schedule.tables)
        fresh = [table for table, state in now.items() if state != schedule.seen.get(table, (0, 0))]
        if ended is not None and alert.last_at > ended and fresh:
            slot = ",".join(f"{table}@{version}" for table, (version, _) in now.items())
            news = ", ".join(f"{table}@{now[table][0]}" for table in fresh)
            yield Event(
                f"alert:{alert.id}:{slot}", f"Alert {alert.id} still stands, with new data in {news}: {alert.title}"
            )

    def _new_data(self, schedule: Schedule) -> Iterable[Event]:
        now = self.versions(schedule.tables)
        changed = [table for table in schedule.tables if now[table][0] != schedule.seen.get(table, (0, 0))[0]]
        added = sum(abs(now[table][1] - schedule.seen.get(table, (0, 0))[1]) for table in changed)
        if changed and added >= schedule.min_rows:
            slot = ",".join(f"{table}@{now[table][0]}" for table in schedule.tables)
            yield Event(f"data:{slot}", "New data: " + ", ".join(f"{table}@{now[table][0]}" for table in changed))

    def versions(self, tables: Iterable[str]) -> dict[str, tuple[int, int]]:
        """(newest version, rows) of each feature table; (0, 0) for one that does not exist yet."""
        found: dict[str, tuple[int, int]] = {}
        for name in tables:
            try:
                table = self._features.get(name)
                found[name] = (table.latest_version or 0, table.rows or 0)
            except WorkbenchError:
                found[name] = (0, 0)
        return found

    # -- a job for each fire -------------------------------------------------------------------------------------------------

    def submit_waiting(self) -> list[Fire]:
        """Give waiting fires their job or their end, oldest first; those that had to wait for an earlier job stay."""
        settled = []
        failures: list[Exception] = []
        for fire in self._store.waiting():
            schedule = self._store.get(fire.schedule)
            try:
                if schedule is not None and self._submit(schedule, fire):
                    settled.append(self._store.fire(fire.schedule_id, fire.slot) or fire)
            except Exception as error:  # one that cannot be submitted now must not hold up the others
                failures.append(error)
        if failures:
            raise failures[0]
        return settled

    def _submit(self, schedule: Schedule, fire: Fire) -> bool:
        if schedule.overlap is Overlap.REPLACE:
            for job in self.running(schedule, fire):
                try:
                    self._jobs.cancel(job.id, f"replaced by slot {fire.slot} of {schedule.name}")
                except NotAllowed:  # it ended by itself meanwhile
                    pass
        try:
            # One transaction: the decision, the job and the fire that knows it. A kill leaves all or nothing, and a
            # second daemon finds the fire settled; the job's key guards even against a fire row that was restored from a backup.
            with self._context.catalog.write() as tx:
                now = self._store.fire(fire.schedule_id, fire.slot)
                if now is None or now.state is not FireState.QUEUED or now.job_id is not None:
                    return False
                if earlier := self.running(schedule, fire):
                    if schedule.overlap is not Overlap.SKIP:
                        return False
                    reason = f"Job {earlier[0].id} of an earlier slot had not ended."
                    return self._store.settle_fire(tx, fire, state=FireState.SKIPPED, reason=reason)
                job = self._pipelines.run(schedule.pipeline, cause(schedule, fire), key=job_key(schedule, fire.slot))
                self._store.update(tx, schedule.id, last_fired_at=self._context.now())
                done = self._store.settle_fire(tx, fire, job_id=job.id)
        except Unavailable:
            raise  # a full disk or the like: the slot keeps waiting
        except WorkbenchError as error:
            with self._context.catalog.write() as tx:
                done = self._store.settle_fire(tx, fire, state=FireState.SKIPPED, reason=error.message)
                self._alerts.raise_alert(
                    "schedule", schedule.name, title=f"{schedule.name} could not run", detail=error.message
                )
            return done
        self._alerts.resolve_by("schedule", schedule.name)
        return done

    def running(self, schedule: Schedule, but: Fire | None = None) -> list[Job]:
        """Jobs of this schedule that have not ended, except that of one fire."""
        own = job_key(schedule, but.slot) if but else None
        return [job for job in self._jobs.pending_with(job_key(schedule, "")) if job.key != own]


def due_slots(schedule: Schedule, now: int) -> list[cron.Slot]:
    """Slots from `next_due` to `now`, oldest first: at most CATCH_UP when all shall run, else the newest LISTED."""
    assert schedule.next_due is not None
    line, tz = cron.parse(schedule.cron), cron.zone(schedule.timezone)
    if schedule.missed is Missed.ALL:
        forward = takewhile(lambda slot: slot.due_at <= now, _forward(line, tz, schedule.next_due - 1))
        return [slot for slot, _ in zip(forward, range(CATCH_UP), strict=False)]
    first = schedule.next_due
    back = takewhile(lambda slot: slot.due_at >= first, _back(line, tz, now + 1))
    return [slot for slot, _ in zip(back, range(LISTED), strict=False)][::-1]


def next_due(schedule: Schedule, after: int) -> int | None:
    """When the clock is next due for it; None when it does not go by the clock or no slot is left."""
    if schedule.kind is not Kind.SCHEDULE:
        return None
    slot = cron.next_slot(cron.parse(schedule.cron), cron.zone(schedule.timezone), after)
    return slot.due_at if slot else None


def job_key(schedule: Schedule, slot: str) -> str:
    """The key that gives a slot one job, whoever submits it how often."""
    return f"schedule:{schedule.id}:{slot}"


def cause(schedule: Schedule, fire: Fire) -> dict[str, Any]:
    """Why the pipeline runs, for its record."""
    return {
        "kind": str(schedule.kind),
        "schedule": schedule.name,
        "slot": fire.slot,
        "due_at": fire.due_at,
        "reason": fire.reason or f"Due {clock.iso(fire.due_at)} by '{schedule.cron}'",
        **({"alert": int(fire.slot.split(":")[1])} if fire.slot.startswith("alert:") else {}),
    }


def _forward(line: cron.Cron, tz: Any, after: int) -> Iterable[cron.Slot]:
    while slot := cron.next_slot(line, tz, after):
        yield slot
        after = slot.due_at


def _back(line: cron.Cron, tz: Any, before: int) -> Iterable[cron.Slot]:
    while slot := cron.previous_slot(line, tz, before):
        yield slot
        before = slot.due_at
