"""Charts as SVG elements for a page that loads nothing: curves with bands over time, distributions as bars. Pure."""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise

from mlops_tui.pages.numbers import number, share, when
from mlops_tui.pages.page import Chart, Curve, Distribution

WIDE, HIGH = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 24
COLOURS = ("var(--one)", "var(--two)", "var(--three)", "var(--four)")


def chart(one: Chart) -> str:
    """A line chart with its legend; a gap stays open, an estimate is dotted, a band is what lies between low and high."""
    curves = [curve for curve in one.curves if any(_finite(value) for _, value in curve.points)]
    if not curves:
        return ""
    times = [at for curve in curves for at, _ in curve.points]
    values = [value for curve in curves for value in (*(v for _, v in curve.points), *curve.low, *curve.high)]
    values += [one.level] + ([0.0] if one.from_zero else [])
    known = [value for value in values if value is not None and math.isfinite(value)]
    scale = _Scale(min(times), max(times), min(known), max(known))
    drawn = [_axes(scale)]
    for place, curve in enumerate(curves):
        drawn += [_band(curve, scale, _colour(place)), _line(curve, scale, _colour(place))]
    if one.level is not None:
        y = scale.y(one.level)
        drawn.append(f'<line class="level" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    label = escape(one.title, quote=True)
    body = "".join(drawn)
    return (
        f'<figure><figcaption>{escape(one.title)}</figcaption><svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{label}">'
        f"{body}</svg>{_legend(one, curves)}</figure>"
    )


def distribution(one: Distribution) -> str:
    """Shares by bin: what is now as bars, the reference as outlines over them."""
    count = max(1, len(one.bins))
    top = max([*one.reference, *one.current, 1e-9])
    room, height = (WIDE - LEFT - RIGHT) / count, HIGH - TOP - BOTTOM
    drawn = []
    for place, (name, before, now) in enumerate(zip(one.bins, one.reference, one.current, strict=True)):
        left, wide = LEFT + place * room + room * 0.08, room * 0.84
        said = escape(f"{name}: {share(before)} at training, {share(now)} now")
        drawn.append(f"<g><title>{said}</title>")
        for kind, value in (("now", now), ("before", before)):
            tall = value / top * height
            drawn.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{TOP + height - tall:.1f}" width="{wide:.1f}" height="{tall:.1f}"/>'
            )
        text = name if len(name) <= max(3, int(room / 6.5)) else name[: max(2, int(room / 6.5) - 1)] + "…"
        drawn.append(f'<text x="{left + wide / 2:.1f}" y="{HIGH - 8}" text-anchor="middle">{escape(text)}</text></g>')
    drawn.append(f'<text x="{LEFT - 6}" y="{TOP + 10}" text-anchor="end">{share(top)}</text>')
    verdict = ' <strong class="bad">drift</strong>' if one.drifted else ""
    words = f"<p>{escape(one.words)}</p>" if one.words else ""
    legend = '<p class="legend"><i class="now"></i>now <i class="before"></i>at training</p>'
    label = escape(f"{one.name}: shares by bin", quote=True)
    return (
        f'<figure><figcaption>{escape(one.name)}{verdict}</figcaption>{words}<svg viewBox="0 0 {WIDE} {HIGH}" role="img"'
        f' aria-label="{label}">{"".join(drawn)}</svg>{legend}</figure>'
    )


class _Scale:
    """Times and values to places."""

    def __init__(self, first: int, last: int, low: float, high: float) -> None:
        spread = (high - low) or abs(high) * 0.1 or 1.0
        self.first, self.last = first, max(last, first + 1)
        self.low, self.high = (low if low == 0 else low - 0.06 * spread), high + 0.06 * spread

    def x(self, at: int) -> float:
        return LEFT + (at - self.first) / (self.last - self.first) * (WIDE - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (self.high - value) / (self.high - self.low) * (HIGH - TOP - BOTTOM)


def _axes(scale: _Scale) -> str:
    out = []
    for part in range(5):
        value = scale.low + (scale.high - scale.low) * part / 4
        y = scale.y(value)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(float(f"{value:.3g}"))}</text>')
    for at, anchor in ((scale.first, "start"), (scale.last, "end")):
        out.append(f'<text x="{scale.x(at):.1f}" y="{HIGH - 6}" text-anchor="{anchor}">{when(at)}</text>')
    return "".join(out)


def _band(curve: Curve, scale: _Scale, colour: str) -> str:
    """One closed shape for every stretch without a gap."""
    if len(curve.low) != len(curve.points) or len(curve.high) != len(curve.points):
        return ""
    shapes: list[list[tuple[float, float, float]]] = [[]]
    for (at, _), low, high in zip(curve.points, curve.low, curve.high, strict=True):
        if low is None or high is None or not _finite(low) or not _finite(high):
            shapes.append([])
        else:
            shapes[-1].append((scale.x(at), scale.y(low), scale.y(high)))
    out = []
    for shape in shapes:
        if len(shape) > 1:
            points = [(x, high) for x, _, high in shape] + [(x, low) for x, low, _ in reversed(shape)]
            out.append(f'<polygon class="band" fill="{colour}" points="{_points(points)}"/>')
    return "".join(out)


def _line(curve: Curve, scale: _Scale, colour: str) -> str:
    style = "guess" if curve.guess else "line"
    known = [
        (scale.x(at), scale.y(value), value) if value is not None and _finite(value) else None
        for at, value in curve.points
    ]
    out = [
        f'<line class="{style}" stroke="{colour}" x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}"/>'
        for a, b in pairwise(known)
        if a is not None and b is not None
    ]
    for (at, _), place in zip(curve.points, known, strict=True):
        if place is not None:
            said = escape(f"{curve.name}: {number(place[2])}, {when(at)}")
            fill = "none" if curve.guess else colour
            out.append(
                f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="2.5" stroke="{colour}" fill="{fill}"><title>{said}</title></circle>'
            )
    return "".join(out)


def _legend(one: Chart, curves: list[Curve]) -> str:
    parts = [
        f'<i class="{"guess" if curve.guess else "line"}" style="border-color:{_colour(place)}"></i>{escape(curve.name)}'
        for place, curve in enumerate(curves)
    ]
    if one.level is not None:
        parts.append(f'<i class="level"></i>{escape(one.level_name)} {number(one.level)}')
    return f'<p class="legend">{" ".join(parts)}</p>'


def _points(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
