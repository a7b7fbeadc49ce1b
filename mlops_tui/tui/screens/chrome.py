"""Everything around a desk's list: top bar, banner, parts of the desk, key line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui import actions
from mlops_tui.tui.actions import DESKS, Action, Situation
from mlops_tui.tui.lines import Line, Span, clean, crop, join, line
from mlops_tui.tui.lines import width as cells
from mlops_tui.tui.saved import LISTS
from mlops_tui.tui.widgets import states
from mlops_tui.tui.widgets.bar import Bar, Part

if TYPE_CHECKING:
    from mlops_tui.tui.screens.frame import Frame
    from mlops_tui.tui.screens.section import Section

_LONG = 118
_BARS = 3
_WORTH = 12
"""Cells in which a cut filter still says something."""
_ROOMY = 15
"""Lines from which a list and its detail share the window."""
WIDE = 100
"""Columns from which they stand side by side."""


def draw(desk: Frame) -> None:
    """Bring the four bars up to date, and where the detail stands."""
    put_detail_below(desk)
    app = desk.workbench_app
    width = desk.size.width
    desk.query_one("#top", Bar).show(
        tabs(desk.HOME or desk.ID, width), place(app.project, app.daemon, width, app.read_only)
    )
    banner = desk.query_one("#banner", Bar)
    said = states.banner(app.versions, app.daemon, desk.now)
    banner.display = bool(said)
    banner.show([(said, "")])
    shown = desk.parts()
    desk.query_one("#parts", Bar).show(shown, _fitted(desk, width - _cells(shown) - 1))
    desk.query_one("#keys", Bar).show(footer(desk.ID, desk.section, desk.situation, width))


def put_detail_below(desk: Frame) -> None:
    """In a narrow window a short list leaves room: its detail stands below it, until it is opened over all of it."""
    below = False
    if desk.section.detail is not None and desk.size.width < WIDE and (table := desk.table).display:
        room = desk.query_one("#body").size.height or desk.size.height - _BARS
        below = table.rows.exact and table.rows.count > 0 and room >= max(_ROOMY, 3 * (table.rows.count + 1))
    desk.set_class(below, "-below")


def situation(desk: Frame) -> Situation:
    """What the rules of actions look at: the record, the list and the panes on screen, the session."""
    app, record, chart = desk.workbench_app, desk.record, desk.chart
    undo = app.deeds.newest
    return Situation(
        record=record,
        daemon=app.daemon,
        names=desk.section.names(record) if record is not None else {},
        read_only=app.read_only,
        keys=app.keys,
        undo=undo.title if undo else "",
        list=LISTS.get((desk.ID, desk.section.id), ""),
        filter=desk.here.reading(desk.section, desk.now).good if desk.here.filter else "",
        panes=frozenset(() if chart is None else ("chart",)),
        pane="" if chart is None or chart is not desk.focused else "chart",
    )


def tabs(current: str, width: int) -> list[Part]:
    """The eight desks with their keys; short names in a narrow terminal, numbers in a tiny one."""
    out: list[Part] = []
    for at, (name, title, short) in enumerate(DESKS, 1):
        here = name == current
        word = title if width >= _LONG else short if width >= 72 or here else ""
        role = "title" if here else "muted"
        out.append(((("▐" if here else " ", "accent"), (str(at), "key"), (f" {word} " if word else " ", role)),
                    f"app.desk('{name}')"))  # fmt: skip
    return out


def place(project: str, daemon: bool | None, width: int, read_only: bool = False) -> Line:
    """Which workspace, whether its daemon runs, and whether anything may be changed."""
    said: dict[bool | None, Span] = {
        True: ("● daemon ", "good"),
        False: ("○ no daemon ", "warn"),
        None: ("", "muted"),
    }
    locked: Line = (("◇ read-only  ", "warn"),) if read_only else ()
    return (*locked, (f"{clean(project)}  ", "muted"), said[daemon]) if width >= _LONG else (*locked, said[daemon])


def parts(desk: Frame) -> list[Part]:
    """The parts of the desk with how many rows each holds, and the filter."""
    out: list[Part] = []
    for section in desk.SECTIONS:
        memory = desk.memory[section.id]
        here = section is desk.section
        count = f" {section.said(memory.records)}" if section.draw is None and memory.records is not None else ""
        role = "title" if here else "muted"
        out.append(
            (((" ", "text"), ("▸" if here else " ", "accent"), (section.title, role), (count, "muted"), (" ", "text")),
             f"show_part('{section.id}')")
        )  # fmt: skip
    return out


def short_parts(desk: Frame, titles: Mapping[str, str]) -> list[Part]:
    """The parts for a narrow terminal: without counts, some with a shorter title (by section id)."""
    out: list[Part] = []
    for section, (spans, action) in zip(desk.SECTIONS, parts(desk), strict=True):
        role = "title" if section is desk.section else "muted"
        out.append(((spans[1], (titles.get(section.id, section.title), role), (" ", "text")), action))
    return out


def _fitted(desk: Frame, room: int) -> Line:
    """What stands at the right of the parts: cut where it says what is under way or which filter holds, else as it is."""
    said = status(desk)
    return crop(said, room) if room >= _WORTH and cells(said) > room and said != crumbs(desk) else said


def fitting(desk: Frame, titles: Mapping[str, str]) -> list[Part]:
    """The parts of a desk that has many: with counts where there is room for all, else without, else with short titles,
    else those around the one on screen, between arrows. What is under way, and the filter, keep their room.
    """
    said = status(desk)
    room = desk.size.width - (0 if said == crumbs(desk) else min(cells(said) + 1, desk.size.width // 2))
    long, short = parts(desk), short_parts(desk, titles)
    bare = short_parts(desk, {})
    found = next((one for one in (long, bare, short) if _cells(one) <= room), None)
    return found or _around(short, desk.SECTIONS.index(desk.section), room)


def _cells(row: Sequence[Part]) -> int:
    return sum(cells(spans) for spans, _ in row)


def _around(row: Sequence[Part], at: int, room: int) -> list[Part]:
    """As many parts as fit beside part `at`, which is not at the edge unless it is the first or last."""
    begin = end = at
    while True:
        wider = [(begin - 1, end)] * (begin > 0) + [(begin, end + 1)] * (end + 1 < len(row))
        wider.sort(key=lambda span: abs(span[0] + span[1] - 2 * at))
        grown = next((span for span in wider if _cells(_between(row, *span)) <= room), None)
        if grown is None:
            return _between(row, begin, end)
        begin, end = grown


def _between(row: Sequence[Part], begin: int, end: int) -> list[Part]:
    before: list[Part] = [((("← ", "key"),), "section(-1)")] if begin > 0 else []
    behind: list[Part] = [((("→", "key"),), "section(1)")] if end + 1 < len(row) else []
    return [*before, *row[begin : end + 1], *behind]


def status(desk: Frame) -> Line:
    """What is under way, else the filter in force, else where this is."""
    memory = desk.here
    if desk.progress:
        title, text = next(iter(desk.progress.items()))
        return ((f"◐ {clean(title)} {clean(text)} ", "busy"),)
    if (waited := desk.waited(desk.section.id)) >= states.SLOW_S:
        return ((f"◐ reading for {waited:.0f} s, ", "busy"), ("esc", "key"), (" stops waiting ", "muted"))
    if memory.marks:
        count = f"{len(memory.marks):,} marked" if len(memory.marks) else "range"
        return ((f"◆ {count} ", "accent"),)
    if memory.filter:
        return (("filter ", "muted"), (clean(memory.filter), "accent"), (f"  {matched(desk)} ", "muted"))
    return crumbs(desk)


def matched(desk: Frame) -> str:
    """How many rows the filter leaves, of how many; of a store's rows only those are known."""
    records, section = desk.here.records, desk.section
    if section.paged is not None:
        return section.said(records) if records is not None else ""
    return f"{desk.visible_count:,} of {section.said(records or ())}"


def crumbs(desk: Frame) -> Line:
    """The way here: desk, the part it was opened from, part, object."""
    titles = {name: title for name, title, _ in DESKS}
    steps = [titles[desk.HOME or desk.ID], desk.section.title]
    if desk.here.came_from:
        steps.insert(1, desk.by_id(desk.here.came_from).title)
    names = desk.section.names(desk.record) if desk.record is not None else {}
    steps.append(str(names.get("ref") or names.get("name") or names.get("id") or ""))
    spans = [(clean(step), "muted") for step in dict.fromkeys(steps) if step]
    return (*join(spans, " > "), (" ", "text")) if desk.size.width >= 72 else ()


def footer(desk: str, section: Section, now: Situation, width: int) -> list[Part]:
    """At most eight keys: what can be done here, then what works everywhere; not allowed actions are dim."""
    taken = {key for one in actions.CHARTS for key in one.keys_for(now)} if now.pane else set[str]()
    own = [
        (one, f"act('{one.id}')")
        for one in actions.of(desk, section.id)
        if one.footer and not taken.issuperset(one.keys_for(now))
    ]
    listed = section.draw is None
    hidden = {"list.filter", "list.menu"} if desk == "overview" else set() if listed else {"list.filter", "go.open"}
    common = [(one, _ANYWHERE.get(one.id, "")) for one in actions.GLOBAL if one.footer and one.id not in hidden]
    common = [(one, click) for one, click in common if not taken.issuperset(one.keys_for(now))]
    parts = [(one, (_key(one, now), click)) for one, click in (*own, *common)]
    room = width
    kept: set[str] = set()
    for action, (spans, _) in sorted(parts, key=lambda part: _RANK.get(part[0].id, 0)):
        if cells(spans) <= room and len(kept) < MOST_KEYS:
            room -= cells(spans)
            kept.add(action.id)
    return [part for action, part in parts if action.id in kept]


MOST_KEYS = 8
_ANYWHERE = {
    "go.palette": "app.command_palette",
    "list.filter": "filter",
    "list.menu": "menu",
    "app.help": "help",
    "app.quit": "app.quit",
    "part.after": "section(1)",
}
# Who stays when the line is short: the desk's own actions (0), help, then the rest.
_RANK = {"app.help": 1, "go.open": 2, "list.filter": 3, "part.after": 4, "app.quit": 5, "go.palette": 6, "list.menu": 7}


def _key(action: Action, now: Situation) -> Line:
    allowed = not action.why_not(now)
    key = actions.shown(action.keys_for(now)[0])
    if action.id == "part.after":
        key = f"{actions.shown(actions.get('part.before').keys_for(now)[0])} {key}"
    return ((f" {key}", "key" if allowed else "muted"), (f" {action.footer} ", "text" if allowed else "muted"))


def too_small(width: int, height: int) -> list[Line]:
    """What is shown below 40x10."""
    return [
        line(("Too small: needs 40x10.", "warn")),
        line((f"This is {width}x{height}.", "muted")),
        line(("q quits.", "muted")),
    ]
