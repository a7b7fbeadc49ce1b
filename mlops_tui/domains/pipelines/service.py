"""What pipelines do: read definitions, start runs as jobs, execute them, and answer for each run and its gate."""

from __future__ import annotations

import builtins
import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock, ids
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.domains.pipelines import definition as definitions
from mlops_tui.domains.pipelines import engines, files, freezing, templates
from mlops_tui.domains.pipelines.operating import bytes_of
from mlops_tui.domains.pipelines.packages_store import PackagesStore
from mlops_tui.domains.pipelines.packaging import Packaging, placed_options
from mlops_tui.domains.pipelines.records import (
    Definition,
    PipelineRun,
    RunState,
    StepRun,
    StepState,
)
from mlops_tui.domains.pipelines.store import PipelinesStore
from mlops_tui.domains.pipelines.variants import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit
    from mlops_tui.domains.experiments.service import Experiments
    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.jobs.records import Job
    from mlops_tui.domains.jobs.service import Jobs
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.pipelines.runner import Runner
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving


class Pipelines(Packaging):
    """Definitions in the project's `pipelines/` folder, and their runs."""

    def __init__(
        self,
        context: Context,
        audit: Audit,
        features: Features,
        experiments: Experiments,
        registry: Registry,
        serving: Serving,
        jobs: Jobs,
    ) -> None:
        self._context = context
        self._audit = audit
        self._features = features
        self._experiments = experiments
        self._registry = registry
        self._serving = serving
        self._jobs = jobs
        self._store = PipelinesStore(context)
        self._packages = PackagesStore(context)

    # -- definitions

    def new(self, name: str, template: str = "regression", *, spine: str = "labels", target: str = "target") -> Path:
        """Write `pipelines/<name>.toml` from a template. Raises AlreadyExists, or NotFound for an unknown template."""
        ids.check_name("pipeline", name)
        if template not in templates.TEMPLATES:
            hint = ids.did_you_mean(template, templates.TEMPLATES, f"Templates: {', '.join(templates.TEMPLATES)}.")
            raise NotFound(f"There is no template {template!r}.", hint=hint)
        path = self._context.workspace.pipelines / f"{name}.toml"
        text = templates.render(name, template, spine, target)
        definitions.parse(text, path.name)
        files.write(path, text)
        return path

    def add(self, source: Path) -> Definition:
        """Copy a checked definition file into the project. Raises InvalidInput with its mistakes, or AlreadyExists."""
        recipe = definitions.read(source)
        path = self._context.workspace.pipelines / f"{recipe.pipeline.name}.toml"
        files.write(path, source.read_text(encoding="utf-8"))
        return self.get(recipe.pipeline.name)

    def rewrite(self, name: str, text: str, before: str) -> None:
        """Put another text into the file of a pipeline, with mistakes or without. Raises NotFound, and NotAllowed when the file is
        not what it was (`before`).
        """
        path = Path(self.get(name).path)
        files.rewrite(path, text, before)
        with self._context.catalog.write() as tx:
            hashes = [hashlib.sha256(one.encode()).hexdigest()[:16] for one in (before, text)]
            self._audit.note(tx, "edit", "pipeline", name, before={"file": hashes[0]}, after={"file": hashes[1]})

    def list(self) -> builtins.list[Definition]:
        """All definitions by name; one with mistakes is listed with them.

        The triggers of a pipeline that is deployed as a package are those of the package.
        """
        return [self._as_deployed(one) for one in files.listed(self._context.workspace.pipelines)]

    def _as_deployed(self, found: Definition) -> Definition:
        live = self.active(found.name)
        if live is None:
            return found
        recipe = definitions.parse(live[1].definition, f"{found.name}.toml")
        return dataclasses.replace(found, triggers=files.triggers_of(recipe), problems=[], package=live[1].ref)

    def get(self, name: str) -> Definition:
        """One definition by its name; NotFound with the nearest."""
        found = {definition.name: definition for definition in self.list()}
        if name not in found:
            hint = ids.did_you_mean(name, found, "See: mlops pipelines list, or make one: mlops pipelines new NAME")
            raise NotFound(f"There is no pipeline {name!r}.", hint=hint)
        return found[name]

    def recipe(self, name: str) -> Recipe:
        """A definition in full; InvalidInput with all its mistakes."""
        return definitions.read(Path(self.get(name).path))

    def validate(self, path: Path) -> builtins.list[str]:
        """Every mistake of a file as `file:line: where: what`; empty when it is right."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise NotFound(f"{path} cannot be read: {error}.") from error
        return [str(problem) for problem in definitions.examine(text, path.name)[1]]

    def triggers(self, name: str) -> builtins.list[dict[str, Any]]:
        """The triggers of a definition as dicts with every field of [[triggers]]; spans stay text, "" is not set."""
        return self.get(name).triggers

    def plan(self, name: str) -> builtins.list[str]:
        """What a run would do if it began now, in sentences. Raises NotFound, and InvalidInput for a file with mistakes."""
        live = self.active(name)
        recipe = definitions.parse(live[1].definition, f"{name}.toml") if live else self.recipe(name)
        # It stands on registry and serving, which no other question needs.
        from mlops_tui.domains.pipelines import planning

        return planning.plan(recipe, self._features, self._registry, self._serving)

    # -- runs

    def run(
        self,
        name: str,
        cause: dict[str, Any] | None = None,
        key: str | None = None,
        wait: bool = False,
        *,
        cache: bool = True,
    ) -> Job:
        """Check the definition, keep a copy of it with a new run, and queue the job that executes it.

        What a trigger caused runs the package that is deployed (production before staging), what a person asked for the
        file as it lies there. The same `key` gives the same job again. `wait` executes it now in a child of this machine
        and returns when it has ended. Without `cache` every step is done anew.
        Raises InvalidInput (mistakes, unknown column) or NotFound (no such pipeline, no such feature table).
        """
        options: dict[str, Any] = {} if cache else {"cache": False}
        live = self.active(name) if cause and cause.get("kind") != "manual" else None
        path = Path(self.get(name).path)
        if live is None:
            text = path.read_text(encoding="utf-8")
        else:
            text = live[1].definition
            options |= placed_options(live[1], live[0])
        if cause and cause.get("origin") == "backfill":  # of a slot of the past: it learns from what was known then
            options["until"] = cause["due_at"]
        recipe = definitions.parse(text, path.name)
        self._check_tables(recipe)
        if not cause or cause.get("kind") == "manual":  # a slot would wait for ever; its job says it in an alert
            engines.expect(recipe)
        return self._submit(recipe, text, cause, options, key=key, wait=wait)

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
        name = recipe.pipeline.name
        run_id = ids.new_id()
        resources = recipe.resources
        if "bundle" not in options and (code := freezing.keep(self._context, recipe, text)):
            options = {**options, "code": code}
        with self._context.catalog.write() as tx:
            known = self._store.find_by_key(key) if key else None
            if known is not None and known.job_id is not None:
                return self._jobs.get(known.job_id)
            steps = [StepRun(step, StepState.PENDING) for step in plan_of(recipe, options)]
            run = PipelineRun(
                id=run_id,
                pipeline=name,
                state=RunState.QUEUED,
                steps=steps,
                verdict=None,
                version="",
                run_id="",
                job_id=None,
                cause=cause or {"kind": "manual"},
                actor=self._context.actor,
                created_at=self._context.now(),
                started_at=None,
                ended_at=None,
                error="",
                options=options,
            )
            self._store.add(tx, run, key, text)
            job = self._jobs.submit(
                "pipeline",
                f"pipeline {name}",
                {"run_id": run_id},
                key=key,
                cause=run.cause,
                timeout_s=clock.parse_span(resources.timeout) / 1000 if resources.timeout else None,
                memory_bytes=bytes_of(resources.memory),
                retries=resources.retries,
                name=name,
                needs=resources.taken,
                priority=int(run.cause.get("priority", 0)),
            )
            self._store.update(tx, run_id, job_id=job.id)
            self._audit.note(tx, "run", "pipeline", name, after={"run": run_id, "job": job.id}, cause=run.cause)
        return self._jobs.wait(job.id, start=True, told=told) if wait else job

    def execute(self, run_id: str, report: Callable[[int, int | None, str], None]) -> dict[str, Any]:
        """Do a run's steps, in the job child; a run that has ended well is left as it is.

        Returns state, version, verdict and reason. Raises InvalidInput with the step that failed.
        """
        run = self._get(run_id)
        if run.state in (RunState.SUCCEEDED, RunState.BLOCKED, RunState.WAITING):
            return _summary(run)
        try:
            return _summary(self._runner().execute(run, self.folder(run_id), report))
        except WorkbenchError as error:
            self.mark_lost(run_id, error.message, RunState.FAILED)  # where the runner had not closed it itself
            raise
        except OSError as error:
            reason = f"The disk refused: {error.strerror or error}."
            self.mark_lost(run_id, reason, RunState.FAILED)
            raise Unavailable(reason, hint="Free some space and run it again.") from error

    def _runner(self) -> Runner:
        from mlops_tui.domains.pipelines.runner import Runner  # the job's child alone needs what it stands on

        rooms = (self._audit, self._features, self._experiments, self._registry, self._serving)
        return Runner(self._context, self._store, *rooms)

    def _check_tables(self, recipe: Recipe) -> None:
        """Find a wrong table or column now rather than in the job."""
        spine = self._features.snapshot(recipe.data.spine)
        if recipe.data.target and recipe.data.target not in spine.columns:
            hint = ids.did_you_mean(recipe.data.target, spine.columns, f"Columns: {', '.join(spine.columns)}.")
            raise InvalidInput(f"{spine.reference} has no column {recipe.data.target!r} for the target.", hint=hint)
        self._features.pinned(recipe.data.features)


def _summary(run: PipelineRun) -> dict[str, Any]:
    return {
        "state": str(run.state),
        "version": run.version,
        "run_id": run.run_id,
        "verdict": str(run.verdict.outcome) if run.verdict else "",
        "reason": run.verdict.reason if run.verdict else run.error,
    }
