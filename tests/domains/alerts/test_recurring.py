"""Hours of the week on the clock of a place."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.alerts.recurring import Weekly


def moment(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("weekly", "inside", "outside"),
    [
        (Weekly("sat,sun", "02:00-04:00"), ["2026-11-21T02:00", "2026-11-22T03:59"], ["2026-11-21T04:00", "2026-11-20T03:00"]),
        (Weekly("fri", "22:00-06:00"), ["2026-11-20T22:00", "2026-11-21T05:59"], ["2026-11-20T05:00", "2026-11-21T22:00"]),
        (Weekly("sat-mon", "00:00-24:00"), ["2026-11-23T12:00"], ["2026-11-24T00:00", "2026-11-20T12:00"]),
        (Weekly("*", "08:00-09:00"), ["2026-11-25T08:30"], ["2026-11-25T09:00"]),
    ],
)  # fmt: skip
def test_hours_are_those_of_their_days_also_over_midnight(weekly, inside, outside):
    assert all(weekly.on(moment(one)) for one in inside)
    assert not any(weekly.on(moment(one)) for one in outside)


def test_hours_follow_the_clock_of_their_place_through_summer_and_winter():
    weekly = Weekly("*", "02:00-04:00", "Europe/Berlin")
    assert weekly.on(moment("2026-07-01T00:30"))  # 02:30 there
    assert not weekly.on(moment("2026-12-01T00:30"))
    assert weekly.on(moment("2026-12-01T02:30", "Europe/Berlin"))


@pytest.mark.parametrize(
    "bad", [("mo", "08:00-09:00"), ("", "08:00-09:00"), ("mon", "8-9"), ("mon", "08:00-08:00"), ("mon", "25:00-26:00"),
            ("mon", "08:00-09:00", "Mars/Olympus"), ("mon", "08:00-09:00", "../etc")]
)  # fmt: skip
def test_what_cannot_be_read_is_said(bad):
    with pytest.raises(InvalidInput):
        Weekly(*bad)
