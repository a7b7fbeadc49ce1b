"""Put a blessed version where the definition wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import NotAllowed
from mlops_tui.domains.pipelines.records import Outcome
from mlops_tui.domains.pipelines.work import Skip, Work
from mlops_tui.domains.serving.rollout import Rules

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving


def run(work: Work) -> dict[str, Any]:
    """Deploy what the gate blessed."""
    reference = work.results["register"]["version"]
    if work.recipe.deploy.to == "none":
        raise Skip('[deploy] to = "none"')
    verdict = work.results["gate"]["verdict"]
    if verdict["outcome"] != Outcome.BLESSED:
        raise Skip(f"a person has to decide: mlops pipelines gate {work.run_id[:8]} --override WHY")
    why = f"pipeline {work.recipe.pipeline.name} run {work.run_id[:8]}: {verdict['reason']}"
    detail = put(work.recipe, work.serving, work.registry, reference, why)
    work.say(detail)
    return {"deployment": work.recipe.deployment_name, "detail": detail}


def put(recipe: Recipe, serving: Serving, registry: Registry, reference: str, why: str) -> str:
    """Deploy what may be deployed now. What was done, in words.

    Raises Skip where other people have to approve first (they are asked), and for a version that does not show what it has to
    before it gets traffic.
    """
    wanted, version = recipe.deploy, registry.version(reference)
    if wanted.approval or (wanted.to == "production" and registry.approvals.needed(version.model)):
        request = registry.approvals.ask(version, why)
        if not registry.approvals.given(request):
            mine = [one for one in registry.versions(version.model) if one.pipeline == recipe.pipeline.name]
            registry.approvals.supersede(version, (one for one in mine if one.version < version.version))
            raise Skip(
                f"waits for approval: mlops models approve {reference}, or mlops models refuse {reference} --why WHY"
            )
    if refused := serving.checking.prove(reference):
        raise Skip(f"{reference} was {refused}")
    return place(recipe, serving, registry, reference, why)


def place(recipe: Recipe, serving: Serving, registry: Registry, reference: str, why: str) -> str:
    """Deploy first, then promote: a version that cannot be deployed must not become the champion. What was done, in words.

    Changes rows and nothing else. Raises Skip where the deployment does not take it.
    """
    wanted, name = recipe.deploy, recipe.deployment_name
    if wanted.strategy == "canary" and wanted.steps and any(one.name == name for one in serving.wanted()):
        return _roll_out(recipe, serving, reference, why)
    try:
        deployment = serving.deploy(name, reference, strategy=wanted.strategy, why=why)
    except NotAllowed as error:  # it takes other inputs than what serves now
        raise Skip(f"{error.message} {error.hint or ''}".strip()) from error
    if len(deployment.versions) > 1:
        # Part of the traffic only: the champion stays who it is until a person moves the rest.
        registry.promote(reference, "challenger", why=why)
        shares = ", ".join(f"version {route.version} {route.weight:g} %" for route in deployment.versions)
        return f"{wanted.strategy} on {name}: {shares}"
    registry.promote(reference, wanted.to, why=why)
    return f"{reference} to {name}, {wanted.to} ({wanted.strategy})"


def _roll_out(recipe: Recipe, serving: Serving, reference: str, why: str) -> str:
    """Begin a staged rollout, which the daemon carries on to all the traffic and the promotion, or back."""
    wanted, name = recipe.deploy, recipe.deployment_name
    bake = clock.parse_span(wanted.bake) / 1000 if wanted.bake else 0
    rules = Rules.of(bake_s=bake, min_requests=wanted.min_requests, margin=wanted.margin, min_labels=wanted.min_labels)
    try:
        one = serving.rollouts.start(name, reference, wanted.steps, rules=rules, to=wanted.to, why=why)
    except NotAllowed as error:  # another is under way, or the deployment is stopped
        raise Skip(f"{error.message} {error.hint or ''}".strip()) from error
    return f"{reference} has {one.share:g} % of {name} and goes on by itself"
