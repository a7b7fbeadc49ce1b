"""The gate's statistics: numbers in, checks out. No files, no models.

"New above old" promotes an equal model half of the time, and a worse one 23 % of the time on 300 rows. So the two are
compared on the same rows, by the interval of the difference over bootstrap resamples of those rows (Efron 1979, percentile
method), and when the rows are too few to tell, that is the answer, with how many it would take.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.domains.pipelines.metrics import Array, score
from mlops_tui.domains.pipelines.recipe import parse_criterion
from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER, GateCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_ROWS = 30
SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def interval(
    name: str, truth: Array, answer: Array, *, confidence: float = 0.95, resamples: int = 500, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of one metric over rows; (nan, nan) when it cannot be computed."""
    draws = [score(name, truth[rows], answer[rows]) for rows in _resamples(len(truth), resamples, seed)]
    return _percentiles(draws, confidence)


def paired_interval(
    name: str,
    truth: Array,
    new: Array,
    old: Array,
    *,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return (difference, low, high) of new against old on the same rows, turned so that above zero is better."""
    sign = 1 if HIGHER_IS_BETTER[name] else -1
    draws = [
        sign * (score(name, truth[rows], new[rows]) - score(name, truth[rows], old[rows]))
        for rows in _resamples(len(truth), resamples, seed)
    ]
    low, high = _percentiles(draws, confidence)
    difference = sign * (score(name, truth, new) - score(name, truth, old))
    return difference + 0.0, low + 0.0, high + 0.0  # + 0.0: no minus zero on a screen


def against_champion(
    name: str,
    truth: Array,
    new: Array,
    old: Array,
    *,
    rule: str,
    margin: float,
    confidence: float,
    resamples: int = 500,
    champion: str = "the champion",
) -> GateCheck:
    """Judge the paired difference: `better` wants low > margin, `not_worse` wants low > -margin.

    False when the interval or the difference itself says no; None when the rows are too few to tell, with about how many
    it would take (the interval narrows with the root of the rows).
    """
    difference, low, high = paired_interval(name, truth, new, old, confidence=confidence, resamples=resamples)
    strict = rule == "better"
    floor = margin if strict else 0.0 - margin
    passed, needed = _judge(difference, low, high, floor, len(truth), strict)
    limit = f"{rule}: {'gain >' if strict else 'change >='} {floor:g} at {confidence:.0%}"
    detail = f"{name} against {champion}: {difference:+.4g} [{low:+.4g}, {high:+.4g}] on {len(truth):,} rows"
    if passed is None:
        detail += f"; too few rows to tell, needs about {needed:,}" if needed else "; it cannot be computed"
    elif not passed:
        detail += f"; the rule {rule} wants {'more than' if strict else 'at least'} {floor:+.4g}"
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
) -> tuple[bool | None, int | None]:
    if not math.isfinite(difference) or not math.isfinite(low):
        return None, None
    if rows >= MIN_ROWS and (low > floor if strict else low >= floor):
        return True, None
    if difference < floor or high < floor or (strict and difference == floor):
        # More rows would only make this clearer.
        return False, None
    if difference == floor:
        return None, None
    half = max(difference - low, 1e-12)
    return None, max(MIN_ROWS, rows + 1, math.ceil(rows * (half / (difference - floor)) ** 2))


def _resamples(rows: int, count: int, seed: int) -> Any:
    generator = np.random.default_rng(seed)
    for _ in range(count if rows else 0):
        yield generator.integers(0, rows, rows)


def _percentiles(draws: list[float], confidence: float) -> tuple[float, float]:
    finite = np.asarray([draw for draw in draws if math.isfinite(draw)])
    if len(finite) < max(10, len(draws) // 2):
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return float(low), float(high)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
