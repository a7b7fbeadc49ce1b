"""Executing one pipeline run: each step in a child of its own, every change of state visible at once."""

from __future__ import annotations

import importlib
import shutil
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, WorkbenchError
from mlops_tui.domains.experiments.environment import git_state
from mlops_tui.domains.pipelines import forking
from mlops_tui.domains.pipelines.definition import parse
from mlops_tui.domains.pipelines.records import (
    STEPS,
    GateCheck,
    GateVerdict,
    Outcome,
    PipelineRun,
    RunState,
    StepState,
)
from mlops_tui.domains.pipelines.work import PACKAGE, PARTS, Work

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

    def execute(self, run: PipelineRun, folder: Path, report: Callable[[int, int | None, str], None]) -> PipelineRun:
        """Run all steps from the beginning; the ended run. Raises the InvalidInput of the step that failed.

        Nothing of an earlier try is used: what it registered is found again by its run id.
        """
        work = self._begin(run, folder)
        try:
            forking.preload()
            for place, name in enumerate(STEPS):
                report(place, len(STEPS), name)
                if not self._step(work, name):
                    break
            else:
                self._finish(work, RunState.SUCCEEDED)
            report(len(STEPS), len(STEPS), "")
        except WorkbenchError:
            raise
        except Exception as error:
            # A mistake of ours. Being stopped from outside is no Exception: who did it and why, the job knows better.
            self._close(work, RunState.FAILED, f"{type(error).__name__}: {error}".rstrip(": "))
            raise
        finally:
            _tidy(folder)
        ended = self._store.get(run.id)
        assert ended is not None
        return ended

    def _begin(self, run: PipelineRun, folder: Path) -> Work:
        definition = self._store.definition(run.id)
        recipe = parse(definition, f"{run.pipeline}.toml")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "pipeline.toml").write_text(definition, encoding="utf-8")
        commit = git_state(self._context.workspace.project).commit
        tags = {"pipeline": run.pipeline, "pipeline_run": run.id}
        experiment = self._experiments.start(
            recipe.pipeline.name,
            name=f"{recipe.pipeline.name} {run.id[:8]}",
            tags=tags,
            source=f"pipeline {run.pipeline}",
        )
        with self._context.catalog.write() as tx:
            self._store.reset_steps(tx, run.id, STEPS)
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
        )
        work.log_params(_params(work))
        return work

    def _step(self, work: Work, name: str) -> bool:
        """Run one step; False when the run is over."""
        log = str(work.folder / f"{name}.log")
        self._mark(work, name, state=StepState.RUNNING, started_at=self._context.now(), log=log)
        ended = forking.run_step(name, lambda: _run_module(name, work), work.folder)
        now = self._context.now()
        if ended.error:
            self._mark(work, name, state=StepState.FAILED, ended_at=now, detail=ended.error)
            self._close(work, RunState.FAILED, f"step {name}: {ended.error}")
            raise InvalidInput(f"Step {name} failed: {ended.error}", hint=f"Its log: {log}")
        if ended.skipped:
            self._mark(work, name, state=StepState.SKIPPED, ended_at=now, detail=ended.skipped)
            return True
        work.results[name] = ended.result
        self._mark(work, name, state=StepState.SUCCEEDED, ended_at=now, detail=str(ended.result.get("detail", "")))
        return self._after(work, name)

    def _after(self, work: Work, name: str) -> bool:
        if name == "register":
            with self._context.catalog.write() as tx:
                self._store.update(tx, work.run_id, version=work.results[name]["version"])
        if name != "gate":
            return True
        verdict = verdict_of(work.results[name]["verdict"])
        with self._context.catalog.write() as tx:
            self._store.update(tx, work.run_id, verdict=verdict)
            after = {"outcome": str(verdict.outcome), "champion": verdict.champion, "reason": verdict.reason}
            self._audit.note(tx, "gate", "pipeline_run", work.run_id, after=after)
        if verdict.outcome is not Outcome.BLOCKED:
            return True
        self._finish(work, RunState.BLOCKED, "the gate said no")
        return False

    def _finish(self, work: Work, state: RunState, skipped: str = "") -> None:
        if state is RunState.SUCCEEDED and self._waits(work):
            state = RunState.WAITING
        self._close(work, state, "", skipped)

    def _waits(self, work: Work) -> bool:
        undecided = work.results["gate"]["verdict"]["outcome"] == Outcome.NEEDS_PERSON
        return undecided or (work.recipe.deploy.approval and work.recipe.deploy.to != "none")

    def _close(self, work: Work, state: RunState, error: str, skipped: str = "an earlier step failed") -> None:
        now = self._context.now()
        with self._context.catalog.write() as tx:
            self._store.end_running(tx, work.run_id, now, error)
            self._store.skip_pending(tx, work.run_id, skipped)
            self._store.update(tx, work.run_id, state=state, ended_at=now, error=error)
            version = work.results.get("register", {}).get("version", "")
            self._audit.note(tx, state, "pipeline_run", work.run_id, after={"version": version, "error": error})
        self._experiments.take_in()
        self._experiments.finish(work.experiment_run, "failed" if state is RunState.FAILED else "finished", error)

    def _mark(self, work: Work, name: str, **values: Any) -> None:
        with self._context.catalog.write() as tx:
            self._store.update_step(tx, work.run_id, name, **values)


def verdict_of(raw: dict[str, Any]) -> GateVerdict:
    """Read a verdict that crossed a process border as JSON."""
    checks = [GateCheck(**check) for check in raw["checks"]]
    return GateVerdict(Outcome(raw["outcome"]), checks, raw["champion"], raw["reason"])


def _run_module(name: str, work: Work) -> dict[str, Any]:
    result: dict[str, Any] = importlib.import_module(f"mlops_tui.domains.pipelines.steps.{name}").run(work)
    return result


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
    for name in ("frame", *PARTS):
        (folder / f"{name}.parquet").unlink(missing_ok=True)
    for name in ("transformer", "model"):
        (folder / f"{name}.joblib").unlink(missing_ok=True)
    shutil.rmtree(folder / PACKAGE, ignore_errors=True)
