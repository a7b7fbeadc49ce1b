"""What is to be told now: grouped by subject, not again too soon, never more than a channel takes an hour. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlops_tui.core import clock
from mlops_tui.core.query import read
from mlops_tui.domains.alerts import searching
from mlops_tui.domains.alerts.channel_records import Channel, DeliveryKind, Draft, Maintenance, Told
from mlops_tui.domains.alerts.records import Alert, AlertState, Severity

GATHER = 5 * clock.SECOND
"""A new alert waits that long for others of its subject; twice as long with each message of the last hour."""
LONGEST = {Severity.CRITICAL: 30 * clock.SECOND, Severity.WARNING: 5 * clock.MINUTE, Severity.INFO: 5 * clock.MINUTE}
"""It never waits longer than that: a storm becomes a few messages, and leaves room for what comes after it."""
SINGLY = 3
"""With more subjects than this at once, one message names them all: nobody reads thirty."""
NAMED = 10
"""So many alerts are named in one message; the others are counted."""
SAID = 500
"""So many characters of what an alert says go into a message; `alerts show` has all."""

DELIVERY = "delivery"
"""The rule of alerts about a channel that takes nothing."""

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


def drafts(
    channel: Channel,
    alerts: Sequence[Alert],
    told: Mapping[int, Told],
    maintenance: Iterable[Maintenance],
    *,
    sent_last_hour: int,
    now: int,
) -> list[Draft]:
    """Messages for one channel. `told` is by alert; `alerts` holds the unresolved ones and those it was told of.

    What exceeds `per_hour` is not lost: it is untold still, and goes out together when there is room.
    """
    room = channel.per_hour - sent_last_hour
    if channel.paused or room <= 0:
        return []
    quiet = [read(one.match, searching.ALERTS, now) for one in maintenance if one.on(now)]
    wanted = read(channel.match, searching.ALERTS, now)
    mine = [alert for alert in wanted.select(alerts) if _RANK[alert.severity] >= _RANK[channel.severity]]
    mine = [alert for alert in mine if (alert.rule, alert.subject) != (DELIVERY, channel.name)]  # not by what is broken
    heard = [alert for alert in mine if not any(one.select([alert]) for one in quiet)]
    waiting = [alert for alert in heard if alert.state is AlertState.OPEN and now - alert.first_at >= channel.after]
    fresh = [alert for alert in waiting if _is_new(alert, told.get(alert.id))]
    again = [alert for alert in waiting if alert.id in told and not _is_new(alert, told[alert.id])]
    again = [alert for alert in again if now - told[alert.id].at >= channel.repeats_after(alert.severity)]
    over = [alert for alert in alerts if alert.state is AlertState.RESOLVED and _was_open(told.get(alert.id))]
    if fresh and now - min(alert.first_at for alert in fresh) < _gathers(fresh, sent_last_hour):
        fresh = []
    found = [*_messages(channel, DeliveryKind.RAISED, fresh), *_messages(channel, DeliveryKind.REPEATED, again)]
    if channel.resolved:
        found += _messages(channel, DeliveryKind.RESOLVED, over)
    return found[:room]


def beat(channel: Channel, alerts: Sequence[Alert]) -> Draft:
    """What a heartbeat says: that somebody is there to say it, and how much waits."""
    waiting = sum(alert.state is AlertState.OPEN for alert in alerts)
    return Draft(channel.name, DeliveryKind.BEAT, Severity.INFO, f"Alive, {waiting} alerts open", "")


def _gathers(fresh: Sequence[Alert], sent_last_hour: int) -> int:
    worst = max((alert.severity for alert in fresh), key=_RANK.__getitem__)
    return min(GATHER << min(sent_last_hour, 10), LONGEST[worst])


def _is_new(alert: Alert, told: Told | None) -> bool:
    return told is None or told.resolved or _RANK[alert.severity] > _RANK[told.severity]


def _was_open(told: Told | None) -> bool:
    return told is not None and not told.resolved


def _messages(channel: Channel, kind: DeliveryKind, alerts: Sequence[Alert]) -> list[Draft]:
    subjects: dict[str, list[Alert]] = {}
    for alert in alerts:
        subjects.setdefault(alert.subject, []).append(alert)
    if len(subjects) > SINGLY:
        return [_message(channel, kind, f"{len(subjects)} subjects", alerts)]
    return [_message(channel, kind, subject, found) for subject, found in subjects.items()]


def _message(channel: Channel, kind: DeliveryKind, subject: str, alerts: Sequence[Alert]) -> Draft:
    worst = max((alert.severity for alert in alerts), key=_RANK.__getitem__)
    ranked = sorted(alerts, key=lambda alert: (-_RANK[alert.severity], alert.first_at))
    words = {DeliveryKind.RESOLVED: "resolved", DeliveryKind.REPEATED: "still open"}.get(kind, str(worst))
    title = f"[{words}] {ranked[0].title}" if len(alerts) == 1 else f"[{words}] {subject}: {len(alerts)} alerts"
    lines = [line for alert in ranked[:NAMED] for line in _lines(alert)]
    if len(ranked) > NAMED:
        lines.append(f"and {len(ranked) - NAMED} more: mlops alerts list")
    return Draft(channel.name, kind, worst, title, "\n".join(lines), tuple(ranked))


def _lines(alert: Alert) -> list[str]:
    times = f", {alert.count} times" if alert.count > 1 else ""
    first = f"{alert.severity}: {alert.title} (alert {alert.id}, {alert.rule} of {alert.subject}{times})"
    if alert.state is AlertState.RESOLVED:
        return [f"{first}. Resolved by {alert.resolved_by}: {alert.why or 'no reason given'}"]
    detail = alert.detail if len(alert.detail) <= SAID else f"{alert.detail[:SAID]}..."
    return [first, *([f"  {detail}"] if detail else []), f"  since {clock.iso(alert.first_at)}"]
