"""The pictures of `--plot`, from the same charts as the screens: lines for a paper, read through the services."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.domains.experiments.records import number_of
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.drift import psi_history
from mlops_tui.tui.charts.histogram import histogram
from mlops_tui.tui.charts.line import Plot, Series, View, draw
from mlops_tui.tui.charts.series import recorded
from mlops_tui.tui.charts.small import bars, meter, sparkline
from mlops_tui.tui.lines import Line, fit, line, number

if TYPE_CHECKING:
    from mlops_tui.cli.paper import Paper
    from mlops_tui.domains.experiments.records import Point
    from mlops_tui.domains.monitoring.records import FeatureDrift, Report
    from mlops_tui.studies.records import Trial
    from mlops_tui.workbench import Workbench

SHORT = 9
MOST_POINTS = 4000
HISTOGRAM = 8
STEPS = 60
NAME = 24
SPARK = 30
_OVERVIEW = 15 * clock.MINUTE


def chart(plot: Plot, on: Paper, *, title: str = "", height: int | None = None) -> list[Line]:
    """A line chart under its title."""
    body = draw(plot, on.width, height or on.height, View(canvas=on.kind))
    return [*([line((title, "title"))] if title else []), *body]


def metrics(
    workbench: Workbench, run: str, keys: Sequence[str], on: Paper, after: int | None = None, over: str = "step"
) -> list[Line]:
    """One chart a metric of a run over steps, time or epochs; one of its points alone is a line of words."""
    out: list[Line] = []
    for key in keys:
        points = workbench.experiments.history(run, key, after=after, most=MOST_POINTS)
        if len(points) == 1:
            out += [line((key, "title"), f"  {number(points[0].value)} at step {points[0].step}")]
        else:
            one = _over(workbench, run, key, points, over)
            out += chart(_plot((one,), over), on, height=None if len(keys) == 1 else SHORT)
        out.append(())
    return out[:-1]


def curve(name: str, points: Sequence[Point]) -> Series:
    """Points of a metric as a curve over steps."""
    return Series(name, tuple(float(p.step) for p in points), tuple(p.value for p in points))


def compared(workbench: Workbench, runs: Sequence[str], on: Paper, over: str = "step") -> list[Line]:
    """One chart a metric that more than one point was logged of, with a curve a run, over steps, time or epochs."""
    found = workbench.experiments.compare(runs)
    out: list[Line] = []
    for key in found.metrics:
        curves = []
        for run in found.runs:
            if key in workbench.experiments.metrics(run.id):
                points = workbench.experiments.history(run.id, key, most=MOST_POINTS)
                curves.append(_over(workbench, run.id, run.name or run.id[:8], points, over))
        if any(len(one.xs) > 1 for one in curves):
            out += [*chart(_plot(tuple(curves), over), on, title=key), ()]
    return out[:-1] or [line(("These runs have no metric with more than one point.", "muted"))]


def _plot(curves: tuple[Series, ...], over: str) -> Plot:
    return Plot(curves, x=ticks.DURATION if over == "time" else None, x_name=over)


def _over(workbench: Workbench, run: str, name: str, points: Sequence[Point], over: str) -> Series:
    """A curve over steps, over seconds since the run began, or over the metric `epoch` of the run as it was at each step."""
    ys = tuple(point.value for point in points)
    if over == "time":
        begun = workbench.experiments.run(run).started_at
        return Series(name, tuple((point.ts - begun) / 1000 for point in points), ys)
    if over == "epoch":
        epochs = workbench.experiments.history(run, "epoch")
        steps = [point.step for point in epochs]
        at = [bisect_right(steps, point.step) - 1 for point in points]
        return Series(name, tuple(epochs[max(0, place)].value for place in at), ys)
    return curve(name, points)


def scatter(points: Sequence[tuple[str, float]], param: str, metric: str, on: Paper) -> list[Line]:
    """A point a run: a parameter across (texts in their order, with a legend of places), a metric up."""
    title = f"{metric} by {param}"
    numbers = [number_of(text) for text, _ in points]
    words: list[Line] = []
    if any(one is None for one in numbers):
        names = sorted({text for text, _ in points})
        numbers = [float(names.index(text)) for text, _ in points]
        words = [line((f"{place} = {name}", "muted")) for place, name in enumerate(names[:20])]
    known = [x for x in numbers if x is not None]
    if not words and known and min(known) > 0 and max(known) >= 100 * min(known):  # a rate: what matters is its size
        numbers, param = [None if x is None else math.log10(x) for x in numbers], f"log10 {param}"
    pairs = sorted((x, y) for x, (_, y) in zip(numbers, points, strict=True) if x is not None)
    one = Series(metric, tuple(x for x, _ in pairs), tuple(y for _, y in pairs))
    return [*chart(Plot((one,), style="scatter", x_name=param), on, title=title), *words]


def machine(
    workbench: Workbench, names: Sequence[str], since: int, until: int, on: Paper, subject: str = ""
) -> list[Line]:
    """The average of series of the hardware over time, or of what one thing takes of it; those in percent share a chart from 0
    to 100.
    """
    room = on.width * 2
    if subject:
        found = {name: workbench.hardware.load_history(subject, name, since, until, room) for name in names}
    else:
        found = {name: workbench.hardware.history(name, since, until, room) for name in names}
    curves = {name: recorded(name, points) for name, points in found.items()}
    shares = [one for name, one in curves.items() if _percent(name)]
    rest = [one for name, one in curves.items() if not _percent(name)]
    across = (float(since), float(until))
    out: list[Line] = []
    if shares:
        plot = Plot(tuple(shares), low=0, high=100, x=ticks.TIME, window=across, x_name="%")
        out += chart(plot, on)
    for one in rest:
        out += [*([()] if out else []), *chart(Plot((one,), x=ticks.TIME, window=across), on)]
    return out


def _percent(name: str) -> bool:
    return name in ("cpu", "memory", "disk", "saturation") or name.endswith("utilization")


def drift(report: Report, history: Sequence[Report], on: Paper) -> list[Line]:
    """Each column's distribution over its reference, furthest first, then how far the furthest ones have moved over time."""
    columns = [*report.features, *([report.prediction] if report.prediction else [])]
    columns.sort(key=lambda each: -each.size)
    out: list[Line] = []
    for each in columns:
        if each.reference and each.current:
            out += [_head(each), *_distribution(each, on), ()]
    over_time = psi_history(history, [each.name for each in columns[:4]])
    if over_time is not None:
        out += chart(over_time, on, title="PSI over time", height=SHORT)
    return out


def _head(each: FeatureDrift) -> Line:
    verdict = ("DRIFT", "warn") if each.drifted else ("same", "muted")
    return line(
        (each.name, "title"),
        "  ",
        verdict,
        (f"  PSI {number(each.psi, 3)} of {number(each.psi_threshold, 3)}", "muted"),
    )


def _distribution(each: FeatureDrift, on: Paper) -> list[Line]:
    names = ("now", "at training")
    width = min(on.width, 100)
    return histogram(
        each.current, width, HISTOGRAM, reference=each.reference, bins=each.bins, names=names, kind=on.kind
    )


def traffic(workbench: Workbench, name: str, since: int, on: Paper) -> list[Line]:
    """Requests and errors a second, then latency, since a time."""
    now = workbench.context.now()
    step = max(15 * clock.SECOND, (now - since) // max(1, on.width))
    points = workbench.serving.series(name, since, step)
    at = tuple(float(point.at) for point in points)
    window = (float(since), float(now))

    def plot(*curves: tuple[str, list[float | None]]) -> Plot:
        made = (Series(said, at, tuple(math.nan if y is None else y for y in ys)) for said, ys in curves)
        return Plot(tuple(made), low=0, x=ticks.TIME, window=window)

    rates = plot(("requests/s", [p.rate for p in points]), ("errors/s", [p.errors / step * 1000 for p in points]))
    slow = plot(("p50 ms", [p.p50_ms for p in points]), ("p95 ms", [p.p95_ms for p in points]))
    return [*chart(rates, on, height=SHORT), (), *chart(slow, on, height=SHORT)]


def overview(workbench: Workbench, on: Paper) -> list[Line]:
    """A line a thing: the machine now and in the last quarter of an hour, and the traffic of every deployment."""
    now = workbench.context.now()
    since = now - _OVERVIEW
    room = max(8, min(SPARK, on.width - NAME - 30))
    reading = workbench.hardware.read()
    known = set(workbench.hardware.series())
    out: list[Line] = []
    for name, share in (("cpu", reading.cpu / 100), ("memory", reading.memory / 100), ("disk", reading.disk / 100)):
        points = workbench.hardware.history(name, since, now, room) if name in known else []
        past = sparkline([math.nan if p[2] is None else p[2] for p in points], room, low=0, high=100)
        out.append(line(fit(name, NAME), past, "  ", *meter(share, 12), f" {share:4.0%}"))
    for one in workbench.serving.list():
        points_ = workbench.serving.series(one.name, since, max(1, _OVERVIEW // room))
        stats = workbench.serving.stats(one.name, since)
        words = f"  {stats.rate:.2f}/s  {stats.errors} errors  p95 {number(stats.p95_ms, 3)} ms"
        out.append(
            line(fit(one.name, NAME), sparkline([float(p.requests) for p in points_], room, low=0, role="s2"), words)
        )
    return [line(("Last 15 minutes", "title")), *out]


def study(direction: str, trials: Sequence[Trial], shares: Mapping[str, float], on: Paper) -> list[Line]:
    """Every trial's value with the best so far, and how much each parameter matters."""
    valued = [trial for trial in trials if trial.value is not None]
    if not valued:
        return [line(("No trial has a value yet.", "muted"))]
    numbers = tuple(float(trial.number) for trial in valued)
    each = Series("trials", numbers, tuple(float(trial.value or 0.0) for trial in valued))
    best = Series("best so far", numbers, tuple(math.nan if trial.best is None else trial.best for trial in valued))
    out = chart(Plot((each, best), x_name="trial"), on, title=f"{direction} the objective")
    if shares:
        out += [(), line(("importance", "title")), *bars(list(shares.items()), on.width)]
    return out
