"""Keep the model as a version that knows where it came from."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from mlops_tui.core.clock import iso
from mlops_tui.domains.pipelines import fitting
from mlops_tui.domains.pipelines.comparing import LEARNED_UNTIL
from mlops_tui.domains.pipelines.work import PACKAGE, PARTS, Work
from mlops_tui.domains.registry import package

if TYPE_CHECKING:
    from pathlib import Path


def run(work: Work) -> dict[str, Any]:
    """Register the package; a run that is repeated finds the version it registered before."""
    recipe, evaluated = work.recipe, work.results["evaluate"]
    folder = _refitted(work) if recipe.model.refit else work.folder / PACKAGE
    version = work.registry.register(
        recipe.model_name,
        folder,
        run_id=work.experiment_run,
        snapshots=work.results["load"]["snapshots"],
        pipeline=recipe.pipeline.name,
        pipeline_run=work.run_id,
        git_commit=work.git_commit,
        metrics=evaluated["metrics"],
        description=recipe.register.description or recipe.pipeline.description,
        tags={"gate": work.results["gate"]["verdict"]["outcome"], **_learned_until(work)},
    )
    work.say(f"{version.ref}, {version.size:,} bytes, {version.sha[:12]}")
    return {"version": version.ref, "detail": version.ref}


def _refitted(work: Work) -> Path:
    """A package of the same recipe fitted on every row. Its profile stays: errors of rows it has now seen would be too good."""
    import pandas as pd

    frame = pd.concat([work.read_frame(name) for name in PARTS])
    params = work.results.get("tune", {}).get("params", {})
    with_probabilities = work.recipe.calibrate.method != "none"
    unfitted = fitting.calibrated(work, params, frame) if with_probabilities else fitting.assemble(work, params)
    model = fitting.fit(work, unfitted, frame) if work.recipe.labelled else unfitted.fit(work.divided(frame)[0])
    model = fitting.with_threshold(model, work.results.get("calibrate", work.results["train"])["threshold"])
    judged, folder = work.folder / PACKAGE, work.folder / f"{PACKAGE}_refitted"
    shutil.rmtree(folder, ignore_errors=True)
    signature = package.signature(judged)
    package.save(
        folder,
        model,
        sample=work.part(PARTS[-1])[0],
        task=work.package_task,
        target=work.recipe.data.target,
        labels=signature["labels"],
        held_out=work.part(PARTS[-1]) if work.recipe.labelled else None,
        learned=True,
        modules=work.project_modules(),
    )
    shutil.copyfile(judged / package.PROFILE, folder / package.PROFILE)
    work.say(f"fitted again on all {len(frame):,} rows")
    return folder


def _learned_until(work: Work) -> dict[str, str]:
    time = work.results["load"]["time"]
    if not time:
        return {}
    parts = PARTS if work.recipe.model.refit else PARTS[:2]
    newest = max(moments.max() for name in parts if len(moments := work.read_frame(name)[time]))
    return {LEARNED_UNTIL: iso(int(newest.timestamp() * 1000)) or ""}
