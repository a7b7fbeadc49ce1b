"""Schedules along time: what became of past slots, what will become of the coming ones, and why one will not run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, draw_all
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.lines import Line, Span, clean, fit, line, state
from mlops_tui.tui.screens.explained import Explained
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.schedules.records import Coming, Fire, Schedule, Window

HOUR = 3_600_000
REACH = 24 * HOUR
"""How far the picture looks back and ahead."""
MOST = 500
_PAST = {"queued": ("●", "good"), "missed": ("✗", "bad"), "skipped": ("·", "muted")}
_COMING = {"runs": ("○", "accent"), "waits": ("▲", "warn"), "skipped": ("·", "muted")}


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """A day back and a day ahead."""

    now: int
    schedules: tuple[Schedule, ...]
    fires: tuple[Fire, ...]
    coming: tuple[Coming, ...]
    windows: tuple[Window, ...]


def timeline(bench: Workbench) -> Timeline:
    """Read it."""
    now, room = bench.context.now(), bench.schedules
    return Timeline(
        now,
        tuple(room.list()),
        tuple(room.fires(limit=MOST, since=now - REACH)),
        tuple(room.upcoming(n=MOST, until=now + REACH)),
        tuple(room.blackout_windows(now - REACH, now + REACH)),
    )


def draw_timeline(one: Timeline, width: int, height: int, view: View | None = None) -> list[Line]:
    """A line per schedule around now, then the coming slots with what will become of them, then the last ones."""
    if not one.schedules:
        return [(), line(" No schedules yet. Press ", ("n", "key"), " on Schedules, or run:"),
                line(("   mlops schedules add nightly PIPELINE --cron '0 3 * * *'", "accent"))]  # fmt: skip
    label = min(28, max(len(each.name) for each in one.schedules))
    room = max(10, width - label - 4)
    out = [*_axis(label, room)]
    out += [_lane(one, each, label, room) for each in one.schedules]
    if one.windows:
        out.append(
            line((f" {'':<{label}}  ░ blackout: {', '.join(sorted({each.name for each in one.windows}))}", "muted"))
        )
    legend = (
        (" ● fired  ", "good"),
        ("✗ missed  ", "bad"),
        ("· skipped  ", "muted"),
        ("○ will run  ", "accent"),
        ("▲ waits", "warn"),
    )
    out += [line(*legend), ()]
    blocks = [_coming(one.coming, one.now), _fired(one.fires[:20], one.now)]
    return [*out, *(((" ", "text"), *each) for each in draw_all(blocks, width - 2))]


def _axis(label: int, room: int) -> list[Line]:
    """Hours from now: -24 h to +24 h, with now in the middle."""
    marks = [" "] * room
    for hours in (-24, -12, 0, 12, 24):
        at = min(room - 1, int((hours * HOUR + REACH) / (2 * REACH) * room))
        word = "now" if not hours else f"{hours:+d}h"
        start = max(0, min(room - len(word), at - len(word) // 2))
        marks[start : start + len(word)] = word
    return [line((f" {'':<{label}}  {''.join(marks)}", "muted"))]


def _lane(one: Timeline, schedule: Schedule, label: int, room: int) -> Line:
    """One schedule: blackouts below, fires and coming slots on top; where several share a cell the worst is seen."""
    lane: list[Span] = [("─", "muted")] * room
    for window in one.windows:
        for at in range(_cell(one, max(window.begin, one.now - REACH), room), _cell(one, window.end, room) + 1):
            lane[min(at, room - 1)] = ("░", "muted")
    lane[_cell(one, one.now, room)] = ("│", "title")
    for fire in reversed(one.fires):
        if fire.schedule == schedule.name:
            lane[_cell(one, fire.due_at, room)] = _PAST.get(str(fire.state), ("●", "good"))
    for slot in reversed(one.coming):
        if slot.schedule == schedule.name and slot.due_at is not None:
            lane[_cell(one, slot.due_at, room)] = _COMING[str(slot.prospect)]
    role = "muted" if schedule.paused else "text"
    return line((f" {fit(clean(schedule.name), label)}  ", role), *lane)


def _cell(one: Timeline, at: int, room: int) -> int:
    share = (at - one.now + REACH) / (2 * REACH)
    return min(room - 1, max(0, int(share * room)))


def prospect(word: object) -> Span:
    """What will become of a slot, as glyph and word."""
    glyph, role = _COMING.get(str(word), ("·", "muted"))
    return (f"{glyph} {word}", role)


def _coming(found: Sequence[Coming], now: int) -> Explained:
    rows = tuple(
        (
            "at its event" if one.due_at is None else clock.local(one.due_at),
            "" if one.due_at is None else (clock.ago(one.due_at, now), "muted"),
            one.schedule,
            prospect(one.prospect),
            (one.reason, "muted"),
        )
        for one in found[:20]
    )
    return Explained(("Due", "", "Schedule", "Will be", "Because"), rows, title="Coming")


def _fired(found: Sequence[Fire], now: int) -> Explained:
    rows = tuple(
        (
            clock.local(one.due_at),
            (clock.ago(one.due_at, now), "muted"),
            one.schedule,
            state(one.state),
            f"job {one.job_id}" if one.job_id else "",
            (one.reason, "muted"),
        )
        for one in found
    )
    return Explained(("Due", "", "Schedule", "Was", "", "Because"), rows, title="Past")


def schedule_detail(bench: Workbench, one: Schedule) -> Sequence[Block]:
    """A schedule: its next slots with what will become of each, and what became of the last ones."""
    now = bench.context.now()
    head = Fields(
        (
            ("Pipeline", one.pipeline),
            (
                "When",
                f"{one.cron} {one.timezone}" if one.cron else f"{one.kind} {one.subject or ', '.join(one.tables)}",
            ),
            ("Waits", (one.waits, "warn")),
            ("Missed", str(one.missed)),
            ("Overlap", str(one.overlap)),
            ("Priority", str(one.priority) if one.priority else ""),
            ("Cool-down", clock.duration(int(one.cooldown_s * 1000)) if one.cooldown_s else ""),
            ("At most", f"{one.max_per_day} a day" if one.max_per_day else ""),
            ("Dry run", ("says what it would do, does nothing", "warn") if one.dry_run else ""),
            ("Origin", "the pipeline's file" if one.origin == "pipeline" else f"by hand, {one.created_by}"),
            ("State", state("paused" if one.paused else "active")),
        ),
        title=one.name,
    )
    coming = bench.schedules.upcoming(one.name, 6)
    return (head, _coming(coming, now), _fired(bench.schedules.fires(one.name, 12), now))
