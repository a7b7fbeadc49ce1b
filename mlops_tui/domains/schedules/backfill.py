"""Slots of the past made up for: each has its one fire, so asking twice, or after a crash, goes on where it stopped."""

from __future__ import annotations

import sqlite3
from itertools import takewhile

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.jobs.records import JobState
from mlops_tui.domains.jobs.service import Jobs
from mlops_tui.domains.schedules import slots
from mlops_tui.domains.schedules.cron import Slot
from mlops_tui.domains.schedules.records import Filled, Fire, FireState, Kind, Origin, Schedule
from mlops_tui.domains.schedules.store import SchedulesStore

MOST = 10_000  # slots of one backfill
_AGAIN = (JobState.FAILED, JobState.LOST, JobState.CANCELLED)


class Backfill:
    """An engine under Schedules."""

    def __init__(self, context: Context, store: SchedulesStore, jobs: Jobs) -> None:
        self._context = context
        self._store = store
        self._jobs = jobs

    def plan(self, schedule: Schedule, since: int, until: int, *, failed: bool = False) -> list[Filled]:
        """What a backfill would make of each slot in [since, until), oldest first.

        Raises InvalidInput for a rule without a clock, a span that is empty or ends in the future, and more than MOST slots.
        """
        if schedule.kind is not Kind.SCHEDULE:
            raise InvalidInput(f"'{schedule.name}' has no slots: it goes by {schedule.kind}, not by the clock.")
        if since >= until:
            raise InvalidInput("The end must be later than the begin.", hint="--from 2026-11-01 --to 2026-11-08")
        if until > self._context.now():
            raise InvalidInput("Slots to come need no backfill.", hint="Give an end in the past: --to now")
        found: list[Slot] = []
        for slot in takewhile(lambda slot: slot.due_at < until, slots.after(schedule, since - 1)):
            if len(found) == MOST:
                raise InvalidInput(
                    f"These are more than {MOST} slots.", hint="Take a shorter span, one after the other."
                )
            found.append(slot)
        if not found:
            return []
        known = self._store.fires_among(schedule.id, found[0].due_at, found[-1].due_at)
        jobs = [fire.job_id for fire in known.values() if fire.job_id is not None]
        ended = self._jobs.states(jobs)
        return [_one(schedule, slot, known.get(slot.key), ended, failed) for slot in found]

    def fill(self, tx: sqlite3.Connection, schedule: Schedule, plan: list[Filled], why: str, actor: str) -> int:
        """Let each slot of the plan that needs it wait for its job; how many do now."""
        reason = f"Backfill by {actor}{f': {why}' if why else '.'}"
        done = 0
        for one in plan:
            if one.state == "new":
                done += self._store.add_fire(
                    tx,
                    schedule.id,
                    one.slot,
                    one.due_at,
                    FireState.QUEUED,
                    reason,
                    self._context.now(),
                    Origin.BACKFILL,
                )
            elif one.state == "again":
                done += self._store.revive_fire(tx, schedule.id, one.slot, reason, Origin.BACKFILL)
            elif one.state == "retried" and one.job_id is not None:
                self._jobs.retry(one.job_id, reason)
                done += 1
        return done


def _one(schedule: Schedule, slot: Slot, fire: Fire | None, jobs: dict[int, JobState], failed: bool) -> Filled:
    state, reason, job_id = "new", "", None
    if fire is not None:
        job_id = fire.job_id
        if fire.state is not FireState.QUEUED:
            state, reason = "again", fire.reason
        elif job_id is None:
            state, reason = "left", "It waits for its job."
        else:
            state, reason = _of_job(job_id, jobs.get(job_id), failed)
    return Filled(schedule.name, slot.key, slot.due_at, state, reason, job_id)


def _of_job(job_id: int, ended: JobState | None, failed: bool) -> tuple[str, str]:
    if ended is None:
        return "left", f"Job {job_id} ran long ago."
    if ended in _AGAIN and failed:
        return "retried", f"Job {job_id} {ended}."
    return "left", f"Job {job_id} {ended}." + (" Take it again with --failed." if ended in _AGAIN else "")
