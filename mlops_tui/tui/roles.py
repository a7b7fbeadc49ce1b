"""Roles as colours and weights, worked out once per theme.

As component classes each role of each widget was a node that every change of styles went through: 1 of 2.4 s CPU of the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.color import Color

COLOURS = {
    "text": "foreground",
    "muted": "muted",
    "title": "foreground",
    "accent": "accent",
    "good": "success",
    "warn": "warning",
    "bad": "error",
    "busy": "primary",
    "key": "primary",
    "s1": "accent",
    "s2": "warning",
    "s3": "success",
    "s4": "secondary",
    "head": "muted",
}
"""The variable of the theme that colours a role."""

BOLD = frozenset({"title", "bad", "key", "cursor", "head"})
GROUNDS = {"cursor": "panel", "blur": "surface"}
"""Roles that are a background."""

OF_THE_TERMINAL = {
    "muted": Style(color="default", dim=True),
    "head": Style(color="default", bold=True, underline=True),
    "cursor": Style(reverse=True),
    "blur": Style(underline=True),
}
"""Without a palette of our own there is no muted colour and no panel: weights stand for them."""


def style(role: str, theme: Mapping[str, str], *, ansi: bool) -> Style:
    """The style of a role under a theme's variables; a role that is not known is plain."""
    if role.startswith("#"):  # of a picture: a colour of its own, where there are colours
        return Style() if ansi else _own(role)
    if ansi and role in OF_THE_TERMINAL:
        return OF_THE_TERMINAL[role]
    return _style(theme.get(COLOURS.get(role, ""), ""), theme.get(GROUNDS.get(role, ""), ""), role in BOLD)


@lru_cache(maxsize=256)
def _style(colour: str, ground: str, bold: bool) -> Style:
    return Style(
        color=Color.parse(colour).rich_color if colour else None,
        bgcolor=Color.parse(ground).rich_color if ground else None,
        bold=True if bold else None,
    )


@lru_cache(maxsize=4096)
def _own(colour: str) -> Style:
    return Style(color=Color.parse(colour).rich_color)
