"""Inputs and predictions of a window against the reference: one scan, every column, pairs of columns, the same times before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.monitoring import joint, seasons
from mlops_tui.domains.monitoring.compare import compare, family
from mlops_tui.domains.monitoring.records import FeatureDrift, Report
from mlops_tui.domains.monitoring.scan import Scan, scan
from mlops_tui.domains.serving.records import input_column

if TYPE_CHECKING:
    from mlops_tui.core.lake import Lake
    from mlops_tui.domains.monitoring.windows import Window

Profile = dict[str, Any]
PREDICTION, LABEL = "prediction", "label"
# An input may be called as the prediction is.
_OUTCOME = "\0prediction"

Seasonal = Callable[[dict[str, tuple[str, Profile]], tuple[int, int]], seasons.Season]


def fields(profile: Profile) -> dict[str, tuple[str, Profile]]:
    """What to scan for a profile: name -> (column of the log, described column), predictions under a name no input has."""
    found = {name: (input_column(name), column) for name, column in profile["columns"].items()}
    if profile.get("prediction"):
        found[_OUTCOME] = (PREDICTION, profile["prediction"])
    return found


def each_alpha(profile: Profile, alpha: float) -> float:
    """The false-alarm rate of each statistic when the window's is `alpha`: shared out over all of them (Bonferroni)."""
    described = dict(profile["columns"]) | {key: profile[key] for key in ("prediction", "target") if profile.get(key)}
    pairs = 1 if (profile.get("correlations") or {}).get("noise") else 0
    return alpha / max(family(described) + pairs, 1)


def compared(
    lake: Lake, report: Report, window: Window, profile: Profile, alpha: float, seasonal: Seasonal
) -> tuple[Report, Scan | None]:
    """Score every column, and the columns in pairs; what the same times before explain is no drift."""
    if window.source is None:
        return report, None
    known = profile.get("correlations") or {}
    wanted = fields(profile)
    found = scan(lake, window.source, wanted, sampled=known.get("columns", ()))[None]
    each = each_alpha(profile, alpha)
    scored = {
        name: compare(PREDICTION if name == _OUTCOME else name, column, found.columns[name], each)
        for name, (_, column) in wanted.items()
        if name in found.columns
    }
    notes = []
    if found.since is not None and found.until is not None:
        season = seasonal(wanted, (found.since, found.until))
        notes.append(season.says)
        scored = {name: _in_season(name, wanted[name][1], found, one, season, each) for name, one in scored.items()}
    others = {name: _uncompared(name, column, window) for name, (_, column) in wanted.items() if name not in scored}
    features = [scored.get(name) or others[name] for name in profile["columns"]]
    together = joint.compare(known, found.sample, found.sampled, each) if known else None
    report = dataclasses.replace(
        report, features=features, prediction=scored.get(_OUTCOME), joint=together, notes=[*report.notes, *notes]
    )
    return report, found


def _in_season(
    name: str, profile: Profile, found: Scan, scored: FeatureDrift, season: seasons.Season, alpha: float
) -> FeatureDrift:
    if not scored.drifted or not season.scans:
        return scored
    forgiven, _ = seasons.forgiven(name, profile, found.columns[name], scored, season, alpha)
    if not forgiven:
        return scored
    note = "It differs from the training data and is as it was at the same times before."
    return dataclasses.replace(scored, drifted=False, seasonal=True, note=note)


def _uncompared(name: str, profile: Profile, window: Window) -> FeatureDrift:
    if profile["kind"] == "time":
        return FeatureDrift(name, "time", note="Times only move forward; they are not compared.")
    gone = name in window.missing
    return FeatureDrift(
        name, profile["kind"], drifted=gone, note="It is no longer sent." if gone else "It cannot be read."
    )
