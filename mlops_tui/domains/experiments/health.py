"""Is a run well? Overfitting, divergence, standstill and silence, told from its points. Numbers in, words out; no I/O.

The rule for overfitting. Both curves are cut into at most 400 blocks of equal length and averaged; values are turned so that
lower is better. The validation curve is smoothed by a moving average over a twentieth of its points (three at least). From its
lowest place on, validation counts as getting worse when

- the Mann-Kendall trend of what follows is up with Z >= 3.5 (Mann 1945; over at most 40 block means, so that neighbours that
  resemble each other do not count as evidence of their own; with few blocks, nearly all pairs must rise), and
- it lasts for an eighth of all points, and its last third lies above that place by three times the noise (by half of that
  where hundreds of points say so; the noise is 1.4826 * MAD of the points around the smoothed curve, Hampel 1974) and by 2 %
  of the curve's whole range (the generalization loss of Prechelt 1998, "Early stopping - but when?", measured against the
  range because a loss may be near zero or negative), and
- training did not get worse meanwhile by the same measure: then it is the learning that fails, not the generalising.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from mlops_tui.domains.experiments.metric_names import MACHINE, lower_is_better, pair_names, says_which_way, words
from mlops_tui.domains.experiments.records import Health, Mark, MarkKind, Pair, Point

BLOCKS = 400
MIN_POINTS = 10
_TREND_BLOCKS = 40
_Z = 3.5
_Curve = tuple[list[float], list[float]]
"""Steps and values, both without what is not finite."""


def judge(curves: Mapping[str, Sequence[Point]], *, running: bool = False, run_id: str = "") -> Health:
    """What can be said of a run by its points, each metric's in the order of steps. Metrics of the machine are left out.

    Silence is not judged here, since it depends on the moment of asking: see `records.silent`.
    """
    own = {name: points for name, points in curves.items() if not name.startswith(MACHINE) and points}
    marks = [mark for name, points in own.items() if (mark := _diverged(name, points))]
    broken = {mark.key for mark in marks}
    found = []
    for train, valid in pair_names(list(own)):
        pair = _pair(train, own[train], valid, own[valid])
        found.append(pair)
        if pair.worse_since is not None and not broken & {train, valid}:
            said = f"{valid} is getting worse since step {pair.worse_since} while {train} is not"
            marks.append(Mark(MarkKind.OVERFITTING, valid, pair.worse_since, said))
    paired = {pair.valid for pair in found}
    for name, points in own.items():
        if name not in broken and name not in paired and (mark := _stalled(name, points, running)):
            marks.append(mark)
    order = list(MarkKind)
    marks.sort(key=lambda mark: (order.index(mark.kind), mark.key))
    return Health(run_id, tuple(marks), tuple(found))


# -- silence -----------------------------------------------------------------------------------------------------------


def usual_interval(times: Sequence[int]) -> int | None:
    """The median of the milliseconds between the moments at which a run logged, or None with fewer than four of them."""
    moments = sorted(set(times))
    if len(moments) < 4:
        return None
    return int(statistics.median(later - earlier for earlier, later in itertools.pairwise(moments)))


# -- one curve ---------------------------------------------------------------------------------------------------------


def _diverged(name: str, points: Sequence[Point]) -> Mark | None:
    """NaN or infinity at the end, or a loss that ends far above where it began."""
    if not math.isfinite(points[-1].value):
        begun = len(points)
        while begun and not math.isfinite(points[begun - 1].value):
            begun -= 1
        if not begun and not lower_is_better(name, [0.0, 1.0]):
            return None  # a score that could never be computed says nothing of the learning
        step = points[begun].step
        return Mark(MarkKind.DIVERGED, name, step, f"{name} is {points[begun].value} since step {step}")
    values = [point.value for point in points if math.isfinite(point.value)]
    if len(values) < MIN_POINTS or not lower_is_better(name, [0.0, 1.0]):
        return None
    smooth = _smooth(values)
    first, best, last = smooth[0], min(smooth), smooth[-1]
    rise = last - best
    if rise > 10 * _noise(values, smooth) and rise > 3 * (first - best) and last - first > abs(first):
        at = smooth.index(best)
        finite = [point for point in points if math.isfinite(point.value)]
        return Mark(MarkKind.DIVERGED, name, finite[at].step, f"{name} grows without end since step {finite[at].step}")
    return None


def _stalled(name: str, points: Sequence[Point], running: bool) -> Mark | None:
    """A loss or score that is where it began; of a running run also one that gained nothing in the newer half."""
    steps, values = _blocks(points)
    known = says_which_way(name)
    if len(points) < 20 or len(values) < MIN_POINTS or not known:
        return None
    turned = [value if lower_is_better(name) else -value for value in values]
    smooth = _smooth(turned)
    noise = _noise(turned, smooth)
    spread = max(turned) - min(turned)
    if spread == 0:
        return Mark(MarkKind.STALLED, name, int(steps[0]), f"{name} has never changed")
    quarter = max(2, len(turned) // 4)
    means = [statistics.fmean(turned[at : at + quarter]) for at in range(0, len(turned) - quarter + 1, quarter)]
    begun = (
        abs(statistics.fmean(turned[:3]) - statistics.fmean(turned)) <= 3 * noise
    )  # a steep fall at once is learning
    if abs(_trend(turned)[0]) < 2 and max(means) - min(means) < 4 * noise / math.sqrt(quarter) and begun:
        return Mark(MarkKind.STALLED, name, int(steps[0]), f"{name} is where it was at step {int(steps[0])}")
    half = len(turned) // 2
    newer = turned[half:]
    if (
        running
        and len(newer) >= 10
        and abs(_trend(newer)[0]) < 1.5
        and min(smooth[:half]) <= min(smooth[half:]) + noise / 2
    ):
        since = int(steps[half])
        return Mark(MarkKind.STALLED, name, since, f"{name} gained nothing since step {since}")
    return None


# -- two curves --------------------------------------------------------------------------------------------------------


def _pair(train: str, train_points: Sequence[Point], valid: str, valid_points: Sequence[Point]) -> Pair:
    steps, values = _blocks(valid_points)
    trained = _at(_blocks(train_points), steps)
    lower = lower_is_better(valid, values) if words(valid) else True
    sign = 1.0 if lower else -1.0
    if len(values) < 2:
        return Pair(train, valid, lower)
    turned, train_turned = [sign * value for value in values], [sign * value for value in trained]
    smooth = _smooth(turned)
    best = smooth.index(min(smooth))
    gaps = [v - t for v, t in zip(turned, train_turned, strict=True)]
    newest = max(2, len(gaps) // 2)
    patience = max(5, math.ceil(len(values) / 10))
    since = len(values) - 1 - best
    worse = _worse(turned, smooth, best, train_turned)
    return Pair(
        train,
        valid,
        lower,
        gap=statistics.fmean(gaps[-max(1, len(gaps) // 10) :]),
        gap_slope=_slope(steps[-newest:], gaps[-newest:]),
        best_step=int(steps[best]),
        best_value=sign * smooth[best],
        worse_since=int(steps[best]) if worse else None,
        patience=patience,
        stop=worse or (since >= patience and min(turned[best + 1 :]) > smooth[best] and _trend(turned[best:])[0] > 2),
    )


def _worse(turned: list[float], smooth: list[float], best: int, trained: list[float]) -> bool:
    tail = turned[best:]
    if len(turned) < MIN_POINTS or len(tail) < max(5, len(turned) / 8):
        return False
    z, most = _trend(tail)
    if z < min(_Z, 0.98 * most):
        return False
    third = max(2, len(tail) // 3)
    rise = statistics.fmean(tail[-third:]) - smooth[best]
    spread = max(smooth) - min(smooth)
    clear = max(1.5, 3 * math.sqrt(min(1.0, 50 / len(turned))))
    if rise <= clear * _noise(turned, smooth) or rise <= 0.02 * spread:
        return False
    learning = _smooth(trained)
    training = statistics.fmean(trained[-third:]) - learning[best]
    return training <= max(2 * _noise(trained, learning), 0.25 * rise)


# -- numbers -----------------------------------------------------------------------------------------------------------


def _blocks(points: Sequence[Point]) -> _Curve:
    """At most BLOCKS means of neighbouring points; what is not finite is left out."""
    kept = [point for point in points if math.isfinite(point.value)]
    size = max(1, math.ceil(len(kept) / BLOCKS))
    cuts = [kept[at : at + size] for at in range(0, len(kept), size)]
    # statistics.fmean takes five times as long for a few values; a live page judges some 10,000 points again and again.
    return [math.fsum([p.step for p in cut]) / len(cut) for cut in cuts], [
        math.fsum([p.value for p in cut]) / len(cut) for cut in cuts
    ]


def _at(curve: _Curve, steps: Sequence[float]) -> list[float]:
    """The curve's mean between each step and the one before; its last value where it has none there."""
    xs, ys = curve
    out, place, last = [], 0, ys[0] if ys else math.nan
    for step in steps:
        begun = place
        while place < len(xs) and xs[place] <= step:
            place += 1
        if place > begun:
            last = statistics.fmean(ys[begun:place])
        out.append(last)
    return out


def _smooth(values: Sequence[float]) -> list[float]:
    """Centred moving average over a twentieth of the points, three at least; the window shrinks at the ends."""
    half = max(1, len(values) // 40)
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    out = []
    for at in range(len(values)):
        reach = min(half, at, len(values) - 1 - at) or min(1, len(values) - 1)
        low, high = max(0, at - reach), min(len(values), at + reach + 1)
        out.append((sums[high] - sums[low]) / (high - low))
    return out


def _noise(values: Sequence[float], smooth: Sequence[float]) -> float:
    """Deviation of the points around the smooth curve: 1.4826 * the median of the absolute differences."""
    return 1.4826 * statistics.median(abs(v - s) for v, s in zip(values, smooth, strict=True))


def _trend(values: Sequence[float]) -> tuple[float, float]:
    """Mann-Kendall Z of block means, and the largest Z so many blocks could have."""
    size = max(1, math.ceil(len(values) / _TREND_BLOCKS))
    means = [statistics.fmean(values[at : at + size]) for at in range(0, len(values), size)]
    count = len(means)
    if count < 3:
        return 0.0, 1.0
    rises = sum((b > a) - (b < a) for i, a in enumerate(means) for b in means[i + 1 :])
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    most = (count * (count - 1) / 2 - 1) / deviation
    return (rises - (rises > 0) + (rises < 0)) / deviation, most


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """Least squares slope; 0 when all x are the same."""
    if len(set(xs)) < 2:
        return 0.0
    return statistics.linear_regression(xs, ys).slope
