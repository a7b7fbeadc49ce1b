"""Rules that run pipelines by themselves: kept, explained, and fired exactly once per slot or event."""

from __future__ import annotations

import builtins
import dataclasses
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, WorkbenchError
from mlops_tui.core.ids import check_name
from mlops_tui.domains.alerts.service import Alerts
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.pipelines.records import Definition
from mlops_tui.domains.schedules import commits, slots
from mlops_tui.domains.schedules.backfill import Backfill
from mlops_tui.domains.schedules.by_hand import ByHand
from mlops_tui.domains.schedules.events import Events
from mlops_tui.domains.schedules.firing import Firing
from mlops_tui.domains.schedules.outlook import Outlook
from mlops_tui.domains.schedules.records import Action, Condition, Fire, Kind, Schedule
from mlops_tui.domains.schedules.rules import GRACE_S, RULE, checked, facts, of_trigger, plain
from mlops_tui.domains.schedules.store import SchedulesStore

if TYPE_CHECKING:
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.jobs.service import Jobs
    from mlops_tui.domains.monitoring.service import Monitoring
    from mlops_tui.domains.pipelines.service import Pipelines

_FROM_FILE = "pipeline"
_BY_HAND = "hand"
_OWN = "workspace"
UPKEEP = "upkeep"
_SET_BACK_MS = clock.MINUTE  # a clock that goes back by more was set


class Schedules(ByHand):
    """The room of schedules. Only `tick` and `evaluate` make anything run by itself; the daemon calls them."""

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
        store = SchedulesStore(context)
        events = Events(context, store, alerts, jobs, features)
        firing = Firing(context, store, alerts, jobs, pipelines, events)
        super().__init__(context, store, firing, events, Outlook(context, store, jobs, firing, events))
        self._audit = audit
        self._alerts = alerts
        self._pipelines = pipelines
        self._backfill = Backfill(context, store, jobs)
        self._ticked: int | None = None

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
        priority: int = 0,
        jitter_s: float = 0.0,
        within_s: float = 0.0,
        all_of: builtins.list[Condition] | None = None,
        any_of: builtins.list[Condition] | None = None,
        branch: str = "",
        paths: builtins.list[str] | None = None,
        action: str = "run",
        dry_run: bool = False,
        why: str = "",
    ) -> Schedule:
        """Keep a rule: by the clock (`cron`), or by event (`kind` drift, performance, new_data, commit, condition).

        `subject` (a deployment), `tables` and `branch` default to the pipeline's own and to what is checked out. Raises
        AlreadyExists, NotFound for an unknown pipeline, and InvalidInput for a line, zone, policy or condition that cannot be.
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
            "priority": priority,
            "jitter_s": jitter_s,
            "within_s": within_s,
            "all_of": all_of or (),
            "any_of": any_of or (),
            "branch": branch,
            "paths": paths or (),
            "action": action,
            "dry_run": dry_run,
        }
        rule = self._checked(given, self._pipelines.get(pipeline))
        if name == UPKEEP:
            raise NotAllowed(f"'{UPKEEP}' is the workspace's own.", hint="Choose another name.")
        self._add(name, rule, _BY_HAND, why)
        return self.get(name)

    def change(self, name: str, why: str = "", **fields: Any) -> Schedule:
        """Change what a rule made by hand says; `fields` are arguments of `add`.

        Raises NotFound, NotAllowed for a rule kept in a pipeline file, and InvalidInput as `add` does and for an unknown field.
        """
        known = self._known(name)
        self._refuse_kept_elsewhere(known, "Edit")
        unknown = sorted(fields.keys() - set(RULE))
        if unknown or not fields:
            raise InvalidInput(
                f"A schedule has no '{unknown[0]}'." if unknown else "Nothing to change was given.",
                hint=f"It has {', '.join(RULE)}.",
            )
        given = {field: getattr(known, field) for field in RULE} | fields
        self._put(name, self._checked(given, self._pipelines.get(given["pipeline"])), why)
        return self.get(name)

    def _checked(self, given: dict[str, Any], definition: Definition) -> dict[str, Any]:
        rule = checked(given, definition)
        if rule["kind"] is Kind.SCHEDULE:
            slots.check_jitter(rule["cron"], rule["timezone"], rule["jitter_s"], self._context.now())
        if rule["kind"] is Kind.COMMIT:
            project = self._context.workspace.project
            rule["branch"] = rule["branch"] or commits.checked_out(project)[0] or "main"
            if not commits.head(project, rule["branch"]):
                raise InvalidInput(
                    f"There is no branch '{rule['branch']}' in a git repository here.",
                    hint="A commit trigger watches a local branch of the project's repository.",
                )
        return rule

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
            base = f"{definition.name}-{trigger['kind'].replace('_', '-')}"
            name = next(n for n in (base, *(f"{base}-{i}" for i in range(2, 1000))) if n not in names)
            names.add(name)
            try:
                self._put(name, self._checked(of_trigger(trigger, definition), definition))
                self._alerts.resolve_by("schedule", name, "the trigger was corrected")
            except WorkbenchError as error:
                if not any(alert.active for alert in self._alerts.list(rule="schedule", subject=name, limit=1)):
                    self._alerts.raise_alert("schedule", name, title=f"{name} cannot be kept", detail=error.message)
        return names

    def keep_own(self) -> None:
        """Make the workspace's upkeep a schedule as `[upkeep]` in the settings says; nothing when it is one already."""
        wanted = self._context.settings.upkeep
        known = self._store.get(UPKEEP)
        if known is not None and known.origin != _OWN:
            return
        if not wanted.cron:
            if known is not None:
                with self._context.catalog.write() as tx:
                    self._store.remove(tx, known.id)
            return
        given: dict[str, Any] = dict.fromkeys(RULE, 0)
        given |= {"subject": "", "branch": "", "tables": (), "all_of": (), "any_of": (), "paths": ()}
        given |= {"pipeline": "", "kind": Kind.SCHEDULE, "cron": wanted.cron, "timezone": wanted.timezone}
        given |= {"missed": "latest", "overlap": "skip", "action": Action.UPKEEP}
        rule = checked(given, Definition("", ""))
        if known is None:
            self._add(UPKEEP, rule, _OWN, "")
        else:
            self._put(UPKEEP, rule, "settings.toml was changed")

    def _put(self, name: str, rule: dict[str, Any], why: str = "") -> None:
        known = self._store.get(name)
        if known is None:
            try:
                self._add(name, rule, _FROM_FILE, "written in the pipeline's file")
            except AlreadyExists:  # another process reads the files too
                self._put(name, rule, why)
            return
        changed = {field: rule[field] for field in RULE if plain(rule[field]) != plain(getattr(known, field))}
        if not changed:
            return
        after = dataclasses.replace(known, **rule)
        with self._context.catalog.write() as tx:
            now = self._context.now()
            due = None if known.paused else slots.next_due(after, now)
            self._store.update(tx, known.id, **rule, next_due=due, updated_at=now)
            before = {field: plain(getattr(known, field)) for field in changed}
            after_words = {field: plain(value) for field, value in changed.items()}
            self._audit.note(tx, "change", "schedule", name, why=why, before=before, after=after_words)

    def _add(self, name: str, rule: dict[str, Any], origin: str, why: str) -> None:
        self._events.look()
        with self._context.catalog.write() as tx:
            if self._store.get(name) is not None:
                raise AlreadyExists(f"There is a schedule '{name}' already.", hint=f"mlops schedules show {name}")
            now = self._context.now()
            row = {
                **rule,
                "name": name,
                "paused": 0,
                "origin": origin,
                "created_at": now,
                "created_by": self._context.actor,
                "updated_at": now,
                # What is there already is not new: only a later snapshot or commit fires.
                "seen": self._events.versions(rule["tables"]),
                "seen_commit": commits.head(self._context.workspace.project, rule["branch"]) if rule["branch"] else "",
            }
            schedule_id = self._store.add(tx, row)
            schedule = self._store.get(name)
            assert schedule is not None
            self._store.update(tx, schedule_id, next_due=slots.next_due(schedule, now))
            if origin != _OWN:
                self._audit.note(tx, "add", "schedule", name, why=why, after=facts(rule))

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
            due = None if paused else slots.next_due(schedule, now)
            self._store.update(tx, schedule.id, paused=int(paused), next_due=due, updated_at=now)
            verb, before, after = "pause" if paused else "resume", {"paused": not paused}, {"paused": paused}
            self._audit.note(tx, verb, "schedule", name, why=why, before=before, after=after)
        return self.get(name)

    def remove(self, name: str, why: str = "") -> None:
        """Forget a rule and its fires; the jobs it started stay. Raises NotFound, NotAllowed for a rule kept in a pipeline file."""
        schedule = self._known(name)
        self._refuse_kept_elsewhere(schedule, "Delete")
        self._remove(schedule, why)

    def _remove(self, schedule: Schedule, why: str) -> None:
        with self._context.catalog.write() as tx:
            if self._store.get(schedule.name) is None:  # somebody was faster
                return
            self._store.remove(tx, schedule.id)
            before = facts({field: getattr(schedule, field) for field in RULE})
            self._audit.note(tx, "remove", "schedule", schedule.name, why=why, before=before)

    def _refuse_kept_elsewhere(self, schedule: Schedule, verb: str) -> None:
        if schedule.origin == _FROM_FILE:
            raise NotAllowed(
                f"'{schedule.name}' is written in the file of pipeline '{schedule.pipeline}'.",
                hint=f"{verb} that [[triggers]] part, or pause it: mlops schedules pause {schedule.name}",
            )
        if schedule.origin == _OWN:
            raise NotAllowed(
                f"'{schedule.name}' is the workspace's own.",
                hint="It is ruled by [upkeep] in settings.toml; or pause it: mlops schedules pause upkeep",
            )

    # -- firing ------------------------------------------------------------------------------------------------------------

    def tick(self, now: int | None = None) -> builtins.list[Fire]:
        """Record every slot due by `now` and submit what waits; the fires that were settled. Safe in any number of processes."""
        now = self._context.now() if now is None else now
        if self._ticked is None or now < self._ticked - _SET_BACK_MS:
            self._firing.realign(now)
        self._ticked = now
        self._events.look()
        self._firing.record_due(now)
        return self._firing.submit_waiting()

    def evaluate(self, now: int | None = None) -> builtins.list[Fire]:
        """Look for alerts, new data and commits that set schedules off; the fires that were settled."""
        now = self._context.now() if now is None else now
        return self._firing.submit_waiting() if self._firing.record_events(now) else []
