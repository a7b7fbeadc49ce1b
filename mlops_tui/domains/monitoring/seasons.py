"""A fairer reference where history allows: what the deployment itself was sent at the same hours, weekdays or months before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.clock import DAY, HOUR
from mlops_tui.domains.monitoring.compare import compare
from mlops_tui.domains.monitoring.counting import Counted
from mlops_tui.domains.monitoring.scan import Scan, Source, scan
from mlops_tui.domains.monitoring.windows import source
from mlops_tui.domains.registry.blocks import coarse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlops_tui.core.lake import Lake
    from mlops_tui.domains.monitoring.records import FeatureDrift

Column = dict[str, Any]
# Name, length in hours, how many whole ones make a history; the first that history allows is taken.
PERIODS = (("hours of the week", 168, 2), ("hours of the day", 24, 2))
YEAR = 365 * DAY
FEW_ROWS = 200


@dataclass(frozen=True, slots=True)
class Season:
    """Answers of the same times before: one scan per period of them, or none and why in `says`."""

    says: str
    scans: tuple[Scan, ...] = ()


def same_times(
    lake: Lake,
    files: Sequence[Path],
    version: int,
    reference: Mapping[str, tuple[str, Column]],
    window: tuple[int, int],
    before: int,
) -> Season:
    """Count what `version` was sent before `before` (ms) at the times the `window` (ms, ms) covers.

    The hours of the week when two weeks lie before it, else the hours of the day; of the same months when two years do. A window
    that covers a whole period has all of its hours: there only months are left.
    """
    since, until = window
    past = source(files, version, -1, 0, until=min(before, since))
    if not files:
        return Season("Seasons are not taken into account: there is no history yet.")
    row = lake.query(f'SELECT min("at") AS first, count(*) AS n FROM ({past.sql})', list(past.params))[0]
    if not row["n"]:
        return Season("Seasons are not taken into account: there is no history yet.")
    days = (since - row["first"]) / DAY
    months = since - row["first"] >= 2 * YEAR
    same = f' AND month(make_timestamp("at" * 1000)) IN ({_months(since, until)})' if months else ""
    chances = [
        (f"{name} and months" if months else name, hours, _times(hours, since, until) + same)
        for name, hours, periods in PERIODS
        if since - row["first"] >= periods * hours * HOUR and until - since < hours * HOUR
    ]
    if months:
        chances.append(("months", PERIODS[0][1], f"true{same}"))
    for name, hours, condition in chances:
        chosen = Source(f"SELECT * FROM ({past.sql}) WHERE {condition}", past.params, rows=row["n"])
        scans = tuple(scan(lake, chosen, reference, group=f'("at" // {hours * HOUR})').values())
        rows = sum(each.rows for each in scans)
        if rows >= FEW_ROWS:
            return Season(f"Also compared with {rows} answers of the same {name}, over {days:.0f} days.", scans)
    return Season(f"Seasons are not taken into account: {_lacking(days, (until - since) / DAY)}")


def _lacking(days: float, covered: float) -> str:
    """What history is missing, in words."""
    if covered >= PERIODS[0][1] * HOUR / DAY and days >= covered:
        return (
            f"the window covers {covered:.0f} days, so weekdays and hours cannot differ, and two years of answers are needed to"
            f" compare the same months; {days:.0f} days lie before it."
        )
    return f"{days:.1f} days of answers lie before this window; two days with the same hours are needed, two weeks for weekdays."


def _times(hours: int, since: int, until: int) -> str:
    covered = sorted({place % hours for place in range(since // HOUR, until // HOUR + 1)})
    return f'("at" // {HOUR}) % {hours} IN ({", ".join(map(str, covered))})'


def _months(since: int, until: int) -> str:
    from datetime import UTC, datetime

    covered = {datetime.fromtimestamp(at / 1000, UTC).month for at in (*range(since, until, 20 * DAY), until)}
    return ", ".join(map(str, sorted(covered)))


def forgiven(
    name: str, profile: Column, found: Counted, scored: FeatureDrift, season: Season, alpha: float
) -> tuple[bool, FeatureDrift | None]:
    """Whether a drifted column is as it was at the same times before, and how it scores against those."""
    then = [each.columns[name] for each in season.scans if name in each.columns]
    rows = sum(each.rows for each in then)
    if rows < FEW_ROWS or scored.kind not in ("numeric", "categorical"):
        return False, None
    counts = np.sum([each.counts for each in then], axis=0)
    nulls = sum(each.nulls for each in then)
    changed: Column = {"count": int(counts.sum()), "nulls": nulls, "blocks": _blocks(profile, then)}
    if profile["kind"] == "numeric":
        changed["counts"] = counts.tolist()
    else:
        changed |= {"counts": counts[:-1].tolist(), "other": float(counts[-1])}
    against = compare(name, profile | changed, found, alpha)
    return not against.drifted, against


def _blocks(profile: Column, then: Sequence[Counted]) -> dict[str, Any] | None:
    """Each period before as one stretch, so that limits allow for how much they differ among themselves."""
    if len(then) < 3:
        return None
    places = coarse(profile)
    width = int(places[-1]) + 2
    counts = [[*np.bincount(places, each.counts, width - 1).tolist(), each.nulls] for each in then]
    return {"rows": int(np.mean([each.rows for each in then])), "counts": counts}
