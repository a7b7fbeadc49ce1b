"""`--plot`: the options, and a picture on paper. Pictures themselves are made in pictures.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlops_tui.cli.paper import Paper, paper

if TYPE_CHECKING:
    from mlops_tui.tui.lines import Line

R = TypeVar("R")


def plot_options(function: Callable[..., R]) -> Callable[..., R]:
    """`--plot` and `--ascii`."""
    function = click.option("--ascii", "as_ascii", is_flag=True, help="With --plot: ASCII characters only.")(function)
    return click.option("--plot", "as_plot", is_flag=True, help="Draw it.")(function)


def alone(as_plot: bool, as_json: bool) -> None:
    """Raise a usage error when both a picture and JSON are wanted."""
    if as_plot and as_json:
        raise click.UsageError("--plot is for people and --json for programs: choose one.")


def text_of(lines: Sequence[Line], on: Paper) -> str:
    """The lines as they go to stdout."""
    from mlops_tui.tui.charts import printing

    return printing.to_text(printing.to_ascii(lines) if on.ascii else lines, colour=on.colour)


def show(make: Callable[[Paper], Sequence[Line]], *, ascii_only: bool = False) -> None:
    """Print a picture."""
    on = paper(ascii_only=ascii_only)
    click.echo(text_of(make(on), on), color=on.colour)


def pictures() -> Any:
    """The module that draws, loaded when something is drawn: no other command pays for it."""
    from mlops_tui.cli import pictures as module

    return module
