"""What a picture of `--plot` is printed on."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys

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
