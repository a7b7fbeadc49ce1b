"""Times that come every week: days and hours on the wall clock of a place. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_tui.core.errors import InvalidInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Weekly:
    """`hours` on each of `weekdays` in `timezone`, as people write them: `mon-fri`, `22:00-06:00`, `Europe/Berlin`.

    Hours that end before they begin go on into the next day. Raises InvalidInput for what cannot be read.
    """

    weekdays: str
    hours: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        days_of(self.weekdays)
        hours_of(self.hours)
        _zone(self.timezone)

    def on(self, moment: int) -> bool:
        """Whether a moment (ms) is in it."""
        local = datetime.fromtimestamp(moment / 1000, _zone(self.timezone))
        days, (begin, end) = days_of(self.weekdays), hours_of(self.hours)
        minute = local.hour * 60 + local.minute
        if begin < end:
            return local.weekday() in days and begin <= minute < end
        today, yesterday = local.weekday() in days, (local - timedelta(days=1)).weekday() in days
        return (today and minute >= begin) or (yesterday and minute < end)

    @property
    def words(self) -> str:
        """`mon-fri 22:00-06:00 UTC`."""
        return f"{self.weekdays} {self.hours} {self.timezone}"


def days_of(text: str) -> frozenset[int]:
    """`mon-fri,sun` as days, Monday 0; `*` is all. A range may go over Sunday. Raises InvalidInput."""
    if text.strip() == "*":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = (piece.strip() for piece in part.partition("-"))
        if first not in DAYS or (last and last not in DAYS):
            raise InvalidInput(f"'{text}' are no days of the week.", hint="Write mon-fri, or sat,sun.")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def hours_of(text: str) -> tuple[int, int]:
    """`22:00-06:00` as minutes of the day; 24:00 is the end of one. Raises InvalidInput."""
    found = _HOURS.fullmatch(text.strip())
    hint = "Write 08:00-18:00, or 22:00-06:00 over midnight."
    if not found:
        raise InvalidInput(f"'{text}' is not a time of the day.", hint=hint)
    begin_h, begin_m, end_h, end_m = map(int, found.groups())
    begin, end = begin_h * 60 + begin_m, end_h * 60 + end_m
    if begin_m > 59 or end_m > 59 or begin >= _DAY or end > _DAY or begin == end:
        raise InvalidInput(f"'{text}' is not a time of the day.", hint=hint)
    return begin, end


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"There is no time zone '{name}'.", hint="Write Europe/Berlin, or UTC.") from None
