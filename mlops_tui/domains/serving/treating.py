"""What people decide about a deployment's requests beside weights, and what came of it: shadow, A/B, guard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.registry.service import Registry
from mlops_tui.domains.serving import evidence
from mlops_tui.domains.serving.handling import Handling, ShadowCounts, checked
from mlops_tui.domains.serving.handling_store import HandlingStore
from mlops_tui.domains.serving.labels import bound_of
from mlops_tui.domains.serving.predictions import Predictions
from mlops_tui.domains.serving.records import Deployment, Signature
from mlops_tui.domains.serving.store import ServingStore

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """How often the outcome was met with two versions: `low` to `high` holds rate(other) - rate(base) at all times together
    with probability 1 - alpha, so it may be looked at while it grows. `decided` says whether it leaves zero out.
    """

    base: int
    other: int
    base_count: int
    base_rate: float
    other_count: int
    other_rate: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        return self.low > 0 or self.high < 0


class Treating:
    """Handling of requests per deployment."""

    def __init__(
        self, context: Context, audit: Audit, registry: Registry, store: ServingStore, predictions: Predictions
    ) -> None:
        self._context = context
        self._audit = audit
        self._registry = registry
        self._store = store
        self._handlings = HandlingStore(context)
        self._predictions = predictions

    def change(self, deployment: Deployment, why: str = "", **changes: Any) -> Handling:
        """Change parts of the handling of a deployment: shadow, route_by, guard, fallback.

        Raises InvalidInput for what does not fit the model, NotFound for a shadow version that does not exist.
        """
        version = self._registry.version(f"{deployment.model}/{max(route.version for route in deployment.versions)}")
        signature = Signature.of(version.signature)
        wanted = dataclasses.replace(deployment.handling, **changes)
        if wanted.shadow is not None:
            shadow = Signature.of(self._registry.version(f"{deployment.model}/{wanted.shadow}").signature)
            if wanted.shadow in {route.version for route in deployment.versions}:
                raise InvalidInput(f"Version {wanted.shadow} has traffic already.", hint="A shadow has none.")
            if shadow.inputs != signature.inputs:
                raise InvalidInput(
                    f"Version {wanted.shadow} takes other inputs than version {version.version}.",
                    hint=f"Compare them: mlops models diff {version.ref} {deployment.model}/{wanted.shadow}",
                )
        inputs = {column.name: column.type for column in signature.inputs}
        wanted = checked(wanted, inputs, signature.labels, signature.outputs[0].type in {"int64", "float64"})
        with self._context.catalog.write() as tx:
            self._handlings.put(tx, deployment.name, wanted)
            after = dataclasses.replace(
                deployment, handling=wanted, revision=deployment.revision + 1, updated_at=self._context.now()
            )
            self._store.put(tx, after)
            before = dataclasses.asdict(deployment.handling)
            self._audit.note(
                tx, "handle", "deployment", deployment.name, why=why, before=before, after=dataclasses.asdict(wanted)
            )
        if wanted.shadow is not None and wanted.shadow != deployment.handling.shadow:
            self._handlings.forget_shadow(deployment.name, wanted.shadow)
        return wanted

    def record_shadows(self, counts: Iterable[ShadowCounts]) -> None:
        """Take in what the gateway counted of shadow answers."""
        self._handlings.add_shadows(counts)

    def shadow(self, deployment: Deployment) -> ShadowCounts | None:
        """Return what the shadow of a deployment answered so far, None without one."""
        version = deployment.handling.shadow
        return None if version is None else self._handlings.shadow(deployment.name, version)

    def effects(
        self,
        deployment: Deployment,
        *,
        outcome: Any = None,
        within: float | None = None,
        since: int | None = None,
        alpha: float = ALPHA,
    ) -> list[Effect]:
        """Compare each version with the first by labelled predictions: how often the label was `outcome`, or without one how
        often the prediction was right. Valid however often it is looked at (see `evidence`).

        A number is right when it is `within` so much of the label; left out, as near as four in five of the first version's
        are, once it has 50 labels. Raises InvalidInput for `within` where labels are predicted.
        """
        rows = self._predictions.labelled(deployment.name, since, None)
        base, *others = sorted(route.version for route in deployment.versions)
        numbers = self._registry.version(f"{deployment.model}/{base}").task == "regression"
        if within is not None and (not numbers or outcome is not None):
            raise InvalidInput(
                "How near is right is a question for predicted numbers.", hint="Leave --within out, or --outcome."
            )
        if numbers and outcome is None and within is None:
            within = bound_of(rows[rows["version"] == base])
        met = _met(rows, outcome, within)
        counts = {int(number): (int(part.size), int(part.sum())) for number, part in met.groupby(rows["version"])}
        return [_effect(base, other, counts, alpha) for other in others]


def _met(rows: pd.DataFrame, outcome: Any, within: float | None) -> pd.Series[Any]:
    """Which labelled predictions count."""
    import pandas as pd

    from mlops_tui.domains.registry.profile import level_text

    if within is not None:
        return (pd.to_numeric(rows["prediction"]) - pd.to_numeric(rows["label"])).abs() <= within
    if outcome is not None:
        return rows["label"].map(level_text) == level_text(outcome)
    return rows["prediction"].map(level_text) == rows["label"].map(level_text)


def _effect(base: int, other: int, counts: dict[int, tuple[int, int]], alpha: float) -> Effect:
    n, met = counts.get(base, (0, 0))
    m, other_met = counts.get(other, (0, 0))
    share = alpha / 4  # four ends of two intervals
    low = evidence.lower(m, other_met, share) - evidence.upper(n, met, share)
    high = evidence.upper(m, other_met, share) - evidence.lower(n, met, share)
    return Effect(base, other, n, met / n if n else 0.0, m, other_met / m if m else 0.0, low, high)
