"""Rules over a series: how long it must last, when it ends, what it does not know."""

from __future__ import annotations

import contextlib
import dataclasses

import pytest

from mlops_tui.core import clock as time
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.alerts import bounds, normal
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
        (Watch.ABOVE, [95] * 5 + [10] + [95] * 5, Finding.PENDING),
        (Watch.ABOVE, [10] * 5 + [95] * 11, Finding.HOLDS),
        (Watch.ABOVE, [95] * 5, Finding.PENDING),
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


def test_what_is_beyond_the_limit_for_a_while_is_pending_and_says_for_how_long():
    found = judge(rule(), minutes(*[50] * 7, 95, 96, 97, 98), NOW)
    assert (found.finding, found.reason) == (Finding.PENDING, "98 now, above 90 for 3 min of 10 min")
    assert judge(rule(), minutes(*[95] * 10, 50), NOW).finding is Finding.CLEAR


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
    assert rule().words == "hardware.cpu above 90 for 10 min"
    assert rule(Watch.ABSENT, 0, subject="churn").words == "no hardware.cpu of churn for 10 min"
    assert rule(Watch.RISES, 50).words == "hardware.cpu rises by 50 % within 10 min"


def test_an_alert_opens_once_and_ends_by_itself(workbench, clock):
    room = workbench.alerts
    room.rules.add(rule())
    for _ in range(2):
        room.rules.evaluate(lambda one, since, step: minutes(*[95] * 11, until=clock.now))
    [alert] = room.list()
    assert (alert.rule, alert.subject, alert.severity, alert.count) == ("rule:hot", "hardware.cpu", "critical", 1)
    assert alert.facts["value"] == 95
    room.rules.evaluate(lambda one, since, step: [])
    assert room.get(alert.id).active  # not knowing ends nothing
    room.rules.evaluate(lambda one, since, step: minutes(20, until=clock.now))
    assert room.get(alert.id).state == "resolved"


def test_pausing_or_removing_a_rule_ends_its_alert(workbench, clock):
    room = workbench.alerts
    hot = lambda one, since, step: minutes(*[95] * 11, until=clock.now)  # noqa: E731
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
        {"test": Watch.RISES, "clear": 95.0},
        {"test": Watch.ANOMALY, "limit": 1.0},
        {"test": Watch.ANOMALY, "limit": 6.0, "span": time.MINUTE},
        {"test": Watch.BURNS, "limit": 2.0},
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


# -- rules that learn, and budgets ---------------------------------------------------------------------------------------

HALF = 30 * time.MINUTE


def weeks(count, value, *, until=NOW, step=HALF):
    """One value for each half hour of so many weeks: `value(ms)`."""
    return [(at, value(at)) for at in range(until - count * 7 * time.DAY, until - HALF, step)]


def wave(at):
    """Traffic of a working week: 100 by day, 10 at night, half of it at weekends, and a little noise."""
    hour, day = at // time.HOUR % 24, (at // time.DAY + 3) % 7
    return (100 if 8 <= hour < 18 else 10) * (0.5 if day >= 5 else 1.0) * (1 + 0.02 * ((at // HALF * 7919) % 11 - 5))


def odd(limit=6.0, clear=None):
    return Rule("odd", "deployment.rate", "churn", Watch.ANOMALY, limit, HALF, clear)


def test_what_is_normal_is_learned_for_each_hour_of_the_week():
    found = normal.learn(weeks(4, wave), HALF, 6.0, NOW)
    assert found.season == "hour of the week"
    assert found.odd <= 0.01 * found.seen
    busy, quiet = (
        at for at in (NOW // time.DAY * time.DAY + 10 * time.HOUR, NOW // time.DAY * time.DAY + 2 * time.HOUR)
    )
    assert abs(found.score(busy, wave(busy))) < 3
    assert found.score(busy, wave(quiet)) < -6  # as at night, but by day
    assert found.score(quiet, wave(busy)) > 6


def test_an_outage_in_the_past_does_not_become_normal():
    day = [(at, 0.0 if NOW - 9 * time.DAY < at < NOW - 8 * time.DAY else value) for at, value in weeks(4, wave)]
    found, clean = (normal.learn(each, HALF, 6.0, NOW) for each in (day, weeks(4, wave)))
    moment = NOW // time.DAY * time.DAY + 10 * time.HOUR
    assert found.at(moment) == pytest.approx(clean.at(moment), rel=0.5)
    assert found.score(moment, 0.0) < -6


@pytest.mark.parametrize(
    ("history", "season"), [(weeks(4, wave), "hour of the week"), (weeks(1, wave), "hour of the day"),
                            (weeks(1, wave)[-30:], "all hours"), (weeks(1, wave)[-20:], None)]
)  # fmt: skip
def test_how_much_history_tells_how_many_hours_apart(history, season):
    found = normal.learn(history, HALF, 6.0, NOW)
    assert (found.season if found else None) == season


def test_a_series_that_never_moved_is_odd_when_it_does():
    found = normal.learn(weeks(4, lambda at: 80.0), HALF, 6.0, NOW)
    assert abs(found.score(NOW, 80.4)) < 6 < abs(found.score(NOW, 85.0))
    nothing = normal.learn(weeks(4, lambda at: 0.0), HALF, 6.0, NOW)
    assert nothing.score(NOW, 0.0) == 0
    assert nothing.score(NOW, 1.0) > 6


def test_an_odd_value_must_last_and_ends_beyond_its_own_limit():
    known = normal.learn(weeks(4, lambda at: 100.0 + at // HALF % 5), HALF, 6.0, NOW)
    level, spread = known.at(NOW)
    far, near = level + 8 * spread, level + 4 * spread
    assert judge(odd(), minutes(*[far] * 31), NOW, normal=known).finding is Finding.HOLDS
    assert judge(odd(), minutes(*[2 * level - far] * 31), NOW, normal=known).finding is Finding.HOLDS  # either way
    assert judge(odd(), minutes(*[far] * 10), NOW, normal=known).finding is Finding.UNKNOWN
    assert judge(odd(), minutes(*[near] * 31), NOW, normal=known).finding is Finding.CLEAR
    assert judge(odd(clear=3), minutes(*[near] * 31), NOW, raised=True, normal=known).finding is Finding.HOLDS
    assert judge(odd(), minutes(*[far] * 31), NOW).finding is Finding.UNKNOWN
    said = judge(odd(), minutes(*[far] * 31), NOW, normal=known).reason
    assert f"{known.odd} of {known.seen} spans" in said


def test_a_rule_learns_once_an_hour_and_keeps_what_it_learned(workbench, clock):
    asked = []

    def source(one, since, step):
        asked.append(step)
        if step:
            return weeks(4, lambda at: 100.0 + at // HALF % 5, until=clock.now)
        return minutes(*[300] * 31, until=clock.now)

    room = workbench.alerts
    room.rules.add(odd())
    for _ in range(3):
        room.rules.evaluate(source)
        clock.advance(5 * time.SECOND)
    assert asked.count(HALF) == 1
    [alert] = room.list()
    assert "spreads from" in alert.detail
    assert room.rules.normal("odd").seen > 1000
    clock.advance(time.HOUR)
    room.rules.evaluate(source)
    assert asked.count(HALF) == 2
    room.rules.remove("odd")  # and what it learned with it
    room.rules.add(odd())
    assert room.rules.normal("odd") is None


def burn(limit=14.4, objective=99.0):
    return Rule("burn", "deployment.error_rate", "churn", Watch.BURNS, limit, time.HOUR, objective=objective)


def shares(*pairs, until=NOW):
    """(share of failures, requests), one a minute."""
    return [
        (until - (len(pairs) - 1 - place) * time.MINUTE, share, requests)
        for place, (share, requests) in enumerate(pairs)
    ]


@pytest.mark.parametrize(
    ("pairs", "finding"),
    [
        ([(0.2, 100)] * 60, Finding.HOLDS),  # 20 times what is allowed
        ([(0.1, 100)] * 60, Finding.CLEAR),
        ([(0.2, 100)] * 50 + [(0.0, 100)] * 10, Finding.CLEAR),  # it is over
        ([(0.0, 100)] * 58 + [(1.0, 1)] * 2, Finding.CLEAR),  # few requests weigh little
        ([(0.0, 1)] * 50 + [(0.2, 1000)] * 10, Finding.HOLDS),
        ([], Finding.UNKNOWN),
    ],
)
def test_a_budget_must_burn_over_the_span_and_now(pairs, finding):
    assert judge(burn(), shares(*pairs), NOW).finding is finding


def test_an_alert_ends_after_its_condition_is_gone_for_as_long_as_the_rule_wants(workbench, clock):
    room = workbench.alerts
    room.rules.add(dataclasses.replace(rule(), clear_for=time.MINUTE))
    high, low = (lambda one, since, step, v=v: minutes(*[v] * 11, until=clock.now) for v in (95, 20))
    room.rules.evaluate(high)
    for wait, source, open_ in ((0, low, 1), (30, low, 1), (0, high, 1), (40, low, 1), (30, low, 1), (60, low, 0)):
        clock.advance(wait * time.SECOND)
        room.rules.evaluate(source)
        assert room.open_count() == open_
    room.rules.evaluate(high)
    assert room.open_count() == 1


def test_the_alert_about_something_that_was_removed_ends_and_no_other_begins(workbench):
    rules = workbench.alerts.rules
    rules.add(Rule("quiet", "deployment.requests", "churn", Watch.ABSENT, 0.0, time.HOUR))
    assert rules.evaluate(lambda rule, since, step: [])["quiet"].finding == "holds"
    assert rules.evaluate(lambda rule, since, step: None)["quiet"].finding == "gone"
    [alert] = workbench.alerts.list()
    assert (alert.state, alert.why) == ("resolved", "there is no churn any more")


@pytest.mark.parametrize(
    ("series", "test", "limit", "never"),
    [
        ("deployment.error_rate", Watch.ABOVE, 5, True),
        ("deployment.error_rate", Watch.ABOVE, 0.05, False),
        ("monitor.error_gap_low", Watch.ABOVE, 20, False),
        ("hardware.cpu", Watch.ABOVE, 101, True),
        ("deployment.cpu_percent", Watch.ABOVE, 150, False),
        ("deployment.requests", Watch.BELOW, 0, True),
        ("hardware.temperature", Watch.BELOW, -5, False),
        ("monitor.performance", Watch.BELOW, -2, False),
    ],
)
def test_a_limit_that_no_value_is_beyond_is_refused(series, test, limit, never):
    with pytest.raises(InvalidInput, match="never") if never else contextlib.nullcontext():
        bounds.check(Rule("r", series, "", test, limit, time.HOUR))
