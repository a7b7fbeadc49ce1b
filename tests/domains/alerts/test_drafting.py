"""What is told when: grouped, not again too soon, never too much, and nothing of it lost."""

from __future__ import annotations

import dataclasses

from mlops_tui.core import clock
from mlops_tui.domains.alerts import drafting
from mlops_tui.domains.alerts.channel_records import Channel, ChannelKind, DeliveryKind, Maintenance, Told
from mlops_tui.domains.alerts.records import Alert, AlertState, Severity
from mlops_tui.domains.alerts.recurring import Weekly

NOW = 1_800_000_000_000
CHANNEL = Channel("ops", ChannelKind.WEBHOOK, "http://localhost/hook")


def alert(number=1, subject="churn", severity=Severity.WARNING, state=AlertState.OPEN, age=clock.MINUTE, rule="drift"):
    at = NOW - age
    return Alert(number, rule, subject, severity, state, f"Alert {number}", "", 1, at, at)


def made(*alerts, channel=CHANNEL, told=None, maintenance=(), sent=0, now=NOW):
    return drafting.drafts(channel, alerts, told or {}, maintenance, sent_last_hour=sent, now=now)


def test_alerts_of_one_subject_are_one_message_with_the_worst_in_front():
    [one] = made(alert(1), alert(2, severity=Severity.CRITICAL), alert(3))
    assert one.title == "[critical] churn: 3 alerts"
    assert one.body.splitlines()[0].startswith("critical: Alert 2")
    assert [told.id for told in one.alerts] == [2, 1, 3]


def test_two_subjects_are_two_messages_and_many_are_one():
    assert len(made(alert(1, "a"), alert(2, "b"))) == 2
    [one] = made(*(alert(number, f"s{number}") for number in range(10_000)))
    assert one.title == "[warning] 10000 subjects: 10000 alerts"
    assert one.body.splitlines()[-1] == "and 9990 more: mlops alerts list"
    assert len(one.alerts) == 10_000


def test_a_new_alert_waits_a_moment_for_others_of_its_subject():
    young = alert(age=drafting.GATHER - 1)
    assert made(young) == []
    assert len(made(young, now=NOW + 1)) == 1
    assert len(made(young, alert(2, age=drafting.GATHER))) == 1


def test_what_was_told_is_told_again_only_when_it_is_worse_or_waits_long():
    told = {1: Told(NOW - clock.HOUR, Severity.WARNING, False)}
    assert made(alert(1), told=told) == []
    assert made(alert(1, severity=Severity.CRITICAL), told=told)[0].kind is DeliveryKind.RAISED
    day = {1: Told(NOW - 24 * clock.HOUR, Severity.WARNING, False)}
    assert made(alert(1), told=day)[0].kind is DeliveryKind.REPEATED
    hourly = dataclasses.replace(CHANNEL, repeat=clock.HOUR)
    assert made(alert(1), told=told, channel=hourly)[0].title == "[still open] Alert 1"


def test_the_end_of_what_was_told_is_told_once_and_of_nothing_else():
    over = alert(1, state=AlertState.RESOLVED)
    assert made(over) == []
    [one] = made(over, told={1: Told(NOW - 1, Severity.WARNING, False)})
    assert (one.kind, one.title) == (DeliveryKind.RESOLVED, "[resolved] Alert 1")
    assert made(over, told={1: Told(NOW - 1, Severity.WARNING, True)}) == []
    assert (
        made(
            over, told={1: Told(NOW - 1, Severity.WARNING, False)}, channel=dataclasses.replace(CHANNEL, resolved=False)
        )
        == []
    )


def test_acknowledged_silenced_slight_and_other_alerts_are_not_told():
    assert made(alert(state=AlertState.ACKNOWLEDGED), alert(2, state=AlertState.SILENCED)) == []
    assert made(alert(severity=Severity.INFO)) == []
    assert made(alert(subject="other"), channel=dataclasses.replace(CHANNEL, match="subject:churn")) == []
    assert made(alert(), channel=dataclasses.replace(CHANNEL, paused=True)) == []


def test_a_channel_to_escalate_to_hears_of_what_nobody_acknowledged_in_time():
    boss = dataclasses.replace(CHANNEL, after=30 * clock.MINUTE)
    assert made(alert(age=29 * clock.MINUTE), channel=boss) == []
    assert len(made(alert(age=30 * clock.MINUTE), channel=boss)) == 1
    assert made(alert(age=clock.HOUR, state=AlertState.ACKNOWLEDGED), channel=boss) == []


def test_in_maintenance_nobody_is_told_and_afterwards_of_what_is_still_open():
    quiet = Maintenance(1, "subject:churn", NOW - 1, NOW + 1, "ada", "")
    assert made(alert(), maintenance=[quiet]) == []
    assert len(made(alert(2, "other"), maintenance=[quiet])) == 1
    assert len(made(alert(), maintenance=[quiet], now=NOW + 1)) == 1


def test_beyond_its_hourly_number_a_channel_waits_and_then_tells_all():
    few = dataclasses.replace(CHANNEL, per_hour=2)
    assert made(alert(), channel=few, sent=2) == []
    assert len(made(alert(1, "a"), alert(2, "b"), alert(3, "c"), channel=few, sent=1)) == 1


def test_a_channel_is_not_told_that_it_is_broken_itself():
    broken = alert(rule=drafting.DELIVERY, subject="ops")
    assert made(broken) == []
    assert len(made(broken, channel=dataclasses.replace(CHANNEL, name="backup"))) == 1


def test_a_storm_is_told_in_ever_larger_parts_and_leaves_room_for_what_comes_after():
    young = [alert(number, f"s{number}", age=20 * clock.SECOND) for number in range(5)]
    assert len(made(*young, sent=1)) == 1
    assert made(*young, sent=3) == []
    assert len(made(*(dataclasses.replace(one, first_at=NOW - 40 * clock.SECOND) for one in young), sent=3)) == 1
    assert len(made(alert(age=5 * clock.MINUTE), sent=19)) == 1
    assert len(made(alert(age=30 * clock.SECOND, severity=Severity.CRITICAL), sent=19)) == 1


def test_maintenance_that_recurs_keeps_its_hours_quiet_each_week():
    nights = Maintenance(1, "", 0, 2**53, "ada", "", Weekly("*", "22:00-06:00"))
    day = NOW // clock.DAY * clock.DAY
    assert made(alert(), maintenance=[nights], now=day + 23 * clock.HOUR) == []
    assert made(alert(), maintenance=[nights], now=day + 29 * clock.HOUR) == []
    assert len(made(alert(), maintenance=[nights], now=day + 12 * clock.HOUR)) == 1
