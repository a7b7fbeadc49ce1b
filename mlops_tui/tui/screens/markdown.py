"""Markdown as lines: headings, lists, quotes, code, rules, emphasis by marks. Enough for notes and reports, not a browser."""

from __future__ import annotations

import re

from mlops_tui.tui.lines import Line, Span, clean, fit, line, wrap

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])\s+(.*)")
_RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*$")
_EMPHASIS = re.compile(
    r"(\*\*|__)(.+?)\1|(`+)(.+?)\3|(?<![\w*])([*_])(?!\s)(.+?)(?<!\s)\5(?![\w*])|\[([^\]]+)\]\(([^)\s]+)\)"
)
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")


def draw_markdown(text: str, width: int) -> list[Line]:
    """The text in `width` cells; what is not understood stays as it is written."""
    out: list[Line] = []
    rows = text.splitlines()
    at = 0
    while at < len(rows):
        row = rows[at]
        if row.lstrip().startswith(("```", "~~~")):
            at = _code(rows, at, out, width)
        elif "|" in row and at + 1 < len(rows) and _TABLE_RULE.match(rows[at + 1]):
            at = _table(rows, at, out, width)
        else:
            out += _row(row, width)
            at += 1
    return out


def _code(rows: list[str], at: int, out: list[Line], width: int) -> int:
    fence = rows[at].lstrip()[:3]
    at += 1
    while at < len(rows) and not rows[at].lstrip().startswith(fence):
        out.append(line(("  │ ", "muted"), (clean(rows[at])[: max(1, width - 4)], "accent")))
        at += 1
    return at + 1


def _table(rows: list[str], at: int, out: list[Line], width: int) -> int:
    found = [_cells(rows[at])]
    at += 2
    while at < len(rows) and "|" in rows[at]:
        found.append(_cells(rows[at]))
        at += 1
    columns = max(map(len, found))
    most = max(4, (width - 2 * columns) // columns)
    widths = [min(most, max(len(one[col]) if col < len(one) else 0 for one in found)) for col in range(columns)]
    for number, one in enumerate(found):
        text = "  ".join(fit(one[col] if col < len(one) else "", widths[col]) for col in range(columns))
        out.append(line((text, "muted" if number == 0 else "text")))
    return at


def _cells(row: str) -> list[str]:
    return [_plain(cell.strip()) for cell in row.strip().strip("|").split("|")]


def _row(row: str, width: int) -> list[Line]:
    if not row.strip():
        return [()]
    if found := _HEADING.match(row):
        role = "title" if len(found[1]) < 3 else "accent"
        return [line((piece, role)) for piece in wrap(_plain(found[2]), width)]
    if _RULE.match(row):
        return [line(("─" * min(width, 40), "muted"))]
    if found := _ITEM.match(row):
        mark = "•" if found[2] in "-*+" else found[2]
        return _hanging(f"{found[1]}{mark} ", found[3], width)
    if row.lstrip().startswith(">"):
        return _hanging("▌ ", row.lstrip()[1:].strip(), width, "muted", again=True)
    return _hanging("", row.strip(), width)


def _hanging(first: str, text: str, width: int, role: str = "text", *, again: bool = False) -> list[Line]:
    """Wrapped text after a mark; emphasis is put in per line, so a span over a line break loses it."""
    out: list[Line] = []
    for at, piece in enumerate(wrap(text.rstrip(), max(8, width - len(first)))):
        mark = first if at == 0 or again else " " * len(first)
        out.append((*(((mark, "accent"),) if mark else ()), *_spans(piece, role)))
    return out


def _spans(text: str, role: str) -> Line:
    out: list[Span] = []
    end = 0
    for found in _EMPHASIS.finditer(text):
        if found.start() > end:
            out.append((text[end : found.start()], role))
        strong, code, light, word, link = found[2], found[4], found[6], found[7], found[8]
        if strong or code or light:
            out.append((strong or code or light, "accent" if code else "title"))
        else:
            out += [(word, "accent"), (f" ({link})", "muted")]
        end = found.end()
    if end < len(text):
        out.append((text[end:], role))
    return tuple(out)


def _plain(text: str) -> str:
    return "".join(word for word, _ in _spans(text, "text"))
