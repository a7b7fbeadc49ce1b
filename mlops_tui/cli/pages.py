"""Printing parts of pages: tables and facts as text, curves and distributions as pictures where they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import print_table
from mlops_tui.pages.page import MUTED, Chart, Distribution, Facts, Part, Table, Words

if TYPE_CHECKING:
    from mlops_tui.cli.paper import Paper
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
    from mlops_tui.tui.charts.pages import plot_of
    from mlops_tui.tui.lines import line

    out: list[Line] = []
    for part in parts:
        if isinstance(part, Chart):
            out += [*chart(plot_of(part), on, title=part.title), ()]
        elif isinstance(part, Distribution):
            verdict = ("  drift", "warn") if part.drifted else ("  same", "muted")
            out.append(line((part.name, "title"), verdict))
            out += [
                *histogram(part.current, min(on.width, 100), 8, reference=part.reference, bins=part.bins,
                           names=("now", "at training"), kind=on.kind),
                (),
            ]  # fmt: skip
    return out[:-1] or [line(("Nothing to draw yet.", "muted"))]


def _table(part: Table) -> None:
    if not part.rows:
        return
    if part.title:
        click.echo(click.style(part.title, bold=True))
    numeric = [place in part.numbers for place in range(len(part.heads))]
    print_table(part.heads, [[cell or NOT_SAID for cell in row] for row in part.rows], numeric)
