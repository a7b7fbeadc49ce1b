"""A page as Markdown: tables, paragraphs, and a line of blocks for each curve."""

from __future__ import annotations

import math

from mlops_tui.pages.numbers import number, share, when
from mlops_tui.pages.page import MUTED, Chart, Curve, Distribution, Facts, Page, Part, Section, Table, Words

BLOCKS = "▁▂▃▄▅▆▇█"
_HTML = str.maketrans({"<": "&lt;", ">": "&gt;", "[": "\\["})


def write(page: Page) -> str:
    """The whole page."""
    made = f"*Made {when(page.made_at)} by {_inline(page.made_by)}.*" if page.made_at else ""
    parts = [f"# {_inline(page.title)}", _inline(page.lead), made, *map(_section, page.sections)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> str:
    return "\n\n".join([f"## {_inline(section.title)}", *(text for part in section.parts if (text := _part(part)))])


def _part(part: Part) -> str:
    match part:
        case Words():
            return f"*{_inline(part.text)}*" if part.role == MUTED else _inline(part.text)
        case Facts():
            return "\n".join(f"- **{_inline(name)}:** {_inline(value)}" for name, value in part.said)
        case Table():
            return _table(part)
        case Chart():
            return _chart(part)
        case Distribution():
            return _distribution(part)


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    under = ["--:" if place in table.numbers else "---" for place in range(len(table.heads))]
    rows = [
        [_code(cell) if place in table.code else _cell(cell) for place, cell in enumerate(row)] for row in table.rows
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in ([_cell(head) for head in table.heads], under, *rows)]
    return "\n".join([*([f"**{_inline(table.title)}**", ""] if table.title else []), *lines])


def _chart(chart: Chart) -> str:
    level = f", {chart.level_name} {number(chart.level)}" if chart.level is not None else ""
    lines = [f"**{_inline(chart.title)}**{_inline(level)}", ""]
    return "\n".join([*lines, *(f"- {_inline(one.name)}: {_line(one)}" for one in chart.curves)])


def _line(curve: Curve) -> str:
    values = [value if value is not None and math.isfinite(value) else None for _, value in curve.points]
    known = [value for value in values if value is not None]
    if not known:
        return "no points"
    low, high = min(known), max(known)
    step = (high - low) or 1.0
    drawn = "".join(" " if value is None else BLOCKS[min(7, int((value - low) / step * 8))] for value in values)
    return f"`{drawn}` {number(low)} to {number(high)}, now {number(known[-1])}"


def _distribution(one: Distribution) -> str:
    rows = tuple(
        (name, share(before), share(now))
        for name, before, now in zip(one.bins, one.reference, one.current, strict=True)
        if before or now
    )
    table = Table((one.name, "at training", "now"), rows, numbers=frozenset({1, 2}))
    return "\n\n".join(part for part in (f"### {_inline(one.name)}", _inline(one.words), _table(table)) if part)


def _inline(text: str) -> str:
    """Text that means itself: no HTML of a column's name becomes markup."""
    return " ".join(text.split()).translate(_HTML)


def _cell(text: str) -> str:
    return _inline(text).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('|', chr(92) + '|').replace('`', chr(39))}`" if text else ""
