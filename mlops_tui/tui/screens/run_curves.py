"""Curves of a run: its metrics as rows, the selected ones as charts with their like, and what the machine did meanwhile."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.blocks import Block, Chart, draw_all
from mlops_tui.tui.charts.line import Plot, Series, View
from mlops_tui.tui.lines import Line, line, wrap
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import LatestMetric, Point

SYSTEM = "system/"
"""Metrics whose name begins so are of the machine, not of the model."""
MOST_POINTS = 8000
"""More points than that are drawn by the extremes of their neighbourhood: no terminal has so many columns."""
READ = 40_000
"""Of longer histories so many points are read."""
MOST_CHARTS = 6
_PARTS = re.compile(r"(^|[_/.\-\s])(training|train|validation|valid|val|test|eval|dev)(?=$|[_/.\-\s])", re.IGNORECASE)


def is_system(name: str) -> bool:
    """Whether a metric is of the machine."""
    return name.startswith(SYSTEM)


def base(name: str) -> str:
    """What a metric is called without the data it was measured on: `val_loss` and `train/loss` are both `loss`."""
    return _PARTS.sub("", name).strip("_/.- ").lower() or name.lower()


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A metric of a run and the names of its like, itself among them."""

    run_id: str
    name: str
    latest: LatestMetric
    like: tuple[str, ...]


def rows(of: str, bench: Workbench) -> list[Row]:
    """The metrics of the model, those of one kind below each other."""
    found = {name: one for name, one in bench.experiments.metrics(of).items() if not is_system(name)}
    groups: dict[str, list[str]] = {}
    for name in found:
        groups.setdefault(base(name), []).append(name)
    return [Row(of, name, found[name], tuple(names)) for names in groups.values() for name in names]


def detail(bench: Workbench, row: Row, marked: Sequence[str] = (), *, by_epoch: bool = False) -> Sequence[Block]:
    """The selected metric with its like in one chart; with marks a chart for each kind among the marked ones."""
    names = list(marked) or list(row.like)
    epochs = curve(bench.experiments.history(row.run_id, "epoch"), "epoch") if by_epoch else None
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(base(name), []).append(name)
    x = "epoch" if epochs else "step"
    return [
        Chart(
            Plot(tuple(sampled(bench, row.run_id, name, MOST_POINTS, epochs) for name in group), x_name=x), title=title
        )
        for title, group in list(groups.items())[:MOST_CHARTS]
    ]


def sampled(bench: Workbench, run_id: str, name: str, most: int, epochs: Series | None = None) -> Series:
    """The history of a metric in at most about `most` points: the extremes and ends of each neighbourhood."""
    found = curve(thinned(bench.experiments.history(run_id, name, most=READ), most), name)
    return found if epochs is None else dataclasses.replace(found, xs=tuple(_at(epochs, found.xs)))


def course(values: Sequence[float], cells: int) -> list[float]:
    """The values as exactly `cells` means (fewer values stay as they are), for a line of blocks."""
    count = len(values)
    if count <= cells:
        return list(values)
    pieces = (values[at * count // cells : (at + 1) * count // cells] for at in range(cells))
    return [sum(piece) / len(piece) for piece in pieces]


def curve(points: Sequence[Point], name: str) -> Series:
    """Points by step, with seconds since the first one as the other axis."""
    begin = points[0].ts if points else 0
    return Series(
        name,
        tuple(float(one.step) for one in points),
        tuple(one.value for one in points),
        tuple((one.ts - begin) / 1000 for one in points),
    )


def thinned(points: Sequence[Point], most: int) -> Sequence[Point]:
    """First, last, smallest and largest of each of `most / 4` equal pieces, in order; all when there are not more."""
    if len(points) <= most:
        return points
    per = -(-len(points) * 4 // most)
    out: list[Point] = []
    for start in range(0, len(points), per):
        piece = range(start, min(start + per, len(points)))
        kept = {
            piece[0],
            piece[-1],
            min(piece, key=lambda at: points[at].value),
            max(piece, key=lambda at: points[at].value),
        }
        kept.update(at for at in piece if points[at].value != points[at].value)  # a gap stays a gap
        out += [points[at] for at in sorted(kept)]
    return out


def _at(epochs: Series, steps: Iterable[float]) -> Iterable[float]:
    """The epoch each step lies in; steps of one epoch are spread evenly up to the next."""
    for step in steps:
        at = max(0, bisect_right(epochs.xs, step) - 1)
        begin, value = epochs.xs[at], epochs.ys[at]
        if at + 1 < len(epochs.xs) and epochs.xs[at + 1] > begin:
            value += (epochs.ys[at + 1] - value) * (step - begin) / (epochs.xs[at + 1] - begin)
        yield value


# -- what the machine did ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class System:
    """Charts of the machine while the run ran."""

    charts: tuple[Chart, ...] = ()

    @property
    def plots(self) -> tuple[Plot, ...]:
        return tuple(one.plot for one in self.charts)


def system(of: str, bench: Workbench) -> System:
    """A chart per kind of figure: all processors in one, all GPUs in one."""
    groups: dict[str, list[str]] = {}
    for name in bench.experiments.metrics(of):
        if is_system(name):
            groups.setdefault(re.sub(r"\d+", "", name.removeprefix(SYSTEM)), []).append(name)
    charts = []
    for title, names in groups.items():
        series = (sampled(bench, of, name, 2000) for name in names)
        by_time = tuple(
            dataclasses.replace(one, name=one.name.removeprefix(SYSTEM), xs=one.times, times=()) for one in series
        )
        charts.append(Chart(Plot(by_time, x_name="s"), title=title))
    return System(tuple(charts))


def draw_system(one: System, width: int, height: int, view: View | None = None) -> list[Line]:
    """The charts below each other, two beside each other where there is room."""
    if not one.charts:
        words = "Nothing was recorded of the machine: the run was over within seconds, or started with system_metrics=False."
        return [(), *(line(f" {piece}") for piece in wrap(words, width - 2))]
    if width < 120 or len(one.charts) < 2:
        drawn = [_Seen(chart, view) for chart in one.charts]
        return [((" ", "text"), *each) for each in draw_all(drawn, width - 2)]
    half = (width - 4) // 2
    out: list[Line] = []
    for at in range(0, len(one.charts), 2):
        left, right = (
            one.charts[at].draw(half, view),
            one.charts[at + 1].draw(half, view) if at + 1 < len(one.charts) else [],
        )
        for row in range(max(len(left), len(right))):
            before = left[row] if row < len(left) else ()
            gap = half - sum(len(text) for text, _ in before)
            out.append(((" ", "text"), *before, (" " * (gap + 2), "text"), *(right[row] if row < len(right) else ())))
        out.append(())
    return out


@dataclasses.dataclass(frozen=True)
class _Seen:
    chart: Chart
    view: View | None

    def draw(self, width: int) -> list[Line]:
        return self.chart.draw(width, self.view)
