"""What is wrong with the steps of a project's own: names, and what they wait for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlops_tui.core import ids
from mlops_tui.domains.pipelines import graph
from mlops_tui.domains.pipelines.records import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.recipe import Recipe

_STEP_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def mistakes(recipe: Recipe) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each mistake with where it stands."""
    names = [step.name for step in recipe.steps]
    for place, step in enumerate(recipe.steps):
        where = ("steps", place)
        if ":" not in step.uses:
            yield (*where, "uses"), "write file.py:function or module:function"
        if not _STEP_NAME.fullmatch(step.name):
            yield (*where, "name"), f"{step.name!r} is no name of a step: small letters, digits, _ and -"
        if step.name in STEPS or step.name in names[:place]:
            yield (*where, "name"), f"there is a step {step.name!r} already"
        for need in step.needs or []:
            if need not in names and need != graph.LOAD:
                near = ids.did_you_mean(need, [graph.LOAD, *names], f"Own steps: {', '.join(names)}, or load.")
                yield (*where, "needs"), f"there is no step {need!r} to wait for. {near}"
    needs = graph.own_needs(recipe.steps)
    found = graph.cycle(needs)
    if found:
        yield ("steps", names.index(found[0]), "needs"), f"these steps wait for each other: {' -> '.join(found)}"
    known = [*STEPS, *names]
    for name in [name for name in recipe.resources.steps if name not in known]:
        near = ids.did_you_mean(name, known, f"Steps: {', '.join(known)}.")
        yield ("resources", "steps", name), f"there is no step {name!r}. {near}"
    for name, limits in recipe.resources.steps.items():
        for what, amount in limits.taken.items():
            most = {**recipe.resources.needs, "gpu": recipe.resources.gpu}.get(what, 0.0)
            if most and amount > most:
                yield ("resources", "steps", name), f"it takes {amount:g} {what}, and the run only {most:g}"
