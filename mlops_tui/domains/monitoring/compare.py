"""One column of a window against one column of the reference profile, in numbers and a plain word where numbers fail."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_tui.domains.monitoring import drift
from mlops_tui.domains.monitoring.records import FeatureDrift
from mlops_tui.domains.registry.profile import count_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Below these a difference may be certain and still not matter.
PSI_FLOOR = 0.01
KS_FLOOR = 0.02
FEW_REFERENCE_ROWS = 100
FEW_OF_A_LEVEL = 20

Profile = dict[str, Any]


def family(profiles: Mapping[str, Profile]) -> int:
    """How many statistics are held against a threshold: the family that shares one false-alarm rate."""
    return sum(2 if profile["kind"] == "numeric" else 1 for profile in profiles.values() if comparable(profile))


def comparable(profile: Profile) -> bool:
    """Whether there is anything to compare: rows in the reference, and a kind that has a distribution."""
    return profile["kind"] in {"numeric", "categorical"} and profile["count"] + profile["nulls"] > 0


def compare(name: str, profile: Profile, values: pd.Series[Any], alpha: float) -> FeatureDrift:
    """Score one column; `alpha` is the false-alarm rate of each statistic of it."""
    if profile["kind"] == "time":
        return FeatureDrift(name, "time", note="Times only move forward; they are not compared.")
    if not comparable(profile):
        return FeatureDrift(name, profile["kind"], note="The reference has no rows of it.")
    if not len(values):
        return FeatureDrift(name, profile["kind"], note="The window has no rows.")
    clear = _clear_levels(profile) if profile["kind"] == "categorical" else profile
    counts, _ = count_like(values, clear)
    window = np.asarray(counts, dtype=np.float64)
    nulls = len(values) - window.sum()  # a text where a number belongs counts as missing
    if clear["kind"] == "numeric":
        reference = np.asarray(clear["counts"], dtype=np.float64)
        scored = _scored(name, clear, reference, window, nulls, drift.group_starts(reference), alpha)
        scored = _with_numbers(scored, clear, reference, window, values)
    else:
        reference = np.asarray([*clear["counts"], clear["other"]], dtype=np.float64)
        scored = _scored(name, clear, reference, window, nulls, None, alpha)
        scored = dataclasses.replace(scored, new_share=_new_levels(profile, values))
    return dataclasses.replace(scored, note=_note(scored, profile, clear, window))


def _clear_levels(profile: Profile) -> Profile:
    """The levels that are listed beyond doubt, the others pooled.

    A profile lists the most frequent levels. Those near the end of the list are on it because chance favoured them in the
    reference, so that any honest window has fewer of them: counted one by one they cry wolf (a quarter of all windows of
    a column of 200 equal levels), pooled with what is not listed they do not. Levels seen a few times only are pooled for
    the same reason, as the chi-squared test has always asked for.
    """
    least = min(profile["counts"], default=0) if profile["other"] else 0
    needed = max(FEW_OF_A_LEVEL, least + 3 * math.sqrt(least))
    kept = [place for place, count in enumerate(profile["counts"]) if count >= needed]
    pooled = sum(profile["counts"]) - sum(profile["counts"][place] for place in kept)
    return profile | {
        "levels": [profile["levels"][place] for place in kept],
        "counts": [profile["counts"][place] for place in kept],
        "other": profile["other"] + pooled,
    }


def _new_levels(profile: Profile, values: pd.Series[Any]) -> float:
    """The share of rows with a level the reference never had; 0 when it had more than its profile lists."""
    return 0.0 if profile["other"] else count_like(values, profile)[0][-1] / len(values)


def _scored(
    name: str,
    profile: Profile,
    reference: NDArray[np.float64],
    window: NDArray[np.float64],
    nulls: float,
    starts: NDArray[np.intp] | None,
    alpha: float,
) -> FeatureDrift:
    """PSI and KS with the limits for this window size; the floor is part of the threshold, so one comparison decides."""
    rows = int(window.sum() + nulls)
    limits = drift.limits(reference, profile["nulls"], rows, alpha=alpha, starts=starts, name=name)
    first, second = (counts if starts is None else drift.grouped(counts, starts) for counts in (reference, window))
    old, new = np.append(first, profile["nulls"]), np.append(second, nulls)
    psi, psi_limit = float(drift.psi(old, new)), max(limits.psi, PSI_FLOOR)
    numeric = profile["kind"] == "numeric" and reference.sum() > 0 and window.sum() > 0
    ks = float(drift.ks(reference, window)) if numeric else None
    ks_limit = max(limits.ks, KS_FLOOR) if numeric else None
    return FeatureDrift(
        name=name,
        kind=profile["kind"],
        psi=psi,
        psi_threshold=psi_limit,
        ks=ks,
        ks_threshold=ks_limit,
        js=drift.js_distance(old, new),
        chi2_p=drift.chi_squared(old, new)[1],
        nulls_reference=profile["nulls"] / max(profile["count"] + profile["nulls"], 1),
        nulls=nulls / max(rows, 1),
        drifted=psi > psi_limit or (ks is not None and ks_limit is not None and ks > ks_limit),
        bins=_bin_names(profile, starts),
        reference=[round(float(share), 6) for share in old / max(old.sum(), 1)],
        current=[round(float(share), 6) for share in new / max(new.sum(), 1)],
    )


def _with_numbers(
    scored: FeatureDrift,
    profile: Profile,
    reference: NDArray[np.float64],
    window: NDArray[np.float64],
    values: pd.Series[Any],
) -> FeatureDrift:
    """Add what only numbers have: means, distance moved, share outside the range of the reference."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    finite = numbers[np.isfinite(numbers)]
    edges = np.asarray(profile["edges"], dtype=np.float64)
    if not finite.size or not edges.size:
        return scored
    mean = float(finite.mean())
    outside = float(((finite < edges[0]) | (finite > edges[-1])).sum()) / len(values)
    distance = drift.wasserstein(
        edges,
        reference,
        window,
        below=float(np.maximum(edges[0] - finite, 0).mean()),
        above=float(np.maximum(finite - edges[-1], 0).mean()),
        mean_shift=mean - profile["mean"],
    )
    unit = profile["std"] or 1.0  # a constant column has no spread to measure in
    return dataclasses.replace(
        scored,
        mean=mean,
        mean_reference=profile["mean"],
        new_share=outside,
        wasserstein=distance / unit if math.isfinite(distance) else None,
    )


def _note(scored: FeatureDrift, profile: Profile, clear: Profile, window: NDArray[np.float64]) -> str:
    if not profile["count"]:
        return "The reference has only missing values of it."
    if not window.sum():
        return "All values are missing in this window."
    if scored.kind == "numeric" and len(profile["edges"]) == 1:
        return "It is constant in the reference."
    if profile["count"] + profile["nulls"] < FEW_REFERENCE_ROWS:
        return f"The reference has only {profile['count'] + profile['nulls']} rows, so the thresholds are wide."
    if scored.kind == "categorical" and scored.new_share > 0:
        return f"{scored.new_share:.1%} are levels the reference never saw."
    if clear["kind"] == "categorical" and len(clear["levels"]) < len(profile["levels"]):
        return (
            f"It has rare levels: the {len(clear['levels'])} most frequent are compared one by one, the others as one."
        )
    if scored.kind == "numeric" and scored.new_share > 0.01:
        return f"{scored.new_share:.1%} lie outside the range of the reference."
    return ""


def _bin_names(profile: Profile, starts: NDArray[np.intp] | None) -> list[str]:
    """Names of the drawn bins: levels, or the upper edge of each group; the last is for missing values."""
    if starts is None:
        return [*profile["levels"], "(other)", "(missing)"]
    edges = profile["edges"]
    ends = [*(int(start) - 1 for start in starts[1:])]
    return [*(f"<= {edges[end]:.4g}" for end in ends), f"> {edges[ends[-1]]:.4g}" if ends else "all", "(missing)"]
