from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.schedules.cron import Slot, next_slot, parse, previous_slot, zone


def ms(text: str, tz: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone(tz)).timestamp() * 1000)


def local(slot: Slot | None, tz: str = "UTC") -> str:
    assert slot is not None
    return datetime.fromtimestamp(slot.due_at / 1000, zone(tz)).strftime("%Y-%m-%d %H:%M %Z")


def run_of(line: str, after: str, count: int, tz: str = "UTC") -> list[str]:
    """`count` slots after a local time, forwards; and the way back must meet the same ones."""
    cron, where = parse(line), zone(tz)
    slots: list[Slot] = []
    bound = ms(after, tz)
    for _ in range(count):
        slot = next_slot(cron, where, bound)
        assert slot is not None
        slots.append(slot)
        bound = slot.due_at
    for later, earlier in zip(slots[::-1], slots[-2::-1], strict=False):
        assert previous_slot(cron, where, later.due_at) == earlier
    return [local(slot, tz) for slot in slots]


def test_weekday_0_and_7_and_names_are_sunday() -> None:
    for text in ("0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "0 9 * * SUN", "0 9 * * sunday"):
        assert run_of(text, "2026-11-20T00:00", 2) == ["2026-11-22 09:00 UTC", "2026-11-29 09:00 UTC"]
    assert run_of("0 9 * * 1", "2026-11-20T00:00", 1) == ["2026-11-23 09:00 UTC"]


def test_ranges_lists_and_steps() -> None:
    assert run_of("*/20 8-9 * * *", "2026-01-01T08:15", 4) == [
        "2026-01-01 08:20 UTC",
        "2026-01-01 08:40 UTC",
        "2026-01-01 09:00 UTC",
        "2026-01-01 09:20 UTC",
    ]
    assert parse("5/15 * * * *").minutes == (5, 20, 35, 50)
    assert parse("0 0 * * fri-sun").weekdays == {5, 6, 0}
    assert parse("0 0 * jan-mar,dec *").months == {1, 2, 3, 12}


def test_two_restricted_day_fields_mean_either() -> None:
    assert run_of("0 0 13 * 5", "2026-11-12T12:00", 3) == [
        "2026-11-13 00:00 UTC",
        "2026-11-20 00:00 UTC",
        "2026-11-27 00:00 UTC",
    ]
    assert run_of("0 0 15 * 5", "2026-11-12T12:00", 2) == ["2026-11-13 00:00 UTC", "2026-11-15 00:00 UTC"]


def test_names_for_whole_lines() -> None:
    assert run_of("@daily", "2026-01-01T00:00", 1) == ["2026-01-02 00:00 UTC"]
    assert run_of("@weekly", "2026-11-20T00:00", 1) == ["2026-11-22 00:00 UTC"]
    assert run_of("@hourly", "2026-01-01T00:30", 1) == ["2026-01-01 01:00 UTC"]
    assert run_of("@yearly", "2026-01-01T00:00", 1) == ["2027-01-01 00:00 UTC"]


def test_leap_day_is_found_eight_years_away() -> None:
    assert run_of("0 0 29 2 *", "2096-03-01T00:00", 1) == ["2104-02-29 00:00 UTC"]


def test_a_daily_time_in_the_spring_gap_comes_once_as_much_later() -> None:
    assert run_of("30 2 * * *", "2026-03-28T00:00", 3, "Europe/Berlin") == [
        "2026-03-28 02:30 CET",
        "2026-03-29 03:30 CEST",
        "2026-03-30 02:30 CEST",
    ]


def test_two_times_that_the_gap_makes_one_are_one_slot() -> None:
    assert run_of("30 2,3 * * *", "2026-03-29T00:00", 2, "Europe/Berlin") == [
        "2026-03-29 03:30 CEST",
        "2026-03-30 02:30 CEST",
    ]


def test_a_daily_time_in_the_repeated_autumn_hour_comes_once() -> None:
    assert run_of("30 2 * * *", "2026-10-24T12:00", 2, "Europe/Berlin") == [
        "2026-10-25 02:30 CEST",
        "2026-10-26 02:30 CET",
    ]
    slot = next_slot(parse("30 2 * * *"), zone("Europe/Berlin"), ms("2026-10-25T00:00", "Europe/Berlin"))
    assert slot is not None
    assert slot.key == "2026-10-25T02:30"


def test_an_hourly_line_goes_through_both_changes_in_real_time() -> None:
    autumn = run_of("30 * * * *", "2026-10-25T01:00", 4, "Europe/Berlin")
    assert autumn == [
        "2026-10-25 01:30 CEST",
        "2026-10-25 02:30 CEST",
        "2026-10-25 02:30 CET",
        "2026-10-25 03:30 CET",
    ]
    spring = run_of("30 * * * *", "2026-03-29T01:00", 2, "Europe/Berlin")
    assert spring == ["2026-03-29 01:30 CET", "2026-03-29 03:30 CEST"]


@pytest.mark.parametrize("line", ["30 2 * * *", "*/30 * * * *", "15,45 1-3 * * *", "0 0 * * *"])
@pytest.mark.parametrize("place", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_slots_of_a_year_rise_strictly_and_names_are_never_used_twice(line: str, place: str) -> None:
    cron, where = parse(line), zone(place)
    daily = line.endswith(("2 * * *", "0 * * *"))  # of the others the days around the changes tell all
    days = [f"2026-{month:02}-01" for month in (3, 4, 10, 11)]
    around = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"]
    for day in days if daily else around:
        bound = ms(f"{day}T00:00", place)
        end = bound + (31 if daily else 3) * 86_400_000
        keys: list[str] = []
        while (slot := next_slot(cron, where, bound)) and slot.due_at < end:
            assert slot.due_at > bound
            assert previous_slot(cron, where, slot.due_at + 1) == slot
            keys.append(slot.key)
            bound = slot.due_at
        assert len(keys) == len(set(keys))
        if line == "30 2 * * *":
            assert len(keys) in (30, 31)


def test_every_counts_from_the_epoch_so_that_all_processes_agree() -> None:
    cron = parse("@every 90s")
    slot = next_slot(cron, zone("UTC"), 1_000)
    assert slot == Slot(90_000, "1970-01-01T00:01:30Z")
    assert next_slot(cron, zone("UTC"), 90_000).due_at == 180_000  # type: ignore[union-attr]
    assert previous_slot(cron, zone("UTC"), 90_000).due_at == 0  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("", "fields"),
        ("0 0 * *", "4 fields"),
        ("0 0 0 * * *", "6 fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of the month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "weekday"),
        ("* * * * mox", "weekday"),
        ("*/0 * * * *", "minute"),
        ("30-10 * * * *", "backwards"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 L * *", "day of the month"),
        ("@dialy", "not known"),
        ("@every 10ms", "too often"),
        ("@every often", "length of time"),
        ("٣ * * * *", "minute"),
    ],
)
def test_what_cannot_be_read_is_named(line: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        parse(line)


def test_an_unknown_zone_gets_the_nearest_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        zone("Europe/Berln")
    assert "Europe/Berlin" in caught.value.hint
    for wrong in ("", "../etc/passwd", "/etc/passwd", "Europe"):
        with pytest.raises(InvalidInput):
            zone(wrong)


def test_moments_are_whole_seconds_in_utc() -> None:
    slot = next_slot(parse("* * * * *"), zone("UTC"), ms("2026-01-01T00:00") + 30_500)
    assert slot is not None
    assert datetime.fromtimestamp(slot.due_at / 1000, UTC).isoformat() == "2026-01-01T00:01:00+00:00"
