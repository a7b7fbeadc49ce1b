"""Line charts: several series over one x, with ticks, gaps left open and a legend of last values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from mlops_tui.tui.charts import scale
from mlops_tui.tui.charts.braille import Canvas
from mlops_tui.tui.lines import Line, clean, fit, number

MARKS = "●▲■◆"


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Points of one line, x ascending; NaN is a gap."""

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]


def draw(
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    low: float | None = None,
    high: float | None = None,
    x_label: Callable[[float], str] = scale.label,
    y_label: Callable[[float], str] = scale.label,
    legend: bool = True,
) -> list[Line]:
    """The chart in exactly `height` lines of at most `width` cells (at least 16 x 4 to show a plot)."""
    drawn = [one for one in series if any(math.isfinite(y) for y in one.ys)]
    if not drawn:
        return [(("no points yet", "muted"),), *([()] * (height - 1))][:height]
    rows = max(1, height - 1 - (1 if legend else 0))
    bottom, top = scale.limits([y for one in drawn for y in one.ys], low=low, high=high)
    left = min(one.xs[0] for one in drawn)
    right = max(one.xs[-1] for one in drawn)
    marks = {_row(value, bottom, top, rows): y_label(value) for value in scale.ticks(bottom, top, max(1, rows // 2))}
    gutter = max((len(text) for text in marks.values()), default=0)
    plot = max(4, width - gutter - 1)
    canvas = Canvas(plot, rows)
    for index, one in enumerate(drawn):
        _trace(canvas, one, f"s{index % 4 + 1}", (left, right), (bottom, top))
    body = [
        ((fit(marks.get(row, ""), gutter, right=True), "muted"), ("┤" if row in marks else "│", "muted"), *spans)
        for row, spans in enumerate(canvas.lines())
    ]
    return [*body, _axis(gutter, plot, x_label(left), x_label(right)), *([_legend(drawn, width)] if legend else [])]


def _row(value: float, bottom: float, top: float, rows: int) -> int:
    return min(rows - 1, max(0, int((top - value) / (top - bottom) * rows)))


def _trace(canvas: Canvas, one: Series, role: str, across: tuple[float, float], limits: tuple[float, float]) -> None:
    dots, tall = canvas.columns * 2, canvas.rows * 4
    bottom, top = limits
    previous: tuple[int, int] | None = None

    def level(value: float) -> int:
        share = (top - min(top, max(bottom, value))) / (top - bottom)
        return min(tall - 1, int(share * (tall - 1) + 0.5))

    gaps = _gaps(one, dots, across)
    for x, found in enumerate(scale.columns(one.xs, one.ys, dots, *across)):
        if x in gaps:
            previous = None
        if found is None:
            continue
        high, deep = level(found[1]), level(found[0])
        canvas.stroke(x, high, deep, role)
        if previous is not None:
            _bridge(canvas, previous, (x, (high + deep) // 2), role)
        previous = (x, (high + deep) // 2)


def _gaps(one: Series, dots: int, across: tuple[float, float]) -> set[int]:
    left, right = across
    span = (right - left) or 1.0
    return {
        min(dots - 1, int((x - left) / span * dots))
        for x, y in zip(one.xs, one.ys, strict=True)
        if not math.isfinite(y)
    }


def _bridge(canvas: Canvas, start: tuple[int, int], end: tuple[int, int], role: str) -> None:
    steps = max(1, end[0] - start[0])
    for step in range(1, steps + 1):
        before = start[1] + (end[1] - start[1]) * (step - 1) / steps
        after = start[1] + (end[1] - start[1]) * step / steps
        canvas.stroke(start[0] + step, int(before + 0.5), int(after + 0.5), role)


def _axis(gutter: int, plot: int, left: str, right: str) -> Line:
    left, right = fit(left, min(len(left), plot)), fit(right, min(len(right), max(0, plot - len(left) - 1)))
    middle = " " * max(0, plot - len(left) - len(right))
    return ((" " * gutter + "└", "muted"), (left + middle + right, "muted"))


def _legend(drawn: Sequence[Series], width: int) -> Line:
    parts: list[tuple[str, str]] = []
    room = width
    for index, one in enumerate(drawn):
        last = next((y for y in reversed(one.ys) if math.isfinite(y)), None)
        text = f"{MARKS[index % 4]} {clean(one.name)} {number(last, 3)}  "
        if len(text) > room:
            parts.append(("…", "muted"))
            break
        parts.append((text, f"s{index % 4 + 1}"))
        room -= len(text)
    return tuple(parts)
