"""What people do about slots: keep times free of them, make up for past ones, let a rule fire now."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.schedules import blackouts, commits
from mlops_tui.domains.schedules.backfill import Backfill
from mlops_tui.domains.schedules.looking import Looking
from mlops_tui.domains.schedules.records import Blackout, Filled, Fire, FireState, Origin
from mlops_tui.domains.schedules.rules import plain

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.service import Pipelines


class ByHand(Looking):
    """The part of the room for blackouts, backfills and fires by hand."""

    _audit: Audit
    _pipelines: Pipelines
    _backfill: Backfill

    # -- blackouts -----------------------------------------------------------------------------------------------------------

    def add_blackout(
        self,
        name: str,
        *,
        cron: str = "",
        span_s: float = 0.0,
        weekdays: str = "",
        hours: str = "",
        timezone: str = "UTC",
        begins_at: int | None = None,
        ends_at: int | None = None,
        only: builtins.list[str] | None = None,
        then: str = "skip",
        why: str = "",
    ) -> Blackout:
        """Let nothing fire by itself in certain times: from each slot of `cron` for `span_s`; on `weekdays` ("mon-fri") between
        `hours` ("08:00-18:00"); or once, `begins_at` to `ends_at` (ms). On the wall clock of `timezone`.

        `only` names schedules or pipelines; without it is for all. Slots inside are dropped (`then` "skip") or kept until it is
        over ("wait"); events always wait. Raises AlreadyExists, NotFound for an unknown name, InvalidInput for other times.
        """
        check_name("blackout", name)
        given = {
            "cron": cron,
            "span_s": span_s,
            "weekdays": weekdays,
            "hours": hours,
            "timezone": timezone,
            "begins_at": begins_at,
            "ends_at": ends_at,
            "only": only or [],
            "then": then,
            "why": why,
        }
        made = blackouts.made(name, given, self._context.now(), self._context.actor)
        known = {one.name for one in self._store.find()} | {one.name for one in self._pipelines.list()}
        for wanted in made.only:
            if wanted not in known:
                hint = did_you_mean(wanted, known, "See: mlops schedules list")
                raise NotFound(f"There is no schedule or pipeline '{wanted}'.", hint=hint)
        with self._context.catalog.write() as tx:
            if any(one.name == name for one in self._store.blackouts()):
                raise AlreadyExists(f"There is a blackout '{name}' already.", hint="See: mlops schedules blackouts")
            self._store.add_blackout(tx, made)
            self._audit.note(tx, "add", "blackout", name, why=why, after=_told(made))
        return made

    def remove_blackout(self, name: str, why: str = "") -> None:
        """Forget a blackout: what it kept waiting fires. Raises NotFound."""
        with self._context.catalog.write() as tx:
            known = {one.name: one for one in self._store.blackouts()}
            if name not in known:
                hint = did_you_mean(name, known, "See: mlops schedules blackouts")
                raise NotFound(f"There is no blackout '{name}'.", hint=hint)
            self._store.remove_blackout(tx, name)
            self._audit.note(tx, "remove", "blackout", name, why=why, before=_told(known[name]))

    # -- by a person ---------------------------------------------------------------------------------------------------------

    def backfill(
        self, name: str, since: int, until: int, *, why: str = "", dry_run: bool = False, failed: bool = False
    ) -> builtins.list[Filled]:
        """Make up for the slots in [since, until): those never recorded, missed or skipped wait for their job, one after the
        other and behind the slots of today. A slot that has its job keeps it; with `failed` a job that failed is tried again.

        Asking again goes on where it stopped. `dry_run` only tells. Raises NotFound, InvalidInput.
        """
        schedule = self._known(name)
        if dry_run:
            return self._backfill.plan(schedule, since, until, failed=failed)
        with self._context.catalog.write() as tx:
            plan = self._backfill.plan(schedule, since, until, failed=failed)
            count = self._backfill.fill(tx, schedule, plan, why, self._context.actor)
            if count:
                span = {"from": clock.iso(since), "to": clock.iso(until), "slots": count}
                self._audit.note(tx, "backfill", "schedule", name, why=why, after=span)
        return plan

    def fire(self, name: str, why: str = "") -> Fire:
        """Let a rule fire now, whatever pause, blackout, cool-down and conditions say; a job of it that runs goes first.

        Raises NotFound.
        """
        schedule = self._known(name)
        with self._context.catalog.write() as tx:
            now = self._context.now()
            slot = f"hand:{clock.iso(now)}"
            reason = f"By hand, {self._context.actor}{f': {why}' if why else '.'}"
            self._store.add_fire(tx, schedule.id, slot, now, FireState.QUEUED, reason, now, Origin.HAND)
            self._audit.note(tx, "fire", "schedule", name, why=why, after={"slot": slot})
        self._events.look()
        self._firing.submit_waiting()
        fire = self._store.fire(schedule.id, slot)
        assert fire is not None
        return self._firing.waits([fire])[0]

    # -- what a job does for a rule ------------------------------------------------------------------------------------------

    def release(
        self, pipeline: str, commit: str, to: str, report: Callable[[int, int | None, str], None]
    ) -> dict[str, Any]:
        """Test, package and deploy a pipeline as it is at a commit (empty: as it lies in the project); called in a job.

        Raises InvalidInput when a test fails or the package does not run there, and what the three steps raise.
        """
        if commit:
            workspace = self._context.workspace
            with commits.tree(workspace.project, commit, workspace.tmp) as source:
                return self._release(pipeline, to, report, source)
        return self._release(pipeline, to, report, None)

    def _release(
        self, pipeline: str, to: str, report: Callable[[int, int | None, str], None], source: Path | None
    ) -> dict[str, Any]:
        report(0, 3, "test")
        tested = self._pipelines.test(pipeline, source=source)
        if not tested.passed:
            failed = next((one for one in tested.checks if not one.passed), None)
            words = f": {failed.subject}: {failed.detail}" if failed else ""
            raise InvalidInput(
                f"{pipeline} did not pass its test{words}", hint=f"mlops pipelines runs {tested.run[:8]}"
            )
        report(1, 3, "package")
        package = self._pipelines.package(pipeline, source=source)
        report(2, 3, f"deploy {package.ref} to {to}")
        placed = self._pipelines.deploy(package.ref, to, wait=True)
        report(3, 3, "")
        if placed.state == "failed":
            raise InvalidInput(f"{package.ref} failed in {to}.", hint=f"mlops pipelines history {pipeline}")
        return {"package": package.ref, "to": to, "state": str(placed.state), "test": tested.run, "run": placed.run_id}


def _told(blackout: Blackout) -> dict[str, Any]:
    """A blackout for the audit trail, without what is left at nothing."""
    given = {field: plain(value) for field, value in dataclasses.asdict(blackout).items() if value}
    return {field: value for field, value in given.items() if field not in ("name", "why", "created_at", "created_by")}
