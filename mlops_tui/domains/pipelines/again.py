"""Running what ran before: made again and compared, resumed, or let past the gate by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotAllowed
from mlops_tui.domains.pipelines import definition as definitions
from mlops_tui.domains.pipelines.records import (
    OPEN_STATES,
    GateCheck,
    GateVerdict,
    Outcome,
    PipelineRun,
    RunState,
    StepState,
)
from mlops_tui.domains.pipelines.waiting import Waiting
from mlops_tui.domains.pipelines.work import Skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.pipelines.recipe import Recipe


# What a run that repeats another takes over: its package and the place that runs it, or that it is a test.
_SAME = ("package", "bundle", "commit", "environment", "test", "until")


class Again(Waiting):
    """The part of the room that starts from a run instead of a definition."""

    _features: Features

    def _submit(
        self,
        recipe: Recipe,
        text: str,
        cause: dict[str, Any] | None,
        options: dict[str, Any],
        *,
        key: str | None = None,
        wait: bool = False,
        told: Callable[[str], None] = lambda text: None,
    ) -> Job:
        raise NotImplementedError

    def run_like(self, run_id: str, wait: bool = False) -> Job:
        """Make a run again from its own definition and snapshots, every step anew, and compare what comes out.

        It ends after the scores: succeeded when they are equal to the last digit, else blocked with what differs. Raises
        InvalidInput when that run did not get as far as its scores, NotFound when a snapshot is gone.
        """
        before = self.get_run(run_id)
        if not before.facts:
            raise InvalidInput(
                f"Run {before.id[:8]} has no scores to compare with: it {before.state}.", hint="Name one that has them."
            )
        options = {"cache": False, "like": before.id, "pins": before.facts["pins"]}
        return self._again(before, options, {"kind": "like", "run": before.id, "by": self._context.actor}, wait)

    def resume(self, run_id: str, wait: bool = False) -> Job:
        """Run the definition of an ended run once more; steps that were done are not done again. Raises NotAllowed while open."""
        before = self.get_run(run_id)
        if before.state in OPEN_STATES and before.job_id is not None:
            self._jobs.settle(before.job_id)  # killed while no daemon looked: nobody has said so yet
            before = self.get_run(run_id)
        if before.state in OPEN_STATES:
            raise NotAllowed(f"Run {before.id[:8]} is {before.state}.", hint="Wait for its end, or cancel its job.")
        cause = {"kind": "resume", "run": before.id, "by": self._context.actor}
        return self._again(before, {}, cause, wait)

    def override(self, run_id: str, why: str, wait: bool = False) -> PipelineRun | Job:
        """Let a person have the last word over the gate. The reason is kept in the audit trail and in the verdict.

        A run that waits: its version is deployed as the definition says; the run is returned. A blocked one has no version
        yet: the same definition and snapshots run again (from the cache) past the gate; that job is returned.
        Raises InvalidInput without a reason, NotAllowed for a run that neither waits nor is blocked by its gate.
        """
        before = self.get_run(run_id)
        if not why.strip():
            raise InvalidInput("An override needs a reason.", hint='mlops pipelines gate RUN --override "why"')
        if before.verdict is None or before.state not in (RunState.BLOCKED, RunState.WAITING):
            raise NotAllowed(
                f"Run {before.id[:8]} is {before.state}; there is nothing to override.",
                hint="See: mlops pipelines show RUN",
            )
        if before.verdict.outcome is Outcome.BLESSED:
            raise NotAllowed(
                f"The gate of run {before.id[:8]} said yes; {before.error or 'the run waits for approval'}.",
                hint=f"mlops models approve {before.version}",
            )
        if before.state is RunState.WAITING:
            return self._let_through(before, why)
        options = {"override": {"by": self._context.actor, "why": why}, "pins": before.facts.get("pins", {})}
        with self._context.catalog.write() as tx:
            after = {"verdict": str(before.verdict.outcome), "reason": before.verdict.reason}
            self._audit.note(tx, "override", "pipeline_run", before.id, why=why, after=after)
        return self._again(before, options, {"kind": "override", "run": before.id, "why": why}, wait)

    def _let_through(self, run: PipelineRun, why: str) -> PipelineRun:
        from mlops_tui.domains.pipelines.steps import deploy

        recipe = self._recipe(run)
        assert run.verdict is not None
        state, step = RunState.SUCCEEDED, StepState.SKIPPED
        detail = f'[deploy] to = "none", {run.version} is registered'
        if recipe.deploy.to != "none":
            try:
                detail = deploy.put(recipe, self._serving, self._registry, run.version, why)
                step = StepState.SUCCEEDED
            except Skip as reason:  # the gate's word is given; that of other people is still wanted
                state, detail = RunState.WAITING, str(reason)
        said = f"{self._context.actor} decided: {why}"
        checks = [
            *run.verdict.checks,
            GateCheck("override", True, detail=f"{said} (the gate alone: {run.verdict.outcome})"),
        ]
        verdict = GateVerdict(Outcome.BLESSED, checks, run.verdict.champion, f"{said}; {run.verdict.reason}")
        now = self._context.now()
        with self._context.catalog.write() as tx:
            self._store.update(tx, run.id, state=state, verdict=verdict)
            self._store.update_step(tx, run.id, "deploy", state=step, ended_at=now, detail=detail)
            after = {"verdict": str(run.verdict.outcome), "reason": run.verdict.reason, "version": run.version}
            self._audit.note(tx, "override", "pipeline_run", run.id, why=why, after=after)
        return self.get_run(run.id)

    def _again(self, before: PipelineRun, options: dict[str, Any], cause: dict[str, Any], wait: bool) -> Job:
        text = self._store.definition(before.id)
        recipe = definitions.parse(text, f"{before.pipeline}.toml")
        pins = options.get("pins", {})
        for snapshot in [pins["spine"], *pins["at"]] if pins else []:
            self._features.snapshot(snapshot)  # NotFound now rather than in the job
        same = {key: before.options[key] for key in _SAME if key in before.options}
        return self._submit(recipe, text, cause, {**same, **options}, wait=wait)
