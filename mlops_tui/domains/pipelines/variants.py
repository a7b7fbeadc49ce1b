"""A recipe as one run uses it: reading pinned snapshots, placed in an environment, or cut down for a test on a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui.domains.pipelines.definition import parse
from mlops_tui.domains.pipelines.records import Environment

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.recipe import Recipe

# A test asks whether everything works, not how good the model can be.
TEST_TRIALS, TEST_RESAMPLES, TEST_ROWS, TEST_REPEATS = 4, 100, 200, 2


def recipe_of(definition: str, file: str, options: dict[str, Any]) -> Recipe:
    """The recipe of a run with its options; InvalidInput with all mistakes of the definition."""
    recipe = pinned(parse(definition, file), options.get("pins", {}))
    recipe = placed(recipe, options.get("environment", ""))
    return sampled(recipe) if options.get("test") else recipe


def plan_of(recipe: Recipe, options: dict[str, Any]) -> tuple[str, ...]:
    """The steps of a run: those of the definition; of a run like another, those up to the scores; of a test, up to the gate."""
    last = "evaluate" if options.get("like") else "gate" if options.get("test") else "deploy"
    return recipe.plan[: recipe.plan.index(last) + 1]


def pinned(recipe: Recipe, pins: dict[str, Any]) -> Recipe:
    """The recipe reading what `pins` names: {"spine": snapshot, "features": [references], "at": [snapshots]}, or as it is."""
    if not pins:
        return recipe
    data = msgspec.structs.replace(recipe.data, spine=pins["spine"], features=pins["features"])
    return msgspec.structs.replace(recipe, data=data)


def placed(recipe: Recipe, environment: str) -> Recipe:
    """In staging a model goes to a deployment of its own, `NAME-staging`, at once and to nobody's harm; else as it is."""
    if environment != Environment.STAGING:
        return recipe
    to = "none" if recipe.deploy.to == "none" else "staging"
    name = f"{recipe.deployment_name}-staging"
    deploy = msgspec.structs.replace(
        recipe.deploy, to=to, deployment=name, strategy="replace", steps=[], bake="", approval=False
    )
    return msgspec.structs.replace(recipe, deploy=deploy)


def sampled(recipe: Recipe) -> Recipe:
    """The same steps with less of everything that only costs time."""
    tune = msgspec.structs.replace(recipe.tune, trials=min(recipe.tune.trials, TEST_TRIALS))
    evaluate = msgspec.structs.replace(recipe.evaluate, resamples=TEST_RESAMPLES)
    explain = recipe.explain and msgspec.structs.replace(
        recipe.explain, rows=min(recipe.explain.rows, TEST_ROWS), repeats=TEST_REPEATS
    )
    return msgspec.structs.replace(recipe, tune=tune, evaluate=evaluate, explain=explain)
