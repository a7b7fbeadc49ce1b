"""Styles of cells: read from SGR codes, and the shortest codes that lead from one style to another."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Style(NamedTuple):
    """How a cell looks. Colours are the SGR parameters that set them ("38;2;1;2;3"), "" is the terminal's own."""

    fg: str = ""
    bg: str = ""
    attrs: tuple[int, ...] = ()
    link: str = ""


PLAIN = Style()

# Which attributes each "off" code ends (ECMA-48; 22 ends bold and dim together).
_OFF = {22: (1, 2), 23: (3,), 24: (4, 21), 25: (5, 6), 27: (7,), 28: (8,), 29: (9,), 54: (51, 52), 55: (53,)}
_OFF_OF = {attr: off for off, attrs in _OFF.items() for attr in attrs}
# Attributes that do not show on a blank: bold, dim, italic, blink and concealed.
_UNSEEN_ON_BLANK = frozenset({1, 2, 3, 5, 6, 8})
_known: dict[Style, Style] = {PLAIN: PLAIN}
_blanks: dict[Style, Style | None] = {}


def intern(style: Style) -> Style:
    """The one object for a style, so that cells compare by identity."""
    if len(_known) > 50_000:
        _known.clear()  # an endless gradient: costs a repaint of some cells, never a wrong one
        _known[PLAIN] = PLAIN
    return _known.setdefault(style, style)


@lru_cache(4096)
def apply(style: Style, parameters: str) -> Style | None:
    """The style after ``ESC [ parameters m``; None when a parameter is not understood."""
    fg, bg, attrs, link = style
    codes = [int(code) if code else 0 for code in parameters.split(";")]
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code == 0:
            fg, bg, attrs = "", "", ()
        elif code in _OFF_OF:
            attrs = tuple(sorted({*attrs, code}))
        elif code in _OFF:
            attrs = tuple(attr for attr in attrs if attr not in _OFF[code])
        elif code in (38, 48):
            length = {5: 2, 2: 4}.get(codes[at] if at < len(codes) else -1, 0)
            if not length or at + length > len(codes):
                return None
            colour = ";".join(map(str, codes[at - 1 : at + length]))
            fg, bg = (colour, bg) if code == 38 else (fg, colour)
            at += length
        elif 30 <= code <= 39 or 90 <= code <= 97:
            fg = "" if code == 39 else str(code)
        elif 40 <= code <= 49 or 100 <= code <= 107:
            bg = "" if code == 49 else str(code)
        else:
            return None
    return intern(Style(fg, bg, attrs, link))


@lru_cache(8192)
def change(before: Style, after: Style) -> str:
    """The shortest sequence that turns `before` into `after`; "" when they are equal."""
    link = f"\x1b]8;{after.link or ';'}\x1b\\" if before.link != after.link else ""
    if before[:3] == after[:3]:
        return link
    everything = [part for part in (*map(str, after.attrs), after.fg, after.bg) if part]
    fresh = ";".join(everything) if before[:3] == PLAIN[:3] else ";".join(["0", *everything]) if everything else ""
    step = ";".join(_steps(before, after))
    return f"{link}\x1b[{min((fresh, step), key=len)}m"


def _steps(before: Style, after: Style) -> list[str]:
    """The codes of what differs."""
    offs = sorted({_OFF_OF[attr] for attr in before.attrs if attr not in after.attrs})
    left = {attr for attr in before.attrs if _OFF_OF[attr] not in offs}
    codes = [*map(str, offs), *(str(attr) for attr in after.attrs if attr not in left)]
    if before.fg != after.fg:
        codes.append(after.fg or "39")
    if before.bg != after.bg:
        codes.append(after.bg or "49")
    return codes


def on_blank(style: Style) -> Style | None:
    """What is left of a style on a blank cell: its background; None when an attribute (or a link) shows there too."""
    try:
        return _blanks[style]
    except KeyError:
        seen = style.link or any(attr not in _UNSEEN_ON_BLANK for attr in style.attrs)
        found = None if seen else intern(Style(bg=style.bg))
        if len(_blanks) > 50_000:
            _blanks.clear()
        _blanks[style] = found
        return found
