"""Every glyph we and Textual draw, in ASCII: lines, blocks, dots, marks and arrows. Letters of any script stay."""

# ruff: noqa: RUF001 - look-alikes of ASCII are what this table is about
from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SINGLE = {
    "●": "*", "○": "o", "◐": "%", "◑": "%", "◉": "@", "▲": "^", "△": "^", "▼": "v", "▽": "v", "▶": ">", "▸": ">", "▷": ">",
    "◀": "<", "◂": "<", "■": "#", "□": "o", "▪": "*", "◆": "+", "◇": "+", "✓": "v", "✔": "v", "✗": "x", "✘": "x", "✕": "x",
    "←": "<", "↑": "^", "→": ">", "↓": "v", "↔": "-", "↕": "|", "⏎": "<", "…": "~", "·": ".", "•": "*", "–": "-", "—": "-",
    "×": "x", "±": "~", "≥": ">", "≤": "<", "≈": "~", "≠": "!", "°": "o", "µ": "u", "μ": "u", "’": "'", "‘": "'", "“": '"',
    "”": '"', "«": "<", "»": ">", "‹": "<", "›": ">", "\xa0": " ", "−": "-", "∞": "8", "Δ": "D", "σ": "s", "²": "2", "³": "3",
}  # fmt: skip
_BLOCKS = "\"_.-=+*%####|||||.:%\"|..'####'##"  # U+2580 to U+259F


def glyph(code: int) -> str | None:
    """What to draw for a code point; None for what stays as it is."""
    character = chr(code)
    if code < 0x80:
        return None
    if character in _SINGLE:
        return _SINGLE[character]
    if 0x2500 <= code <= 0x257F:
        return _box(code)
    if 0x2580 <= code <= 0x259F:
        return _BLOCKS[code - 0x2580]
    if 0x2800 <= code <= 0x28FF:
        return _braille(code - 0x2800)
    if 0x1FB00 <= code <= 0x1FBFF:
        return "|"
    return "*" if 0x2190 <= code <= 0x27BF or 0x2900 <= code <= 0x2BFF else None


def _box(code: int) -> str:
    """Lines that run across are "-" or "=", those that run down "|", the diagonals themselves, every other meets: "+"."""
    offset = code - 0x2500
    if offset in (0x71, 0x72, 0x73):
        return {0x71: "/", 0x72: "\\", 0x73: "X"}[offset]
    across = {0x00, 0x01, 0x04, 0x05, 0x08, 0x09, 0x4C, 0x4D, 0x74, 0x76, 0x78, 0x7A, 0x7C, 0x7E}
    down = {0x02, 0x03, 0x06, 0x07, 0x0A, 0x0B, 0x4E, 0x4F, 0x51, 0x75, 0x77, 0x79, 0x7B, 0x7D, 0x7F}
    if offset == 0x50:
        return "="
    return "-" if offset in across else "|" if offset in down else "+"


def _braille(dots: int) -> str:
    """By where the dots are: upper or lower half, or both; many make a block."""
    if not dots:
        return " "
    if dots.bit_count() >= 6:
        return "#"
    upper, lower = dots & 0b00011011, dots & 0b11100100
    return ":" if upper and lower else "'" if upper else "."


class _Table(dict[int, str]):
    """Filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        self[code] = found = glyph(code) or chr(code)
        return found


_TABLE = _Table()


def ascii_only(text: str) -> str:
    """The text with its glyphs in ASCII; as many cells as before."""
    return text if text.isascii() else text.translate(_TABLE)


class AsciiFilter(LineFilter):
    """Applies to everything Textual draws: our panes, borders, scroll bars, dialogs."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(ascii_only(text), style, control) for text, style, control in segments]
