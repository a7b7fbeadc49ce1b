"""What sets a schedule off other than the clock: alerts, new data, commits, and conditions that must hold as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound, WorkbenchError
from mlops_tui.domains.alerts.records import Alert, AlertState
from mlops_tui.domains.alerts.service import Alerts
from mlops_tui.domains.jobs.service import Jobs
from mlops_tui.domains.schedules import commits
from mlops_tui.domains.schedules.records import Action, Condition, Kind, Schedule
from mlops_tui.domains.schedules.store import SchedulesStore

if TYPE_CHECKING:
    from mlops_tui.domains.features.service import Features


HELD = "held:"
"""Begins the slot under which it is put down that an event was held back; the event itself may still fire."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that sets a schedule off; `slot` names it for good."""

    slot: str
    reason: str


@dataclass(frozen=True, slots=True)
class Holding:
    """Whether a condition holds, the name of what made it so (empty for a mere state), and both in words."""

    holds: bool
    key: str
    words: str


class Events:
    """An engine under Schedules. What it has read serves until `look`, so that a thousand rules cost one reading."""

    def __init__(self, context: Context, store: SchedulesStore, alerts: Alerts, jobs: Jobs, features: Features) -> None:
        self._context = context
        self._store = store
        self._alerts = alerts
        self._jobs = jobs
        self._features = features
        self._raised_now: dict[tuple[str, str], list[Alert]] = {}
        self._tables_now: dict[str, tuple[int, int]] = {}

    def look(self) -> None:
        """From here on everything is read anew."""
        self._raised_now.clear()
        self._tables_now.clear()

    def event(self, schedule: Schedule) -> Event | None:
        """The newest event that has no fire of this schedule yet and whose conditions hold."""
        fresh = (event for event in self._found(schedule) if self._store.fire(schedule.id, event.slot) is None)
        event = next(fresh, None)
        if event is None or schedule.kind is Kind.CONDITION or not self.unmet(schedule):
            return event
        return None

    def unmet(self, schedule: Schedule) -> str:
        """Which of its conditions keep a schedule from firing now, in words; empty when they hold."""
        found = [self._holding(schedule, one) for one in (*schedule.all_of, *schedule.any_of)]
        missing = [one.words for one in found if not one.holds]
        if not missing or (schedule.any_of and len(missing) < len(found)):
            return ""
        return f"{'None of these' if schedule.any_of and len(found) > 1 else 'Not'} so: {'; '.join(missing)}."

    def why_not(self, schedule: Schedule) -> str:
        """What an event schedule waits for; empty when it has it."""
        if self.event(schedule) is not None:
            return ""
        if (schedule.all_of or schedule.any_of) and (unmet := self.unmet(schedule)):
            return unmet
        if schedule.kind is Kind.NEW_DATA:
            return f"No new snapshot of {', '.join(schedule.tables) or 'any table'}."
        if schedule.kind is Kind.COMMIT:
            return self._no_commit(schedule)
        if schedule.kind is Kind.CONDITION:
            return "What its conditions say was answered already."
        return f"No unanswered {schedule.kind} alert for deployment '{schedule.subject}'."

    def versions(self, tables: Iterable[str]) -> dict[str, tuple[int, int]]:
        """(newest version, rows) of each feature table; (0, 0) for one that does not exist yet."""
        for name in tables:
            if name not in self._tables_now:
                try:
                    table = self._features.get(name)
                    self._tables_now[name] = (table.latest_version or 0, table.rows or 0)
                except WorkbenchError:
                    self._tables_now[name] = (0, 0)
        return {name: self._tables_now[name] for name in tables}

    # -- one kind each -------------------------------------------------------------------------------------------------------

    def _found(self, schedule: Schedule) -> Iterable[Event]:
        if schedule.kind is Kind.NEW_DATA:
            return self._new_data(schedule)
        if schedule.kind is Kind.COMMIT:
            return self._commits(schedule)
        if schedule.kind is Kind.CONDITION:
            return self._combined(schedule)
        return self._raised(schedule)

    def _combined(self, schedule: Schedule) -> Iterator[Event]:
        if schedule.any_of:
            for one in (self._holding(schedule, condition) for condition in schedule.any_of):
                if one.holds and one.key:
                    yield Event(one.key, one.words)
            return
        found = [self._holding(schedule, condition) for condition in schedule.all_of]
        if all(one.holds for one in found):
            yield Event("+".join(one.key for one in found if one.key), "; ".join(one.words for one in found))

    def _holding(self, schedule: Schedule, one: Condition) -> Holding:
        tables = (one.table,) if one.table else schedule.tables
        if one.kind == "new_data":
            changed, rows = self._changed(schedule, tables)
            if not changed or rows < one.rows:
                more = f" of at least {one.rows} rows" if one.rows else ""
                return Holding(False, "", f"no new snapshot{more} of {', '.join(tables) or 'any table'}")
            stale = self._stale(tables, one.within_s)
            return Holding(not stale, self._named(tables), stale or f"new data in {', '.join(changed)}")
        if one.kind == "fresh":
            stale = self._stale(tables, one.within_s)
            words = f"{', '.join(tables)} no older than {clock.duration(one.within_s * 1000)}"
            return Holding(not stale, "", stale or words)
        subject = one.deployment or schedule.subject
        for alert in self._active(one.kind, subject, one.share):
            return Holding(True, f"alert:{alert.id}", f"alert {alert.id}: {alert.title}")
        return Holding(False, "", f"no {one.kind} alert for deployment '{subject}'")

    def _active(self, rule: str, subject: str, share: float) -> list[Alert]:
        """Alerts that stand. A silenced one is somebody's decision that it does not matter now."""
        key = (rule, subject)
        if key not in self._raised_now:
            self._raised_now[key] = self._alerts.list(rule=rule, subject=subject, limit=20)
        standing = [one for one in self._raised_now[key] if one.state in (AlertState.OPEN, AlertState.ACKNOWLEDGED)]
        small = [one for one in standing if isinstance(s := one.facts.get("share"), (int, float)) and s < share]
        return [one for one in standing if one not in small]

    def _raised(self, schedule: Schedule) -> Iterator[Event]:
        for alert in self._active(str(schedule.kind), schedule.subject, schedule.min_share):
            yield Event(f"alert:{alert.id}", f"Alert {alert.id}: {alert.title}")
            yield from self._raised_again(schedule, alert)

    def _raised_again(self, schedule: Schedule, alert: Alert) -> Iterator[Event]:
        """The alert was answered, the answer has ended, the alert was raised after that, and there is new data to learn from.

        Without this a retraining that the gate refused would be the last one until a person ends the alert.
        """
        fires = self._store.fires(schedule.id, 20)
        newest = next((fire for fire in fires if not fire.slot.startswith(HELD)), None)
        if newest is None or newest.job_id is None or not newest.slot.startswith(f"alert:{alert.id}"):
            return
        try:
            ended = self._jobs.get(newest.job_id).ended_at
        except NotFound:  # forgotten long after its end
            ended = newest.created_at
        fresh, _ = self._changed(schedule, schedule.tables)
        if ended is not None and alert.last_at > ended and fresh:
            reason = f"Alert {alert.id} still stands, with new data in {', '.join(fresh)}: {alert.title}"
            yield Event(f"alert:{alert.id}:{self._named(schedule.tables, prefix='')}", reason)

    def _new_data(self, schedule: Schedule) -> Iterator[Event]:
        changed, rows = self._changed(schedule, schedule.tables)
        if changed and rows >= schedule.min_rows and not self._stale(schedule.tables, schedule.within_s):
            yield Event(self._named(schedule.tables), f"New data: {', '.join(changed)}")

    def _changed(self, schedule: Schedule, tables: Iterable[str]) -> tuple[list[str], int]:
        """References of the tables with another version than when the rule last fired, and by how many rows they differ."""
        now = self.versions(tables)
        moved = {table: state for table, state in now.items() if state != schedule.seen.get(table, (0, 0))}
        rows = sum(abs(state[1] - schedule.seen.get(table, (0, 0))[1]) for table, state in moved.items())
        return [f"{table}@{state[0]}" for table, state in moved.items()], rows

    def _named(self, tables: Iterable[str], prefix: str = "data:") -> str:
        return prefix + ",".join(f"{table}@{version}" for table, (version, _) in self.versions(tables).items())

    def _stale(self, tables: Iterable[str], within_s: float) -> str:
        """Which table's newest row is older than that, in words; empty when none is, or it does not matter."""
        if not within_s:
            return ""
        now = self._context.now()
        for name in tables:
            try:
                newest = self._features.snapshot(f"{name}@latest")
            except WorkbenchError:
                return f"{name} has no data"
            age = now - (newest.max_time if newest.max_time is not None else newest.created_at)
            if age > within_s * 1000:
                return f"the newest data of {name} is {clock.duration(age)} old"
        return ""

    def _commits(self, schedule: Schedule) -> Iterator[Event]:
        project = self._context.workspace.project
        newest = commits.head(project, schedule.branch)
        if not newest or newest == schedule.seen_commit or self._elsewhere(schedule, newest):
            return
        if commits.touched(project, schedule.seen_commit, newest, schedule.paths):
            words = commits.subject(project, newest)
            yield Event(f"commit:{newest}", f"Commit {newest[:10]} on {schedule.branch}: {words}")

    def _elsewhere(self, schedule: Schedule, newest: str) -> str:
        """What is checked out instead, where that matters: a run takes the working tree, a release the commit itself."""
        branch, commit = commits.checked_out(self._context.workspace.project)
        return "" if commit == newest or schedule.action is Action.RELEASE else branch or commit[:10]

    def _no_commit(self, schedule: Schedule) -> str:
        newest = commits.head(self._context.workspace.project, schedule.branch)
        if not newest:
            return f"There is no branch '{schedule.branch}' in a git repository here."
        if newest != schedule.seen_commit and (other := self._elsewhere(schedule, newest)):
            return f"Branch '{schedule.branch}' has a new commit, but '{other}' is checked out."
        return f"No new commit on {schedule.branch}."
