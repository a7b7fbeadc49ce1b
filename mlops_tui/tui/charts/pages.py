"""Charts of pages as the screens draw them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.line import Plot, Series

if TYPE_CHECKING:
    from mlops_tui.pages.page import Chart

FEW = 2


def plot_of(chart: Chart) -> Plot:
    """The curves over time; with one or two, the interval of the first beside it. What they are compared with is a level."""
    curves, few = [], len(chart.curves) <= FEW
    for place, one in enumerate(chart.curves):
        at = tuple(float(when) for when, _ in one.points)
        curves.append(Series(one.name, at, _values(tuple(value for _, value in one.points))))
        if few and place == 0 and len(one.low) == len(at) == len(one.high):
            curves += [Series("95 % from", at, _values(one.low)), Series("95 % to", at, _values(one.high))]
    if chart.level is not None and curves:
        at = tuple(sorted({when for one in curves for when in one.xs}))
        curves.append(Series(chart.level_name, at, tuple(chart.level for _ in at)))
    return Plot(tuple(curves), low=0 if chart.from_zero else None, x=ticks.TIME)


def _values(found: tuple[float | None, ...]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in found)
