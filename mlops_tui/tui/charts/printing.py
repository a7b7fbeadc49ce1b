"""Lines of a chart as text for a terminal or a file: with colour or without, in Unicode or in ASCII."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_tui.tui.charts.series import ASCII_MARKS, MARKS
from mlops_tui.tui.lines import Line, plain

_SGR = {
    "muted": "2",
    "title": "1",
    "accent": "96",
    "good": "32",
    "warn": "33",
    "bad": "1;31",
    "busy": "34",
    "key": "1;34",
    "s1": "36",
    "s2": "33",
    "s3": "32",
    "s4": "35",
    **{f"heat{level}": f"38;5;{code}" for level, code in enumerate((17, 24, 30, 214, 196), 1)},
}
_ASCII = str.maketrans(
    {
        **dict(zip(MARKS, ASCII_MARKS, strict=False)),
        **dict(zip("▁▂▃▄▅▆▇█", "_..-=+*#", strict=True)),
        **dict(zip("▏▎▍▌▋▊▉", "--==###", strict=True)),
        **dict(zip("│┤└┬─┊·…▒□▀░▓←→✓✗◐", "|++++:...#o^.#<>vx*", strict=False)),
        "─": "-",
        "┊": ":",
        "·": ".",
        "…": "~",
    }
)


def to_ascii(lines: Sequence[Line]) -> list[Line]:
    """The same lines in ASCII, cell for cell: braille becomes ``#``, frames ``|`` and ``-``, other letters ``?``.

    Draw curves on the ASCII canvas instead where there is a choice.
    """
    return [tuple((_ascii(text), role) for text, role in one) for one in lines]


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    text = text.translate(_ASCII)
    return "".join(glyph if glyph.isascii() else "#" if "⠀" < glyph <= "⣿" else "?" for glyph in text)


def to_text(lines: Sequence[Line], *, colour: bool = False) -> str:
    """The lines as one text without trailing spaces; with `colour` in the sixteen colours of the terminal."""
    if not colour:
        return "\n".join(plain(one).rstrip() for one in lines)
    return "\n".join("".join(_painted(text, role) for text, role in one).rstrip() for one in lines)


def _painted(text: str, role: str) -> str:
    upper, _, lower = role.partition("/")
    code = _SGR.get(upper, "")
    if lower:
        code += ";" + _SGR[lower].replace("38;", "48;", 1)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text
