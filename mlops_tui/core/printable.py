"""Text of others made safe to print: names of processes, files and models may hold anything."""

from __future__ import annotations

_TURNS = (0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
"""Marks that turn the direction of text, end lines or cannot be seen: what comes after them would not be read as it is."""
_UNDECODED = range(0xD800, 0xE000)
"""How Python keeps bytes that are no text; they cannot be written."""
_CONTROL = dict.fromkeys((*range(32), *range(127, 160), *_TURNS, *_UNDECODED), "·") | {9: " ", 10: " ", 13: " "}


def clean(text: object) -> str:
    """One printable line of any value: control characters are replaced, so user text cannot steer the terminal."""
    text = str(text)
    return text if text.isprintable() else text.translate(_CONTROL)


def whole(text: str) -> str:
    """The text, with `?` for bytes that are no text: what JSON and files can hold."""
    return text if text.isascii() else text.encode(errors="replace").decode()
