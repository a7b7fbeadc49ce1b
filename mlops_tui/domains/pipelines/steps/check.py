"""Ask the checks of every table that was read, and whether the rows can be learned from at all."""

from __future__ import annotations

from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines.work import Skip, Work

MIN_ROWS = 30


def run(work: Work) -> dict[str, Any]:
    """Raise InvalidInput when a check fails and `checks = "error"`; with `warn` only say so."""
    policy = work.recipe.data.checks
    if policy == "off":
        raise Skip('[data] checks = "off"')
    problems = _learnable(work)
    warnings: list[str] = []
    count = 0
    for reference in work.results["load"]["snapshots"]:
        report = work.features.check(reference)
        count += len(report.results)
        for result in report.failed:
            text = f"{reference}: {result.check} fails for {result.bad:,} of {result.total:,} rows"
            text += f" ({result.detail})" if result.detail else ""
            (problems if result.severity == "error" else warnings).append(text)
    for text in problems + warnings:
        work.say(text)
    if problems and policy == "error":
        raise InvalidInput(
            "The data are not fit to train on: " + "; ".join(problems) + ".", hint="See the check step's log."
        )
    found = len(problems) + len(warnings)
    return {
        "checks": count,
        "problems": problems,
        "warnings": warnings,
        "detail": f"{count} checks, {found} warning{'s' if found != 1 else ''}" if found else f"{count} checks passed",
    }


def _learnable(work: Work) -> list[str]:
    frame = work.read_frame("frame")
    problems = []
    if len(frame) < MIN_ROWS:
        problems.append(
            f"{len(frame)} {'labelled ' if work.recipe.labelled else ''}rows are too few, at least {MIN_ROWS} are needed"
        )
    if work.recipe.labelled:
        target = frame[work.recipe.data.target]
        if target.nunique() < 2:
            problems.append(f"the target {target.name} has only one value")
        if work.recipe.model.task == "regression" and target.dtype.kind not in "iuf":
            problems.append(f"the target {target.name} is no number, which regression needs")
    empty = [name for name in work.inputs if frame[name].isna().all()]
    if empty:
        problems.append(f"no value at all in {', '.join(empty)}")
    return problems
