"""A page as one HTML file: styles and pictures inside, no script, nothing loaded from anywhere."""

from __future__ import annotations

from html import escape

from mlops_tui.pages import svg
from mlops_tui.pages.numbers import when
from mlops_tui.pages.page import Chart, Distribution, Facts, Page, Part, Section, Table, Words

STYLE = """
:root { --ink: #1c2024; --soft: #60646c; --rule: #d9d9e0; --paper: #fff; --bad: #b42318; --good: #18794e; --one: #2f6fd0; --two:
#c2570c; --three: #1a7f5a; --four: #8e4ec6; color-scheme: light dark; } @media (prefers-color-scheme: dark) { :root { --ink:
#edeef0; --soft: #a3a8b0; --rule: #363a3f; --paper: #111315; --bad: #ff9592; --good: #3dd68c; --one: #70b8ff; --two: #ffa057;
--three: #3dd68c; --four: #d19dff; } } body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
margin: 2rem auto; max-width: 62rem; padding: 0 1rem; } h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem;
margin-top: 2.2rem; border-bottom: 1px solid var(--rule); } nav a { margin-right: 1rem; } a { color: var(--one); } .muted,
.legend, .made { color: var(--soft); } .warn, .bad { color: var(--bad); } .good { color: var(--good); } .wide { overflow-x:
auto; } table { border-collapse: collapse; margin: .6rem 0; } caption { text-align: left; font-weight: 600; } th, td {
text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; } th { color:
var(--soft); font-weight: 500; } .number { text-align: right; font-variant-numeric: tabular-nums; } dl { display: grid;
grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { color: var(--soft); } dd { margin: 0; } figure { margin: 1rem 0;
} figcaption { font-weight: 600; } svg { width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 11px; } .grid {
stroke: var(--rule); stroke-width: 1; } .level { stroke: var(--soft); stroke-dasharray: 6 4; } .line { stroke-width: 2; } .guess
{ stroke-width: 2; stroke-dasharray: 2 4; } .band { opacity: .16; } rect.now { fill: var(--one); opacity: .55; } rect.before {
fill: none; stroke: var(--two); stroke-width: 1.5; } .legend i { display: inline-block; width: 1.6rem; margin: 0 .4rem 0 1rem;
vertical-align: middle; border-top: 2px solid; } .legend i.guess { border-top-style: dotted; } .legend i.level {
border-top-style: dashed; } .legend i.now { border-color: var(--one); border-top-width: 8px; opacity: .55; } .legend i.before {
border-color: var(--two); }
"""


def write(page: Page) -> str:
    """The whole file."""
    sections = list(enumerate(page.sections))
    nav = " ".join(f'<a href="#s{place}">{escape(one.title)}</a>' for place, one in sections)
    body = "\n".join(_section(place, one) for place, one in sections)
    made = f'<p class="made">Made {when(page.made_at)} by {escape(page.made_by)}.</p>' if page.made_at else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(page.title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(page.title)}</h1><p>{escape(page.lead)}</p>{made}
<nav>{nav}</nav>
{body}
</body></html>
"""


def _section(place: int, section: Section) -> str:
    return f'<section id="s{place}"><h2>{escape(section.title)}</h2>{"".join(map(_part, section.parts))}</section>'


def _part(part: Part) -> str:
    match part:
        case Words():
            role = f' class="{escape(part.role, quote=True)}"' if part.role else ""
            return f"<p{role}>{escape(part.text)}</p>"
        case Facts():
            pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in part.said)
            return f"<dl>{pairs}</dl>"
        case Table():
            return _table(part)
        case Chart():
            return svg.chart(part)
        case Distribution():
            return svg.distribution(part)


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    title = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    heads = "".join(f"<th{_class(place, table)}>{escape(head)}</th>" for place, head in enumerate(table.heads))
    rows = []
    for at, row in enumerate(table.rows):
        role = table.roles[at] if at < len(table.roles) else ""
        opened = f'<tr class="{escape(role, quote=True)}">' if role else "<tr>"
        rows.append(opened + "".join(_cell(place, cell, table) for place, cell in enumerate(row)) + "</tr>")
    return f'<div class="wide"><table>{title}<tr>{heads}</tr>{"".join(rows)}</table></div>'


def _cell(place: int, cell: str, table: Table) -> str:
    text = f"<code>{escape(cell)}</code>" if place in table.code and cell else escape(cell)
    return f"<td{_class(place, table)}>{text}</td>"


def _class(place: int, table: Table) -> str:
    return ' class="number"' if place in table.numbers else ""
