"""Executing one pipeline run: each step in a child of its own, every change of state visible at once."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.experiments.environment import git_state
from mlops_tui.domains.pipelines import bundle, cache, doing, facts, forking, freezing, graph, proving, warming
from mlops_tui.domains.pipelines.flow import Flow
from mlops_tui.domains.pipelines.ledger import Ledger
from mlops_tui.domains.pipelines.packages_store import archives
from mlops_tui.domains.pipelines.records import (
    Finding,
    GateCheck,
    GateVerdict,
    Outcome,
    PipelineRun,
    RunState,
    StepState,
)
from mlops_tui.domains.pipelines.variants import plan_of, recipe_of
from mlops_tui.domains.pipelines.work import PACKAGE, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.pipelines.store import PipelinesStore
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving


class Runner:
    """Runs the steps of one pipeline run after another in this process, which must have no threads of its own."""

    def __init__(
        self,
        context: Context,
        store: PipelinesStore,
        audit: Audit,
        features: Features,
        experiments: Experiments,
        registry: Registry,
        serving: Serving,
    ) -> None:
        self._context = context
        self._store = store
        self._audit = audit
        self._features = features
        self._experiments = experiments
        self._registry = registry
        self._serving = serving
        self._ledger = Ledger(context, store, audit, experiments)

    def execute(self, run: PipelineRun, folder: Path, report: Callable[[int, int | None, str], None]) -> PipelineRun:
        """Run all steps from the beginning; the ended run. Raises the InvalidInput of the step that failed.

        Nothing of an earlier try is used: what it registered is found again by its run id.
        """
        work = self._begin(run, folder)
        try:
            warming.preload()
            if run.options.get("test"):
                self._prove(work, "own tests", lambda: proving.own_tests(work))
            self._flow(work, plan_of(work.recipe, run.options), report)
        except WorkbenchError:
            raise
        except Exception as error:
            # A mistake of ours. Being stopped from outside is no Exception: who did it and why, the job knows better.
            self._ledger.close(work, RunState.FAILED, f"{type(error).__name__}: {error}".rstrip(": "))
            raise
        finally:
            _tidy(folder)
        ended = self._store.get(run.id)
        assert ended is not None
        return ended

    def _begin(self, run: PipelineRun, folder: Path) -> Work:
        definition = self._store.definition(run.id)
        recipe = recipe_of(definition, f"{run.pipeline}.toml", run.options)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "pipeline.toml").write_text(definition, encoding="utf-8")
        code = self._unpacked(run, folder)
        commit = run.options.get("commit") or git_state(self._context.workspace.project).commit
        tags = {"pipeline": run.pipeline, "pipeline_run": run.id}
        if run.options.get("package"):
            tags["package"] = run.options["package"]
        experiment = self._experiments.start(
            recipe.pipeline.name,
            name=f"{recipe.pipeline.name} {run.id[:8]}",
            tags=tags,
            source=f"pipeline {run.pipeline}",
        )
        with self._context.catalog.write() as tx:
            self._store.reset_steps(tx, run.id, plan_of(recipe, run.options))
            self._store.update(
                tx,
                run.id,
                state=RunState.RUNNING,
                started_at=self._context.now(),
                ended_at=None,
                error="",
                verdict=None,
                experiment_run=experiment.id,
            )
        work = Work(
            run_id=run.id,
            experiment_run=experiment.id,
            git_commit=commit,
            recipe=recipe,
            folder=folder,
            context=self._context,
            features=self._features,
            experiments=self._experiments,
            registry=self._registry,
            serving=self._serving,
            store=self._store,
            options=run.options,
            code=code,
        )
        work.log_params(_params(work))
        return work

    def _unpacked(self, run: PipelineRun, folder: Path) -> Path | None:
        """The code of a package, or of the project as it was when the run was asked for, in a folder of its own, its hashes
        checked; its modules are found before the project's.
        """
        packaged = run.options.get("bundle", "")
        sha = packaged or run.options.get("code", "")
        if not sha:
            return None
        data, code = archives(self._context).read(sha), folder / bundle.CODE
        workspace = self._context.workspace
        if packaged:
            bundle.unpack(data, code).mkdir(exist_ok=True)
        else:
            freezing.lay_out(data, workspace.project, workspace.root, code)
        sys.path.insert(0, str(code))
        return code

    def _prove(self, work: Work, subject: str, look: Callable[[], dict[str, Any]]) -> None:
        """Have a child look at something in a test; one that fails is a finding, not the end."""
        ended = forking.run_step(f"{subject} again", look, work.folder)
        if ended.error:
            work.findings.append(Finding("alone", subject, False, ended.error))
        work.findings += proving.findings(ended.result.get("checks", []))

    def _flow(self, work: Work, steps: tuple[str, ...], report: Callable[[int, int | None, str], None]) -> None:
        done: list[str] = []

        def start(name: str, bounds: forking.Bounds) -> forking.Child:
            report(len(done), len(steps), name)
            return self._start(work, name, bounds)

        def ended(name: str, how: forking.Ended) -> bool:
            done.append(name)
            return self._ended(work, name, how)

        def again(name: str, how: forking.Ended, pause: float, attempt: int) -> None:
            tries = work.recipe.resources.steps[name].retries + 1
            self._ledger.mark(work, name, detail=f"try {attempt + 1} of {tries} in {pause:g} s, after: {how.error}")

        def kept(name: str) -> forking.Ended | None:
            return self._kept(work, name) if by_files else None

        needs, by_files = graph.whole(steps, graph.own_needs(work.recipe.steps)), cache.by_files(work.recipe)
        if by_files:
            cache.learn(work)
        if Flow(needs, work.recipe, start, ended, again, kept, lambda: self._ledger.write(work)).run():
            self._ledger.finish(work, RunState.SUCCEEDED)
        report(len(steps), len(steps), "")

    def _start(self, work: Work, name: str, bounds: forking.Bounds) -> forking.Child:
        log = str(work.folder / f"{name}.log")
        self._ledger.mark(work, name, state=StepState.RUNNING, started_at=self._context.now(), log=log)
        own = dataclasses.replace(work, note=lambda text: self._ledger.mark(work, name, detail=text))
        return forking.start(name, lambda: doing.step(name, own), work.folder, bounds)

    def _kept(self, work: Work, name: str) -> forking.Ended | None:
        """A step out of the cache, its log written as if a child had; None when it must be done, also where looking goes wrong."""
        began = self._context.now()
        try:
            found = doing.kept(name, work)
        except (WorkbenchError, OSError):
            return None  # the child says it in the step's own log
        if found is None:
            return None
        path = work.folder / f"{name}.log"
        log = forking.Log(name, path)
        log.add(f"{found['said']}\n".encode())
        log.close()
        self._ledger.soon(name, started_at=began, log=str(path))
        return forking.Ended(found)

    def _ended(self, work: Work, name: str, ended: forking.Ended) -> bool:
        """Keep how a step ended; False when the run is over. Raises InvalidInput when it failed."""
        now = self._context.now()
        if ended.error:
            self._ledger.mark(work, name, state=StepState.FAILED, ended_at=now, detail=ended.error)
            work.findings.append(Finding("step", name, False, ended.error))
            self._ledger.close(work, RunState.FAILED, f"step {name}: {ended.error}")
            raise InvalidInput(f"Step {name} failed: {ended.error}", hint=f"Its log: {work.folder / f'{name}.log'}")
        if ended.skipped:
            self._ledger.soon(name, state=StepState.SKIPPED, ended_at=now, detail=ended.skipped)
            return True
        work.results[name] = ended.result
        detail = str(ended.result.get("detail", ""))
        detail = f"as before: {detail}" if ended.result.get("cached") else detail
        self._ledger.soon(name, state=StepState.SUCCEEDED, ended_at=now, detail=detail)
        if work.options.get("test"):
            self._ledger.write(work)
            work.findings.append(Finding("step", name, True, detail))
            self._prove(work, name, lambda: proving.prove(work, name))
            return True
        return self._after(work, name)

    def _after(self, work: Work, name: str) -> bool:
        if name == "register":
            with self._context.catalog.write() as tx:
                self._store.update(tx, work.run_id, version=work.results[name]["version"])
        if name == "evaluate":
            return self._compared(work)
        if name != "gate":
            return True
        verdict = verdict_of(work.results[name]["verdict"])
        with self._context.catalog.write() as tx:
            self._store.update(tx, work.run_id, verdict=verdict)
            after = {"outcome": str(verdict.outcome), "champion": verdict.champion, "reason": verdict.reason}
            self._audit.note(tx, "gate", "pipeline_run", work.run_id, after=after)
        if verdict.outcome is not Outcome.BLOCKED:
            return True
        self._ledger.finish(work, RunState.BLOCKED, "the gate said no")
        return False

    def _compared(self, work: Work) -> bool:
        """Keep what the run is made of; a run like another ends here, with what differs. False when something does."""
        found = facts.gather(work, self._store.definition(work.run_id))
        like = work.options.get("like")
        if like:
            before = self._store.get(like)
            differing = facts.differences(before.facts, found) if before else ["the run it was like is gone"]
            found["like"] = {"run": like, "equal": not differing, "differences": differing}
        with self._context.catalog.write() as tx:
            self._store.update(tx, work.run_id, facts=found)
        if not like or found["like"]["equal"]:
            return True
        self._ledger.close(
            work, RunState.BLOCKED, f"not the same as run {like[:8]}: {'; '.join(differing)}", "it differs"
        )
        return False


def verdict_of(raw: dict[str, Any]) -> GateVerdict:
    """Read a verdict that crossed a process border as JSON."""
    checks = [GateCheck(**check) for check in raw["checks"]]
    return GateVerdict(Outcome(raw["outcome"]), checks, raw["champion"], raw["reason"])


def _params(work: Work) -> dict[str, Any]:
    recipe = work.recipe
    return {
        "estimator": recipe.model.estimator,
        "preprocess": recipe.model.preprocess,
        "target_transform": recipe.model.target_transform,
        "spine": recipe.data.spine,
        "features": recipe.data.features,
        "target": recipe.data.target,
        "window": recipe.data.window or "all",
        "split": recipe.split.by,
        **{f"model.{name}": value for name, value in recipe.model.params.items()},
    }


def _tidy(folder: Path) -> None:
    """Remove what can be made again from the snapshots; logs, reports and the definition stay."""
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)
    for name in ("transformer", "selector", "model"):
        (folder / f"{name}.joblib").unlink(missing_ok=True)
    shutil.rmtree(folder / f"{PACKAGE}_refitted", ignore_errors=True)
    for name in (PACKAGE, "alone", bundle.CODE):
        shutil.rmtree(folder / name, ignore_errors=True)
