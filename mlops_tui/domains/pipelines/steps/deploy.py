"""Put a blessed version where the definition wants it."""

from __future__ import annotations

from typing import Any

from mlops_tui.domains.pipelines.records import Outcome
from mlops_tui.domains.pipelines.work import Skip, Work


def run(work: Work) -> dict[str, Any]:
    """Deploy first, then promote: a version that cannot be deployed must not become the champion."""
    wanted, reference = work.recipe.deploy, work.results["register"]["version"]
    if wanted.to == "none":
        raise Skip('[deploy] to = "none"')
    verdict = work.results["gate"]["verdict"]
    by_hand = f"mlops models promote {reference} --to {wanted.to}"
    if verdict["outcome"] != Outcome.BLESSED:
        raise Skip(f"a person has to decide: {by_hand}")
    name = work.recipe.deployment_name
    why = f"pipeline {work.recipe.pipeline.name} run {work.run_id[:8]}: {verdict['reason']}"
    version = work.registry.version(reference)
    if wanted.approval or (wanted.to == "production" and work.registry.approvals.needed(version.model)):
        work.registry.approvals.ask(version, why)
        then = f"mlops models approve {reference} --promote, then mlops deployments create {name} {reference}"
        raise Skip(f"waits for approval: {then}")
    share = wanted.steps[0] if wanted.strategy == "canary" and wanted.steps else None
    more = {} if share is None else {"weight": share}
    deployment = work.serving.deploy(name, reference, strategy=wanted.strategy, why=why, **more)
    if len(deployment.versions) > 1:
        # Part of the traffic only: the champion stays who it is until a person, or a later step, moves the rest.
        work.registry.promote(reference, "challenger", why=why)
        shares = ", ".join(f"version {route.version} {route.weight:g} %" for route in deployment.versions)
        return {"deployment": name, "detail": f"{wanted.strategy} on {name}: {shares}"}
    work.registry.promote(reference, wanted.to, why=why)
    work.say(f"{reference} deployed as {name} ({wanted.strategy}) and promoted to {wanted.to}")
    return {"deployment": name, "detail": f"{reference} to {name}, {wanted.to}"}
