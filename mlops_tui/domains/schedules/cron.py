"""Crontab lines as cron means them, and their slots in a time zone: pure calendar arithmetic on the standard library.

`minute hour day month weekday`, 0 and 7 both Sunday, names, ranges, lists and steps; when both day fields are restricted
either may match (Vixie cron); `@hourly @daily @midnight @weekly @monthly @yearly @annually`; and `@every 90s`.

Daylight saving: a line with fixed hours means wall-clock times, so each comes once a day: in the hour that repeats in
autumn it comes the first time, and one that the spring change skips comes as much later as the clock jumped (02:30 -> 03:30). A line
whose hour field begins with `*` means real time: it goes on through both changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import did_you_mean

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = dict(
    zip(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], range(1, 13), strict=True)
)
_WEEKDAYS = dict(zip(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], range(7), strict=True))
_FIELDS: Sequence[tuple[str, int, int, dict[str, int]]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _WEEKDAYS),
)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_HORIZON_DAYS = 366 * 9  # 29 February can be eight years away
_CHANGE = timedelta(hours=3)  # no clock change of any zone in use moves further
_HINT = "Write five fields, as in '0 3 * * 1-5' (minute hour day month weekday), or @daily, @hourly, @every 15m."


@dataclass(frozen=True, slots=True)
class Slot:
    """One moment a schedule is due: when, in ms, and its name, the same in every process and after every restart."""

    due_at: int
    key: str


@dataclass(frozen=True, slots=True)
class Cron:
    """A checked line. `every_ms` is set for `@every`, and then nothing else is."""

    text: str
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    either_day: bool = False
    wall: bool = False
    every_ms: int = 0

    def on(self, day: date) -> bool:
        """Whether the line is due at all on that day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def parse(text: str) -> Cron:
    """Read a crontab line. Raises InvalidInput naming the field, also for days that never come (30 February)."""
    text = " ".join(text.split())
    if text.startswith("@every "):
        every = clock.parse_span(text.removeprefix("@every "))
        if every < clock.SECOND:
            raise InvalidInput(f"'{text}' is too often.", hint="At most once a second.")
        return Cron(text, every_ms=every)
    line = _ALIASES.get(text.lower(), text)
    if line.startswith("@"):
        raise InvalidInput(f"'{text}' is not known.", hint=did_you_mean(text, [*_ALIASES, "@every"], _HINT))
    fields = line.split(" ")
    if len(fields) != 5:
        raise InvalidInput(f"'{text}' has {len(fields)} fields, not five.", hint=_HINT)
    sets = [_field(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = sets
    cron = Cron(
        text,
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=not _any(fields[2]) and not _any(fields[4]),
        wall=not fields[1].startswith("*"),
    )
    if not cron.either_day and all(_LONGEST_MONTH[month - 1] < min(days) for month in months):
        raise InvalidInput(f"'{text}' names a day that never comes.", hint=_HINT)
    return cron


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name, `Europe/Berlin`. Raises InvalidInput with the nearest name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones(), "Use an IANA name such as Europe/Berlin or UTC.")
        raise InvalidInput(f"There is no time zone '{name}'.", hint=hint) from None


def next_slot(cron: Cron, tz: ZoneInfo, after: int) -> Slot | None:
    """The first slot later than `after` (ms); None when there is none in nine years."""
    if cron.every_ms:
        return _instant((after // cron.every_ms + 1) * cron.every_ms)
    return _search(cron, tz, after, forward=True)


def previous_slot(cron: Cron, tz: ZoneInfo, before: int) -> Slot | None:
    """The last slot earlier than `before` (ms); None when there is none in nine years."""
    if cron.every_ms:
        return _instant((before - 1) // cron.every_ms * cron.every_ms)
    return _search(cron, tz, before, forward=False)


def _search(cron: Cron, tz: ZoneInfo, bound: int, *, forward: bool) -> Slot | None:
    """The slot nearest to `bound` on one side. Around clock changes wall order is not time order, so a window of walls is compared."""
    here = datetime.fromtimestamp(bound / 1000, tz).replace(tzinfo=None)
    margin = timedelta(0) if _steady(tz, here) else _CHANGE
    sign = 1 if forward else -1
    found: Slot | None = None
    edge: datetime | None = None
    for wall in _walls(cron, here - sign * margin, forward=forward):
        if edge is not None and (wall > edge if forward else wall < edge):
            break
        for slot in _slots(cron, tz, wall):
            if (slot.due_at - bound) * sign <= 0:
                continue
            if found is None:
                edge = wall if _steady(tz, wall) else wall + sign * _CHANGE
            # Two walls can fall on one moment (the spring gap): the earlier name stands for both, from either side.
            if found is None or (slot.due_at * sign, slot.key) < (found.due_at * sign, found.key):
                found = slot
    return found


def _walls(cron: Cron, start: datetime, *, forward: bool) -> Iterator[datetime]:
    """Local times that match, from `start` on (or back), in wall order."""
    step = 1 if forward else -1
    day = start.date()
    for offset in range(_HORIZON_DAYS):
        today = day + timedelta(days=step * offset)
        if not cron.on(today):
            continue
        midnight = datetime(today.year, today.month, today.day)
        hours = [hour for hour in cron.hours[::step] if offset or (hour - start.hour) * step >= 0]
        for hour, minute in itertools.product(hours, cron.minutes[::step]):
            wall = midnight + timedelta(hours=hour, minutes=minute)
            if offset or (wall >= start - timedelta(minutes=1) if forward else wall <= start):
                yield wall


def _slots(cron: Cron, tz: ZoneInfo, wall: datetime) -> list[Slot]:
    first = round(wall.replace(tzinfo=tz).timestamp()) * 1000
    if cron.wall:
        return [Slot(first, wall.isoformat(timespec="minutes"))]
    second = round(wall.replace(tzinfo=tz, fold=1).timestamp()) * 1000
    real = [ms for ms in dict.fromkeys((first, second)) if _wall(tz, ms) == wall]
    return [_instant(ms) for ms in real]


def _instant(ms: int) -> Slot:
    return Slot(ms, datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _wall(tz: ZoneInfo, ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz).replace(tzinfo=None)


def _steady(tz: ZoneInfo, wall: datetime) -> bool:
    """Whether the clock is not changed within some hours of that local time."""
    around = 2 * _CHANGE
    return (wall - around).replace(tzinfo=tz).utcoffset() == (wall + around).replace(tzinfo=tz).utcoffset()


def _any(field: str) -> bool:
    return field.startswith("*") or field == "?"


def _field(text: str, label: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, label, 1, high, {}) if slash else 1
        if span in ("*", "?"):
            first, last = low, high - (label == "weekday")
        elif "-" in span:
            left, _, right = span.partition("-")
            first, last = _number(left, label, low, high, names), _number(right, label, low, high, names)
            if label == "weekday" and last == 0:
                last = 7  # fri-sun
        else:
            first = _number(span, label, low, high, names)
            last = high if slash else first
        if first > last:
            raise InvalidInput(f"'{part}' runs backwards in the {label} field.", hint=_HINT)
        values.update(range(first, last + 1, step))
    return values


def _number(text: str, label: str, low: int, high: int, names: dict[str, int]) -> int:
    value = names.get(text.lower()[:3] if text.isalpha() else "", -1)
    if value < 0 and text.isascii() and text.isdigit():
        value = int(text)
    if not low <= value <= high:
        raise InvalidInput(f"'{text}' cannot stand in the {label} field ({low} to {high}).", hint=_HINT)
    return value
