"""Taking a version out of use for good: refused while it has traffic, and only with a named replacement."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from mlops_tui.core.errors import InvalidInput, NotAllowed
from mlops_tui.domains.registry.records import on_own_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tui.domains.registry.records import DiffItem, Version
    from mlops_tui.domains.serving.records import Deployment


@dataclasses.dataclass(frozen=True, slots=True)
class Retirement:
    """The transition plan of a retired version, as kept in the notes of both versions."""

    version: str
    replacement: str
    plan: str


def check(version: Version, replacement: Version, deployments: Sequence[Deployment]) -> None:
    """Raise InvalidInput or NotAllowed, with what to do first, when `version` cannot be retired."""
    if version.ref == replacement.ref:
        raise InvalidInput(f"{version.ref} cannot replace itself.", hint="Name another version with --replacement.")
    if replacement.stage == "Archived":
        raise InvalidInput(f"{replacement.ref} is archived itself.", hint="Name one that is in use or may be used.")
    busy = [item.name for item in deployments if _routes(item, version)]
    if busy:
        raise NotAllowed(
            f"{version.ref} has traffic on {', '.join(busy)}.",
            hint=f"Move it first: mlops deployments create {busy[0]} {replacement.ref}",
        )


def plan(version: Version, replacement: Version, changes: Sequence[DiffItem], back: Sequence[str]) -> str:
    """Write the plan: who replaces whom, what callers have to change, and which rollbacks would bring it back."""
    lines = [f"{version.ref} is retired; {replacement.ref} takes its place."]
    inputs = [item for item in changes if item.section in {"input", "output"}]
    if inputs:
        said = "; ".join(
            f"{item.section} {item.key}: {item.left or 'none'} to {item.right or 'none'}" for item in inputs
        )
        lines.append(f"Callers have to change: {said}.")
    else:
        lines.append("Callers change nothing: inputs and outputs are the same.")
    metrics = [f"{item.key} {item.left:.4g} to {item.right:.4g}" for item in changes
               if item.section == "metric" and item.delta is not None]  # fmt: skip
    if metrics:
        rows = ", each on its version's own test rows" if on_own_rows(changes) else ""
        lines.append(f"Metrics{rows}: {', '.join(metrics)}.")
    if back:
        lines.append(f"A rollback of {', '.join(back)} would bring it back.")
    lines.append("Its package stays: it can be loaded, compared and promoted again.")
    return " ".join(lines)


def rollbacks(version: Version, deployments: Sequence[Deployment]) -> list[str]:
    """Names of deployments whose rollback leads to the version."""
    return [item.name for item in deployments if item.model == version.model and version.version in item.previous]


def _routes(deployment: Deployment, version: Version) -> bool:
    return deployment.model == version.model and version.version in {route.version for route in deployment.versions}
