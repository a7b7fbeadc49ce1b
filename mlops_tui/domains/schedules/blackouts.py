"""Times in which nothing fires by itself: checked, laid out on the calendar, and asked for one schedule and one moment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.schedules import cron
from mlops_tui.domains.schedules.records import Blackout, Schedule, Then, Window

LONGEST_S = 366 * 86_400.0
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def made(name: str, given: dict[str, Any], now: int, actor: str) -> Blackout:
    """A checked blackout: `cron` and `span_s`, or `weekdays` and `hours`, or `begins_at` and `ends_at`.

    Raises InvalidInput for none or several of them, and for times that cannot be.
    """
    line, span_s = given["cron"], given["span_s"]
    if given["weekdays"] or given["hours"]:
        if line or span_s:
            raise InvalidInput("Say when by a line and a length, or by weekdays and hours, not both.")
        line, span_s = _weekly(given["weekdays"] or "*", given["hours"] or "00:00-24:00")
    once = given["begins_at"] is not None or given["ends_at"] is not None
    if bool(line) == once:
        raise InvalidInput(
            "A blackout needs one time: a line and a length, weekdays and hours, or a begin and an end.",
            hint="For example --weekdays mon-fri --hours 08:00-18:00, or --from 2026-12-24 --to 2027-01-02.",
        )
    if once and not (given["begins_at"] or 0) < (given["ends_at"] or 0):
        raise InvalidInput("A blackout needs a begin and an end after it.", hint="--from 2026-12-24 --to 2027-01-02")
    if line:
        if cron.parse(line).every_ms:
            raise InvalidInput("@every has no place on the calendar.", hint="Write five fields, as in '0 18 * * 5'.")
        if not 0 < span_s <= LONGEST_S:
            raise InvalidInput("A recurring blackout needs a length of up to a year.", hint="For example --for 12h.")
    cron.zone(given["timezone"])
    try:
        then = Then(given["then"])
    except ValueError:
        raise InvalidInput(f"'{given['then']}' is not what slots can do.", hint=f"One of: {', '.join(Then)}.") from None
    return Blackout(
        name=name,
        cron=line,
        span_s=float(span_s),
        timezone=given["timezone"],
        begins_at=given["begins_at"],
        ends_at=given["ends_at"],
        only=tuple(given["only"]),
        then=then,
        why=given["why"],
        created_at=now,
        created_by=actor,
    )


def on(blackout: Blackout, moment: int) -> Window | None:
    """The window of a blackout that `moment` lies in."""
    return next((window for window in windows(blackout, moment, moment + 1)), None)


def over(blackouts: Iterable[Blackout], schedule: Schedule, moment: int) -> Window | None:
    """The window that keeps a schedule from firing at `moment`: the one that ends last."""
    if schedule.origin == "workspace":
        return None
    found = [on(one, moment) for one in blackouts if not one.only or {schedule.name, schedule.pipeline} & set(one.only)]
    return max((window for window in found if window is not None), key=lambda window: window.end, default=None)


def windows(blackout: Blackout, since: int, until: int) -> Iterator[Window]:
    """Every window of a blackout that reaches into [since, until), first to last."""
    if blackout.begins_at is not None and blackout.ends_at is not None:
        if blackout.begins_at < until and blackout.ends_at > since:
            yield Window(blackout.name, blackout.begins_at, blackout.ends_at, blackout.then, blackout.why)
        return
    line, tz = cron.parse(blackout.cron), cron.zone(blackout.timezone)
    slot = cron.previous_slot(line, tz, since + 1) or cron.next_slot(line, tz, since)
    while slot is not None and slot.due_at < until:
        # On the wall clock: 22:00 for eight hours ends at 06:00, also in the nights that are an hour shorter or longer.
        begin = datetime.fromtimestamp(slot.due_at / 1000, tz).replace(tzinfo=None)
        end = round((begin + timedelta(seconds=blackout.span_s)).replace(tzinfo=tz).timestamp() * 1000)
        if end > since:
            yield Window(blackout.name, slot.due_at, end, blackout.then, blackout.why)
        slot = cron.next_slot(line, tz, slot.due_at)


def in_words(window: Window) -> str:
    """Why a slot inside the window gets no job, for people."""
    why = f" ({window.why})" if window.why else ""
    return f"Blackout '{window.name}' until {clock.iso(window.end)}{why}."


def _weekly(weekdays: str, hours: str) -> tuple[str, float]:
    """`mon-fri` and `08:00-18:00` as a line and a length; an end that is not after the begin is on the next day."""
    found = _HOURS.fullmatch(hours.strip())
    if not found:
        raise InvalidInput(
            f"'{hours}' is not a time of the day.", hint="Write 08:00-18:00, or 22:00-06:00 over midnight."
        )
    begin_h, begin_m, end_h, end_m = (int(part) for part in found.groups())
    if begin_h > 23 or begin_m > 59 or end_m > 59 or end_h * 60 + end_m > 1440:
        raise InvalidInput(f"'{hours}' is not a time of the day.", hint="Hours go from 00:00 to 24:00.")
    minutes = (end_h * 60 + end_m) - (begin_h * 60 + begin_m)
    return f"{begin_m} {begin_h} * * {weekdays}", (minutes if minutes > 0 else minutes + 1440) * 60.0
