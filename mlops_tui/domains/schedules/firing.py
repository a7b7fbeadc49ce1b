"""Turning what is due into fires, and fires into jobs: each step a transaction that another daemon may have made already."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotAllowed, Unavailable, WorkbenchError
from mlops_tui.domains.alerts.service import Alerts
from mlops_tui.domains.jobs.records import Job, Pending
from mlops_tui.domains.jobs.service import Jobs
from mlops_tui.domains.schedules import blackouts, commits, slots
from mlops_tui.domains.schedules.events import HELD, Event, Events
from mlops_tui.domains.schedules.records import (
    Action,
    Blackout,
    Fire,
    FireState,
    Kind,
    Origin,
    Overlap,
    Schedule,
    Then,
    sort_out,
)
from mlops_tui.domains.schedules.store import SchedulesStore

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.service import Pipelines

BATCH = 200  # schedules or fires in one transaction: an fsync each would make a thousand of them late
_PREFIX = "schedule:"
Running = dict[int, list[Pending]]


class Firing:
    """The engine under Schedules."""

    def __init__(
        self, context: Context, store: SchedulesStore, alerts: Alerts, jobs: Jobs, pipelines: Pipelines, events: Events
    ) -> None:
        self._context = context
        self._store = store
        self._alerts = alerts
        self._jobs = jobs
        self._pipelines = pipelines
        self._events = events

    # -- by the clock ----------------------------------------------------------------------------------------------------

    def record_due(self, now: int) -> int:
        """A fire row for every slot due by `now`, and each `next_due` moved past them; how many schedules were due."""
        seen: set[int] = set()
        while self._store.due(now, 1):
            with self._context.catalog.write() as tx:
                due = self._store.due(now, BATCH)  # another daemon may have been faster
                fresh = [schedule for schedule in due if schedule.id not in seen]
                for schedule in fresh:
                    self._record(tx, schedule, now)
            seen |= {schedule.id for schedule in fresh}
            if not fresh:
                break  # only those that have more slots to catch up with than one look works through
        return len(seen)

    def _record(self, tx: sqlite3.Connection, schedule: Schedule, now: int) -> None:
        try:
            due = slots.due_slots(schedule, now)
        except InvalidInput as error:  # a zone that this machine does not know: no reason to hold up the others
            self._store.update(tx, schedule.id, next_due=None)
            title = f"{schedule.name} cannot tell its slots"
            self._alerts.raise_alert("schedule", schedule.name, title=title, detail=error.message)
            return
        for verdict in sort_out(due, now, schedule.missed, schedule.grace_s):
            reason = verdict.reason or f"Due by '{schedule.cron}' ({schedule.timezone})."
            self._store.add_fire(
                tx, schedule.id, verdict.slot.key, verdict.slot.due_at, verdict.state, reason, self._context.now()
            )
        last = due[-1].due_at if due else now
        self._store.update(tx, schedule.id, next_due=slots.next_due(schedule, last))

    def realign(self, now: int) -> int:
        """After the clock was set back: the next slot of each schedule is the next one from now, not from where the clock had
        been. Slots that fired out there have their fire, so they do not come twice. How many moved.
        """
        ahead = [(one, slots.next_due(one, now)) for one in self._store.ahead(now)]
        moved = [(one, due) for one, due in ahead if due is not None and due < (one.next_due or 0)]
        if moved:
            with self._context.catalog.write() as tx:
                for schedule, due in moved:
                    self._store.update(tx, schedule.id, next_due=due)
        return len(moved)

    # -- by events ---------------------------------------------------------------------------------------------------------

    def record_events(self, now: int) -> int:
        """A fire for the newest event that each schedule has not answered yet, when nothing holds it back; how many."""
        self._events.look()
        found = self._store.by_event()
        off = self._store.blackouts() if found else []
        return sum(self._record_event(schedule, now, off) for schedule in found)

    def _record_event(self, schedule: Schedule, now: int, off: list[Blackout]) -> bool:
        event = self._events.event(schedule)
        if event is None:
            return False
        window = blackouts.over(off, schedule, now)
        held = blackouts.in_words(window) if window else self.held_back(schedule, now)
        if held:
            self._refuse(schedule, event, held, now)
            return False
        with self._context.catalog.write() as tx:
            seen = {"seen": self._events.versions(schedule.tables), "last_fired_at": now}
            if schedule.kind is Kind.COMMIT:
                seen["seen_commit"] = event.slot.removeprefix("commit:")
            if not self._store.add_fire(
                tx, schedule.id, event.slot, now, FireState.QUEUED, event.reason, self._context.now()
            ):
                return False
            self._store.update(tx, schedule.id, **seen)
        return True

    def _refuse(self, schedule: Schedule, event: Event, why: str, now: int) -> None:
        """Put down, once, that an event got nothing yet and why. It is asked again, so its own slot stays free."""
        slot = f"{HELD}{event.slot}"
        if self._store.fire(schedule.id, slot) is None:
            with self._context.catalog.write() as tx:
                reason = f"{event.reason.rstrip('.')}. Not yet: {why}"
                self._store.add_fire(tx, schedule.id, slot, now, FireState.SKIPPED, reason, self._context.now())

    def held_back(self, schedule: Schedule, now: int) -> str:
        """Why cool-down or limit would keep the schedule from firing at `now`; empty when they would not."""
        if schedule.last_fired_at is not None and schedule.cooldown_s:
            ready = schedule.last_fired_at + round(schedule.cooldown_s * 1000)
            if now < ready:
                return f"Cooling down until {clock.iso(ready)}."
        clocked = schedule.kind is Kind.SCHEDULE  # whose fire is there before this is asked
        if (
            schedule.max_per_day
            and self._store.fired_since(schedule.id, now - clock.DAY, with_job=clocked) >= schedule.max_per_day
        ):
            return f"It fired {schedule.max_per_day} times in the last 24 h, its limit."
        return ""

    # -- a job for each fire -------------------------------------------------------------------------------------------------

    def submit_waiting(self) -> list[Fire]:
        """Give waiting fires their job or their end, by priority; those that had to wait for something stay."""
        waiting = self._store.waiting()
        if not waiting:
            return []
        settled: list[Fire] = []
        failures: list[Exception] = []
        for begin in range(0, len(waiting), BATCH):
            batch = waiting[begin : begin + BATCH]
            self._make_room(batch)
            settled += self._submit_batch(batch, failures)
        if failures:
            raise failures[0]
        return settled

    def waits(self, fires: list[Fire]) -> list[Fire]:
        """Fires as they are, with why those without a job wait for it as their reason."""
        if not any(fire.state is FireState.QUEUED and fire.job_id is None for fire in fires):
            return fires
        schedules = self._store.by_id(fire.schedule_id for fire in fires)
        off, running = self._store.blackouts(), self.running()
        told = []
        for fire in fires:
            schedule = schedules.get(fire.schedule_id)
            verdict = None
            if schedule is not None and fire.state is FireState.QUEUED and fire.job_id is None:
                verdict = self._verdict(schedule, fire, off, _others(running, schedule, fire))
            told.append(dataclasses.replace(fire, reason=f"{fire.reason} {verdict[1]}") if verdict else fire)
        return told

    def _make_room(self, batch: list[Fire]) -> None:
        """Cancel what fires with overlap "replace" take the place of: outside a transaction, because a process must end."""
        schedules = self._store.by_id(fire.schedule_id for fire in batch)
        replacing = [
            fire
            for fire in batch
            if fire.schedule_id in schedules and schedules[fire.schedule_id].overlap is Overlap.REPLACE
        ]
        if not replacing:
            return
        running, off = self.running(), self._store.blackouts()
        for fire in replacing:
            schedule = schedules[fire.schedule_id]
            if fire.origin is Origin.BACKFILL or self._verdict(schedule, fire, off, []) is not None:
                continue
            for job in _others(running, schedule, fire):
                try:
                    self._jobs.cancel(job.id, f"replaced by slot {fire.slot} of {schedule.name}")
                except NotAllowed:  # it ended by itself meanwhile
                    pass

    def _submit_batch(self, batch: list[Fire], failures: list[Exception]) -> list[Fire]:
        """One transaction: the decisions, the jobs, and the fires that know them. A kill leaves all or nothing, and a second
        daemon finds the fires settled; the job's key guards even against a fire row that was restored from a backup.
        """
        settled = []
        with self._context.catalog.write() as tx:
            schedules = self._store.by_id(fire.schedule_id for fire in batch)
            off, running = self._store.blackouts(), self.running()
            for fire in batch:
                schedule = schedules.get(fire.schedule_id)
                now = self._store.fire(fire.schedule_id, fire.slot)
                if schedule is None or now is None or now.state is not FireState.QUEUED or now.job_id is not None:
                    continue
                tx.execute("SAVEPOINT fire")
                try:
                    done = self._settle(tx, schedule, fire, off, running)
                except Exception as error:  # one that cannot be submitted now must not hold up the others
                    tx.execute("ROLLBACK TO fire")
                    done = False
                    if isinstance(error, WorkbenchError) and not isinstance(error, Unavailable):
                        done = self._refused(tx, schedule, fire, error)
                    else:  # a full disk or the like: the slot keeps waiting
                        failures.append(error)
                tx.execute("RELEASE fire")
                if done:
                    settled.append(self._store.fire(fire.schedule_id, fire.slot) or fire)
        return settled

    def _settle(
        self, tx: sqlite3.Connection, schedule: Schedule, fire: Fire, off: list[Blackout], running: Running
    ) -> bool:
        verdict = self._verdict(schedule, fire, off, _others(running, schedule, fire))
        if verdict is not None:
            state, reason = verdict
            return state is FireState.SKIPPED and self._store.settle_fire(tx, fire, state=state, reason=reason)
        if schedule.dry_run and fire.origin is Origin.RULE:
            said = " ".join(self._pipelines.plan(schedule.pipeline))
            return self._store.settle_fire(
                tx, fire, state=FireState.SKIPPED, reason=f"{fire.reason.rstrip('.')}. Dry run: {said}"
            )
        job = self._job(schedule, fire)
        running[schedule.id].append(Pending(job.id, job_key(schedule, fire.slot), None, fire.origin))
        seen = {"seen": self._events.versions(schedule.tables)} if schedule.kind is Kind.SCHEDULE else {}
        if fire.origin is not Origin.BACKFILL:
            self._store.update(tx, schedule.id, last_fired_at=self._context.now(), **(seen if schedule.tables else {}))
        done = self._store.settle_fire(tx, fire, job_id=job.id)
        self._alerts.resolve_by("schedule", schedule.name)
        return done

    def _refused(self, tx: sqlite3.Connection, schedule: Schedule, fire: Fire, error: WorkbenchError) -> bool:
        title = f"{schedule.name} could not run"
        self._alerts.raise_alert("schedule", schedule.name, title=title, detail=error.message)
        return self._store.settle_fire(tx, fire, state=FireState.SKIPPED, reason=error.message)

    def _verdict(
        self, schedule: Schedule, fire: Fire, off: list[Blackout], earlier: list[Pending]
    ) -> tuple[FireState, str] | None:
        """Why a fire gets no job: skipped for good, or still queued; None when it gets one."""
        now = self._context.now()
        # Events were held back before they became a fire, so that they are not lost.
        clocked = fire.origin is Origin.RULE and schedule.kind is Kind.SCHEDULE
        if fire.origin is not Origin.HAND:
            window = blackouts.over(off, schedule, now)
            past = None if fire.origin is Origin.BACKFILL else blackouts.over(off, schedule, fire.due_at)
            for found in (past, window):
                if found is not None and found.then is Then.SKIP and clocked:
                    return FireState.SKIPPED, blackouts.in_words(found)
            if window is not None:
                return FireState.QUEUED, blackouts.in_words(window)
        if clocked:
            held = self.held_back(schedule, now) or self._events.unmet(schedule)
            if held:
                return FireState.SKIPPED, held
        if earlier and schedule.overlap is Overlap.SKIP and fire.origin is Origin.RULE:
            return FireState.SKIPPED, f"Job {earlier[0].id} of an earlier slot had not ended."
        if earlier:
            return FireState.QUEUED, f"Waits for the end of job {earlier[0].id}."
        return None

    def _job(self, schedule: Schedule, fire: Fire) -> Job:
        key, why = job_key(schedule, fire.slot), cause(schedule, fire)
        if schedule.action is Action.UPKEEP:
            return self._jobs.submit("upkeep", "Look after the workspace", {}, key=key, cause=why, internal=True)
        if schedule.action is Action.RELEASE:
            named = fire.slot.removeprefix("commit:") if fire.slot.startswith("commit:") else ""
            newest = commits.head(self._context.workspace.project, schedule.branch) if schedule.branch else ""
            spec = {"pipeline": schedule.pipeline, "to": "staging", "commit": named or newest}
            title = f"release {schedule.pipeline}"
            return self._jobs.submit(
                "release", title, spec, key=key, cause=why, name=schedule.pipeline, priority=schedule.priority
            )
        return self._pipelines.run(schedule.pipeline, why, key=key)

    def running(self) -> Running:
        """Jobs of schedules that have not ended, by schedule."""
        found: Running = defaultdict(list)
        for job in self._jobs.pending_with(_PREFIX):
            found[int(job.key.split(":")[1])].append(job)
        return found


def _others(running: Running, schedule: Schedule, fire: Fire) -> list[Pending]:
    """Jobs that a fire must not run beside: those of its schedule but its own; one of today minds none of a backfill."""
    own = job_key(schedule, fire.slot)
    jobs = [job for job in running.get(schedule.id, []) if job.key != own]
    if fire.origin is Origin.BACKFILL:
        return jobs
    return [job for job in jobs if job.origin != Origin.BACKFILL]


def job_key(schedule: Schedule, slot: str) -> str:
    """The key that gives a slot one job, whoever submits it how often."""
    return f"{_PREFIX}{schedule.id}:{slot}"


def cause(schedule: Schedule, fire: Fire) -> dict[str, Any]:
    """Why the pipeline runs, for its record."""
    return {
        "kind": str(schedule.kind),
        "schedule": schedule.name,
        "slot": fire.slot,
        "due_at": fire.due_at,
        "reason": fire.reason,
        **({"origin": str(fire.origin)} if fire.origin is not Origin.RULE else {}),
        **({"priority": schedule.priority} if schedule.priority else {}),
        **({"alert": int(fire.slot.split(":")[1].split("+")[0])} if fire.slot.startswith("alert:") else {}),
        **({"commit": fire.slot.removeprefix("commit:")} if fire.slot.startswith("commit:") else {}),
    }
