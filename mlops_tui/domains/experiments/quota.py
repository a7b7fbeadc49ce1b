"""How much an experiment may keep. What runs already is never refused: only a new run of an experiment over its quota is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotAllowed
from mlops_tui.domains.experiments.records import Size
from mlops_tui.domains.experiments.store import ExperimentsStore

if TYPE_CHECKING:
    from mlops_tui.core.settings import Quota

_GB = 1_000_000_000
_HINT = "Delete runs and collect them (mlops runs delete, mlops runs gc), or raise [quota] {} in the settings."


def share(quota: Quota, size: Size) -> float | None:
    """Of the limit that is nearest, how much is used (1.0 is all of it); None where the settings set none."""
    return max((used / limit for used, limit, _ in _limits(quota, size)), default=None)


def check(context: Context, store: ExperimentsStore, name: str) -> None:
    """NotAllowed, with what is kept and what may be, when the experiment has used up a limit of `[quota]`."""
    quota = context.settings.quota
    if not any((quota.experiment_gb, quota.experiment_points, quota.experiment_runs)):
        return  # measuring takes a tenth of a second over 100,000 runs
    for size in store.upkeep.sizes(name):
        for used, limit, key in _limits(quota, size):
            if used >= limit:
                what = key.removeprefix("experiment_").replace("gb", "GB of files")
                kept = f"{used:,.3g}" if used < 1000 else f"{used:,.0f}"
                raise NotAllowed(
                    f"Experiment '{name}' keeps {kept} {what} and may keep {limit:,}; no new run of it starts.",
                    hint=_HINT.format(key),
                )


def _limits(quota: Quota, size: Size) -> Iterator[tuple[float, float, str]]:
    """(used, limit, key of the setting) of each limit that is set."""
    used = {"experiment_gb": size.bytes / _GB, "experiment_points": size.points, "experiment_runs": size.runs}
    for key, amount in used.items():
        limit = getattr(quota, key)
        if limit:
            yield amount, limit, key
