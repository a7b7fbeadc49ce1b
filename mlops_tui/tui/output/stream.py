"""Reads the escape stream Textual writes: text, styles, cursor moves and links; everything else is told apart."""

from __future__ import annotations

import re

# Controls that touch no cell: bell, mouse, focus, paste, cursor and wrap modes, queries, key protocol, titles, clipboard,
# notifications, pointer shape.
_CONTROL = (
    r"\x07"
    r"|\x1b\[\?(?:7|25|100[0-7]|1015|1016|2004|2048)[hl]"
    r"|\x1b\[\?\d+\$p"
    r"|\x1b\[[<>=]\d*u"
    r"|\x1b\[2[23](?:;\d+)*t"
    r"|\x1b\](?:[012]|9|22|52|777);[^\x07\x1b]*(?:\x07|\x1b\\)"
)
_TEXT = r"[^\x00-\x1f\x7f-\x9f]"
_TOKEN = re.compile(
    # What nine in ten parts of a frame look like: a style, text, the end of the style.
    rf"(?P<span>\x1b\[(?P<codes>[0-9;]+)m(?P<inside>{_TEXT}*)\x1b\[0m)"
    rf"|(?P<text>{_TEXT}+)"
    r"|\x1b\[(?P<sgr>[0-9;]*)m"
    r"|\x1b\[(?P<cup>\d*(?:;\d*)?)H"
    r"|(?P<line>\r?\n)"
    r"|(?P<home>\r)"
    r"|\x1b\]8;(?P<link>[^;\x07\x1b]*;[^\x07\x1b]*)(?:\x1b\\|\x07)"
    r"|\x1b\[\?2026(?P<sync>[hl])"
    r"|(?P<screen>\x1b\[\?1049[hl])"
    rf"|(?P<control>{_CONTROL})"
)
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?\Z")
_LONGEST = 1 << 20


Token = tuple[str, str, str, str]
"""One thing in the stream: its kind (a group of the pattern above), its content, it as written, and the text of a span."""


def read(data: str) -> tuple[list[Token], str] | None:
    """The tokens of `data` and the beginning of a sequence at its end; None when something is not understood."""
    tokens: list[Token] = []
    add = tokens.append
    at = 0
    for found in _TOKEN.finditer(data):
        if found.start() != at:
            break
        at = found.end()
        codes, inside = found.group("codes", "inside")
        if codes is not None:
            add(("span", codes, found[0], inside))
        else:
            kind = found.lastgroup
            assert kind is not None
            add((kind, found[kind], found[0], ""))
    if at == len(data):
        return tokens, ""
    rest = data[at:]
    return (tokens, rest) if len(rest) < _LONGEST and _BEGUN.match(rest) else None
