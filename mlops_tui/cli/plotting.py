"""`--plot`: the options, and the paper a picture is printed on. Pictures themselves are made in pictures.py."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mlops_tui.tui.lines import Line

R = TypeVar("R")

_WIDEST = 160
"""A curve over a whole wide screen is harder to read, not easier."""


@dataclasses.dataclass(frozen=True, slots=True)
class Paper:
    """What is printed on: cells across, lines for one chart, which glyphs, and whether there is colour."""

    width: int
    height: int
    ascii: bool
    colour: bool

    @property
    def kind(self) -> str:
        """The canvas for curves."""
        return "ascii" if self.ascii else "braille"


def plot_options(function: Callable[..., R]) -> Callable[..., R]:
    """`--plot` and `--ascii`."""
    function = click.option("--ascii", "as_ascii", is_flag=True, help="With --plot: ASCII characters only.")(function)
    return click.option("--plot", "as_plot", is_flag=True, help="Draw it.")(function)


def alone(as_plot: bool, as_json: bool) -> None:
    """Raise a usage error when both a picture and JSON are wanted."""
    if as_plot and as_json:
        raise click.UsageError("--plot is for people and --json for programs: choose one.")


def paper(*, ascii_only: bool = False) -> Paper:
    """As wide as the terminal; ASCII where the locale is not UTF-8; no colour in a pipe, with NO_COLOR or TERM=dumb."""
    size = shutil.get_terminal_size((80, 24))
    terminal = sys.stdout.isatty()
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf8")
    asked = os.environ.get("MLOPS_ASCII", "").lower() not in ("", "0", "no", "false", "off")
    return Paper(
        width=max(20, min(_WIDEST, size.columns)),
        height=max(8, min(16, size.lines - 6)),
        ascii=ascii_only or asked or not utf8,
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb",
    )


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
