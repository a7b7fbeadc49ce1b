"""When a schedule is due: the slots of its line, each later by its own part of the jitter, the same in every process."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.schedules import cron
from mlops_tui.domains.schedules.cron import Cron, Slot
from mlops_tui.domains.schedules.records import CATCH_UP, LISTED, Kind, Missed, Schedule

_GAPS = 100  # gaps between slots that are looked at for the shortest


@lru_cache(maxsize=4096)
def _line(text: str, zone: str) -> tuple[Cron, ZoneInfo]:
    return cron.parse(text), cron.zone(zone)


def after(schedule: Schedule, moment: int) -> Iterator[Slot]:
    """Slots later than `moment` (ms), oldest first, without end unless the line has one."""
    line, tz = _line(schedule.cron, schedule.timezone)
    jitter = round(schedule.jitter_s * 1000)
    for slot in _forward(line, tz, moment - jitter):
        late = Slot(slot.due_at + _share(schedule, slot.key, jitter), slot.key)
        if late.due_at > moment:
            yield late


def before(schedule: Schedule, moment: int) -> Iterator[Slot]:
    """Slots earlier than `moment` (ms), newest first."""
    line, tz = _line(schedule.cron, schedule.timezone)
    jitter = round(schedule.jitter_s * 1000)
    at = moment
    while slot := cron.previous_slot(line, tz, at):
        at = slot.due_at
        late = Slot(slot.due_at + _share(schedule, slot.key, jitter), slot.key)
        if late.due_at < moment:
            yield late


def next_due(schedule: Schedule, moment: int) -> int | None:
    """When the clock is next due for it; None when it does not go by the clock or no slot is left."""
    if schedule.kind is not Kind.SCHEDULE:
        return None
    return next((slot.due_at for slot in after(schedule, moment)), None)


def due_slots(schedule: Schedule, now: int) -> list[Slot]:
    """Slots from `next_due` to `now`, oldest first: at most CATCH_UP when all shall run, else the newest LISTED."""
    first = schedule.next_due
    assert first is not None
    if schedule.missed is Missed.ALL:
        due: Iterable[Slot] = takewhile(lambda slot: slot.due_at <= now, after(schedule, first - 1))
        return list(islice(due, CATCH_UP))
    back = takewhile(lambda slot: slot.due_at >= first, before(schedule, now + 1))
    return list(islice(back, LISTED))[::-1]


def check_jitter(text: str, zone: str, jitter_s: float, now: int) -> None:
    """Refuse a jitter that could put a slot behind its successor. Raises InvalidInput with the longest that may be."""
    if not jitter_s:
        return
    times = [slot.due_at for slot in islice(_forward(*_line(text, zone), now), _GAPS)]
    shortest = min((b - a for a, b in pairwise(times)), default=0)
    if jitter_s * 1000 > shortest:
        raise InvalidInput(
            f"A jitter of {jitter_s:g} s is longer than the shortest time between two slots of '{text}'.",
            hint=f"At most {shortest / 1000:g} s.",
        )


def _share(schedule: Schedule, key: str, jitter: int) -> int:
    """Between 0 and the jitter, drawn from the names of schedule and slot: a second daemon finds the same."""
    return zlib.crc32(f"{schedule.id}:{key}".encode()) % jitter if jitter else 0


def _forward(line: Cron, tz: ZoneInfo, moment: int) -> Iterator[Slot]:
    while slot := cron.next_slot(line, tz, moment):
        yield slot
        moment = slot.due_at
