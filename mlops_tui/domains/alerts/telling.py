"""Tells people: channels, times of quiet, and messages that are kept before they are sent and tried until they are."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, WorkbenchError
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.core.query import read
from mlops_tui.core.secrets import Secrets
from mlops_tui.domains.alerts import drafting, searching, sending
from mlops_tui.domains.alerts.channel_records import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Draft,
    Maintenance,
)
from mlops_tui.domains.alerts.channel_store import ChannelStore
from mlops_tui.domains.alerts.records import Severity
from mlops_tui.domains.alerts.recurring import Weekly

if TYPE_CHECKING:
    from mlops_tui.core.context import Context
    from mlops_tui.domains.alerts.service import Alerts
    from mlops_tui.domains.alerts.store import AlertsStore
    from mlops_tui.domains.audit.service import Audit

BACK_OFF = (30 * clock.SECOND, 2 * clock.MINUTE, 10 * clock.MINUTE, clock.HOUR)
"""Waits between tries of one message; after the last it is given up."""
KEPT = 90 * clock.DAY
LOOK_S = 1.0
"""How often it is looked for new messages while one is waited for."""


class Telling:
    """Who is told of alerts. Part of the room of alerts."""

    def __init__(self, context: Context, audit: Audit, alerts: AlertsStore, room: Alerts) -> None:
        self._context = context
        self._audit = audit
        self._alerts = alerts
        self._room = room
        self._store = ChannelStore(context)
        self.secrets = Secrets(context.workspace)

    # -- channels ------------------------------------------------------------------------------------------------------

    def add(self, name: str, kind: str, target: str = "", **settings: Any) -> Channel:
        """Make a channel; `settings` are the other fields of `Channel`. It tells of alerts that are open now, too.

        Raises InvalidInput for what its kind cannot use, AlreadyExists.
        """
        check_name("channel", name)
        if self._store.get(name) is not None:
            raise AlreadyExists(
                f"There is a channel {name} already.", hint=f"Remove it: mlops alerts channels remove {name}"
            )
        channel = Channel(
            name, _kind(kind), target, **settings, created_at=self._context.now(), created_by=self._context.actor
        )
        sending.check(channel)
        if channel.kind is ChannelKind.SCRIPT:
            sending.program(target, self._context.workspace.project)
        read(channel.match, searching.ALERTS, self._context.now())
        if channel.per_hour < 1 or channel.after < 0 or (channel.repeat is not None and channel.repeat < clock.MINUTE):
            raise InvalidInput("A channel takes at least one message an hour and repeats after at least a minute.")
        with self._context.catalog.write() as tx:
            self._store.put(tx, channel)
            facts = {"kind": str(channel.kind), "severity": str(channel.severity), "match": channel.match}
            self._audit.note(tx, "add", "channel", name, after=facts)
        return channel

    def channels(self) -> list[Channel]:
        """By name."""
        return self._store.list()

    def get(self, name: str) -> Channel:
        """Raises NotFound."""
        found = self._store.get(name)
        if found is None:
            hint = did_you_mean(name, [one.name for one in self._store.list()], "See them: mlops alerts channels list")
            raise NotFound(f"There is no channel {name}.", hint=hint)
        return found

    def pause(self, name: str, on: bool = True, why: str = "") -> Channel:
        """Say nothing through it until it is resumed (`on=False`). Raises NotFound."""
        channel = dataclasses.replace(self.get(name), paused=on)
        with self._context.catalog.write() as tx:
            self._store.put(tx, channel)
            self._audit.note(tx, "pause" if on else "resume", "channel", name, why=why)
        return channel

    def remove(self, name: str, why: str = "") -> None:
        """Forget a channel; what waits for it is given up. Raises NotFound."""
        self.get(name)
        with self._context.catalog.write() as tx:
            self._store.remove(tx, name)
            self._audit.note(tx, "remove", "channel", name, why=why)
            self._room.resolve_by(drafting.DELIVERY, name, "the channel was removed")

    # -- quiet ---------------------------------------------------------------------------------------------------------

    def quiet(self, match: str, since: int, until: int, why: str = "", *, weekly: Weekly | None = None) -> Maintenance:
        """A time in which nobody is told of alerts that meet `match`; with `weekly` only in those hours of it. Raises InvalidInput."""
        now = self._context.now()
        read(match, searching.ALERTS, now)
        if until <= max(since, now):
            raise InvalidInput("That time of maintenance would be over before it began.", hint="Give --for 2h.")
        new = Maintenance(0, match, since, until, self._context.actor, why, weekly)
        with self._context.catalog.write() as tx:
            number = self._store.add_maintenance(tx, new)
            after = {"match": match, "since": clock.iso(since), "until": clock.iso(until)}
            after |= {"weekly": weekly.words} if weekly else {}
            self._audit.note(tx, "begin", "maintenance", str(number), why=why, after=after)
        return dataclasses.replace(new, id=number)

    def maintenance(self) -> Sequence[Maintenance]:
        """What is on and what is to come."""
        return self._store.maintenance(after=self._context.now())

    def end_quiet(self, number: int, why: str = "") -> None:
        """End a time of maintenance now. Raises NotFound."""
        if number not in {one.id for one in self.maintenance()}:
            raise NotFound(f"There is no maintenance {number} to end.", hint="See: mlops alerts maintenance list")
        with self._context.catalog.write() as tx:
            self._store.end_maintenance(tx, number, self._context.now())
            self._audit.note(tx, "end", "maintenance", str(number), why=why)

    # -- messages ------------------------------------------------------------------------------------------------------

    def due(self) -> bool:
        """Whether there is something to tell now; cheap when there is no channel."""
        return bool(self._store.waiting(self._context.now())) or any(self._drafts())

    def deliver(self) -> list[Delivery]:
        """Make the messages that are due, then send what waits; each as it stands after its attempt.

        A message is kept before it is sent, so one whose sender was killed is sent again: at least once, never lost. Channels are
        served side by side, each message by message, and whoever waits for one that hangs goes on with what comes up meanwhile
        for the others; a channel that took nothing is left alone until the next time.
        """
        settled: list[Delivery] = []
        busy: set[str] = set()
        failed: set[str] = set()
        answers: queue.SimpleQueue[tuple[Delivery, BaseException | None]] = queue.SimpleQueue()
        with self._context.catalog.write() as tx:
            self._store.prune(tx, self._context.now() - KEPT)
        while True:
            self._queue_drafts()
            for one in self._store.waiting(self._context.now()):
                if one.channel not in busy | failed and self._claimed(one):
                    busy.add(one.channel)
                    self._begin(one, answers)
            if not busy:
                return settled
            with contextlib.suppress(queue.Empty):
                one, trouble = answers.get(timeout=LOOK_S)
                if trouble is not None and not isinstance(trouble, Exception):
                    raise trouble
                settled.append(self._settle(one, trouble))
                busy.discard(one.channel)
                if trouble is not None:
                    failed.add(one.channel)

    def test(self, name: str) -> Delivery:
        """Send a message that says it is a test, at once and once. Raises NotFound; the outcome is in the delivery."""
        channel = self.get(name)
        title = "[test] This channel works"
        body = f"{self._context.actor} tried the channel {name} of {self._context.settings.workspace.name}."
        draft = Draft(channel.name, DeliveryKind.TEST, Severity.INFO, title, body)
        with self._context.catalog.write() as tx:
            number = self._store.queue(tx, draft, self._context.now())
            self._audit.note(tx, "test", "channel", name)
        answers: queue.SimpleQueue[tuple[Delivery, BaseException | None]] = queue.SimpleQueue()
        self._begin(self._delivery(number), answers)
        return self._settle(*answers.get(), last=True)

    def deliveries(self, *, channel: str | None = None, alert: int | None = None, limit: int = 100) -> list[Delivery]:
        """Messages, newest first."""
        return self._store.deliveries(channel=channel, alert=alert, limit=limit)

    def _drafts(self) -> list[Draft]:
        now = self._context.now()
        channels = [one for one in self._store.list() if not one.paused and self._store.stirs(one, now)]
        if not channels:
            return []
        active = self._alerts.find(now, state=None, subject=None, rule=None, limit=-1, active=True)
        quiet = self._store.maintenance(after=now)
        found: list[Draft] = []
        for channel in channels:
            if channel.kind is ChannelKind.HEARTBEAT:
                found.append(drafting.beat(channel, active))
                continue
            told = self._store.told(channel.name)
            ended = self._alerts.some(self._store.over(channel.name), now)
            sent = self._store.count_since(channel.name, now - clock.HOUR)
            found += drafting.drafts(channel, [*active, *ended], told, quiet, sent_last_hour=sent, now=now)
        return found

    def _queue_drafts(self) -> None:
        if self._drafts():
            with self._context.catalog.write() as tx:
                for draft in self._drafts():  # as they are under the lock: another daemon may have been faster
                    self._store.queue(tx, draft, self._context.now())

    def _begin(self, delivery: Delivery, answers: queue.SimpleQueue[tuple[Delivery, BaseException | None]]) -> None:
        """Send it in a thread of its own, which puts what became of it among the answers."""

        def work() -> None:
            try:
                sending.send(channel, outgoing, self.secrets)
            except BaseException as error:
                answers.put((delivery, error))
            else:
                answers.put((delivery, None))

        try:
            channel = self.get(delivery.channel)
        except NotFound as error:  # removed a moment ago
            answers.put((delivery, error))
            return
        alerts = self._alerts.some(delivery.alerts[: sending.LISTED], self._context.now())
        name, folder = self._context.settings.workspace.name, self._context.workspace.project
        outgoing = sending.Outgoing(delivery, alerts, name, folder)
        threading.Thread(target=work, daemon=True).start()

    def _settle(self, delivery: Delivery, trouble: BaseException | None, *, last: bool = False) -> Delivery:
        now = self._context.now()
        tries = delivery.attempts + 1
        if trouble is None:
            after = dataclasses.replace(delivery, state=DeliveryState.SENT, attempts=tries, sent_at=now, error="")
        else:
            words = trouble.message if isinstance(trouble, WorkbenchError) else f"{type(trouble).__name__}: {trouble}"
            given_up = last or tries > len(BACK_OFF)
            state = DeliveryState.FAILED if given_up else DeliveryState.WAITING
            later = now if given_up else now + BACK_OFF[tries - 1]
            after = dataclasses.replace(delivery, state=state, attempts=tries, next_at=later, error=words)
        with self._context.catalog.write() as tx:
            self._store.settle(tx, after)
        return after

    def _claimed(self, delivery: Delivery) -> bool:
        now = self._context.now()
        with self._context.catalog.write() as tx:
            return self._store.claim(tx, delivery.id, now, now + BACK_OFF[0])

    def _delivery(self, number: int) -> Delivery:
        found = self._store.delivery(number)
        if found is None:
            raise NotFound(f"There is no delivery {number}.")
        return found


def _kind(text: str) -> ChannelKind:
    try:
        return ChannelKind(text)
    except ValueError:
        raise InvalidInput(f"'{text}' is not a kind of channel.", hint=f"One of: {', '.join(ChannelKind)}.") from None
