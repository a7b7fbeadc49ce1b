"""Time as this project keeps it: whole milliseconds since the epoch, UTC; and how people read and write it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, tzinfo

from mlops_tui.core.errors import InvalidInput

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SPAN = re.compile(r"-?\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)")


def now_ms() -> int:
    """The time now in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def iso(ms: int | None) -> str | None:
    """`2026-11-21T09:30:00.250Z` for a time in milliseconds; None stays None."""
    if ms is None:
        return None
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")


_shown = {"utc": False}


def show_utc(on: bool = True) -> None:
    """From now on `local` gives UTC in this process: what `--utc` means for a program that draws from many threads."""
    _shown["utc"] = on


def local(ms: int | None, *, utc: bool | None = None) -> str:
    """A time for a person: local unless `utc` (or `show_utc`), to the second; a dash for None."""
    if ms is None:
        return "-"
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    in_utc = _shown["utc"] if utc is None else utc
    return (moment if in_utc else moment.astimezone()).strftime("%Y-%m-%d %H:%M:%S")


def parse_span(text: str) -> int:
    """Milliseconds of a span such as `15s`, `6h` or `30d`; InvalidInput for anything else."""
    match = _SPAN.fullmatch(text.strip())
    if not match or text.strip().startswith("-"):
        raise InvalidInput(f"'{text}' is not a length of time.", hint="Write a number and a unit: 30s, 15m, 6h, 7d.")
    return round(float(match[1]) * _UNITS[match[2]])


def parse_time(text: str, *, now: int | None = None, zone: tzinfo = UTC) -> int:
    """Milliseconds of an ISO 8601 time (of `zone` unless it names another) or of a span back from now (`2h`, `-7d`)."""
    text = text.strip()
    if text == "now":
        return now_ms() if now is None else now
    if _SPAN.fullmatch(text):
        return (now_ms() if now is None else now) - parse_span(text.lstrip("-"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"'{text}' is not a time.", hint="Write 2026-11-21T09:30 or a span back from now: 2h, 7d."
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)


def duration(ms: float | None) -> str:
    """A length of time in at most two units: `0.8 s`, `2 min`, `2 min 5 s`, `3 h 12 min`, `4 d 6 h`."""
    if ms is None:
        return "-"
    if ms < SECOND:
        return f"{ms:.0f} ms"
    if ms < MINUTE:
        return f"{ms / SECOND:.1f} s"
    for big, name, small, small_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", SECOND, "s"),
    ):
        if ms >= big:
            rest = ms % big // small
            return f"{ms // big:.0f} {name} {rest:.0f} {small_name}" if rest else f"{ms // big:.0f} {name}"
    raise AssertionError("unreachable")


def ago(ms: int | None, now: int) -> str:
    """How long ago, in one unit: `just now`, `40 s ago`, `3 min ago`, `in 5 min`; a dash for None."""
    if ms is None:
        return "-"
    gap = abs(now - ms)
    if gap < 2 * SECOND:
        return "just now"
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        if gap >= size:
            text = f"{gap // size} {name}"
            return f"{text} ago" if ms <= now else f"in {text}"
    raise AssertionError("unreachable")
