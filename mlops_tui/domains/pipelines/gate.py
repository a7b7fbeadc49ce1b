"""The gate's statistics: numbers in, checks out. No files, no models.

"New above old" promotes an equal model half of the time, and a worse one 23 % of the time on 300 rows. So the two are compared
on the same rows, by the interval of the difference over bootstrap resamples of those rows (`bootstrap.py`), and when the rows
are too few to tell, that is the answer, with how many it would take.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

from mlops_tui.domains.pipelines import bootstrap
from mlops_tui.domains.pipelines.recipe import parse_criterion
from mlops_tui.domains.pipelines.records import GateCheck
from mlops_tui.domains.registry.metrics import Array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MIN_ROWS = 30
SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def against_champion(
    name: str,
    truth: Array,
    new: Array,
    old: Array,
    *,
    rule: str,
    margin: float,
    confidence: float,
    power: float = 0.8,
    resamples: int = 500,
    champion: str = "the champion",
) -> GateCheck:
    """Judge the paired difference: `better` wants low > margin, `not_worse` wants low > -margin.

    False when the interval or the difference itself says no; None when the rows are too few to tell, with how many it would
    take to see the difference found (`bootstrap.rows_for`).
    """
    difference, drawn = bootstrap.paired(name, truth, new, old, resamples=resamples)
    low, high = bootstrap.percentiles(drawn, confidence)
    strict = rule == "better"
    floor = margin if strict else 0.0 - margin
    passed, why = _judge(difference, low, high, floor, len(truth), strict)
    limit = f"{rule}: {'gain >' if strict else 'change >='} {floor:g} at {confidence:.0%}"
    detail = f"{name} against {champion}: {difference:+.4g} [{low:+.4g}, {high:+.4g}] on {len(truth):,} rows"
    detail += f"; {why}" if why else ""
    needed = None
    if passed is None and difference > floor and math.isfinite(low):
        error, effect = bootstrap.spread(drawn), difference - floor
        wanted = bootstrap.rows_for(error, len(truth), effect, confidence=confidence, power=power)
        needed = max(MIN_ROWS, len(truth) + 1, wanted)
        detail += f", needs about {needed:,} for {power:.0%} power: n = ((z({(1 + confidence) / 2:.3g}) + z({power:g})) s / d)^2"
        detail += f" with s = {error * math.sqrt(len(truth)):.4g} and d = {effect:.4g}"
    return GateCheck(
        name=f"{'better' if strict else 'not worse'} than {champion}",
        passed=passed,
        value=_number(difference),
        limit=limit,
        low=_number(low),
        high=_number(high),
        rows=len(truth),
        rows_needed=needed,
        detail=detail,
    )


def slices_against(
    name: str,
    truth: Array,
    new: Array,
    old: Array,
    slices: Sequence[tuple[str, Array]],
    *,
    margin: float,
    confidence: float,
    power: float = 0.8,
    resamples: int = 500,
    champion: str = "the champion",
) -> list[GateCheck]:
    """Ask of each slice (its name, which rows) whether the new model is worse there by more than the margin.

    p is that of a t test with the bootstrap's standard error; corrected by Holm (1979) over the slices, so that with any number
    of slices an equal model is stopped in about 1 - confidence of the cases. What a slice could show at all is said with it.
    """
    alpha = 1 - confidence
    found = []
    for label, chosen in slices:
        difference, drawn = bootstrap.paired(name, truth[chosen], new[chosen], old[chosen], resamples=resamples)
        chance = bootstrap.chance_below(difference, drawn, -margin, int(chosen.sum()))
        found.append((label, int(chosen.sum()), difference, drawn, chance))
    adjusted = holm([item[-1] for item in found])
    checks = []
    for (label, rows, difference, drawn, chance), corrected in zip(found, adjusted, strict=True):
        low, high = bootstrap.percentiles(drawn, confidence)
        known = math.isfinite(difference) and math.isfinite(low)
        shown = bootstrap.smallest_shown(bootstrap.spread(drawn), confidence=confidence, power=power)
        detail = f"{name} for {label}: {difference:+.4g} [{low:+.4g}, {high:+.4g}] on {rows:,} rows"
        detail += f", p {chance:.3g}, {corrected:.3g} by Holm"
        detail += f"; so many rows show a loss of {margin + shown:.3g}" if shown > 0 else ""
        checks.append(
            GateCheck(
                name=f"{label} not worse than {champion}",
                passed=not (known and corrected < alpha),
                value=_number(difference),
                limit=f"not worse by {margin:g} at {confidence:.0%}, Holm over {len(found)}",
                low=_number(low),
                high=_number(high),
                rows=rows,
                detail=detail,
            )
        )
    return checks


def holm(chances: Sequence[float]) -> list[float]:
    """Holm's step-down correction: each p times the number of hypotheses still open, never falling, at most 1."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    adjusted, largest = [1.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = largest
    return adjusted


def limits(kind: str, wanted: Mapping[str, float], measured: Mapping[str, float]) -> list[GateCheck]:
    """Check `minimum` or `maximum` limits; a metric that was not measured fails."""
    sign = ">=" if kind == "minimum" else "<="
    return [_compare(f"{kind} {name}", name, sign, limit, measured) for name, limit in wanted.items()]


def charter(criteria: list[str], measured: Mapping[str, float]) -> list[GateCheck]:
    """Check the success criteria that can be read as `metric >= number`; the others stay open for people to read."""
    checks = []
    for text in criteria:
        parsed = parse_criterion(text)
        if parsed is None or parsed[0] not in measured:
            checks.append(GateCheck(f"charter: {text}", None, limit=text, detail="not a number we measure; for people"))
        else:
            name, sign, limit = parsed
            checks.append(_compare(f"charter: {text}", name, sign, limit, measured))
    return checks


def _compare(label: str, name: str, sign: str, limit: float, measured: Mapping[str, float]) -> GateCheck:
    value = measured.get(name, math.nan)
    passed = bool(SIGNS[sign](value, limit))  # NaN passes nothing
    said = f"{value:.6g}" if math.isfinite(value) else "not measured"
    return GateCheck(
        label, passed, _number(value), f"{sign} {limit:g}", detail=f"{name} is {said}, wanted {sign} {limit:g}"
    )


def _judge(
    difference: float, low: float, high: float, floor: float, rows: int, strict: bool
) -> tuple[bool | None, str]:
    if not math.isfinite(difference) or not math.isfinite(low):
        return None, "it cannot be computed"
    if rows >= MIN_ROWS and (low > floor if strict else low >= floor):
        return True, ""
    if difference < floor or high < floor or (strict and difference == floor):
        # More rows would only make this clearer.
        return (
            False,
            f"the rule {'better' if strict else 'not_worse'} wants {'more than' if strict else 'at least'} {floor:+.4g}",
        )
    if difference == floor:
        return None, "it lies on the limit itself, which no number of rows can tell from it"
    return None, "too few rows to tell"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
