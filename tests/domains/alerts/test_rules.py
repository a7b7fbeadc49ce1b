"""Rules over a series: how long it must last, when it ends, what it does not know."""

from __future__ import annotations

import pytest

from mlops_tui.core import clock as time
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.rules import Finding, Rule, Watch, judge

NOW = 1_800_000_000_000
SPAN = 10 * time.MINUTE


def rule(test=Watch.ABOVE, limit=90.0, clear=None, subject="", span=SPAN):
    return Rule("hot", "hardware.cpu", subject, test, limit, span, clear, Severity.CRITICAL)


def minutes(*values, until=NOW):
    """One value a minute, the last one now."""
    return [(until - (len(values) - 1 - at) * time.MINUTE, float(value)) for at, value in enumerate(values)]


@pytest.mark.parametrize(
    ("test", "values", "finding"),
    [
        (Watch.ABOVE, [95] * 11, Finding.HOLDS),
        (Watch.ABOVE, [95] * 10 + [90], Finding.CLEAR),
        (Watch.ABOVE, [95] * 5 + [10] + [95] * 5, Finding.CLEAR),
        (Watch.ABOVE, [10] * 5 + [95] * 11, Finding.HOLDS),
        (Watch.ABOVE, [95] * 5, Finding.UNKNOWN),
        (Watch.ABOVE, [], Finding.UNKNOWN),
        (Watch.BELOW, [10] * 11, Finding.HOLDS),
        (Watch.BELOW, [10] * 10 + [90], Finding.CLEAR),
        (Watch.ABSENT, [], Finding.HOLDS),
        (Watch.ABSENT, [1], Finding.CLEAR),
    ],
)  # fmt: skip
def test_a_condition_must_last_for_the_whole_span(test, values, finding):
    assert judge(rule(test), minutes(*values), NOW).finding is finding


def test_values_that_ended_before_the_span_are_absent():
    old = minutes(1, 2, 3, until=NOW - SPAN - 1)
    assert judge(rule(Watch.ABSENT), old, NOW).finding is Finding.HOLDS
    assert judge(rule(Watch.ABOVE, 0.5), old, NOW).finding is Finding.UNKNOWN


def test_a_raised_alert_ends_only_beyond_the_clear_limit():
    one = rule(clear=70.0)
    assert judge(one, minutes(95, 80), NOW, raised=True).finding is Finding.HOLDS
    assert judge(one, minutes(95, 70), NOW, raised=True).finding is Finding.CLEAR
    assert judge(rule(), minutes(95, 80), NOW, raised=True).finding is Finding.CLEAR


@pytest.mark.parametrize(
    ("test", "before", "after", "finding"),
    [
        (Watch.RISES, 100, 150, Finding.HOLDS),
        (Watch.RISES, 100, 149, Finding.CLEAR),
        (Watch.FALLS, 100, 50, Finding.HOLDS),
        (Watch.FALLS, 100, 150, Finding.CLEAR),
        (Watch.RISES, -100, -50, Finding.HOLDS),
        (Watch.RISES, 0, 50, Finding.UNKNOWN),
    ],
)
def test_a_change_is_measured_against_the_span_before(test, before, after, finding):
    values = minutes(*[before] * 9, until=NOW - SPAN - time.MINUTE) + minutes(*[after] * 10)
    assert judge(rule(test, 50.0), values, NOW).finding is finding


def test_a_change_without_a_before_is_unknown():
    assert judge(rule(Watch.RISES, 50.0), minutes(1, 2), NOW).finding is Finding.UNKNOWN


def test_a_rule_reads_as_a_sentence():
    assert rule().words == "hardware.cpu above 90 for 10 min 0 s"
    assert rule(Watch.ABSENT, 0, subject="churn").words == "no hardware.cpu of churn for 10 min 0 s"
    assert rule(Watch.RISES, 50).words == "hardware.cpu rises by 50 % within 10 min 0 s"


def test_an_alert_opens_once_and_ends_by_itself(workbench, clock):
    room = workbench.alerts
    room.rules.add(rule())
    for _ in range(2):
        room.rules.evaluate(lambda one, since: minutes(*[95] * 11, until=clock.now))
    [alert] = room.list()
    assert (alert.rule, alert.subject, alert.severity, alert.count) == ("rule:hot", "hardware.cpu", "critical", 1)
    assert alert.facts["value"] == 95
    room.rules.evaluate(lambda one, since: [])
    assert room.get(alert.id).active  # not knowing ends nothing
    room.rules.evaluate(lambda one, since: minutes(20, until=clock.now))
    assert room.get(alert.id).state == "resolved"


def test_pausing_or_removing_a_rule_ends_its_alert(workbench, clock):
    room = workbench.alerts
    hot = lambda one, since: minutes(*[95] * 11, until=clock.now)  # noqa: E731
    room.rules.add(rule())
    room.rules.evaluate(hot)
    room.rules.pause("hot")
    assert room.open_count() == 0
    assert room.rules.evaluate(hot) == {}
    room.rules.pause("hot", False)
    room.rules.evaluate(hot)
    assert room.open_count() == 1
    room.rules.remove("hot")
    assert room.open_count() == 0
    with pytest.raises(NotFound):
        room.rules.get("hot")


@pytest.mark.parametrize(
    "bad",
    [
        {"limit": float("nan")},
        {"span": 10},
        {"span": 8 * time.DAY},
        {"clear": 95.0},
        {"test": Watch.BELOW, "clear": 80.0},
        {"test": Watch.ABSENT, "clear": 80.0},
        {"test": Watch.RISES, "limit": 0.0},
    ],
)
def test_a_rule_that_could_never_work_is_refused(workbench, bad):
    with pytest.raises(InvalidInput):
        workbench.alerts.rules.add(rule(**bad))
    assert workbench.alerts.rules.list() == []


def test_a_name_is_used_once(workbench):
    workbench.alerts.rules.add(rule())
    with pytest.raises(AlreadyExists):
        workbench.alerts.rules.add(rule())
