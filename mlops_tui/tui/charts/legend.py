"""The legend of a chart: a glyph, a name and last, min and max of each curve, or their values at the cursor."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.cells import cell_len

from mlops_tui.tui.charts import series as curves
from mlops_tui.tui.charts.series import Series
from mlops_tui.tui.lines import Line, Span, clean, fit, number
from mlops_tui.tui.lines import width as cells

_NAME = 24


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A curve, its place among the curves (it gives glyph and colour) and its value at the cursor."""

    place: int
    series: Series
    at_cursor: float | None = None


def rows(entries: Sequence[Entry], width: int, most: int) -> int:
    """Lines that are worth having: one when all curves fit with their last values, else one a curve up to `most`."""
    if not entries:
        return 0
    short = [_entry(entry, "", False, cell_len(clean(entry.series.name)))[:2] for entry in entries]
    return 1 if cells(_joined((), short)) <= width else min(len(entries), most)


def draw(entries: Sequence[Entry], width: int, lines: int, cursor: str = "", *, ascii_only: bool = False) -> list[Line]:
    """Exactly `lines` lines: all curves in one line when they fit, else one a line; those beyond are counted."""
    if lines < 1:
        return []
    flat = [_entry(entry, cursor, ascii_only, cell_len(clean(entry.series.name))) for entry in entries]
    lead: Line = ((f"{cursor}  ", "title"),) if cursor else ()
    one = _joined(lead, flat)
    if lines == 1 or cells(one) <= width:
        return [_cut(lead, flat, width), *([()] * (lines - 1))]
    name = min(_NAME, max(cell_len(clean(entry.series.name)) for entry in entries))
    listed = [_entry(entry, cursor, ascii_only, name) for entry in entries]
    kept = listed if len(listed) <= lines else listed[: lines - 1]
    more: list[Line] = [((f"  and {len(listed) - len(kept)} more", "muted"),)] if len(kept) < len(listed) else []
    out = [*((*(lead if at == 0 else _blank(lead)), *spans) for at, spans in enumerate(kept)), *more]
    return [*out, *([()] * (lines - len(out)))]


def _entry(entry: Entry, cursor: str, ascii_only: bool, name: int) -> Line:
    found = curves.summary(entry.series)
    role = curves.role(entry.place)
    value = entry.at_cursor if cursor else found.last
    head: Span = (f"{curves.mark(entry.place, ascii_only=ascii_only)} {fit(entry.series.name, name)}", role)
    now: Span = (f" {number(value, 4)}", "text")
    return (
        (head, now) if cursor else (head, now, (f"  min {number(found.low, 3)} max {number(found.high, 3)}", "muted"))
    )


def _joined(lead: Line, entries: Sequence[Line]) -> Line:
    out: list[Span] = list(lead)
    for at, spans in enumerate(entries):
        out += [("   ", "muted")] if at else []
        out += spans
    return tuple(out)


def _cut(lead: Line, entries: Sequence[Line], width: int) -> Line:
    """In one line: with min and max if that fits, else without them, else as many curves as fit."""
    for wanted in (entries, [spans[:2] for spans in entries]):
        if cells(_joined(lead, wanted)) <= width:
            return _joined(lead, wanted)
    short = [spans[:2] for spans in entries]
    for count in range(len(short) - 1, 0, -1):
        line = (*_joined(lead, short[:count]), (f"   +{len(short) - count}", "muted"))
        if cells(line) <= width:
            return line
    return _joined(lead, short[:1])


def _blank(lead: Line) -> Line:
    return ((" " * cells(lead), "text"),) if lead else ()
