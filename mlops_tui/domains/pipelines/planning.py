"""What a run would do if it began now, in sentences: what a dry run says. Reads names and counts; computes and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.registry.records import CHAMPION
from mlops_tui.domains.serving.rollout import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.features.service import Features
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.registry.records import Version
    from mlops_tui.domains.registry.service import Registry
    from mlops_tui.domains.serving.service import Serving


def plan(recipe: Recipe, features: Features, registry: Registry, serving: Serving) -> list[str]:
    """One sentence for each thing that a run would do, in its order. What is missing is said, not raised."""
    champion = _champion(recipe, registry)
    return [
        *_data(recipe, features),
        f"Trains {recipe.model.estimator or recipe.model.task} in the steps {', '.join(recipe.plan)}.",
        *_gate(recipe, champion),
        f"Registers the version as {recipe.model_name}/{_next(recipe, registry)}.",
        *_asking(recipe, registry),
        *deployment(recipe, registry, serving),
    ]


def _data(recipe: Recipe, features: Features) -> Iterator[str]:
    data = recipe.data
    try:
        snapshot = features.snapshot(data.spine)
        references, _ = features.pinned(data.features)
    except NotFound as error:
        yield f"Would fail at once: {error.message}"
        return
    text = f"Reads {snapshot.reference} ({snapshot.rows:,} rows"
    if data.window and snapshot.max_time is not None:
        since = snapshot.max_time - clock.parse_span(data.window)
        text += f", of them the newest {data.window}: {clock.iso(since)} to {clock.iso(snapshot.max_time)}"
    yield text + ")" + (f", joined with {', '.join(references)}" if references else "") + "."
    yield f"Holds out {recipe.split.test:.0%} of the rows for the gate, split by {recipe.split.by}."


def _gate(recipe: Recipe, champion: Version | None) -> Iterator[str]:
    gate = recipe.gate
    wanted = [f"{name} >= {limit:g}" for name, limit in gate.minimum.items()]
    wanted += [f"{name} <= {limit:g}" for name, limit in gate.maximum.items()]
    wanted += list(recipe.charter.success)
    if gate.against == "champion" and champion is not None:
        rule = "better than" if gate.rule == "better" else f"not worse by {gate.margin} than"
        wanted.append(f"{recipe.gate_metric} {rule} {champion.ref} at {gate.confidence:.0%}")
        if gate.slices != "off" and recipe.evaluate.slices:
            wanted.append(f"no slice of {', '.join(recipe.evaluate.slices)} worse")
    yield f"The gate wants: {'; '.join(wanted) or 'nothing'}."
    if gate.against == "champion" and champion is None:
        yield "There is no champion to compare with."


def _asking(recipe: Recipe, registry: Registry) -> Iterator[str]:
    wanted = recipe.deploy
    needed = registry.approvals.needed(recipe.model_name) if wanted.to == "production" else 0
    if wanted.to != "none" and (wanted.approval or needed):
        yield f"Then a person is asked ({max(needed, 1)} approval{'s' if needed > 1 else ''}); nothing is deployed before."


def deployment(recipe: Recipe, registry: Registry, serving: Serving) -> list[str]:
    """What happens to the traffic, in sentences."""
    return list(_deployment(recipe, serving, _champion(recipe, registry)))


def _deployment(recipe: Recipe, serving: Serving, champion: Version | None) -> Iterator[str]:
    wanted, name = recipe.deploy, recipe.deployment_name
    if wanted.to == "none":
        yield "Deploys nothing."
        return
    there = any(one.name == name for one in serving.wanted())
    if wanted.strategy == "canary" and wanted.steps and there:
        bake = clock.parse_span(wanted.bake) / 1000 if wanted.bake else 0
        rules = Rules.of(bake_s=bake, min_requests=wanted.min_requests, margin=wanted.margin)
        shares = ", ".join(f"{share:g} %" for share in wanted.steps)
        yield f"Gives it {shares} of {name}, each for {rules.bake_s:g} s and {rules.min_requests:,} requests, then all of it."
        if wanted.min_labels:
            yield f"Not before {wanted.min_labels:,} of its answers are labelled."
        back = f"back to {champion.ref}" if champion else "back"
        yield f"Errors, slow or wrong answers beyond chance bring the traffic {back}."
        return
    yield f"Puts it on {name} ({'first deployment' if not there else wanted.strategy}) and promotes it to {wanted.to}."


def _champion(recipe: Recipe, registry: Registry) -> Version | None:
    try:
        return registry.version(f"{recipe.model_name}@{CHAMPION}")
    except NotFound:
        return None


def _next(recipe: Recipe, registry: Registry) -> int:
    try:
        return max((one.version for one in registry.versions(recipe.model_name)), default=0) + 1
    except NotFound:
        return 1
