"""Runs that wait for people: carried on as their definition says once somebody agreed, closed once somebody refused."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from mlops_tui.core.errors import NotFound
from mlops_tui.domains.pipelines.records import PipelineRun, RunState, StepState
from mlops_tui.domains.pipelines.runs import Runs
from mlops_tui.domains.pipelines.variants import recipe_of
from mlops_tui.domains.pipelines.work import Skip

if TYPE_CHECKING:
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.registry.records import Request
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving

JOB = "carry_on"
PRIORITY = 50  # people have waited for it long enough
_CLOSED = {"refused": RunState.BLOCKED, "withdrawn": RunState.CANCELLED}  # by the state of the request


class Waiting(Runs):
    """The part of the room that stands between the question to people and what follows from the answer.

    What was asked, what was answered and what was done about it are rows, so whoever is killed in between, the next one that
    looks goes on from there.
    """

    _registry: Registry
    _serving: Serving

    def waits_for(self, ref: str) -> PipelineRun | None:
        """The run that waits for people to agree to its version `ref`, or is about to: it asks before it ends."""
        found = [
            run for run in (*self._store.waiting(), *self._store.open_runs()) if run.version == ref and _asked(run)
        ]
        return found[0] if found else None

    def next_steps(self, run: PipelineRun) -> builtins.list[str]:
        """What follows when people agree, in sentences."""
        from mlops_tui.domains.pipelines import planning  # it stands on rooms that other questions do without

        return planning.deployment(self._recipe(run), self._registry, self._serving)

    def follow(self) -> builtins.list[Job]:
        """Look at the answers: a job for each run that may go on, and an end for those that may not. Cheap; any process may ask.

        A run whose deployment is stopped or has another rollout under way goes on after that.
        """
        found = []
        for run in self._store.waiting():
            request = self._answer(run)
            if request is None or not _asked(run):
                continue
            if request.state in _CLOSED:
                said = request.decisions[-1]
                why = f": {said.why}" if said.why else ""
                self._close_waiting(run, _CLOSED[request.state], f"{run.version} was {request.state} by {said.by}{why}")
            elif self._registry.approvals.given(request) and (place := self._free(run)):
                title = f"Deploy {run.version} as approved"
                cause = {"kind": "approval", "run": run.id, "request": request.id, "by": request.decisions[-1].by}
                key = f"{JOB}:{run.id}:{place}"
                spec = {"run_id": run.id}
                found.append(self._jobs.submit(JOB, title, spec, key=key, cause=cause, retries=2, name=run.pipeline,
                                               priority=PRIORITY))  # fmt: skip
        return found

    def carry_on(self, run_id: str) -> PipelineRun:
        """Deploy what a run waits with, now that people agreed to it, as its definition says; the run as it is then.

        In one write with what the run says of itself, so that doing it twice, or being killed, changes nothing. Loads the model, so
        only in a job's child. A run that does not wait, or whose version nobody agreed to, is returned as it is.
        """
        from mlops_tui.domains.pipelines.steps import deploy

        run = self.get_run(run_id)
        request = self._answer(run) if run.state is RunState.WAITING and _asked(run) else None
        if request is None or not self._registry.approvals.given(request):
            return run
        said = request.decisions[-1]
        why = f"pipeline {run.pipeline} run {run.id[:8]}: approved by {said.by}" + (f": {said.why}" if said.why else "")
        if refused := self._serving.checking.prove(run.version):
            return self._close_waiting(run, RunState.BLOCKED, f"{run.version} was {refused}")
        try:
            with self._context.catalog.write() as tx:
                if self._get(run.id).state is not RunState.WAITING:
                    return self._get(run.id)
                detail = deploy.place(self._recipe(run), self._serving, self._registry, run.version, why)
                now = self._context.now()
                self._store.update(tx, run.id, state=RunState.SUCCEEDED)
                self._store.update_step(tx, run.id, "deploy", state=StepState.SUCCEEDED, ended_at=now, detail=detail)
                self._audit.note(tx, "carry on", "pipeline_run", run.id, why=why, after={"version": run.version})
        except Skip as reason:
            if self._free(run):
                return self._close_waiting(run, RunState.BLOCKED, str(reason))
            return run  # somebody was faster: it goes on after that
        return self._get(run.id)

    def _close_waiting(self, run: PipelineRun, state: RunState, reason: str) -> PipelineRun:
        with self._context.catalog.write() as tx:
            if self._get(run.id).state is RunState.WAITING:
                self._store.update(tx, run.id, state=state, error=reason)
                self._store.update_step(tx, run.id, "deploy", ended_at=self._context.now(), detail=reason)
                self._audit.note(tx, state, "pipeline_run", run.id, why=reason)
        return self._get(run.id)

    def _answer(self, run: PipelineRun) -> Request | None:
        try:
            return self._registry.approvals.newest(self._registry.version(run.version))
        except NotFound:  # the version was removed
            return None

    def _free(self, run: PipelineRun) -> str:
        """The state of the place it goes to, as a name; empty while that takes nothing."""
        name = self._recipe(run).deployment_name
        found = {one.name: one for one in self._serving.wanted()}.get(name)
        if found is None:
            return "new"
        busy = found.wanted == "stopped" or any(one.ended_at is None for one in self._serving.rollouts.list(name, 1))
        return "" if busy else str(found.revision)

    def _recipe(self, run: PipelineRun) -> Recipe:
        return recipe_of(self._store.definition(run.id), f"{run.pipeline}.toml", run.options)


def _asked(run: PipelineRun) -> bool:
    """Whether it waits for approval, not for somebody to decide over its gate."""
    return run.verdict is not None and run.verdict.outcome == "blessed"
