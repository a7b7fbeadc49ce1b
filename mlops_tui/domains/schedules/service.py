"""Rules that run pipelines by themselves: kept, explained, and fired exactly once per slot or event."""

from __future__ import annotations

import builtins
import dataclasses
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, NotAllowed, NotFound, WorkbenchError
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.alerts.service import Alerts
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules.firing import Firing, next_due
from mlops_tui.domains.schedules.records import Fire, Kind, Overlap, Schedule
from mlops_tui.domains.schedules.rules import GRACE_S, RULE, checked, of_trigger, plain
from mlops_tui.domains.schedules.store import SchedulesStore

if TYPE_CHECKING:
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.jobs.service import Jobs
    from mlops_tui.domains.monitoring.service import Monitoring
    from mlops_tui.domains.pipelines.service import Pipelines

_FROM_FILE = "pipeline"
_BY_HAND = "hand"


class Schedules:
    """The room of schedules. Only `tick` and `evaluate` make anything run; the daemon calls them."""

    def __init__(
        self,
        context: Context,
        audit: Audit,
        alerts: Alerts,
        jobs: Jobs,
        pipelines: Pipelines,
        monitoring: Monitoring | None,
        features: Features,
    ) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._pipelines = pipelines
        self._store = SchedulesStore(context)
        self._firing = Firing(context, self._store, alerts, jobs, pipelines, features)

    # -- rules -----------------------------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        pipeline: str,
        cron: str = "",
        timezone: str = "UTC",
        missed: str = "latest",
        overlap: str = "skip",
        *,
        kind: str = "schedule",
        cooldown_s: float = 0.0,
        grace_s: float = GRACE_S,
        subject: str = "",
        tables: builtins.list[str] | None = None,
        min_rows: int = 0,
        min_share: float = 0.0,
        max_per_day: int = 0,
        why: str = "",
    ) -> Schedule:
        """Keep a rule: by the clock (`cron`), or by event (`kind` drift, performance, new_data).

        `subject` (a deployment) and `tables` default to the pipeline's own. Raises AlreadyExists, NotFound for an unknown
        pipeline, and InvalidInput for a line, zone or policy that cannot be.
        """
        check_name("schedule", name)
        given = {
            "pipeline": pipeline,
            "kind": kind,
            "cron": cron,
            "timezone": timezone,
            "missed": missed,
            "overlap": overlap,
            "cooldown_s": cooldown_s,
            "grace_s": grace_s,
            "subject": subject,
            "tables": tables,
            "min_rows": min_rows,
            "min_share": min_share,
            "max_per_day": max_per_day,
        }
        rule = checked(given, self._pipelines.get(pipeline))
        if self._store.get(name):
            raise AlreadyExists(f"There is a schedule '{name}' already.", hint=f"mlops schedules show {name}")
        self._add(name, rule, _BY_HAND, why)
        return self.get(name)

    def sync(self) -> builtins.list[Schedule]:
        """Make the triggers of all pipeline files into schedules, change those that changed, drop those that are gone.

        A file with mistakes keeps the schedules it had. A trigger that cannot work raises an alert, and the others go on.
        """
        wanted: set[str] = set()
        broken: set[str] = set()
        for definition in self._pipelines.list():
            if definition.problems:
                broken.add(definition.name)
                continue
            wanted |= self._sync_one(definition)
        for schedule in self._store.find():
            gone = schedule.origin == _FROM_FILE and schedule.name not in wanted and schedule.pipeline not in broken
            if gone:
                self._remove(schedule, "its trigger is gone from the pipeline's file")
        return self.list()

    def _sync_one(self, definition: Definition) -> set[str]:
        names: set[str] = set()
        for trigger in definition.triggers:
            if trigger.get("kind") not in set(Kind):
                continue  # commit triggers have no clock and no alert: whoever receives commits runs them
            base = f"{definition.name}-{trigger['kind'].replace('_', '-')}"
            name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 1000))) if n not in names)
            names.add(name)
            try:
                self._put(name, checked(of_trigger(trigger, definition), definition))
                self._alerts.resolve_by("schedule", name, "the trigger was corrected")
            except WorkbenchError as error:
                if not any(alert.active for alert in self._alerts.list(rule="schedule", subject=name, limit=1)):
                    self._alerts.raise_alert("schedule", name, title=f"{name} cannot be kept", detail=error.message)
        return names

    def _put(self, name: str, rule: dict[str, Any]) -> None:
        known = self._store.get(name)
        if known is None:
            self._add(name, rule, _FROM_FILE, "written in the pipeline's file")
            return
        changed = {field: rule[field] for field in RULE if plain(rule[field]) != plain(getattr(known, field))}
        if not changed:
            return
        after = dataclasses.replace(known, **rule)
        with self._context.catalog.write() as tx:
            now = self._context.now()
            due = None if known.paused else next_due(after, now)
            self._store.update(tx, known.id, **rule, next_due=due, updated_at=now)
            before = {field: plain(getattr(known, field)) for field in changed}
            self._audit.note(
                tx, "change", "schedule", name, before=before, after={k: plain(v) for k, v in changed.items()}
            )

    def _add(self, name: str, rule: dict[str, Any], origin: str, why: str) -> None:
        with self._context.catalog.write() as tx:
            now = self._context.now()
            row = {
                **rule,
                "name": name,
                "paused": 0,
                "origin": origin,
                "created_at": now,
                "created_by": self._context.actor,
                "updated_at": now,
                # What is there already is not new: only a later snapshot fires.
                "seen": self._firing.versions(rule["tables"]),
            }
            schedule_id = self._store.add(tx, row)
            schedule = self._store.get(name)
            assert schedule is not None
            self._store.update(tx, schedule_id, next_due=next_due(schedule, now))
            self._audit.note(tx, "add", "schedule", name, why=why, after={k: plain(rule[k]) for k in RULE if rule[k]})

    def pause(self, name: str, why: str = "") -> Schedule:
        """Keep the rule but let nothing fire. Raises NotFound, NotAllowed when it is paused already."""
        return self._switch(name, True, why)

    def resume(self, name: str, why: str = "") -> Schedule:
        """Go on from now: slots that passed meanwhile are not made up. Raises NotFound, NotAllowed when it is not paused."""
        return self._switch(name, False, why)

    def _switch(self, name: str, paused: bool, why: str) -> Schedule:
        with self._context.catalog.write() as tx:
            schedule = self._known(name)
            if schedule.paused is paused:
                raise NotAllowed(f"Schedule '{name}' is {'paused already' if paused else 'not paused'}.")
            now = self._context.now()
            due = None if paused else next_due(schedule, now)
            self._store.update(tx, schedule.id, paused=int(paused), next_due=due, updated_at=now)
            self._audit.note(tx, "pause" if paused else "resume", "schedule", name, why=why)
        return self.get(name)

    def remove(self, name: str, why: str = "") -> None:
        """Forget a rule and its fires; the jobs it started stay. Raises NotFound, NotAllowed for a rule kept in a pipeline file."""
        schedule = self._known(name)
        if schedule.origin == _FROM_FILE:
            raise NotAllowed(
                f"'{name}' is written in the file of pipeline '{schedule.pipeline}'.",
                hint=f"Delete that [[triggers]] part, or pause it: mlops schedules pause {name}",
            )
        self._remove(schedule, why)

    def _remove(self, schedule: Schedule, why: str) -> None:
        with self._context.catalog.write() as tx:
            self._store.remove(tx, schedule.id)
            self._audit.note(tx, "remove", "schedule", schedule.name, why=why, before={"cron": schedule.cron})

    # -- looking -----------------------------------------------------------------------------------------------------------

    def list(self) -> builtins.list[Schedule]:
        """All schedules by name, each with `waits`: why it will not run by itself now."""
        return [self._explained(schedule) for schedule in self._store.find()]

    def get(self, name: str) -> Schedule:
        """One schedule. Raises NotFound."""
        return self._explained(self._known(name))

    def _known(self, name: str) -> Schedule:
        schedule = self._store.get(name)
        if schedule is None:
            names = [known.name for known in self._store.find()]
            raise NotFound(
                f"There is no schedule '{name}'.", hint=did_you_mean(name, names, "See them: mlops schedules list")
            )
        return schedule

    def _explained(self, schedule: Schedule) -> Schedule:
        return dataclasses.replace(schedule, waits=self._why_not(schedule))

    def _why_not(self, schedule: Schedule) -> str:
        if schedule.paused:
            return "Paused."
        if schedule.kind is Kind.MANUAL:
            return "Runs only by hand."
        running = self._firing.running(schedule)
        if running and schedule.overlap is Overlap.SKIP:
            return f"Job {running[0].id} has not ended; slots until then are skipped."
        if schedule.kind is Kind.SCHEDULE:
            return "" if schedule.next_due is not None else "No slot is left."
        held = self._firing.held_back(schedule, self._context.now())
        if held:
            return held
        if self._firing.event(schedule) is not None:
            return ""
        if schedule.kind is Kind.NEW_DATA:
            return f"No new snapshot of {', '.join(schedule.tables) or 'any table'}."
        return f"No unanswered {schedule.kind} alert for deployment '{schedule.subject}'."

    def fires(self, name: str | None = None, limit: int = 100) -> builtins.list[Fire]:
        """Slots of one schedule or of all, newest first. Raises NotFound."""
        return self._store.fires(self._known(name).id if name else None, limit)

    def next(self, name: str, n: int = 5) -> builtins.list[int]:
        """The next `n` times, ms since the epoch; none when paused or not by the clock. Raises NotFound."""
        schedule = self._known(name)
        times: list[int] = []
        due = schedule.next_due
        while due is not None and len(times) < n:
            times.append(due)
            due = next_due(schedule, due)
        return times

    def due_times(self) -> dict[str, int]:
        """When each schedule that goes by the clock is next due: what the ticker is set to."""
        return {schedule.name: schedule.next_due for schedule in self._store.find() if schedule.next_due is not None}

    # -- firing ------------------------------------------------------------------------------------------------------------

    def tick(self, now: int | None = None) -> builtins.list[Fire]:
        """Record every slot due by `now` and submit what waits; the fires that were settled. Safe in any number of processes."""
        now = self._context.now() if now is None else now
        for schedule in self._store.due(now):
            self._firing.record_due(schedule.name, now)
        return self._firing.submit_waiting()

    def evaluate(self, now: int | None = None) -> builtins.list[Fire]:
        """Look for alerts and new data that set schedules off; the fires that were settled."""
        now = self._context.now() if now is None else now
        by_event = (Kind.DRIFT, Kind.PERFORMANCE, Kind.NEW_DATA)
        recorded = [s for s in self._store.find() if s.kind in by_event and self._firing.record_event(s, now)]
        return self._firing.submit_waiting() if recorded else []
