"""Printing parts of pages: tables and facts as text, curves and distributions as pictures where they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import print_table
from mlops_tui.pages.page import MUTED, Chart, Distribution, Facts, Part, Table, Words

if TYPE_CHECKING:
    from mlops_tui.cli.paper import Paper
    from mlops_tui.tui.charts.line import Plot
    from mlops_tui.tui.lines import Line

NOT_SAID = "-"


def show(parts: Iterable[Part]) -> None:
    """Print parts one below the other; pictures are left out, their words stay."""
    for part in parts:
        match part:
            case Words():
                click.echo(click.style(part.text, dim=part.role == MUTED))
            case Facts():
                room = max((len(name) for name, _ in part.said), default=0)
                for name, value in part.said:
                    click.echo(f"{name.ljust(room)}  {value}")
            case Table():
                _table(part)
            case Distribution():
                click.echo(f"{click.style(part.name, bold=True)}: {part.words}" if part.words else part.name)
            case Chart():
                continue
        click.echo()


def pictures(parts: Iterable[Part], on: Paper) -> list[Line]:
    """The curves and distributions of parts."""
    from mlops_tui.cli.pictures import chart
    from mlops_tui.tui.charts.histogram import histogram
    from mlops_tui.tui.lines import line

    out: list[Line] = []
    for part in parts:
        if isinstance(part, Chart):
            level = f"  ({part.level_name} {part.level:.4g})" if part.level is not None else ""
            out += [*chart(plot_of(part), on, title=part.title + level), ()]
        elif isinstance(part, Distribution):
            verdict = ("  drift", "warn") if part.drifted else ("  same", "muted")
            out.append(line((part.name, "title"), verdict))
            out += [
                *histogram(part.current, min(on.width, 100), 8, reference=part.reference, bins=part.bins,
                           names=("now", "at training"), kind=on.kind),
                (),
            ]  # fmt: skip
    return out[:-1] or [line(("Nothing to draw yet.", "muted"))]


def plot_of(part: Chart) -> Plot:
    """The chart as the screens draw it: a band as its two edges, the level as a curve of its own."""
    from mlops_tui.tui.charts import ticks
    from mlops_tui.tui.charts.line import Plot, Series

    curves = []
    for one in part.curves:
        at = tuple(float(when) for when, _ in one.points)
        curves.append(Series(one.name, at, tuple(math.nan if value is None else value for _, value in one.points)))
    if part.level is not None and curves:
        at = tuple(sorted({when for one in curves for when in one.xs}))
        curves.append(Series(part.level_name, at, tuple(part.level for _ in at)))
    return Plot(tuple(curves), low=0 if part.from_zero else None, x=ticks.TIME)


def _table(part: Table) -> None:
    if not part.rows:
        return
    if part.title:
        click.echo(click.style(part.title, bold=True))
    numeric = [place in part.numbers for place in range(len(part.heads))]
    print_table(part.heads, [[cell or NOT_SAID for cell in row] for row in part.rows], numeric)
