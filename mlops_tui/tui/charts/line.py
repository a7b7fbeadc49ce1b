"""Line and scatter charts: several curves over one x, with round ticks, open gaps, a cursor and a legend."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from mlops_tui.tui.charts import legend as legends
from mlops_tui.tui.charts import scale as scales
from mlops_tui.tui.charts import series as curves
from mlops_tui.tui.charts import ticks
from mlops_tui.tui.charts.canvas import Canvas, canvas
from mlops_tui.tui.charts.sample import buckets
from mlops_tui.tui.charts.scale import Scale, Steady
from mlops_tui.tui.charts.series import Series
from mlops_tui.tui.charts.ticks import Axis
from mlops_tui.tui.lines import Line, crop, fit

__all__ = ["Plot", "Series", "View", "draw", "extent"]

_GUTTER = 5
"""Cells the labels of y have at least: a gutter that changes would move the whole chart."""
_BARE = 16
"""Below this width there is room for the curve only."""
_TWO_LINE_AXIS = 14
_MARK_EVERY = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn. `low` and `high` fix an end of y; `window` fixes x for a live chart whose right end is now.

    `x` says how x is written; when left out it is a number, in a live chart (x in ms) the age before now, and by `times`
    a duration (s).
    """

    series: tuple[Series, ...]
    low: float | None = None
    high: float | None = None
    x: Axis | None = None
    y: Axis = ticks.NUMBER
    style: str = "line"
    window: tuple[float, float] | None = None
    x_name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """How a plot is looked at: zoom (x from `left` to `right`), cursor (an x), smoothing weight, axes and canvas."""

    left: float | None = None
    right: float | None = None
    cursor: float | None = None
    log: bool = False
    smooth: float = 0.0
    by_time: bool = False
    canvas: str = "braille"
    steady: Steady | None = dataclasses.field(default=None, compare=False)


def draw(plot: Plot, width: int, height: int, view: View | None = None, *, legend: bool = True) -> list[Line]:
    """The chart in exactly `height` lines of at most `width` cells."""
    view = view or View()
    if width < 1 or height < 1:
        return [()] * max(0, height)
    series = [(at, _prepared(one, view)) for at, one in enumerate(plot.series)]
    drawn = [(at, one) for at, one in series if one.values]
    if not drawn:
        return [crop((("no points yet", "muted"),), width), *([()] * (height - 1))]
    words = [legends.Entry(at, one) for at, one in drawn] if legend and height >= 4 else []
    legend_rows = legends.rows(words, width, max(1, height // 5))
    axis_rows = 0 if height < 3 or width < _BARE else 2 if height >= _TWO_LINE_AXIS else 1
    rows = height - axis_rows - legend_rows
    bare = width < _BARE
    raw = [one for _, one in drawn]
    view_left, view_right = _across(plot, raw, view)
    smooth = [_smooth(one, view.smooth) for one in raw]
    ends = [end for one in raw for end in _ends(one, view_left, view_right)]
    fitted = scales.fitted(ends, log=view.log, low=plot.low, high=plot.high)
    if view.steady is not None and plot.window is not None:  # what does not move is fitted exactly
        fitted = view.steady.settle(tuple(one.name for one in raw), fitted)
    marks = _y_marks(plot, fitted, rows, 0 if bare else max(2, rows // 2))
    gutter = 0 if bare else min(width // 2, max(_GUTTER, *(len(text) for text in marks.values()), 0))
    board = canvas(view.canvas, width - gutter - (0 if bare else 1), rows)
    across, live = _settled(plot, view, (view_left, view_right), board.columns)
    x_axis = plot.x or (
        ticks.age(live, plot.window[1])
        if live is not None and plot.window is not None
        else ticks.DURATION
        if view.by_time
        else ticks.NUMBER
    )
    _curves(board, [at for at, _ in drawn], raw, smooth, across, fitted, plot.style)
    cursor = view.cursor if view.cursor is not None and across[0] <= view.cursor <= across[1] else None
    if cursor is not None:
        _cursor(board, cursor, across)
    body = [
        (
            *(
                ()
                if bare
                else ((fit(marks.get(row, ""), gutter, right=True), "muted"), ("┤" if row in marks else "│", "muted"))
            ),
            *spans,
        )
        for row, spans in enumerate(board.lines())
    ]
    foot = _x_axis(x_axis, across, gutter, board.columns, axis_rows, plot.x_name)
    least = (across[1] - across[0]) / max(1, board.columns)
    entries = [
        legends.Entry(at, one, None if cursor is None else curves.value_at(one, cursor, curves.reach(one, least)))
        for at, one in zip((at for at, _ in drawn), smooth, strict=True)
    ]
    said = "" if cursor is None else f"{plot.x_name} {x_axis.label(cursor)}".strip()
    below = legends.draw(entries, width, legend_rows, said, ascii_only=board.ASCII)
    return [crop(one, width) for one in (*body, *foot, *below)]


def extent(plot: Plot, view: View | None = None) -> tuple[float, float]:
    """The whole range of x, before zoom."""
    if plot.window is not None:
        return plot.window
    series = [_prepared(one, view or View()) for one in plot.series]
    ends = [x for one in series if one.xs for x in (one.xs[0], one.xs[-1])]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def shown(plot: Plot, view: View) -> list[Series]:
    """The curves with the x that `view` asks for."""
    return [_prepared(one, view) for one in plot.series]


def _prepared(one: Series, view: View) -> Series:
    if view.by_time and one.times:
        one = dataclasses.replace(one, xs=one.times)
    one = curves.ordered(one)
    if view.log and any(y <= 0 for y in one.ys):  # a logarithm has no place for them: gaps
        one = dataclasses.replace(one, ys=tuple(y if y > 0 else math.nan for y in one.ys))
    return one


def _smooth(one: Series, weight: float) -> Series:
    return dataclasses.replace(one, ys=tuple(curves.smoothed(one.ys, weight))) if 0 < weight < 1 else one


def _across(plot: Plot, series: Sequence[Series], view: View) -> tuple[float, float]:
    ends = [x for one in series for x in (one.xs[0], one.xs[-1])]
    left, right = plot.window or (min(ends), max(ends))
    left, right = view.left if view.left is not None else left, view.right if view.right is not None else right
    return (left, right) if left <= right else (right, left)


def _settled(
    plot: Plot, view: View, across: tuple[float, float], columns: int
) -> tuple[tuple[float, float], float | None]:
    """x from where to where, and the right edge that stands for now; a live chart moves by whole columns only."""
    if plot.window is None:
        return across, None
    whole = scales.snapped(*plot.window, columns)
    return (whole if view.left is None and view.right is None else across), whole[1]


def _ends(one: Series, left: float, right: float) -> tuple[float, ...]:
    """The smallest and largest value between two x, nothing when there is none."""
    if left > one.xs[0] or one.xs[-1] > right:
        one = dataclasses.replace(one, ys=one.ys[bisect_left(one.xs, left) : bisect_right(one.xs, right)])
    values = one.values
    return (min(values), max(values)) if values else ()


def _y_marks(plot: Plot, fitted: Scale, rows: int, count: int) -> dict[int, str]:
    if not count:
        return {}
    axis = ticks.LOG if fitted.log else plot.y
    found = axis.labelled(fitted.low, fitted.high, count)
    return {fitted.level(value, rows * 4) // 4: text for value, text in found if fitted.low <= value <= fitted.high}


def _curves(
    board: Canvas,
    places: Sequence[int],
    raw: Sequence[Series],
    smooth: Sequence[Series],
    across: tuple[float, float],
    fitted: Scale,
    style: str,
) -> None:
    for before, after in zip(raw, smooth, strict=True):
        if before is not after:
            _trace(board, before, "muted", across, fitted, style)
    for place, one in zip(places, smooth, strict=True):
        if style == "scatter":
            _dots(board, one, curves.role(place), across, fitted)
            continue
        path = _trace(board, one, curves.role(place), across, fitted, style)
        if len(path) == 1:  # a single dot would not be seen
            _mark(board, place, *next(iter(path.items())))
        elif len(raw) > 1:
            _marks(board, place, len(raw), path)


def _trace(
    board: Canvas, one: Series, role: str, across: tuple[float, float], fitted: Scale, style: str
) -> dict[int, int]:
    """Draw a curve; the dot row it has in each column of dots it passes."""
    path: dict[int, int] = {}
    before: tuple[int, int] | None = None
    for x, found in enumerate(buckets(one.xs, one.ys, board.wide, *across)):
        if found is None:
            continue
        # Mostly a column holds one value, so that one level is all four.
        levels = {value: fitted.level(value, board.tall) for value in {found.first, found.last, found.high, found.low}}
        first, last = levels[found.first], levels[found.last]
        if before is not None and not found.torn:
            _bridge(board, before, (x, first), role, path, step=style == "step")
        board.stroke(x, levels[found.high], levels[found.low], role)
        path[x], before = last, (x, last)
    return path


def _dots(board: Canvas, one: Series, role: str, across: tuple[float, float], fitted: Scale) -> None:
    """Every point for itself, two dots tall and wide so that a single one is seen."""
    left, span = across[0], across[1] - across[0]
    for x, y in zip(one.xs, one.ys, strict=False):
        if not (math.isfinite(x) and math.isfinite(y) and across[0] <= x <= across[1]):
            continue
        column = min(board.wide - 1, int((x - left) / span * board.wide)) if span > 0 else board.wide // 2
        level = fitted.level(y, board.tall)
        for at in {column, min(column + 1, board.wide - 1)}:
            for row in {level, min(level + 1, board.tall - 1)}:
                board.dot(at, row, role)


def _bridge(
    board: Canvas, start: tuple[int, int], end: tuple[int, int], role: str, path: dict[int, int], *, step: bool
) -> None:
    """From one column to a later one: a straight line, or level and then up or down."""
    across = end[0] - start[0]
    previous = start[1]
    for at in range(1, across + 1):
        level = (end[1] if at == across else start[1]) if step else start[1] + round((end[1] - start[1]) * at / across)
        # Each column takes half of the way to its neighbour, so that steep lines are not drawn twice as thick.
        middle = previous + (level - previous) // 2
        board.stroke(start[0] + at - 1, previous, middle, role)
        board.stroke(start[0] + at, level, middle + (1 if level > middle else 0), role)
        path[start[0] + at] = previous = level


def _marks(board: Canvas, place: int, count: int, path: dict[int, int]) -> None:
    """The glyph of the curve here and there on it, so that it is known without colour."""
    every = max(_MARK_EVERY, board.columns // 4)
    for column in range(every * (place % count + 1) // (count + 1), board.columns, every):
        level = path.get(column * board.ACROSS)
        if level is not None:
            _mark(board, place, column * board.ACROSS, level)


def _mark(board: Canvas, place: int, x: int, level: int) -> None:
    glyph = curves.mark(place, ascii_only=board.ASCII)
    board.put(x // board.ACROSS, level // board.DOWN, glyph, curves.role(place))


def _cursor(board: Canvas, x: float, across: tuple[float, float]) -> None:
    span = across[1] - across[0]
    column = min(board.columns - 1, int((x - across[0]) / span * board.columns)) if span > 0 else board.columns // 2
    for row in range(board.rows):
        if board.empty(column, row):
            board.put(column, row, ":" if board.ASCII else "┊", "accent")


def _x_axis(axis: Axis, across: tuple[float, float], gutter: int, columns: int, rows: int, name: str) -> list[Line]:
    if rows == 0:
        return []
    left, right = across
    labels = axis.labelled(left, right, max(1, columns // 14))
    span = right - left
    line, words, free = ["─"] * columns, [" "] * columns, 0
    for value, text in labels:
        column = min(columns - 1, max(0, int((value - left) / span * columns))) if span > 0 else columns // 2
        start = min(columns - len(text), max(0, column - len(text) // 2))
        if start < free or start < 0:
            continue
        words[start : start + len(text)] = text
        line[column] = "┬"
        free = start + len(text) + 1
    if name and free and free + len(name) <= columns and all(glyph == " " for glyph in words[-len(name) :]):
        words[-len(name) :] = name
    below = (" " * gutter + (" " if rows == 2 else "└"), "muted"), ("".join(words), "muted")
    return [((" " * gutter + "└", "muted"), ("".join(line), "muted")), below] if rows == 2 else [below]
