"""One column of a window against one column of the reference profile, in numbers and a plain word where numbers fail."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.monitoring import drift
from mlops_tui.domains.monitoring.limits import limits, sized
from mlops_tui.domains.monitoring.records import FeatureDrift
from mlops_tui.domains.registry.blocks import group_starts, grouped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mlops_tui.domains.monitoring.counting import Counted

# Below these a difference may be certain and still not matter.
PSI_FLOOR = 0.01
KS_FLOOR = 0.02
SHIFT_FLOOR = 0.015
FEW_REFERENCE_ROWS = 100
FEW_OF_A_LEVEL = 20
STATISTICS = {"numeric": 3, "categorical": 1}

Profile = dict[str, Any]


def family(profiles: Mapping[str, Profile]) -> int:
    """How many statistics are held against a limit: the family that shares one false-alarm rate."""
    return sum(STATISTICS[profile["kind"]] for profile in profiles.values() if comparable(profile))


def comparable(profile: Profile) -> bool:
    """Whether there is anything to compare: rows in the reference, and a kind that has a distribution."""
    return profile["kind"] in {"numeric", "categorical"} and profile["count"] + profile["nulls"] > 0


def compare(name: str, profile: Profile, found: Counted, alpha: float) -> FeatureDrift:
    """Score one column; `alpha` is the false-alarm rate of each statistic of it. `found` was counted over `profile`'s bins."""
    if profile["kind"] == "time":
        return FeatureDrift(name, "time", note="Times only move forward; they are not compared.")
    if not comparable(profile):
        return FeatureDrift(name, profile["kind"], note="The reference has no rows of it.")
    if not found.rows:
        return FeatureDrift(name, profile["kind"], note="The window has no rows.")
    if profile["kind"] == "numeric":
        reference = np.asarray(profile["counts"], dtype=np.float64)
        scored = _scored(name, profile, reference, found.counts, found.nulls, group_starts(reference), alpha)
        scored = _with_numbers(scored, profile, reference, found)
        return dataclasses.replace(scored, note=_note(scored, profile, found, rare=False))
    kept, clear = _clear_levels(profile)
    window = np.append(found.counts[:-1][kept], found.counts[-1] + found.counts[:-1][~kept].sum())
    reference = np.asarray([*clear["counts"], clear["other"]], dtype=np.float64)
    scored = _scored(name, clear, reference, window, found.nulls, None, alpha)
    # When the reference had more levels than its profile lists, nobody can say which are new.
    new = 0.0 if profile["other"] else float(found.counts[-1]) / found.rows
    scored = dataclasses.replace(scored, new_share=new)
    return dataclasses.replace(scored, note=_note(scored, profile, found, rare=not kept.all()))


def _clear_levels(profile: Profile) -> tuple[NDArray[np.bool_], Profile]:
    """Which levels are listed beyond doubt, and the profile with the others pooled.

    A profile lists the most frequent levels. Those near the end of the list are on it because chance favoured them in the
    reference, so that any honest window has fewer of them: counted one by one they cry wolf (a quarter of all windows of
    a column of 200 equal levels), pooled with what is not listed they do not. Levels seen a few times only are pooled for
    the same reason, as the chi-squared test has always asked for.
    """
    least = min(profile["counts"], default=0) if profile["other"] else 0
    needed = max(FEW_OF_A_LEVEL, least + 3 * math.sqrt(least))
    counts = np.asarray(profile["counts"], dtype=np.float64)
    kept = counts >= needed
    return kept, profile | {
        "levels": [level for level, keep in zip(profile["levels"], kept, strict=True) if keep],
        "counts": counts[kept].tolist(),
        "other": profile["other"] + float(counts[~kept].sum()),
    }


def _scored(
    name: str,
    profile: Profile,
    reference: NDArray[np.float64],
    window: NDArray[np.float64],
    nulls: float,
    starts: NDArray[np.intp] | None,
    alpha: float,
) -> FeatureDrift:
    """The statistics with the limits for this window size; the floor is part of a limit, so one comparison decides."""
    rows = int(window.sum() + nulls)
    bounds = limits(
        reference, profile["nulls"], sized(rows), alpha=alpha, starts=starts, name=name, blocks=profile.get("blocks")
    )
    first, second = (counts if starts is None else grouped(counts, starts) for counts in (reference, window))
    old, new = np.append(first, profile["nulls"]), np.append(second, nulls)
    psi, psi_limit = float(drift.psi(old, new)), max(bounds.psi, PSI_FLOOR)
    numeric = profile["kind"] == "numeric" and reference.sum() > 0 and window.sum() > 0
    ks = float(drift.ks(reference, window)) if numeric else None
    ks_limit = max(bounds.ks, KS_FLOOR) if numeric else None
    shift = float(drift.rank_shift(reference, window)) if numeric else None
    shift_limit = max(bounds.shift, SHIFT_FLOOR) if numeric else None
    scored = FeatureDrift(
        name=name,
        kind=profile["kind"],
        psi=psi,
        psi_threshold=psi_limit,
        ks=ks,
        ks_threshold=ks_limit,
        rank_shift=shift,
        rank_threshold=shift_limit,
        js=drift.js_distance(old, new),
        chi2_p=drift.chi_squared(old, new)[1],
        nulls_reference=profile["nulls"] / max(profile["count"] + profile["nulls"], 1),
        nulls=nulls / max(rows, 1),
        moves=bounds.moves,
        bins=_bin_names(profile, starts),
        reference=[round(float(share), 6) for share in old / max(old.sum(), 1)],
        current=[round(float(share), 6) for share in new / max(new.sum(), 1)],
    )
    return dataclasses.replace(scored, drifted=scored.size > 1)


def _with_numbers(
    scored: FeatureDrift, profile: Profile, reference: NDArray[np.float64], found: Counted
) -> FeatureDrift:
    """Add what only numbers have: means, distance moved, share outside the range of the reference."""
    edges = np.asarray(profile["edges"], dtype=np.float64)
    if found.mean is None or not edges.size:
        return scored
    distance = drift.wasserstein(
        edges, reference, found.counts, below=found.below, above=found.above, mean_shift=found.mean - profile["mean"]
    )
    unit = profile["std"] or 1.0  # a constant column has no spread to measure in
    return dataclasses.replace(
        scored,
        mean=found.mean,
        mean_reference=profile["mean"],
        new_share=found.outside / found.rows,
        wasserstein=distance / unit if math.isfinite(distance) else None,
    )


def _note(scored: FeatureDrift, profile: Profile, found: Counted, *, rare: bool) -> str:
    """The one sentence a person needs beside the numbers: what makes them odd, weightiest first."""
    seen = profile["count"] + profile["nulls"]
    cases = (
        (not profile["count"], "The reference has only missing values of it."),
        (not found.counts.sum(), "All values are missing in this window."),
        (found.wrong > 0, f"{found.wrong} values are not numbers; they count as missing."),
        (found.infinite > 0, f"{found.infinite} values are infinite; they count in the outer bins."),
        (scored.kind == "numeric" and len(profile.get("edges", ())) == 1, "It is constant in the reference."),
        (seen < FEW_REFERENCE_ROWS, f"The reference has only {seen} rows, so the thresholds are wide."),
        (
            scored.kind == "categorical" and scored.new_share > 0,
            f"{scored.new_share:.1%} are levels the reference never saw.",
        ),
        (rare, "It has rare levels: the frequent ones are compared one by one, the others as one."),
        (
            scored.kind == "numeric" and scored.new_share > 0.01,
            f"{scored.new_share:.1%} lie outside the range of the reference.",
        ),
        (scored.moves, "It moved within the reference already, so its limits are wider than chance asks for."),
    )
    return next((text for holds, text in cases if holds), "")


def _bin_names(profile: Profile, starts: NDArray[np.intp] | None) -> list[str]:
    """Names of the drawn bins: levels, or the upper edge of each group; the last is for missing values."""
    if starts is None:
        return [*(level or "(empty)" for level in profile["levels"]), "(other)", "(missing)"]
    edges = profile["edges"]
    ends = [*(int(start) - 1 for start in starts[1:])]
    return [*(f"<= {edges[end]:.4g}" for end in ends), f"> {edges[ends[-1]]:.4g}" if ends else "all", "(missing)"]
