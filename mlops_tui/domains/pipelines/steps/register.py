"""Keep the model as a version that knows where it came from."""

from __future__ import annotations

from typing import Any

from mlops_tui.domains.pipelines.work import PACKAGE, Work


def run(work: Work) -> dict[str, Any]:
    """Register the package; a run that is repeated finds the version it registered before."""
    recipe, evaluated = work.recipe, work.results["evaluate"]
    version = work.registry.register(
        recipe.model_name,
        work.folder / PACKAGE,
        run_id=work.experiment_run,
        snapshots=work.results["load"]["snapshots"],
        pipeline=recipe.pipeline.name,
        pipeline_run=work.run_id,
        git_commit=work.git_commit,
        metrics=evaluated["metrics"],
        description=recipe.register.description or recipe.pipeline.description,
        tags={"gate": work.results["gate"]["verdict"]["outcome"]},
    )
    work.say(f"{version.ref}, {version.size:,} bytes, {version.sha[:12]}")
    return {"version": version.ref, "detail": version.ref}
